//! One key: what it was at the moment, and what lies where it would be restored to.

use std::collections::BTreeMap;

use backup_aws::at_once::each;
use backup_aws::s3::head::{self, Head, Version, head};
use backup_aws::s3::listing::Entry;
use backup_aws::{Failure, S3};
use backup_domain::catalog::RecoveryPoint;
use backup_domain::error::ErrorName;
use backup_domain::evidence::Facts;
use backup_domain::key::destination_key;
use backup_domain::restore::backup::{self, FromBackup, Held, Origin, What};
use backup_domain::restore::conflict::{Decided, Hiding, There, decide, hide};
use backup_domain::restore::course::Course;
use backup_domain::restore::line::{Copy, Item};
use backup_domain::restore::moment::{self, AtMoment};
use backup_domain::restore::owners::Owners;
use backup_domain::restore::proof::{Alike, alike, alike_by_catalog};
use backup_domain::restore::report::{Left, Outcome};
use backup_domain::restore::request::{Backup, From, Mode, Request};
use backup_domain::restore::sample::Candidate;
use jiff::Timestamp;

use crate::plan::Planner;

/// HEADs of the versions of one key at once.
const AT_ONCE: usize = 8;

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
    request: Request,
    source: String,
    region: String,
    target: S3,
    backup: S3,
    target_empty: bool,
    owners: Owners,
}

