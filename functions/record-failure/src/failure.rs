//! What RecordFailure does with one failure.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::{Catalog, Written};
use backup_aws::{Failure, rejected};
use backup_domain::catalog::{RecoveryPoint, Status, day, partition_key, sort_key};
use backup_domain::error::{Cause, cause_of, sent_nothing};
use backup_domain::order::Left;
use backup_domain::task::{FailureTask, Outcome, Target};
use backup_domain::{SourceObject, event};
use jiff::Timestamp;

/// Records the failure, counts it at the destination's breaker, and says what became of the
/// destination.
pub async fn record(
    catalog: &Catalog,
    breakers: &Breakers,
    task: FailureTask,
) -> Result<Outcome, Failure> {
    let mut cause = cause_of(&task.error_output);
    cause.object = cause.object.or_else(|| event::object_of(&task.event));
    if let (Some(object), Some(target)) = (&task.object, &task.target) {
        cause.destination = Some(target.name.clone());
        let status = end(catalog, &task, (object, target), &cause).await?;
        let owner = task.execution.owner();
        let failed = (&cause, task.copied.is_some());
        let change = breakers.failed(&target.name, &owner, failed).await;
        let mut outcome = outcome(&target.name, status, Some(target), cause);
        outcome.breaker = change;
        Ok(outcome)
    } else {
        rejected::record(catalog, &task.event, &task.execution, &cause).await?;
        Ok(outcome("*", "failed", None, cause))
    }
}

/// Ends the lease as failed. What this execution has stored already, and could not settle, is
/// `unsettled`; a point that is no longer its own stays as it is.
async fn end(
    catalog: &Catalog,
    task: &FailureTask,
    (object, target): (&SourceObject, &Target),
    cause: &Cause,
) -> Result<&'static str, Failure> {
    let now = catalog.now();
    let pk = partition_key(&object.bucket, &object.key);
    let Some(mut point) = catalog.get(&pk, &sort_key(&target.name, object)).await? else {
        return Ok("failed");
    };
    let mine = point.owner == task.execution.owner();
    if point.status != Status::Copying && (mine || target.settle_only.is_some()) {
        // Whoever stored it: what was asked for is its order, and that is still owed. What was to be
        // settled for a debt goes on to owe that one.
        let seen = target.settle_only.and_then(|settle| settle.owed_after);
        let owed = seen
            .filter(|seen| point.owed_after == Some(*seen))
            .unwrap_or(now);
        catalog.unsettle(&point, cause, owed).await?;
        return Ok("failed");
    }
    if !mine {
        return Ok(if point.status == Status::Stored {
            "duplicate"
        } else {
            "failed"
        });
    }
    point.status = Status::Failed;
    point.error = Some(cause.error.clone());
    point.message = Some(cause.message.clone());
    point.day = Some(day(now, &pk));
    (point.ended_at, point.failed_at) = (Some(now), Some(now));
    left_behind(&mut point, task, now);
    match catalog.end(&point).await? {
        Written::Yes => Ok("failed"),
        Written::Refused(there) => Ok(if there.status == Status::Stored {
            "duplicate"
        } else {
            "failed"
        }),
    }
}

/// A copy that was never proven counts as none, and must not stay on top: the order is owed, at once
/// where the copy is known, and when a request that was cut off can no longer land. A failure that
/// sent nothing owes nothing.
fn left_behind(point: &mut RecoveryPoint, task: &FailureTask, now: Timestamp) {
    let copied = task.copied.as_ref();
    let copied = copied.and_then(|copied| copied.version_id.clone());
    for id in task.rejected.iter().cloned().chain(copied) {
        if !point.bad.contains(&id) {
            point.bad.push(id);
        }
    }
    let left = Left::of(task, sent_nothing(&task.error_output));
    point.owed_after = left.owes(point.owed_after, now);
}

fn outcome(name: &str, status: &str, target: Option<&Target>, cause: Cause) -> Outcome {
    let destination = target.map(|target| &target.destination);
    Outcome {
        destination: name.to_owned(),
        outcome: status.to_owned(),
        reason: String::new(),
        bucket: destination
            .map(|destination| destination.bucket.clone())
            .unwrap_or_default(),
        region: destination
            .map(|destination| destination.region.clone())
            .unwrap_or_default(),
        key: target.map(|target| target.key.clone()).unwrap_or_default(),
        version_id: None,
        evidence: None,
        // All outcomes are of one object, which Notify has from the event: a long key ten times over
        // would fill half a payload.
        cause: Some(Cause {
            object: None,
            ..cause
        }),
        breaker: None,
    }
}
