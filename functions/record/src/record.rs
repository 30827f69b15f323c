//! What Record does with one verified copy: it stores the point, then settles the order.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::{Catalog, Written};
use backup_aws::glance::Place;
use backup_aws::settle::Settle;
use backup_aws::{Clients, Deadline, ErrorName, Failure};
use backup_domain::catalog::{
    BackupVersion, RecoveryPoint, SHAPE, Status, day, partition_key, sort_key,
};
use backup_domain::limits::MIB;
use backup_domain::order::{must_settle, owed_after};
use backup_domain::task::{CopyOutcome, Machine, Outcome, RecordTask, SettleOnly};
use jiff::Timestamp;

/// The function's clients.
pub struct Record {
    pub clients: Clients,
    pub catalog: Catalog,
    pub breakers: Breakers,
    pub multipart_mib: u64,
}

impl Record {
    /// Ends the point, settles the order, and says what became of the destination.
    pub async fn record(
        &self,
        mut task: RecordTask,
        deadline: Deadline,
    ) -> Result<Outcome, Failure> {
        task.object.last_modified = task.object.last_modified.or(task.copied.modified);
        if let Some(settle) = task.target.settle_only {
            return self.settle_only(&task, settle, deadline).await;
        }
        let now = self.catalog.now();
        let mut point = point_of(&task, now);
        // What may still land is settled at once, and again when it can land no more.
        let is_plain = point.status == Status::Stored && point.owed_after.is_none();
        let later = task.settles_later.filter(|_| is_plain);
        point.owed_after = point.owed_after.or(later);
        let status = match self.catalog.end(&point).await? {
            Written::Yes => point.status.as_str(),
            Written::Refused(there) => {
                let mine = there.owner == point.owner && is_same(there.status, point.status);
                let status = if mine {
                    point.status.as_str()
                } else {
                    "duplicate"
                };
                // Where another execution took the lease over, its copy is the recorded one, and
                // this one, which is surplus, may lie on top.
                point = *there;
                status
            }
        };
        let left = task.copied.cut_off || task.target.owed_after.is_some();
        let is_later = later.is_some() && status != "duplicate";
        if !is_later && (must_settle(point.status, left) || status == "duplicate") {
            self.settle(&task, &point, deadline).await?;
            // What can still land is not taken back before its time.
            if let Some(due) = point.owed_after.filter(|after| *after <= now) {
                self.catalog.settled(&point.pk, &point.sk, due).await?;
            }
        }
        let mut outcome = outcome_of(&task, status);
        if task.copied.probe {
            let stored = point.status == Status::Stored;
            let owner = task.execution.owner();
            let probed = self.breakers.probed(&task.target.name, &owner, stored);
            outcome.breaker = probed.await;
        }
        Ok(outcome)
    }

    async fn settle(
        &self,
        task: &RecordTask,
        point: &RecoveryPoint,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let settle = self.settling(task);
        if point.status == Status::Stored && settle.place.at_a_glance(point).await? {
            return Ok(());
        }
        settle.until_done(deadline).await
    }

    /// A duplicate, a deletion, or what is owed: nothing was copied.
    async fn settle_only(
        &self,
        task: &RecordTask,
        settle: SettleOnly,
        deadline: Deadline,
    ) -> Result<Outcome, Failure> {
        if settle.tags {
            return self.follow_tags(task).await;
        }
        let now = self.catalog.now();
        self.settling(task).until_done(deadline).await?;
        let point = point_of(task, self.catalog.now());
        if settle.owed_after.is_none() && task.object.deletion.is_some() {
            // A second time, or as somebody else's: it is recorded as deleted either way.
            self.catalog.end_deletion(&point).await?;
        }
        let due = task.target.owed_after.filter(|after| *after <= now);
        if let Some(seen) = settle.owed_after.or(due) {
            self.catalog.settled(&point.pk, &point.sk, seen).await?;
        }
        Ok(outcome_of(task, "settled"))
    }

    async fn follow_tags(&self, task: &RecordTask) -> Result<Outcome, Failure> {
        let pk = partition_key(&task.object.bucket, &task.object.key);
        let sk = sort_key(&task.target.name, &task.object);
        if let Some(point) = self.catalog.get(&pk, &sk).await? {
            if point.status == Status::Copying {
                let message = "the version is being copied, its tags follow then";
                return Err(Failure::new(ErrorName::Unsettled, message));
            }
            self.settling(task).place.follow_tags(&point).await?;
        }
        Ok(outcome_of(task, "followed"))
    }

    fn settling<'a>(&'a self, task: &'a RecordTask) -> Settle<'a> {
        Settle {
            place: Place {
                clients: &self.clients,
                object: &task.object,
                target: &task.target,
            },
            catalog: &self.catalog,
            multipart_bytes: self.multipart_mib.saturating_mul(MIB),
        }
    }
}

/// `unsettled` is a `stored` whose settling failed: a retry settles it.
fn is_same(there: Status, mine: Status) -> bool {
    there == mine || (there == Status::Unsettled && mine == Status::Stored)
}

fn point_of(task: &RecordTask, now: Timestamp) -> RecoveryPoint {
    let (object, target, copied) = (&task.object, &task.target, &task.copied);
    let pk = partition_key(&object.bucket, &object.key);
    let source = copied.source.as_ref();
    RecoveryPoint {
        day: Some(day(now, &pk)),
        pk,
        sk: sort_key(&target.name, object),
        shape: SHAPE,
        status: status_of(task),
        object: object.clone(),
        destination: target.name.clone(),
        rule: target.rule.clone(),
        owner: task.execution.owner(),
        machine: Machine::default(),
        until: now,
        attempts: target.attempts,
        waits: 0,
        upload: None,
        promotions: vec![],
        bad: [target.bad.as_slice(), &task.rejected].concat(),
        // What executions before have left lands in its own time.
        owed_after: target
            .owed_after
            .max(copied.cut_off.then(|| owed_after(now))),
        checksums: source
            .map(|facts| facts.checksums.clone())
            .unwrap_or_default(),
        backup: copied.version_id.as_ref().map(|version_id| BackupVersion {
            bucket: target.destination.bucket.clone(),
            region: target.destination.region.clone(),
            key: target.key.clone(),
            version_id: version_id.clone(),
            storage_class: target.destination.storage_class.clone(),
            marked: copied.marked,
        }),
        evidence: task.verified.evidence.clone(),
        copied_at: copied.version_id.as_ref().map(|_| copied.at),
        verified_at: task.verified.evidence.as_ref().map(|_| task.verified.at),
        error: None,
        message: (!copied.reason.is_empty()).then(|| copied.reason.clone()),
        ended_at: Some(now),
        failed_at: None,
        exhausted: None,
        expired_at: None,
    }
}

fn status_of(task: &RecordTask) -> Status {
    if task.object.deletion.is_some() {
        return Status::Deleted;
    }
    match task.copied.outcome {
        CopyOutcome::Copied | CopyOutcome::Settle => Status::Stored,
        CopyOutcome::Gone => Status::Gone,
        CopyOutcome::Superseded => Status::Superseded,
        CopyOutcome::Skipped => Status::Skipped,
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
        breaker: None,
    }
}
