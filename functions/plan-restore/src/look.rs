//! One key: what it was at the moment, and what lies where it would be restored to.

use std::collections::BTreeSet;

use backup_aws::s3::head::Version;
use backup_aws::s3::listing::Entry;
use backup_aws::{Clients, ErrorName, Failure, S3};
use backup_domain::catalog::RecoveryPoint;
use backup_domain::copy::Headed;
use backup_domain::key::destination_key;
use backup_domain::object::NULL_VERSION;
use backup_domain::restore::conflict::{Decided, Hiding, decide, hide, never_backed_up};
use backup_domain::restore::course::Course;
use backup_domain::restore::line::{Copy, Item};
use backup_domain::restore::moment::{self, AtMoment};
use backup_domain::restore::owners::Owners;
use backup_domain::restore::report::{Left, Outcome};
use backup_domain::restore::request::{From, Mode, Request};
use backup_domain::restore::sample::Candidate;
use jiff::Timestamp;

use crate::plan::Planner;

/// What is known of a key.
pub enum Known {
    /// Its points in the catalog.
    Points(Vec<RecoveryPoint>),
    /// Its key and versions in a backup bucket.
    Versions(String, Vec<Entry>),
    /// One of its versions, chosen for a drill.
    Sampled(Candidate),
}

/// What is to be done with a key.
pub struct Looked {
    /// The first version that is known of it.
    pub earliest: Option<Timestamp>,
    /// Destinations that have a copy of any of its versions, as the catalog has it.
    pub destinations: BTreeSet<String>,
    /// From when on nothing is needed that has expired, where something has.
    pub whole_from: Option<Timestamp>,
    /// What to do.
    pub found: Found,
}

/// What to do with a key.
pub enum Found {
    /// Nothing: it did not exist, and nothing has to be hidden.
    Absent,
    /// Nothing: its content is there.
    Same,
    /// This; and whether it covers something.
    Do(Box<Item>, bool),
    /// Nothing, and somebody should know.
    Left(Left),
}

/// Looks at keys, many at once.
#[derive(Clone)]
pub struct Looker {
    pub(crate) clients: Clients,
    pub(crate) request: Request,
    pub(crate) source: String,
    pub(crate) region: String,
    pub(crate) target: S3,
    pub(crate) backup: S3,
    pub(crate) target_empty: bool,
    pub(crate) owners: Owners,
}

/// The version of a moment, ready to be compared with what is there.
pub(crate) struct Wanted<'k> {
    pub copy: Copy,
    /// Copies of the same version in other destinations.
    pub others: Vec<Copy>,
    pub known: Evident<'k>,
}

