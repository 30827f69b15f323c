//! Multipart uploads at the destinations that nobody works on any more.

use backup_aws::Failure;
use backup_domain::audit::finding::{Finding, Kind};
use backup_domain::audit::progress::Stage;
use backup_domain::catalog::{RecoveryPoint, Status};

use jiff::Timestamp;

use crate::audit::{Audit, Work};

impl Audit {
    /// The next page of unfinished uploads.
    pub async fn uploads(
        &self,
        work: &mut Work,
        number: usize,
        after: Option<(String, String)>,
    ) -> Result<(), Failure> {
        let Some((name, destination)) = work.destinations.get(number).cloned() else {
            work.progress.stage = Stage::Catalog { from: None };
            return Ok(());
        };
        let listed = self
            .context
            .listing(&destination, &work.progress.request.prefix);
        let page = listed.uploads(after).await;
        let page =
            page.map_err(|api| api.at_destination(&destination.bucket, &destination.region))?;
        let now = Timestamp::now();
        for (key, upload) in page.entries {
            let Some(own) = key.strip_prefix(&destination.prefix) else {
                continue;
            };
            if upload.initiated >= work.progress.due_before {
                continue;
            }
            let pk = self.context.partition_key(own);
            let points = self.context.catalog.known_points(&pk).await?;
            let is_alive = |point: &RecoveryPoint| {
                let noted = point.upload.as_ref().is_some_and(|it| it.id == upload.id);
                let promoted = point.owed_after.is_some_and(|after| after > now);
                noted && (promoted || point.status == Status::Copying)
            };
            if points.iter().any(is_alive) {
                continue;
            }
            work.find(&Finding {
                bucket: self.context.source.clone(),
                key: own.to_owned(),
                finding: Kind::StrayUpload,
                destination: name.clone(),
                version_id: None,
                size: None,
                etag: None,
                last_modified: None,
                sequencer: None,
                backup_version_id: Some(upload.id.clone()),
                detail: format!("begun at {}", upload.initiated),
            });
        }
        work.progress.stage = match page.next {
            Some(next) => Stage::Uploads {
                destination: number,
                after: Some(next),
            },
            None => Stage::Uploads {
                destination: number + 1,
                after: None,
            },
        };
        Ok(())
    }
}
