//! The cheap look at a key's order: two HEADs, which nearly always show that nothing is to do.

use backup_domain::catalog::RecoveryPoint;
use backup_domain::object::NULL_VERSION;
use backup_domain::order::{BackupLatest, Mine, SourceLatest, Version, settled_at_a_glance};
use backup_domain::task::Target;
use backup_domain::{SourceObject, marker};

use crate::prepare::{at_destination, copy_version};
use crate::s3::head::{self, Found, Head};
use crate::{Clients, Failure, S3};

/// One key at one destination.
pub struct Place<'a> {
    /// Clients of both sides.
    pub clients: &'a Clients,
    /// The version or deletion that asks.
    pub object: &'a SourceObject,
    /// Where.
    pub target: &'a Target,
}

impl Place<'_> {
    /// Whether two HEADs show that nothing is to do: the source's latest is `point`'s version, and a
    /// copy of it is the backup's latest.
    ///
    /// # Errors
    /// What either side answers.
    pub async fn at_a_glance(&self, point: &RecoveryPoint) -> Result<bool, Failure> {
        let version = head::Version {
            bucket: &self.object.bucket,
            key: &self.object.key,
            version_id: None,
            owner: Some(&self.object.account),
        };
        let source = head::head(&self.source(), version)
            .await
            .map_err(|api| api.at_source(&self.object.bucket))?;
        let latest = match &source {
            Found::Nothing => SourceLatest::Deleted,
            Found::Object(found) => SourceLatest::Version(Version {
                id: found.version_id.as_deref().unwrap_or(NULL_VERSION),
                etag: &found.headed.facts.etag,
                modified: found.last_modified.unwrap_or(self.object.event_at),
            }),
        };
        let backup = self.backup().await?;
        let mine = if self.object.deletion.is_some() {
            Mine::Deletion
        } else {
            Mine::Version(point.in_order())
        };
        Ok(settled_at_a_glance(
            &mine,
            &latest,
            &self.as_latest(backup.as_ref()),
        ))
    }

    pub(crate) fn source(&self) -> S3 {
        self.clients.s3(&self.object.region)
    }

    pub(crate) fn destination(&self) -> S3 {
        self.clients.s3(&self.target.destination.region)
    }

    pub(crate) async fn backup(&self) -> Result<Option<Head>, Failure> {
        let latest = copy_version(self.target, None);
        match head::head(&self.destination(), latest).await {
            Ok(Found::Object(found)) => Ok(Some(*found)),
            Ok(Found::Nothing) => Ok(None),
            Err(api) => Err(at_destination(&api, self.target)),
        }
    }

    pub(crate) fn as_latest<'h>(&self, head: Option<&'h Head>) -> BackupLatest<'h> {
        let prefix = &self.target.destination.prefix;
        head.map_or(BackupLatest::Nothing, |head| BackupLatest::Object {
            version_id: head.version_id.as_deref().unwrap_or(NULL_VERSION),
            marked: marker::read(&head.headed.metadata, &self.object.bucket, prefix),
        })
    }
}
