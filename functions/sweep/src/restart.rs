//! Taking one thing up again: a dead execution's event, or an order that is owed.

use backup_aws::catalog::{Claim, Due};
use backup_aws::executions::{self, State};
use backup_aws::{Failure, rejected};
use backup_domain::catalog::{RecoveryPoint, Status};
use backup_domain::error::{Cause, ErrorName};
use backup_domain::event::Redrive;
use backup_domain::task::Execution;
use backup_domain::watch::{self, ATTEMPTS_MAX, Dead, Holder, Known, Todo, is_owned};
use jiff::Timestamp;
use serde_json::Value;
use tracing::info;

use crate::sweep::Sweep;

/// What became of something that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// There was nothing to do.
    Nothing,
    /// An execution was started.
    Restarted,
    /// One that was started before is still at it, or somebody else is.
    InFlight,
    /// Recorded, parked and told.
    Closed,
    /// Its order is owed from now on.
    Owed,
    /// Given up and told before: left to a person.
    Stuck,
    /// Its destination is away: a settling would fail as well.
    Waiting,
}

/// What is to be started again.
struct Again<'a> {
    /// What tells it from all others.
    subject: &'a [&'a str],
    event: Value,
    redrive: Redrive,
}

impl Sweep {
    /// Deals with an execution of the lists that ended at this moment, and that nobody has closed.
    pub async fn listed(&self, arn: &str, stopped_at: Timestamp) -> Result<Done, Failure> {
        let catalog = &self.closing.catalog;
        let noted = catalog.noted(arn, catalog.now()).await?;
        if noted.is_done(stopped_at) {
            return Ok(Done::Nothing);
        }
        if noted.claim == Some(Claim::Held) {
            return Ok(Done::InFlight);
        }
        let State::Dead(dead) = executions::describe(&self.executions, arn).await? else {
            return Ok(Done::Nothing);
        };
        let done = self.take_up(&dead, arn).await?;
        // What told everything itself may still own a point, which the index of open ones shows.
        match (done, dead.known()) {
            (Done::Nothing, Known::Told) => {
                catalog.note_told(arn, stopped_at, catalog.now()).await?;
            }
            (Done::Restarted | Done::Owed, known) if known != Known::Told => {
                catalog.done(arn, catalog.now()).await?;
            }
            _ => {}
        }
        Ok(done)
    }

    /// Deals with a point that is being copied, as the index says: it is read again first.
    pub async fn held(&self, pk: &str, sk: &str) -> Result<Done, Failure> {
        let catalog = &self.closing.catalog;
        let point = catalog.get(pk, sk).await?;
        let Some(point) = point.filter(|point| point.status == Status::Copying) else {
            return Ok(Done::Nothing);
        };
        let holder = watch::holder(&point, catalog.now());
        if holder == Holder::MayLive {
            return Ok(Done::Nothing);
        }
        let arn = Execution::arn_of(&point.owner);
        if catalog.claimed(arn, catalog.now()).await? == Some(Claim::Held) {
            return Ok(Done::InFlight);
        }
        let state = match holder {
            Holder::MayBeAsked => executions::describe(&self.executions, arn).await?,
            Holder::MayLive | Holder::Dead => State::Unknown,
        };
        let (dead, is_listed) = match state {
            State::Running => return Ok(Done::Nothing),
            State::Dead(dead) => (*dead, true),
            State::Succeeded | State::Unknown => (watch::unknown(&point), false),
        };
        let done = self.take_up(&dead, &format!("{arn}#walk")).await?;
        if is_listed && done == Done::Restarted && dead.known() != Known::Told {
            // Its list need not start it again.
            catalog.done(arn, catalog.now()).await?;
        }
        Ok(done)
    }

    /// One of several sweeps, or the watcher, wins the claim.
    async fn take_up(&self, dead: &Dead, claim: &str) -> Result<Done, Failure> {
        let catalog = &self.closing.catalog;
        let points = self.closing.points(dead).await?;
        let (pk, sk) = rejected::keys(&dead.event);
        let rejected = dead.known() == Known::Silent && catalog.is_rejected(&pk, &sk).await?;
        match watch::todo(dead, &points, rejected) {
            Todo::Nothing => Ok(Done::Nothing),
            Todo::Close => self.close(dead).await,
            Todo::Owe => {
                for point in points.iter().filter(|it| is_owned(it, &dead.arn)) {
                    if point.status == Status::Stored {
                        catalog.owe_settling(point, catalog.now()).await?;
                    }
                }
                Ok(Done::Owed)
            }
            Todo::Restart(destinations) => {
                let now = catalog.now();
                let done = match catalog.claim(claim, now).await {
                    Ok(Claim::Mine { .. }) => self.restart(dead, &points, destinations).await,
                    Ok(Claim::Held | Claim::Done) => return Ok(Done::InFlight),
                    Err(problem) => Err(problem),
                };
                self.closing.let_go(claim, now).await;
                match done? {
                    Some(done) => Ok(done),
                    None => self.close(dead).await,
                }
            }
        }
    }

