//! What every copy begins with, in one request or in parts: the source as it is, and what an earlier
//! try has done.

use backup_domain::copy::{CopyError, CopyRequest, Headed, Plan};
use backup_domain::evidence::{Facts, is_of_event};
use backup_domain::key::destination_key;
use backup_domain::object::NULL_VERSION;
use backup_domain::task::{Copied, CopyOutcome, CopyTask, Target};
use backup_domain::{ErrorName, SourceObject, marker};
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
    let found = head_source(&source, &mut task.object)
        .await
        .map_err(|api| api.at_source(&task.object.bucket))?;
    let Found::Object(found) = found else {
        if let Some(copied) = own_copy_of_gone(clients, task).await? {
            return Ok(Prepared::Ended(Box::new(copied)));
        }
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
    if task.may_be_done()
        && request.metadata.is_some()
        && let Some(id) = own_copy(&destination, task, headed.facts.size).await?
    {
        return Ok(Prepared::Ended(Box::new(adopted(task, headed.facts, id))));
    }
    Ok(Prepared::Ready(Box::new(Ready {
        headed,
        request,
        source,
        destination,
    })))
}

/// The version id of a copy that an earlier try made.
async fn own_copy(s3: &S3, task: &CopyTask, bytes: u64) -> Result<Option<String>, Failure> {
    let rejected = [task.rejected.as_slice(), &task.target.bad].concat();
    versions::find_own_copy(s3, &task.object, &task.target, &rejected, bytes)
        .await
        .map_err(|api| at_destination(&api, &task.target))
}

/// A copy that an earlier try made of what is gone by now: where the event alone proves it.
async fn own_copy_of_gone(clients: &Clients, task: &CopyTask) -> Result<Option<Copied>, Failure> {
    // What must be read cannot be any more.
    if !task.may_be_done() || task.target.read {
        return Ok(None);
    }
    let s3 = clients.s3(&task.target.destination.region);
    let Some(id) = own_copy(&s3, task, task.object.size).await? else {
        return Ok(None);
    };
    let found = head(&s3, copy_version(&task.target, Some(&id))).await;
    let Found::Object(copy) = found.map_err(|api| at_destination(&api, &task.target))? else {
        return Ok(None);
    };
    if !is_of_event(&copy.headed.facts, &task.object) {
        return Ok(None);
    }
    let source = Facts {
        size: task.object.size,
        etag: task.object.etag.clone(),
        ..Facts::default()
    };
    let marked = copy.headed.metadata.get(marker::LAST_MODIFIED);
    Ok(Some(Copied {
        modified: marked.and_then(|at| at.parse().ok()),
        ..adopted(task, source, id)
    }))
}

fn adopted(task: &CopyTask, source: Facts, version_id: String) -> Copied {
    info!(backup_version_id = %version_id, "adopted the copy of an earlier try");
    Copied {
        adopted: true,
        modified: task.object.last_modified,
        cut_off: task.cut_off(),
        ..Copied::made(source, version_id, true, Timestamp::now())
    }
}

fn end(task: &CopyTask, outcome: CopyOutcome, reason: &str, headed: Option<&Headed>) -> Prepared {
    let facts = headed.map(|headed| headed.facts.clone());
    Prepared::Ended(Box::new(Copied {
        cut_off: task.cut_off(),
        ..Copied::ended(outcome, reason, facts, Timestamp::now())
    }))
}

/// The source version in requests.
pub fn source_version(object: &SourceObject) -> Version<'_> {
    Version {
        bucket: &object.bucket,
        key: &object.key,
        version_id: object.named_version(),
        owner: object.owner(),
    }
}

/// Heads the source version. One that is not known by an id, and that is not the latest, may lie
/// below: the bucket keeps versions since. It is known as `null` from then on.
///
/// # Errors
/// The answer of S3.
pub async fn head_source(client: &S3, object: &mut SourceObject) -> Result<Found, ApiError> {
    let latest = head(client, source_version(object)).await?;
    let is_it = |found: &Found| match found {
        Found::Object(found) => found.headed.facts.etag == object.etag,
        Found::Nothing => false,
    };
    if object.version_id.is_some() || is_it(&latest) {
        return Ok(latest);
    }
    let below = Version {
        version_id: Some(NULL_VERSION),
        ..source_version(object)
    };
    match head(client, below).await {
        Ok(found) if is_it(&found) => {
            object.version_id = Some(NULL_VERSION.to_owned());
            Ok(found)
        }
        // Nothing, other content, or a bucket that knows no such id: what the key shows counts.
        _ => Ok(latest),
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
