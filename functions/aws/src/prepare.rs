//! What every copy begins with, in one request or in parts: the source as it is, and what an earlier
//! try has done.

use backup_domain::copy::{CopyError, CopyRequest, Headed, Plan};
use backup_domain::key::destination_key;
use backup_domain::task::{Copied, CopyOutcome, CopyTask, Target};
use backup_domain::{ErrorName, SourceObject};
use jiff::Timestamp;
use tracing::info;

use crate::s3::head::{Found, Version, head};
use crate::s3::{copy, versions};
use crate::{ApiError, Clients, Failure, S3};

/// Where a copy stands before its first byte.
pub enum Prepared {
    /// There is nothing to copy: gone, superseded, skipped, or done by an earlier try.
    Ended(Box<Copied>),
    /// Copy it.
    Ready(Box<Ready>),
}

/// What the copy needs.
pub struct Ready {
    /// The source as its HEAD showed it.
    pub headed: Headed,
    /// What to ask for.
    pub request: CopyRequest,
    /// S3 where the source is.
    pub source: S3,
    /// S3 where the copy goes.
    pub destination: S3,
}

/// Heads the source, decides by `plan`, and adopts the copy of an earlier try whose answer was lost.
///
/// # Errors
/// What the plan refuses, and what either side answers.
pub async fn prepare(
    clients: &Clients,
    task: &mut CopyTask,
    plan: fn(&CopyTask, &Headed) -> Result<Plan, CopyError>,
) -> Result<Prepared, Failure> {
    if task.target.settle_only.is_some() {
        return Ok(end(task, CopyOutcome::Settle, "", None));
    }
    destination_key(&task.target.destination.prefix, &task.object.key)?;
    let source = clients.s3(&task.object.region);
    let found = head(&source, source_version(&task.object))
        .await
        .map_err(|api| api.at_source(&task.object.bucket))?;
    let Found::Object(found) = found else {
        let reason = "it no longer exists at the source";
        return Ok(end(task, CopyOutcome::Gone, reason, None));
    };
    task.object.last_modified = found.last_modified.or(task.object.last_modified);
    let headed = found.headed;
    let request = match plan(task, &headed)? {
        Plan::End(outcome, reason) => return Ok(end(task, outcome, &reason, Some(&headed))),
        Plan::Copy(request) => *request,
    };
    let destination = clients.s3(&task.target.destination.region);
    if task.may_be_done() && request.metadata.is_some() {
        let rejected = [task.rejected.as_slice(), &task.target.bad].concat();
        let own = versions::find_own_copy(
            &destination,
            &task.object,
            &task.target,
            &rejected,
            headed.facts.size,
        )
        .await
        .map_err(|api| at_destination(&api, &task.target))?;
        if let Some(version_id) = own {
            info!(backup_version_id = %version_id, "adopted the copy of an earlier try");
            let copied = Copied::made(headed.facts, version_id, true, Timestamp::now());
            return Ok(Prepared::Ended(Box::new(Copied {
                adopted: true,
                modified: task.object.last_modified,
                cut_off: true,
                ..copied
            })));
        }
    }
    Ok(Prepared::Ready(Box::new(Ready {
        headed,
        request,
        source,
        destination,
    })))
}

fn end(task: &CopyTask, outcome: CopyOutcome, reason: &str, headed: Option<&Headed>) -> Prepared {
    let facts = headed.map(|headed| headed.facts.clone());
    Prepared::Ended(Box::new(Copied {
        cut_off: task.may_be_done(),
        ..Copied::ended(outcome, reason, facts, Timestamp::now())
    }))
}

/// The source version in requests.
pub fn source_version(object: &SourceObject) -> Version<'_> {
    Version {
        bucket: &object.bucket,
        key: &object.key,
        version_id: object.pinned_version(),
        owner: object.owner(),
    }
}

/// A copy in requests; `None` is the latest version.
pub fn copy_version<'a>(target: &'a Target, version_id: Option<&'a str>) -> Version<'a> {
    Version {
        bucket: &target.destination.bucket,
        key: &target.key,
        version_id,
        owner: target.destination.account.as_deref(),
    }
}

/// A call on the destination of a target failed.
pub fn at_destination(api: &ApiError, target: &Target) -> Failure {
    api.at_destination(&target.destination.bucket, &target.destination.region)
}

/// What the answer to a copying request says of the source: it was overwritten or deleted meanwhile.
pub fn source_changed(api: &ApiError) -> Option<(CopyOutcome, &'static str)> {
    if api.code == "PreconditionFailed" || api.status == Some(412) {
        let reason = "it was overwritten while it was copied";
        return Some((CopyOutcome::Superseded, reason));
    }
    api.is_missing()
        .then_some((CopyOutcome::Gone, "it was deleted before it was copied"))
}

/// Names what a copying request was refused with. A 403 does not name its side: reading one byte of
/// the source decides.
pub async fn name_refusal(
    source: &S3,
    object: &SourceObject,
    target: &Target,
    api: &ApiError,
) -> Failure {
    if api.code == "InvalidObjectState" {
        return api.at_source(&object.bucket);
    }
    if !api.is_denied() {
        return at_destination(api, target);
    }
    match copy::can_read(source, source_version(object)).await {
        Ok(()) => at_destination(api, target),
        Err(source) => source.at_source(&object.bucket),
    }
}

/// A destination that gave no version id keeps no versions.
///
/// # Errors
/// [`CopyError::Unversioned`], named `DestinationUnversioned`.
pub fn versioned(version_id: Option<String>, target: &Target) -> Result<String, Failure> {
    match version_id {
        Some(id) if id != "null" => Ok(id),
        _ => Err(CopyError::Unversioned {
            bucket: target.destination.bucket.clone(),
        }
        .into()),
    }
}

/// A failure that says more than the answer of one call.
pub fn unavailable(message: impl Into<String>) -> Failure {
    Failure::new(ErrorName::DestinationUnavailable, message)
}
