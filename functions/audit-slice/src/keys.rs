//! One key: what the policy wants, what the catalog holds, and whose the other copies are.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_aws::s3::copy::BAD;
use backup_aws::s3::head::{Found, Version, head, tags};
use backup_aws::{ApiError, Failure};
use backup_domain::audit::compare::{KeyView, Stray, compare, unexplained};
use backup_domain::audit::finding::Finding;
use backup_domain::audit::progress::{Reading, is_summed};
use backup_domain::audit::request::Slice;
use backup_domain::audit::totals::Destination as Counted;
use backup_domain::audit::{Compared, Entry, Group, Level};
use backup_domain::catalog::{RecoveryPoint, Status};
use backup_domain::policy::{Choice, Deletes, Destination, Facts, Known, Rule};
use backup_domain::{Policy, marker};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::context::Context;
use crate::deep::AT_ONCE;
use crate::live;

/// What all keys of a batch share.
pub struct Shared {
    pub context: Arc<Context>,
    pub policy: Arc<Policy>,
    pub destinations: Vec<(String, Destination)>,
    pub level: Level,
    pub slice: Option<Slice>,
    pub due_before: Timestamp,
}

/// A key to compare.
pub struct Key {
    pub shared: Arc<Shared>,
    pub group: Group,
    /// Whether the group shows what is there now; else inventories did, as it was.
    pub live: bool,
}

/// What comes of one key.
#[derive(Default)]
pub struct Audited {
    pub findings: Vec<Finding>,
    pub versions: u64,
    pub points: u64,
    pub archived: u64,
    /// Recovery points for the sums.
    pub met: Vec<(String, String)>,
    pub destinations: Vec<(String, Counted)>,
    pub reading: Vec<Reading>,
    /// Whether something is not there any more that was listed.
    pub vanished: bool,
}

/// One key at one destination.
pub struct Place<'a> {
    pub name: &'a str,
    pub destination: &'a Destination,
    pub key: String,
    pub points: Vec<RecoveryPoint>,
    pub copies: &'a [Entry],
}

impl Key {
    /// Compares. What differs by an inventory may have changed since it was made: such a key is
    /// listed, and compared as it is now.
    pub async fn compare(self) -> Result<Audited, Failure> {
        let audited = self.compare_as_listed().await?;
        if self.live || audited.findings.is_empty() && !audited.vanished {
            return Ok(audited);
        }
        let shared = &self.shared;
        let group = live::group(&shared.context, &shared.destinations, &self.group.key).await?;
        let now = Self {
            shared: Arc::clone(shared),
            group,
            live: true,
        };
        now.compare_as_listed().await
    }

    async fn compare_as_listed(&self) -> Result<Audited, Failure> {
        let shared = &self.shared;
        let pk = shared.context.partition_key(&self.group.key);
        let points = shared.context.catalog.known_points(&pk).await?;
        let rules = self.rules().await?;
        let mut audited = Audited::default();
        for (number, (name, destination)) in shared.destinations.iter().enumerate() {
            let own = points.iter().filter(|point| point.destination == *name);
            let place = Place {
                name,
                destination,
                key: format!("{}{}", destination.prefix, self.group.key),
                points: own.cloned().collect(),
                copies: self.group.sides.get(number + 1).map_or(&[], Vec::as_slice),
            };
            self.at(&place, &rules, &mut audited).await?;
        }
        let source = self.source().iter().filter(|entry| !entry.delete_marker);
        audited.versions = source.count() as u64;
        Ok(audited)
    }

    pub fn source(&self) -> &[Entry] {
        self.group.sides.first().map_or(&[], Vec::as_slice)
    }

    async fn at(
        &self,
        place: &Place<'_>,
        rules: &[Option<&Rule>],
        audited: &mut Audited,
    ) -> Result<(), Failure> {
        let shared = &self.shared;
        let named = |rule: &Rule| rule.destinations.iter().any(|it| it == place.name);
        let wanted: Vec<_> = rules.iter().map(|rule| rule.is_some_and(named)).collect();
        let strays = self.strays(place).await?;
        let view = KeyView {
            bucket: &shared.context.source,
            key: &self.group.key,
            destination: place.name,
            source: self.source(),
            wanted: &wanted,
            copies: place.copies,
            points: &place.points,
            strays: &strays,
            deletes: self.deletes(place, rules),
            lifecycle: shared.context.lifecycle(place.destination),
            due_before: shared.due_before,
            now: Timestamp::now(),
            lease: shared.context.lease,
        };
        let compared = compare(&view);
        audited
            .destinations
            .push((place.name.to_owned(), count(&view, &compared)));
        audited.points += place.points.len() as u64;
        for point in &place.points {
            if is_summed(point, shared.context.lease, shared.due_before) {
                audited.met.push((point.pk.clone(), point.sk.clone()));
            }
        }
        if shared.level > Level::Listing {
            self.look_closely(place, &compared, audited).await?;
        }
        audited.findings.extend(compared.findings);
        Ok(())
    }

    /// The rule of each version of the source; versions are headed where a rule asks for it.
    async fn rules(&self) -> Result<Vec<Option<&Rule>>, Failure> {
        let mut asked = Vec::new();
        for entry in self.source() {
            asked.push(self.rule(entry));
        }
        stream::iter(asked).buffered(AT_ONCE).try_collect().await
    }

