//! Who may back up a version to a destination: the lease, taken in the catalog.

use std::collections::BTreeMap;

use backup_aws::catalog::Written;
use backup_aws::glance::Place;
use backup_aws::prepare::source_version;
use backup_aws::s3::head;
use backup_aws::{Failure, executions};
use backup_domain::SourceObject;
use backup_domain::catalog::{RecoveryPoint, SHAPE, Status, day, partition_key, sort_key};
use backup_domain::event::Redrive;
use backup_domain::lease::{Claim, Held, claim, is_back, is_refutable, must_come_again};
use backup_domain::order::{must_settle, owed_after};
use backup_domain::task::{Execution, Machine, SettleOnly, Target};
use jiff::{SignedDuration, Timestamp};
use tracing::info;

use crate::filter::Filter;

/// Who asks for leases, and for what.
pub struct Claimant<'a> {
    pub object: &'a SourceObject,
    /// Name of the rule.
    pub rule: &'a str,
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

/// What came of asking for a point.
enum Acquired {
    /// It is written.
    Yes(Box<RecoveryPoint>),
    /// It has come to its end before.
    Done(Box<RecoveryPoint>),
    /// Another execution is at it.
    Busy(Idle),
}

fn already(point: &RecoveryPoint) -> Idle {
    Idle {
        reason: format!("{}: {} already", point.destination, point.status.as_str()),
        held: false,
    }
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
        let point = self.new_point(claimant, &target.name, Status::Copying, now);
        let point = match self.acquire(claimant, point, now).await? {
            Acquired::Yes(point) => point,
            Acquired::Busy(idle) => return Ok(Err(idle)),
            Acquired::Done(old) => {
                // What can still land is not taken back before its time.
                let due = old.owed_after.filter(|after| *after <= now);
                if must_settle(old.status, false)
                    && (due.is_some() || !self.is_settled(claimant, &target, &old).await?)
                {
                    target.settle_only = Some(SettleOnly {
                        owed_after: due,
                        tags: false,
                    });
                    return Ok(Ok(target));
                }
                return Ok(Err(already(&old)));
            }
        };
        target.attempts = point.attempts;
        (target.upload, target.bad) = (point.upload, point.bad);
        target.owed_after = point.owed_after;
        Ok(Ok(target))
    }

    /// Ends a point at once, without a copy; one that has come to its end, or that somebody is at,
    /// is left as it is.
    pub async fn end_here(
        &self,
        claimant: &Claimant<'_>,
        destination: &str,
        (status, reason): (Status, &str),
    ) -> Result<Idle, Failure> {
        let now = self.catalog.now();
        let mut point = self.new_point(claimant, destination, status, now);
        point.message = Some(reason.to_owned()).filter(|_| status == Status::Skipped);
        Ok(match self.acquire(claimant, point, now).await? {
            Acquired::Yes(_) => Idle {
                reason: format!("{destination}: {reason}"),
                held: false,
            },
            Acquired::Busy(idle) => idle,
            Acquired::Done(old) => already(&old),
        })
    }

    /// A point that is stored, and whose destination the policy names no more: its order there is
    /// nobody's to settle.
    pub async fn owe_nothing(&self, old: RecoveryPoint) -> Result<Idle, Failure> {
        let held = Held::from(&old);
        let reason = format!("{}: the policy names it no more", old.destination);
        let unsettled = old.status == Status::Unsettled;
        let point = RecoveryPoint {
            status: if unsettled {
                Status::Stored
            } else {
                old.status
            },
            owed_after: None,
            failed_at: None,
            error: old.error.filter(|_| !unsettled),
            message: old.message.filter(|_| !unsettled),
            ..old
        };
        // Where it has changed meanwhile, somebody else is at it.
        self.catalog.take_over(&point, &held).await?;
        Ok(Idle {
            reason,
            held: false,
        })
    }

    /// Writes a point, over one that is nobody's or a dead owner's.
    async fn acquire(
        &self,
        claimant: &Claimant<'_>,
        mut point: RecoveryPoint,
        now: Timestamp,
    ) -> Result<Acquired, Failure> {
        let redriven = claimant
            .redrive
            .and_then(|redrive| redrive.owner.as_deref());
        let mut written = self.catalog.create(&point).await?;
        while let Written::Refused(old) = written {
            let held = Held::from(&*old);
            match claim(&held, &point.owner, redriven, now) {
                Claim::Done(status)
                    if point.status == Status::Copying
                        && is_refutable(status)
                        && self.is_back(claimant.object).await? => {}
                Claim::Done(_) => return Ok(Acquired::Done(old)),
                Claim::AskOwner
                    if !executions::is_running(&self.executions, &held.owner).await? => {}
                Claim::AskOwner | Claim::Held => {
                    let owner = Execution::arn_of(&held.owner);
                    return Ok(Acquired::Busy(Idle {
                        reason: format!("{}: {owner} is at it", point.destination),
                        held: must_come_again(claimant.machine),
                    }));
                }
                Claim::TakeOver => {}
            }
            // The same execution asking again is not another attempt.
            let again = u32::from(held.owner != point.owner || held.status != Status::Copying);
            point.attempts = held.attempts + again;
            point.waits = old.waits_so_far();
            // What a dead owner has uploaded is gone on with; what it left behind is not forgotten.
            (point.upload, point.bad) = (old.upload, old.bad);
            (point.promotions, point.owed_after) = (old.promotions, old.owed_after);
            if held.status == Status::Copying && held.owner != point.owner {
                // It died, and what it had sent may land yet.
                point.owed_after = point.owed_after.max(Some(owed_after(now)));
            }
            info!(destination = %point.destination, attempts = point.attempts, "taking over");
            written = self.catalog.take_over(&point, &held).await?;
        }
        Ok(Acquired::Yes(Box::new(point)))
    }

    /// Whether a version is there that was recorded as not there.
    async fn is_back(&self, object: &SourceObject) -> Result<bool, Failure> {
        let found = if object.pinned_version().is_some() {
            let s3 = self.clients.s3(&object.region);
            let found = head::head(&s3, source_version(object)).await;
            match found.map_err(|api| api.at_source(&object.bucket))? {
                head::Found::Object(found) => found.last_modified,
                head::Found::Nothing => None,
            }
        } else {
            // Looked for already: it is known since when it is there, where it is.
            object.last_modified
        };
        Ok(is_back(object, found))
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

    /// A point in its first state, or one that ends at once.
    fn new_point(
        &self,
        claimant: &Claimant<'_>,
        destination: &str,
        status: Status,
        now: Timestamp,
    ) -> RecoveryPoint {
        let object = claimant.object;
        let pk = partition_key(&object.bucket, &object.key);
        let ended = status != Status::Copying;
        RecoveryPoint {
            day: ended.then(|| day(now, &pk)),
            pk,
            sk: sort_key(destination, object),
            shape: SHAPE,
            status,
            object: object.clone(),
            destination: destination.to_owned(),
            rule: claimant.rule.to_owned(),
            owner: claimant.execution.owner(),
            machine: claimant.machine,
            until: now + SignedDuration::from_secs(self.lease_seconds.on(claimant.machine)),
            attempts: 1,
            waits: 0,
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
