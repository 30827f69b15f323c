//! Who may back up a version to a destination: the lease, taken in the catalog.

use std::collections::BTreeMap;

use backup_aws::catalog::Written;
use backup_aws::glance::Place;
use backup_aws::{Failure, executions};
use backup_domain::SourceObject;
use backup_domain::catalog::{RecoveryPoint, SHAPE, Status, day, partition_key, sort_key};
use backup_domain::event::Redrive;
use backup_domain::lease::{Claim, Held, claim, must_come_again};
use backup_domain::order::must_settle;
use backup_domain::policy::Rule;
use backup_domain::task::{Execution, Machine, SettleOnly, Target};
use jiff::{SignedDuration, Timestamp};
use tracing::info;

use crate::filter::Filter;

/// Who asks for leases, and for what.
pub struct Claimant<'a> {
    pub object: &'a SourceObject,
    pub rule: &'a Rule,
    pub execution: &'a Execution,
    pub machine: Machine,
    pub redrive: Option<&'a Redrive>,
}

/// A destination that has nothing to do.
pub struct Idle {
    /// Why.
    pub reason: String,
    /// Whether another execution is at it, and this one's event must come again.
    pub held: bool,
}

impl Filter {
    /// Takes the lease, or says why this event is a duplicate. A duplicate of something stored is
    /// still to settle where two HEADs do not show that all is right: the execution that stored it
    /// may have died before it could.
    pub async fn lease(
        &self,
        claimant: &Claimant<'_>,
        mut target: Target,
    ) -> Result<Result<Target, Idle>, Failure> {
        let now = self.catalog.now();
        let mut point = self.new_point(claimant, &target, Status::Copying, now);
        let redriven = claimant
            .redrive
            .and_then(|redrive| redrive.owner.as_deref());
        let mut written = self.catalog.create(&point).await?;
        while let Written::Refused(old) = written {
            let held = Held {
                status: old.status,
                owner: old.owner.clone(),
                machine: old.machine,
                until: old.until,
                attempts: old.attempts,
            };
            match claim(&held, &point.owner, redriven, now) {
                Claim::Done(status) => {
                    // What can still land is not taken back before its time.
                    let due = old.owed_after.filter(|after| *after <= now);
                    if must_settle(status, false)
                        && (due.is_some() || !self.is_settled(claimant, &target, &old).await?)
                    {
                        target.settle_only = Some(SettleOnly {
                            owed_after: due,
                            tags: false,
                        });
                        return Ok(Ok(target));
                    }
                    return Ok(Err(Idle {
                        reason: format!("{}: {} already", target.name, status.as_str()),
                        held: false,
                    }));
                }
                Claim::AskOwner
                    if !executions::is_running(&self.executions, &held.owner).await? => {}
                Claim::AskOwner | Claim::Held => {
                    let owner = Execution::arn_of(&held.owner);
                    return Ok(Err(Idle {
                        reason: format!("{}: {owner} is at it", target.name),
                        held: must_come_again(claimant.machine),
                    }));
                }
                Claim::TakeOver => {}
            }
            // The same execution asking again is not another attempt.
            let again = u32::from(held.owner != point.owner || held.status != Status::Copying);
            point.attempts = held.attempts + again;
            // What a dead owner has uploaded is gone on with; what it left behind is not forgotten.
            (point.upload, point.bad) = (old.upload, old.bad);
            (point.promotions, point.owed_after) = (old.promotions, old.owed_after);
            info!(destination = %target.name, attempts = point.attempts, "taking over");
            written = self.catalog.take_over(&point, &held).await?;
        }
        target.attempts = point.attempts;
        (target.upload, target.bad) = (point.upload, point.bad);
        target.owed_after = point.owed_after;
        Ok(Ok(target))
    }

    async fn is_settled(
        &self,
        claimant: &Claimant<'_>,
        target: &Target,
        point: &RecoveryPoint,
    ) -> Result<bool, Failure> {
        let place = Place {
            clients: &self.clients,
            object: claimant.object,
            target,
        };
        place.at_a_glance(point).await
    }

    /// A point in its first state, or a deletion that is recorded at once.
    pub fn new_point(
        &self,
        claimant: &Claimant<'_>,
        target: &Target,
        status: Status,
        now: Timestamp,
    ) -> RecoveryPoint {
        let object = claimant.object;
        let pk = partition_key(&object.bucket, &object.key);
        let ended = status != Status::Copying;
        RecoveryPoint {
            day: ended.then(|| day(now, &pk)),
            pk,
            sk: sort_key(&target.name, object),
            shape: SHAPE,
            status,
            object: object.clone(),
            destination: target.name.clone(),
            rule: claimant.rule.name.clone(),
            owner: claimant.execution.owner(),
            machine: claimant.machine,
            until: now + SignedDuration::from_secs(self.lease_seconds.on(claimant.machine)),
            attempts: 1,
            upload: None,
            backup: None,
            promotions: vec![],
            bad: vec![],
            owed_after: None,
            checksums: BTreeMap::default(),
            evidence: None,
            copied_at: None,
            verified_at: None,
            error: None,
            message: None,
            ended_at: ended.then_some(now),
            failed_at: None,
            exhausted: None,
            expired_at: None,
        }
    }
}