/// The version of a moment, ready to be compared with what is there.
struct Wanted {
    copy: Copy,
    /// Where the copy itself was asked.
    facts: Option<Facts>,
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
                    whole_from: moment::whole_from(&points),
                    found,
                })
            }
            (Known::Sampled(it), _) => {
                let wished = Some(it.destination.as_str());
                let mut found = self.by_points(&it.points, it.at, wished).await?;
                if let Found::Do(item, _) = &mut found {
                    item.at = Some(it.at);
                }
                Ok(Looked {
                    earliest: moment::earliest(&it.points),
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
        match moment::at_moment(points, at, wished) {
            AtMoment::NotYet | AtMoment::Deleted => self.absent(key).await,
            AtMoment::Missing { why, .. } => Ok(missing(key, why)),
            AtMoment::Offered { point, copy } => {
                // Only a stored point is offered, and it names its copy.
                let Some(backup) = &point.backup else {
                    return Ok(missing(key, "its point names no copy".to_owned()));
                };
                let wanted = Wanted {
                    copy: Copy {
                        bucket: backup.bucket.clone(),
                        region: backup.region.clone(),
                        account: self.owners.of(&backup.bucket),
                        key: Some(backup.key.clone()).filter(|other| other != key),
                        version_id: copy.to_owned(),
                        size: point.object.size,
                        evidence: point.evidence.clone(),
                        storage_class: backup.storage_class.clone(),
                    },
                    facts: None,
                };
                self.present(key, wanted).await
            }
        }
    }

    async fn by_versions(
        &self,
        backup: &Backup,
        backup_key: &str,
        entries: Vec<Entry>,
    ) -> Result<Looked, Failure> {
        let Some(key) = backup::source_key(backup_key, &backup.prefix) else {
            return Ok(Looked {
                earliest: None,
                whole_from: None,
                found: Found::Absent,
            });
        };
        let heads = each(entries, AT_ONCE, |entry| {
            let (looker, backup) = (self.clone(), backup.clone());
            let backup_key = backup_key.to_owned();
            async move { looker.held(&backup, &backup_key, entry).await }
        });
        let heads: Result<Vec<_>, Failure> = heads.await.into_iter().collect();
        let heads = heads?;
        let held: Vec<_> = heads.iter().map(|(held, _)| held.clone()).collect();
        let written = held.iter().filter_map(|it| match &it.what {
            What::Copy(origin) => Some(origin.last_modified),
            What::DeleteMarker | What::Foreign => None,
        });
        let earliest = written.min();
        let found = match backup::at_moment(&held, self.request.at) {
            FromBackup::NotYet | FromBackup::Deleted => self.absent(key).await?,
            FromBackup::Foreign => {
                missing(key, "its copies carry no marker of this backup".to_owned())
            }
            FromBackup::Offered(copies) => {
                match self.good_copy(backup, backup_key, &copies, &heads).await? {
                    Some(wanted) => self.present(key, wanted).await?,
                    None => missing(key, "its copies were refused by verification".to_owned()),
                }
            }
        };
        Ok(Looked {
            earliest,
            whole_from: None,
            found,
        })
    }

    /// A version of the backup by its marker.
    async fn held(
        &self,
        backup: &Backup,
        key: &str,
        entry: Entry,
    ) -> Result<(Held, Option<Head>), Failure> {
        let mut held = Held {
            version_id: entry.version_id,
            modified: entry.modified,
            what: What::DeleteMarker,
        };
        if entry.is_marker {
            return Ok((held, None));
        }
        held.what = What::Foreign;
        let owner = self.owners.of(&backup.bucket);
        let version = Version {
            owner: owner.as_deref(),
            ..version(&backup.bucket, key, Some(&held.version_id))
        };
        let found = head(&self.backup, version).await;
        let found = found.map_err(|api| api.at_destination(&backup.bucket, &self.region))?;
        let head::Found::Object(found) = found else {
            return Ok((held, None));
        };
        if let Some(origin) = Origin::read(&found.headed.metadata, &self.source, &backup.prefix) {
            held.what = What::Copy(origin);
        }
        Ok((held, Some(*found)))
    }

    /// The first copy that is not tagged as bad.
    async fn good_copy(
        &self,
        backup: &Backup,
        key: &str,
        copies: &[&Held],
        heads: &[(Held, Option<Head>)],
    ) -> Result<Option<Wanted>, Failure> {
        let (bad, bad_value) = backup_aws::s3::copy::BAD;
        let owner = self.owners.of(&backup.bucket);
        for held in copies {
            let version = Version {
                owner: owner.as_deref(),
                ..version(&backup.bucket, key, Some(&held.version_id))
            };
            let tags = head::tags(&self.backup, version).await;
            let tags = match tags {
                Ok(tags) => tags,
                // It went meanwhile, which the restore itself finds out.
                Err(api) if api.is_missing() => BTreeMap::new(),
                Err(api) => return Err(api.at_destination(&backup.bucket, &self.region)),
            };
            if tags.get(bad).is_some_and(|value| value == bad_value) {
                continue;
            }
            let head = heads
                .iter()
                .find(|(it, _)| it.version_id == held.version_id);
            let Some((_, Some(head))) = head else {
                continue;
            };
            let facts = head.headed.facts.clone();
            let source_key = backup::source_key(key, &backup.prefix).unwrap_or(key);
            return Ok(Some(Wanted {
                copy: Copy {
                    bucket: backup.bucket.clone(),
                    region: self.region.clone(),
                    account: self.owners.of(&backup.bucket),
                    key: Some(key.to_owned()).filter(|key| key != source_key),
                    version_id: held.version_id.clone(),
                    size: facts.size,
                    evidence: None,
                    storage_class: Some(facts.storage_class.clone()),
                },
                facts: Some(facts),
            }));
        }
        Ok(None)
    }

    async fn absent(&self, key: &str) -> Result<Found, Failure> {
        if self.request.mode != Mode::Rollback {
            return Ok(Found::Absent);
        }
        let modified = self.there(key).await?.and_then(|head| head.last_modified);
        Ok(match hide(modified, self.request.at) {
            Hiding::Done => Found::Absent,
            Hiding::Hide => {
                let key = key.to_owned();
                let (at, copy) = (None, None);
                Found::Do(Box::new(Item { key, at, copy }), true)
            }
            Hiding::Conflict(why) => left(key, Outcome::Conflict, why),
        })
    }

    async fn present(&self, key: &str, wanted: Wanted) -> Result<Found, Failure> {
        if let Err(problem) = destination_key(&self.request.to.prefix, key) {
            return Ok(missing(key, problem.to_string()));
        }
        let item = Box::new(Item {
            key: key.to_owned(),
            at: None,
            copy: Some(wanted.copy.clone()),
        });
        let Some(head) = self.there(key).await? else {
            return Ok(Found::Do(item, false));
        };
        let facts = &head.headed.facts;
        let same = match &wanted.facts {
            Some(copy) => match alike(copy, facts) {
                Alike::Yes(_) => Some(true),
                Alike::No => Some(false),
                Alike::Unknown(..) => None,
            },
            None => alike_by_catalog(wanted.copy.size, wanted.copy.evidence.as_ref(), facts),
        };
        // What neither shows is found out by reading, when it is restored.
        let Some(same) = same else {
            return Ok(Found::Do(item, true));
        };
        let there = match (same, head.last_modified) {
            (true, _) => There::Same,
            (false, modified) => There::Different {
                modified: modified.unwrap_or_default(),
            },
        };
        Ok(match decide(there, self.request.mode, self.request.at) {
            Decided::Copy => Found::Do(item, false),
            Decided::Cover => Found::Do(item, true),
            Decided::Done => Found::Same,
            Decided::Conflict(why) => left(key, Outcome::Conflict, why),
        })
    }

    /// What lies where a key would be restored to.
    async fn there(&self, key: &str) -> Result<Option<Head>, Failure> {
        if self.target_empty {
            return Ok(None);
        }
        let to = &self.request.to;
        let target = format!("{}{key}", to.prefix);
        let version = Version {
            owner: to.owner.as_deref(),
            ..version(&to.bucket, &target, None)
        };
        let found = head(&self.target, version).await;
        match found.map_err(|api| api.at_service(&to.bucket))? {
            head::Found::Object(head) => Ok(Some(*head)),
            head::Found::Nothing => Ok(None),
        }
    }
}

fn version<'a>(bucket: &'a str, key: &'a str, version_id: Option<&'a str>) -> Version<'a> {
    Version {
        bucket,
        key,
        version_id,
        owner: None,
    }
}

fn missing(key: &str, why: String) -> Found {
    left(key, Outcome::Missing, why)
}

fn left(key: &str, outcome: Outcome, why: String) -> Found {
    let key = key.to_owned();
    Found::Left(Left { key, outcome, why })
}