    async fn close(&self, dead: &Dead) -> Result<Done, Failure> {
        Ok(if self.closing.close(dead).await? {
            Done::Closed
        } else {
            Done::InFlight
        })
    }

    /// Starts the event of a dead execution again; `None` where that was tried in vain.
    async fn restart(
        &self,
        dead: &Dead,
        points: &[RecoveryPoint],
        destinations: Vec<String>,
    ) -> Result<Option<Done>, Failure> {
        let copying =
            |point: &&RecoveryPoint| point.status == Status::Copying && is_owned(point, &dead.arn);
        let own: Vec<_> = points.iter().filter(copying).collect();
        let before = match own.iter().map(|point| point.attempts).max() {
            Some(attempts) => attempts,
            None => dead.redrive().map_or(1, |redrive| redrive.attempt + 1),
        };
        let again = Again {
            subject: &[&dead.arn],
            event: watch::event_again(dead, points),
            redrive: Redrive {
                destinations,
                owner: own.first().map(|point| point.owner.clone()),
                attempt: before,
                waits: 0,
                settle: false,
                owed_after: None,
            },
        };
        self.start(again, async || {
            // Without a point, what was started is looked after by its own name.
            let points = self.closing.points(dead).await?;
            Ok(points.iter().any(|point| copying(&point)))
        })
        .await
    }

    /// Settles what a point owes: the index says that it is due.
    pub async fn owing(&self, due: &Due) -> Result<Done, Failure> {
        let catalog = &self.closing.catalog;
        let (pk, sk) = (due.pk.as_str(), due.sk.as_str());
        let owed = due.after.to_string();
        let given_up = watch::restart_name(&[pk, sk, &owed], 0);
        if catalog.claimed(&given_up, catalog.now()).await? == Some(Claim::Done) {
            return Ok(Done::Stuck);
        }
        let is_due = |point: &RecoveryPoint| {
            point.owed_after == Some(due.after) && point.status != Status::Copying
        };
        let Some(point) = catalog.get(pk, sk).await?.filter(is_due) else {
            return Ok(Done::Nothing);
        };
        let again = Again {
            subject: &[pk, sk, &owed],
            event: watch::event_of(&point),
            redrive: Redrive {
                destinations: vec![point.destination.clone()],
                owner: Some(point.owner.clone()),
                attempt: 1,
                waits: 0,
                settle: true,
                owed_after: point.owed_after,
            },
        };
        let started = self.start(again, async || {
            let there = catalog.get(pk, sk).await?;
            Ok(there.is_some_and(|there| there.owed_after == point.owed_after))
        });
        match started.await? {
            Some(done) => Ok(done),
            None => self.tell_unsettled(&point, &given_up).await,
        }
    }

    /// Tells once of an order that could not be settled; its point goes on to owe it.
    async fn tell_unsettled(&self, point: &RecoveryPoint, subject: &str) -> Result<Done, Failure> {
        let catalog = &self.closing.catalog;
        let Claim::Mine { .. } = catalog.claim(subject, catalog.now()).await? else {
            return Ok(Done::Stuck);
        };
        let error = ErrorName::Unsettled;
        let cause = Cause {
            error: error.to_string(),
            object: None,
            destination: Some(point.destination.clone()),
            message: format!(
                "the order of its versions was not settled in {ATTEMPTS_MAX} executions"
            ),
            advice: error.advice().to_owned(),
            side: None,
        };
        let outcomes = [watch::outcome(&point.destination, &cause)];
        let event = watch::event_of(point);
        self.closing
            .tell(&event, Execution::arn_of(&point.owner), &outcomes)
            .await?;
        catalog.done(subject, catalog.now()).await?;
        Ok(Done::Closed)
    }

    /// Starts an execution under the first name that is free; `None` where all of them have been
    /// tried in vain. A name that is taken counts as started, while that execution runs or nothing
    /// is open any more.
    async fn start(
        &self,
        mut again: Again<'_>,
        is_open: impl AsyncFn() -> Result<bool, Failure>,
    ) -> Result<Option<Done>, Failure> {
        let first = again.redrive.attempt;
        for attempt in first..first + ATTEMPTS_MAX {
            again.redrive.attempt = attempt;
            let name = watch::restart_name(again.subject, attempt);
            let input = watch::restart_input(again.event.clone(), &again.redrive);
            if executions::start(&self.executions, &self.machine, &name, &input).await? {
                info!(subject = again.subject[0], %name, "started again");
                return Ok(Some(Done::Restarted));
            }
            let arn = executions::arn_of(&self.machine, &name);
            let state = executions::describe(&self.executions, &arn).await?;
            if state == State::Running || !is_open().await? {
                return Ok(Some(Done::InFlight));
            }
        }
        Ok(None)
    }
}
