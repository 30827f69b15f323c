//! What Copy does with one version and one destination.

use backup_aws::s3::head::{Found, Version, head};
use backup_aws::s3::{copy as request, versions};
use backup_aws::{ApiError, Clients, Failure, S3};
use backup_domain::copy::{CopyError, Headed, Plan, plan};
use backup_domain::key::destination_key;
use backup_domain::task::{Copied, CopyOutcome, CopyTask};
use jiff::Timestamp;
use tracing::info;

/// Copies, or says why there is nothing to copy.
pub async fn copy(clients: &Clients, mut task: CopyTask) -> Result<Copied, Failure> {
    destination_key(&task.target.destination.prefix, &task.object.key)?;
    let source = clients.s3(&task.object.region);
    let found = head(&source, source_version(&task))
        .await
        .map_err(|api| api.at_source(&task.object.bucket))?;
    let Found::Object(found) = found else {
        return Ok(ended(
            CopyOutcome::Gone,
            "it no longer exists at the source",
            None,
        ));
    };
    task.object.last_modified = found.last_modified.or(task.object.last_modified);
    let headed = found.headed;
    let request = match plan(&task, &headed)? {
        Plan::End(outcome, reason) => return Ok(ended(outcome, &reason, Some(&headed))),
        Plan::Copy(request) => request,
    };
    let destination = &task.target.destination;
    let s3 = clients.s3(&destination.region);
    let at_destination =
        |api: ApiError| api.at_destination(&destination.bucket, &destination.region);
    if task.may_be_done() && request.metadata.is_some() {
        let own = versions::find_own_copy(&s3, &task, headed.facts.size)
            .await
            .map_err(at_destination)?;
        if let Some(version_id) = own {
            info!(backup_version_id = %version_id, "adopted the copy of an earlier try");
            return Ok(copied(headed, version_id, true, true));
        }
    }
    match request::copy(&s3, &task, &request, Timestamp::now()).await {
        Ok(Some(version_id)) if version_id != "null" => Ok(copied(
            headed,
            version_id,
            request.metadata.is_some(),
            false,
        )),
        Ok(_) => Err(CopyError::Unversioned {
            bucket: destination.bucket.clone(),
        }
        .into()),
        Err(api) if api.code == "PreconditionFailed" || api.status == Some(412) => Ok(ended(
            CopyOutcome::Superseded,
            "it was overwritten while it was copied",
            Some(&headed),
        )),
        Err(api) if api.is_missing() => Ok(ended(
            CopyOutcome::Gone,
            "it was deleted before it was copied",
            Some(&headed),
        )),
        Err(api) if api.is_denied() => Err(denied(&source, &task, &api).await),
        Err(api) if api.code == "InvalidObjectState" => Err(api.at_source(&task.object.bucket)),
        Err(api) => Err(at_destination(api)),
    }
}

fn source_version(task: &CopyTask) -> Version<'_> {
    Version {
        bucket: &task.object.bucket,
        key: &task.object.key,
        version_id: task.object.pinned_version(),
        owner: Some(&task.object.account),
    }
}

/// A 403 from CopyObject does not name its side: reading one byte of the source decides.
async fn denied(source: &S3, task: &CopyTask, api: &ApiError) -> Failure {
    match request::can_read(source, source_version(task)).await {
        Ok(()) => api.at_destination(
            &task.target.destination.bucket,
            &task.target.destination.region,
        ),
        Err(source) => source.at_source(&task.object.bucket),
    }
}

fn copied(headed: Headed, version_id: String, marked: bool, adopted: bool) -> Copied {
    Copied {
        outcome: CopyOutcome::Copied,
        reason: String::new(),
        source: Some(headed.facts),
        version_id: Some(version_id),
        marked,
        adopted,
        at: Timestamp::now(),
    }
}

fn ended(outcome: CopyOutcome, reason: &str, headed: Option<&Headed>) -> Copied {
    Copied {
        outcome,
        reason: reason.to_owned(),
        source: headed.map(|headed| headed.facts.clone()),
        version_id: None,
        marked: false,
        adopted: false,
        at: Timestamp::now(),
    }
}