/// By what a copy is known.
#[derive(Clone, core::marker::Copy)]
pub(crate) enum Evident<'k> {
    /// Its point in the catalog.
    ByCatalog(&'k RecoveryPoint),
    /// Its own HEAD.
    ByHead(&'k Headed),
}

impl Looker {
    /// With the clients that this plan needs.
    pub fn new(planner: &Planner, course: &Course, owners: Owners) -> Self {
        let request = course.request.clone();
        let region = |named: Option<&String>| named.unwrap_or(&planner.region).clone();
        let backup = match &request.from {
            From::Backup(backup) => region(backup.region.as_ref()),
            From::Catalog => planner.region.clone(),
        };
        Self {
            clients: planner.clients.clone(),
            source: planner.source.clone(),
            target: planner.clients.s3(&region(request.to.region.as_ref())),
            backup: planner.clients.s3(&backup),
            region: backup,
            target_empty: course.plan.target_empty,
            owners,
            request,
        }
    }

    /// Account that owns a backup bucket, where that is known.
    pub fn owner_of(&self, backup: &str) -> Option<String> {
        self.owners.of(backup)
    }

    /// Decides for one key.
    pub async fn look(&self, known: Known) -> Result<Looked, Failure> {
        match (known, &self.request.from) {
            (Known::Points(points), _) => {
                let wished = self.request.destination.as_deref();
                let found = self.by_points(&points, self.request.at, wished).await?;
                Ok(Looked {
                    earliest: moment::earliest(&points),
                    destinations: destinations(&points),
                    whole_from: moment::whole_from(&points),
                    found,
                })
            }
            (Known::Sampled(it), _) => {
                let wished = Some(it.destination.as_str());
                let mut found = self.by_points(&it.points, it.at, wished).await?;
                if let Found::Do(item, _) = &mut found {
                    item.at = Some(it.at);
                    // This very copy is tried.
                    item.others.clear();
                }
                Ok(Looked {
                    earliest: moment::earliest(&it.points),
                    destinations: BTreeSet::new(),
                    // A drill asks for each key's own moment.
                    whole_from: None,
                    found,
                })
            }
            (Known::Versions(key, entries), From::Backup(backup)) => {
                self.by_versions(backup, &key, entries).await
            }
            (Known::Versions(..), From::Catalog) => Err(Failure::new(
                ErrorName::InvalidRestore,
                "versions of a bucket in a plan by the catalog",
            )),
        }
    }

    async fn by_points(
        &self,
        points: &[RecoveryPoint],
        at: Timestamp,
        wished: Option<&str>,
    ) -> Result<Found, Failure> {
        let key = points.first().map_or("", |point| point.object.key.as_str());
        // Of a key that is known by its deletions alone, nothing is to be brought back or hidden.
        if !moment::is_backed_up(points) {
            return Ok(Found::Absent);
        }
        match moment::at_moment(points, at, wished) {
            AtMoment::NotYet | AtMoment::Deleted => {
                self.absent(key, |entry| is_of(points, entry)).await
            }
            AtMoment::Missing { why, .. } => Ok(missing(key, why)),
            AtMoment::Offered { point, copy } => {
                // Only a stored point is offered, and it names its copy.
                let Some(copy) = self.copy_of(point, copy) else {
                    return Ok(missing(key, "its point names no copy".to_owned()));
                };
                let others = points.iter().filter(|it| is_another_of(point, it));
                let others = others.filter_map(|it| self.copy_of(it, it.in_order().good_copy()?));
                let wanted = Wanted {
                    copy,
                    others: others.collect(),
                    known: Evident::ByCatalog(point),
                };
                self.present(key, wanted).await
            }
        }
    }

    /// A copy as a point has it.
    fn copy_of(&self, point: &RecoveryPoint, version_id: &str) -> Option<Copy> {
        let backup = point.backup.as_ref()?;
        let key = Some(&backup.key).filter(|other| **other != point.object.key);
        Some(Copy {
            bucket: backup.bucket.clone(),
            region: backup.region.clone(),
            account: self.owners.of(&backup.bucket),
            key: key.cloned(),
            version_id: version_id.to_owned(),
            size: point.object.size,
            evidence: point.evidence.clone(),
            storage_class: backup.storage_class.clone(),
        })
    }

    /// Nothing was there by what the backup knows. A rollback hides what is there now, unless the
    /// source itself shows that there was something.
    pub(crate) async fn absent(
        &self,
        key: &str,
        is_known: impl Fn(&Entry) -> bool,
    ) -> Result<Found, Failure> {
        let at = self.request.at;
        if self.request.mode != Mode::Rollback {
            return Ok(Found::Absent);
        }
        let modified = self.there(key).await?.and_then(|head| head.last_modified);
        match hide(modified, at) {
            Hiding::Done => return Ok(Found::Absent),
            Hiding::Conflict(why) => return Ok(left(key, Outcome::Conflict, why)),
            Hiding::Hide => {}
        }
        let listed = self.listed(key, is_known).await?;
        if let Some(version) = never_backed_up(&listed, at) {
            let why = format!(
                "its version of then, {} of {}, lies at the source and was never backed up: nothing is hidden; copy that version over the key yourself",
                version.version_id, version.modified
            );
            return Ok(missing(key, why));
        }
        let key = key.to_owned();
        let (at, copy, others) = (None, None, vec![]);
        let item = Item {
            key,
            at,
            copy,
            others,
        };
        Ok(Found::Do(Box::new(item), true))
    }

    pub(crate) async fn present(&self, key: &str, wanted: Wanted<'_>) -> Result<Found, Failure> {
        if let Err(problem) = destination_key(&self.request.to.prefix, key) {
            return Ok(left(key, Outcome::TooLong, problem.to_string()));
        }
        let item = Box::new(Item {
            key: key.to_owned(),
            at: None,
            copy: Some(wanted.copy.clone()),
            others: wanted.others.clone(),
        });
        let Some(head) = self.there(key).await? else {
            return Ok(Found::Do(item, false));
        };
        // What neither shows is found out by reading, when it is restored.
        let Some(there) = self.compare(key, &wanted, &head).await? else {
            return Ok(Found::Do(item, true));
        };
        Ok(match decide(there, self.request.mode, self.request.at) {
            Decided::Copy => Found::Do(item, false),
            Decided::Cover => Found::Do(item, true),
            Decided::Done => Found::Same,
            Decided::Conflict(why) => left(key, Outcome::Conflict, why),
        })
    }
}

/// Whether a point is of the same version in another destination, and has a copy to offer.
fn is_another_of(point: &RecoveryPoint, other: &RecoveryPoint) -> bool {
    other.destination != point.destination
        && other.object.version_key() == point.object.version_key()
        && other.in_order().is_stored()
}

fn destinations(points: &[RecoveryPoint]) -> BTreeSet<String> {
    let stored = points.iter().filter(|it| it.backup.is_some());
    stored.map(|it| it.destination.clone()).collect()
}

/// Whether a version that lies at the source has a point.
fn is_of(points: &[RecoveryPoint], entry: &Entry) -> bool {
    points.iter().map(|point| &point.object).any(|object| {
        let id = object.version_id.as_deref().unwrap_or(NULL_VERSION);
        let second = object.last_modified.map(Timestamp::as_second);
        object.deletion.is_none()
            && id == entry.version_id
            && (id != NULL_VERSION || second == Some(entry.modified.as_second()))
    })
}

pub(crate) fn version<'a>(
    bucket: &'a str,
    key: &'a str,
    version_id: Option<&'a str>,
) -> Version<'a> {
    Version {
        bucket,
        key,
        version_id,
        owner: None,
    }
}

pub(crate) fn missing(key: &str, why: String) -> Found {
    left(key, Outcome::Missing, why)
}

pub(crate) fn left(key: &str, outcome: Outcome, why: String) -> Found {
    let key = key.to_owned();
    Found::Left(Left { key, outcome, why })
}
