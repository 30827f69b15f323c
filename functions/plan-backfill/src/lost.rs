//! A catalog that was lost: it knows nothing, and the backup is full. Nobody means to copy all of it again.

use backup_aws::Failure;
use backup_aws::s3::head::{Found, Version, head};
use backup_aws::s3::pages::Listed;
use backup_domain::backfill::request::BackfillError;
use backup_domain::policy::Destination;
use backup_domain::{Policy, marker};

use crate::plan::Planner;

/// Copies of a destination that are asked whose they are.
const ASKED_MAX: usize = 5;

impl Planner {
    /// Whether the catalog holds no recovery point of the source at all.
    pub async fn is_empty(&self) -> Result<bool, Failure> {
        let mut from = None;
        loop {
            let (points, next) = self.catalog.scan(&self.source, "", from).await?;
            if !points.is_empty() {
                return Ok(false);
            }
            let Some(next) = next else {
                return Ok(true);
            };
            from = Some(next);
        }
    }

    /// # Errors
    /// `EmptyCatalog` where a destination has a copy of this source.
    pub async fn look_for_copies(&self, policy: &Policy) -> Result<(), Failure> {
        for destination in policy.destinations.values() {
            if let Some(copy) = self.copy_at(destination).await? {
                return Err(BackfillError::EmptyCatalog { copy }.into());
            }
        }
        Ok(())
    }

    /// A copy of this source among the first versions of a destination.
    async fn copy_at(&self, destination: &Destination) -> Result<Option<String>, Failure> {
        let Destination {
            bucket,
            region,
            prefix,
            account,
            ..
        } = destination;
        let client = self.clients.s3(region);
        let listed = Listed {
            client: client.clone(),
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            owner: account.clone(),
        };
        let page = match listed.versions(None).await {
            Ok(page) => page,
            // Nothing is there to be seen; copying says so of each version.
            Err(api) if api.is_denied() || api.status == Some(404) => return Ok(None),
            Err(api) => return Err(api.at_destination(bucket, region)),
        };
        let versions = page.entries.iter().filter(|(_, it)| !it.delete_marker);
        for (key, entry) in versions.take(ASKED_MAX) {
            let version = Version {
                bucket,
                key,
                version_id: Some(&entry.id),
                owner: account.as_deref(),
            };
            let found = head(&client, version).await;
            let found = found.map_err(|api| api.at_destination(bucket, region))?;
            let Found::Object(found) = found else {
                continue;
            };
            if marker::read(&found.headed.metadata, &self.source, prefix).is_some() {
                return Ok(Some(format!("s3://{bucket}/{key}")));
            }
        }
        Ok(None)
    }
}
