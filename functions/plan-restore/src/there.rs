//! What lies where a key would be restored to.

use backup_aws::Failure;
use backup_aws::s3::head::{self, Head, Version, head};
use backup_aws::s3::listing::{self, Entry};
use backup_domain::catalog::RecoveryPoint;
use backup_domain::copy::Headed;
use backup_domain::restore::carry::is_dressed_alike;
use backup_domain::restore::conflict::{Listed, There};
use backup_domain::restore::line::Copy;
use backup_domain::restore::proof::{Alike, alike, alike_by_catalog};

use crate::look::{Evident, Looker, Wanted, version};

impl Looker {
    /// What lies where a key would be restored to.
    pub(crate) async fn there(&self, key: &str) -> Result<Option<Head>, Failure> {
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

    /// All that lies under a key that a rollback would hide.
    pub(crate) async fn listed(
        &self,
        key: &str,
        is_known: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<Listed>, Failure> {
        let to = &self.request.to;
        let target = format!("{}{key}", to.prefix);
        let owner = to.owner.as_deref();
        // The key itself comes before any that it begins.
        let page = listing::versions(&self.target, &to.bucket, owner, &target, None).await;
        let page = page.map_err(|api| api.at_service(&to.bucket))?;
        let own = page.keys.into_iter().find(|(key, _)| *key == target);
        let entries = own.map(|(_, entries)| entries).unwrap_or_default();
        let listed = entries.into_iter().map(|entry| Listed {
            is_known: is_known(&entry),
            version_id: entry.version_id,
            modified: entry.modified,
            is_marker: entry.is_marker,
        });
        Ok(listed.collect())
    }

    /// What lies at the target, held against the copy; `None` where that takes reading.
    pub(crate) async fn compare(
        &self,
        key: &str,
        wanted: &Wanted<'_>,
        head: &Head,
    ) -> Result<Option<There>, Failure> {
        let (there, copy) = (&head.headed, &wanted.copy);
        let modified = head.last_modified.unwrap_or_default();
        let is_same = match wanted.known {
            Evident::ByHead(known) => match alike(&known.facts, &there.facts) {
                Alike::Yes(_) => Some(true),
                Alike::No => Some(false),
                Alike::Unknown(..) => None,
            },
            Evident::ByCatalog(_) => {
                alike_by_catalog(copy.size, copy.evidence.as_ref(), &there.facts)
            }
        };
        let dressed = match (is_same, wanted.known) {
            (None, _) => return Ok(None),
            (Some(false), _) => return Ok(Some(There::Different { modified })),
            (Some(true), Evident::ByHead(known)) => is_dressed_alike(known, there),
            (Some(true), Evident::ByCatalog(point)) if self.is_untouched(point, head) => true,
            // The catalog knows no headers: the copy does.
            (Some(true), Evident::ByCatalog(_)) => match self.headed(key, copy).await {
                Some(known) => is_dressed_alike(&known, there),
                None => return Ok(None),
            },
        };
        Ok(Some(if dressed {
            There::Same
        } else {
            There::Redressed { modified }
        }))
    }

    /// Whether what lies at the source is the very version that a point is of.
    fn is_untouched(&self, point: &RecoveryPoint, there: &Head) -> bool {
        let object = &point.object;
        let same_second = match (object.last_modified, there.last_modified) {
            (Some(one), Some(other)) => one.as_second() == other.as_second(),
            _ => false,
        };
        self.request.is_over(&self.source)
            && same_second
            && object.etag == there.headed.facts.etag
            && object
                .pinned_version()
                .is_none_or(|id| there.version_id.as_deref() == Some(id))
    }

    /// A copy's own HEAD. One that cannot be had is asked for again when the key is restored, and
    /// told of then.
    async fn headed(&self, key: &str, copy: &Copy) -> Option<Headed> {
        let key = copy.key.as_deref().unwrap_or(key);
        let version = Version {
            owner: copy.account.as_deref(),
            ..version(&copy.bucket, key, Some(&copy.version_id))
        };
        match head(&self.clients.s3(&copy.region), version).await {
            Ok(head::Found::Object(head)) => Some(head.headed),
            Ok(head::Found::Nothing) | Err(_) => None,
        }
    }
}