    async fn rule(&self, entry: &Entry) -> Result<Option<&Rule>, Failure> {
        if entry.delete_marker {
            return Ok(None);
        }
        let facts = Facts {
            key: &self.group.key,
            size: entry.size,
            headed: None,
        };
        let policy = &self.shared.policy;
        let with_tags = match policy.choose(facts) {
            Choice::Rule(rule) => return Ok(Some(rule)),
            Choice::Skip(_) => return Ok(None),
            Choice::HeadFirst { tags } => tags,
        };
        let context = &self.shared.context;
        let version = context.source_version(&self.group.key, &entry.id);
        let at_source = |api: ApiError| api.at_source(&context.source);
        let s3 = context.source_s3();
        let Found::Object(found) = head(&s3, version).await.map_err(at_source)? else {
            return Ok(None);
        };
        let tags = if with_tags {
            let found = there(tags(&s3, version).await).map_err(at_source)?;
            let Some(found) = found else {
                return Ok(None);
            };
            found
        } else {
            BTreeMap::new()
        };
        let known = Known {
            storage_class: found.headed.facts.storage_class.clone(),
            content_type: found
                .headed
                .headers
                .content_type
                .clone()
                .unwrap_or_default(),
            tags,
        };
        let headed = Some(&known);
        Ok(match policy.choose(Facts { headed, ..facts }) {
            Choice::Rule(rule) => Some(rule),
            Choice::Skip(_) | Choice::HeadFirst { .. } => None,
        })
    }

    /// As for a deletion: the rule of the key's points says what one does; else that of its newest
    /// version. A rule that was taken out of the policy leaves the backup as it is.
    fn deletes(&self, place: &Place<'_>, rules: &[Option<&Rule>]) -> Deletes {
        let mut versions = place
            .points
            .iter()
            .filter(|it| it.object.deletion.is_none());
        match versions.next_back() {
            Some(point) => {
                let mut rules = self.shared.policy.rules.iter();
                let rule = rules.find(|rule| rule.name == point.rule);
                rule.map_or(Deletes::Keep, |rule| rule.deletes)
            }
            None => rules
                .iter()
                .flatten()
                .next()
                .map_or(Deletes::Keep, |rule| rule.deletes),
        }
    }

    /// Whose the copies are that no point knows.
    async fn strays(&self, place: &Place<'_>) -> Result<BTreeMap<String, Stray>, Failure> {
        let mut strays = BTreeMap::new();
        for id in unexplained(place.copies, &place.points, self.shared.due_before) {
            let version = copy_of(place, id);
            let s3 = self.shared.context.clients.s3(&place.destination.region);
            let found = head(&s3, version).await;
            let found = found.map_err(|api| at_copy(&api, place))?;
            let Found::Object(found) = found else {
                strays.insert(id.to_owned(), Stray::Gone);
                continue;
            };
            let metadata = &found.headed.metadata;
            let (bucket, prefix) = (&self.shared.context.source, &place.destination.prefix);
            let stray = match marker::read(metadata, bucket, prefix) {
                None if marker::is_copy(metadata) => Stray::Other,
                None => Stray::Foreign,
                Some(marked) => {
                    let tags = there(tags(&s3, version).await);
                    let Some(tags) = tags.map_err(|api| at_copy(&api, place))? else {
                        strays.insert(id.to_owned(), Stray::Gone);
                        continue;
                    };
                    let (name, value) = BAD;
                    Stray::Ours {
                        version_id: marked.version_id.to_owned(),
                        sequencer: marked.sequencer.to_owned(),
                        bad: tags.get(name).is_some_and(|it| it == value),
                    }
                }
            };
            strays.insert(id.to_owned(), stray);
        }
        Ok(strays)
    }
}

/// A copy's version.
pub fn copy_of<'a>(place: &'a Place<'_>, id: &'a str) -> Version<'a> {
    Version {
        bucket: &place.destination.bucket,
        key: &place.key,
        version_id: Some(id),
        owner: place.destination.account.as_deref(),
    }
}

/// A call on a destination failed.
pub fn at_copy(api: &ApiError, place: &Place<'_>) -> Failure {
    api.at_destination(&place.destination.bucket, &place.destination.region)
}

/// `None` for what is not there any more.
pub fn there<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Err(api) if api.is_missing() => Ok(None),
        answer => answer.map(Some),
    }
}

fn count(view: &KeyView<'_>, compared: &Compared) -> Counted {
    let mut counted = Counted {
        pending: compared.pending,
        ..Counted::default()
    };
    let copies = view.copies.iter().filter(|copy| !copy.delete_marker);
    counted.copies = copies.count() as u64;
    let held = |entry: &Entry| {
        let mut held = compared.held.iter();
        held.any(|(point, _)| view.points[*point].object.in_order().is(&entry.in_order()))
    };
    // What has expired was backed up, and is not wanted any more.
    let expired = |entry: &Entry| {
        let mut points = view.points.iter();
        points.any(|it| it.status == Status::Expired && it.object.in_order().is(&entry.in_order()))
    };
    let wanted = |(entry, wanted): &(&Entry, &bool)| **wanted && !expired(entry);
    for (entry, _) in view.source.iter().zip(view.wanted).filter(wanted) {
        counted.wanted += 1;
        counted.wanted_bytes += entry.size;
        if held(entry) {
            counted.safe += 1;
            counted.safe_bytes += entry.size;
        }
    }
    counted
}
