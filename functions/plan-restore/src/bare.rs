//! One key without the catalog: by the versions of a backup bucket and their markers.

use std::collections::{BTreeMap, BTreeSet};

use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_aws::s3::head::{self, Head, Version, head};
use backup_aws::s3::listing::Entry;
use backup_domain::object::NULL_VERSION;
use backup_domain::restore::backup::{self, FromBackup, Held, Origin, What};
use backup_domain::restore::line::Copy;
use backup_domain::restore::request::Backup;

use crate::look::{Evident, Found, Looked, Looker, Wanted, missing, version};

/// HEADs of the versions of one key at once.
const AT_ONCE: usize = 8;

impl Looker {
    pub(crate) async fn by_versions(
        &self,
        backup: &Backup,
        backup_key: &str,
        entries: Vec<Entry>,
    ) -> Result<Looked, Failure> {
        let Some(key) = backup::source_key(backup_key, &backup.prefix) else {
            return Ok(Looked {
                earliest: None,
                destinations: BTreeSet::new(),
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
        let heads: Vec<_> = heads?.into_iter().flatten().collect();
        let held: Vec<_> = heads.iter().map(|(held, _)| held.clone()).collect();
        let written = held.iter().filter_map(|it| match &it.what {
            What::Copy(origin) => Some(origin.last_modified),
            What::DeleteMarker | What::Foreign => None,
        });
        let earliest = written.min();
        let found = match backup::at_moment(&held, self.request.at) {
            FromBackup::NotYet | FromBackup::Deleted => {
                self.absent(key, |entry| is_of(&held, entry)).await?
            }
            FromBackup::Unmarked(other) => missing(
                key,
                format!(
                    "{}, which was copied at {}, carries no marker of this backup: it may be the version of then",
                    other.version_id, other.modified
                ),
            ),
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
            destinations: BTreeSet::new(),
            whole_from: None,
            found,
        })
    }

    /// A version of the backup by its marker; `None` where it has gone since it was listed.
    async fn held(
        &self,
        backup: &Backup,
        key: &str,
        entry: Entry,
    ) -> Result<Option<(Held, Option<Head>)>, Failure> {
        let mut held = Held {
            version_id: entry.version_id,
            modified: entry.modified,
            latest: entry.latest,
            what: What::DeleteMarker,
        };
        if entry.is_marker {
            return Ok(Some((held, None)));
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
            return Ok(None);
        };
        if let Some(origin) = Origin::read(&found.headed.metadata, &self.source, &backup.prefix) {
            held.what = What::Copy(origin);
        }
        Ok(Some((held, Some(*found))))
    }

    /// The first copy that is not tagged as bad.
    async fn good_copy<'h>(
        &self,
        backup: &Backup,
        key: &str,
        copies: &[&Held],
        heads: &'h [(Held, Option<Head>)],
    ) -> Result<Option<Wanted<'h>>, Failure> {
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
            let facts = &head.headed.facts;
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
                others: vec![],
                known: Evident::ByHead(&head.headed),
            }));
        }
        Ok(None)
    }
}

/// Whether a version that lies at the source has a copy here.
fn is_of(held: &[Held], entry: &Entry) -> bool {
    held.iter().any(|it| match &it.what {
        What::Copy(origin) => {
            let same_second = origin.last_modified.as_second() == entry.modified.as_second();
            origin.version_id == entry.version_id
                && (origin.version_id != NULL_VERSION || same_second)
        }
        What::DeleteMarker | What::Foreign => false,
    })
}
