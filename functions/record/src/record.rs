//! What Record does with one verified copy.

use backup_aws::Failure;
use backup_aws::catalog::{Catalog, Written};
use backup_domain::catalog::{
    BackupVersion, RecoveryPoint, SHAPE, Status, day, partition_key, sort_key,
};
use backup_domain::task::{CopyOutcome, Outcome, RecordTask};
use jiff::Timestamp;

/// Ends the point, and says what became of the destination.
pub async fn record(catalog: &Catalog, task: RecordTask) -> Result<Outcome, Failure> {
    let point = point_of(&task, Timestamp::now());
    let status = match catalog.end(&point).await? {
        Written::Yes => point.status.as_str(),
        Written::Refused(there) if there.owner == point.owner && there.status == point.status => {
            point.status.as_str()
        }
        // Another execution took the lease over: its copy is the recorded one, this one is surplus.
        Written::Refused(_) => "duplicate",
    };
    Ok(outcome_of(&task, status))
}

fn point_of(task: &RecordTask, now: Timestamp) -> RecoveryPoint {
    let (object, target) = (&task.object, &task.target);
    let pk = partition_key(&object.bucket, &object.key);
    RecoveryPoint {
        day: Some(day(now, &pk)),
        pk,
        sk: sort_key(&target.name, object),
        shape: SHAPE,
        status: status_of(task.copied.outcome),
        object: object.clone(),
        destination: target.name.clone(),
        rule: target.rule.clone(),
        owner: task.execution.owner(),
        until: now,
        attempts: target.attempts,
        upload: None,
        promotions: vec![],
        bad: vec![],
        owed_after: None,
        checksums: task
            .copied
            .source
            .as_ref()
            .map(|facts| facts.checksums.clone())
            .unwrap_or_default(),
        backup: task
            .copied
            .version_id
            .as_ref()
            .map(|version_id| BackupVersion {
                bucket: target.destination.bucket.clone(),
                region: target.destination.region.clone(),
                key: target.key.clone(),
                version_id: version_id.clone(),
                storage_class: target.destination.storage_class.clone(),
                marked: task.copied.marked,
            }),
        evidence: task.verified.evidence.clone(),
        copied_at: task.copied.version_id.as_ref().map(|_| task.copied.at),
        verified_at: task.verified.evidence.as_ref().map(|_| task.verified.at),
        error: None,
        message: (!task.copied.reason.is_empty()).then(|| task.copied.reason.clone()),
        ended_at: Some(now),
    }
}

fn status_of(outcome: CopyOutcome) -> Status {
    match outcome {
        CopyOutcome::Copied => Status::Stored,
        CopyOutcome::Gone => Status::Gone,
        CopyOutcome::Superseded => Status::Superseded,
        CopyOutcome::Skipped => Status::Skipped,
        CopyOutcome::Settle => Status::Stored,
    }
}

fn outcome_of(task: &RecordTask, status: &str) -> Outcome {
    let destination = &task.target.destination;
    Outcome {
        destination: task.target.name.clone(),
        outcome: status.to_owned(),
        reason: task.copied.reason.clone(),
        bucket: destination.bucket.clone(),
        region: destination.region.clone(),
        key: task.target.key.clone(),
        version_id: task.copied.version_id.clone(),
        evidence: task.verified.evidence.clone(),
        cause: None,
    }
}
