//! What goes beyond listings: stored checksums, tags, annotations, and which bytes are to be read.

use std::collections::BTreeSet;

use backup_aws::s3::annotations;
use backup_aws::s3::head::{Found, Head, head, tags};
use backup_aws::{ApiError, Failure};
use backup_domain::audit::compare::of_point_as;
use backup_domain::audit::finding::{Finding, Kind};
use backup_domain::audit::progress::Reading;
use backup_domain::audit::sums::{expected_crc, stored_differ};
use backup_domain::audit::{Compared, Entry, Level};
use backup_domain::catalog::RecoveryPoint;
use backup_domain::crc::of_nothing;
use backup_domain::policy::Annotations;
use futures_util::stream::{self, StreamExt};

use crate::keys::{Audited, Key, Place, at_copy, copy_of, there};

/// Versions of one key that are looked at at once: it may have many thousands.
pub const AT_ONCE: usize = 16;

/// What comes of one copy.
#[derive(Default)]
struct Looked {
    findings: Vec<Finding>,
    reading: Option<Reading>,
    archived: bool,
    vanished: bool,
}

impl Key {
    /// Looks closely at every copy that is there, of the points in the slice.
    pub async fn look_closely(
        &self,
        place: &Place<'_>,
        compared: &Compared,
        audited: &mut Audited,
    ) -> Result<(), Failure> {
        let differing = compared.findings.iter().filter_map(|finding| {
            let differs = matches!(finding.finding, Kind::SizeDiffers | Kind::ChecksumDiffers);
            finding.backup_version_id.as_deref().filter(|_| differs)
        });
        let differing: BTreeSet<_> = differing.collect();
        let mut asked = Vec::new();
        for (point, copy) in &compared.held {
            let (point, copy) = (&place.points[*point], &place.copies[*copy]);
            let slice = self.shared.slice;
            let in_slice = slice.is_none_or(|slice| slice.has(&point.pk, &point.sk));
            if in_slice && !differing.contains(copy.id.as_str()) {
                asked.push(self.look_at(place, point, copy));
            }
        }
        let looked: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        for one in looked {
            let mut one = one?;
            audited.findings.append(&mut one.findings);
            audited.reading.extend(one.reading);
            audited.archived += u64::from(one.archived);
            audited.vanished |= one.vanished;
        }
        Ok(())
    }

    async fn look_at(
        &self,
        place: &Place<'_>,
        point: &RecoveryPoint,
        copy: &Entry,
    ) -> Result<Looked, Failure> {
        let mut looked = Looked::default();
        let context = &self.shared.context;
        let s3 = context.clients.s3(&place.destination.region);
        let found = head(&s3, copy_of(place, &copy.id)).await;
        let Found::Object(found) = found.map_err(|api| at_copy(&api, place))? else {
            looked.vanished = true;
            return Ok(looked);
        };
        let source = self.source_of(point).await?;
        let facts = source.as_ref().map(|source| &source.headed.facts);
        let differs = |kind, detail| Finding {
            backup_version_id: Some(copy.id.clone()),
            ..of_point_as(point, kind, detail)
        };
        if let Some(detail) = stored_differ(point, facts, &found.headed.facts) {
            looked.findings.push(differs(Kind::ChecksumDiffers, detail));
            return Ok(looked);
        }
        if source.is_some() {
            let Some(carried) = self.carried(place, point, copy).await? else {
                looked.vanished = true;
                return Ok(looked);
            };
            let carried = carried.into_iter();
            looked
                .findings
                .extend(carried.map(|(kind, detail)| differs(kind, detail)));
        }
        if self.shared.level < Level::Read {
            return Ok(looked);
        }
        if found.headed.archived {
            looked.archived = true;
            return Ok(looked);
        }
        let copy_facts = &found.headed.facts;
        let expected = expected_crc(point, facts, copy_facts).map(str::to_owned);
        // Without the source and without a sum there is nothing to hold the bytes against.
        if expected.is_some() || source.as_ref().is_some_and(|it| !it.headed.archived) {
            looked.reading = Some(Reading {
                finding: differs(Kind::ChecksumDiffers, String::new()),
                copy_key: place.key.clone(),
                copy_etag: copy_facts.etag.clone(),
                bytes: copy_facts.size,
                expected,
                copy: (0, of_nothing()),
                source: (0, of_nothing()),
            });
        }
        Ok(looked)
    }

    /// The version at the source, where it is still listed and still the same.
    async fn source_of(&self, point: &RecoveryPoint) -> Result<Option<Head>, Failure> {
        let version = point.object.in_order();
        let mut listed = self.source().iter().filter(|entry| !entry.delete_marker);
        if !listed.any(|entry| entry.in_order().is(&version)) {
            return Ok(None);
        }
        let context = &self.shared.context;
        let version = context.source_version(&self.group.key, version.id);
        let found = head(&context.source_s3(), version).await;
        let found = found.map_err(|api| api.at_source(&context.source))?;
        Ok(match found {
            Found::Object(found) => {
                Some(*found).filter(|found| found.headed.facts.etag == point.object.etag)
            }
            Found::Nothing => None,
        })
    }

    /// What goes along with the content; `None` where either went away since its HEAD.
    async fn carried(
        &self,
        place: &Place<'_>,
        point: &RecoveryPoint,
        copy: &Entry,
    ) -> Result<Option<Vec<(Kind, String)>>, Failure> {
        let context = &self.shared.context;
        let id = point.object.in_order().id;
        let ours = context.source_version(&self.group.key, id);
        let theirs = copy_of(place, &copy.id);
        let (source, backup) = (
            context.source_s3(),
            context.clients.s3(&place.destination.region),
        );
        let at_source = |api: ApiError| api.at_source(&context.source);
        let at_backup = |api: ApiError| at_copy(&api, place);
        let mut found = Vec::new();
        let mine = there(tags(&source, ours).await).map_err(at_source)?;
        let other = there(tags(&backup, theirs).await).map_err(at_backup)?;
        let (Some(mine), Some(other)) = (mine, other) else {
            return Ok(None);
        };
        if mine != other {
            found.push((Kind::TagsDiffer, format!("source {mine:?}, copy {other:?}")));
        }
        let mut rules = self.shared.policy.rules.iter();
        let rule = rules.find(|rule| rule.name == point.rule);
        if rule.is_some_and(|rule| rule.annotations == Annotations::Carry) {
            let mine = there(annotations::digest(&source, ours).await).map_err(at_source)?;
            let other = there(annotations::digest(&backup, theirs).await).map_err(at_backup)?;
            let (Some(mine), Some(other)) = (mine, other) else {
                return Ok(None);
            };
            if mine != other {
                found.push((
                    Kind::AnnotationsDiffer,
                    format!("source {mine:?}, copy {other:?}"),
                ));
            }
        }
        Ok(Some(found))
    }
}
