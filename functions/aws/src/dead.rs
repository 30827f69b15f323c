//! Closing an execution that ended without a word: its event is recorded, parked and told, once.

use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::error::Cause;
use backup_domain::event;
use backup_domain::message::{Story, compose};
use backup_domain::policy::NotifyLevel;
use backup_domain::task::{Execution, Outcome};
use backup_domain::watch::{self, Dead, Known};
use jiff::Timestamp;
use serde_json::Value;
use tracing::{info, warn};

use crate::catalog::{Catalog, Claim, Written};
use crate::notices::Notices;
use crate::{Clients, Failure, SettingError, Settings, Sqs, queue, rejected};

/// What closing takes.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Where it is recorded.
    pub catalog: Catalog,
    /// Where the event is parked.
    pub sqs: Sqs,
    /// URL of the dead-letter queue.
    pub queue: String,
    /// Who tells it.
    pub notices: Notices,
    /// Region of the state machine.
    pub region: String,
}

impl Closing {
    /// Reads queue, topic and region from the environment.
    ///
    /// # Errors
    /// [`crate::SettingError`] when one is missing.
    pub fn from_env(clients: &Clients, catalog: Catalog) -> Result<Self, SettingError> {
        Ok(Self {
            notices: Notices::from_env(clients.sns(), catalog.clone())?,
            catalog,
            sqs: clients.sqs(),
            queue: Settings.text("QUEUE_URL")?,
            region: Settings.text("AWS_REGION")?,
        })
    }

    /// Closes an execution; says whether this call did.
    ///
    /// One of several that come at once wins a conditional write, and the others leave it alone. A
    /// retry of one that was cut off repeats what had not been noted yet: the parked message or the
    /// notification may then come a second time.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`; closing again goes on.
    pub async fn close(&self, dead: &Dead) -> Result<bool, Failure> {
        let now = self.catalog.now();
        let closed = match self.catalog.claim(&dead.arn, now).await {
            Ok(Claim::Mine { parked }) => self.record_park_and_tell(dead, parked).await,
            Ok(Claim::Held | Claim::Done) => {
                info!(execution = %dead.arn, "closed by another run");
                return Ok(false);
            }
            Err(problem) => Err(problem),
        };
        if closed.is_err() {
            self.let_go(&dead.arn, now).await;
        }
        closed.map(|()| true)
    }

    /// Lets go a claim that was made at `now`, or may have been, its answer lost.
    pub async fn let_go(&self, claim: &str, now: Timestamp) {
        if let Err(problem) = self.catalog.release(claim, now).await {
            warn!(problem = %problem.message, "the claim stays until it ends by itself");
        }
    }

    async fn record_park_and_tell(&self, dead: &Dead, parked: bool) -> Result<(), Failure> {
        let mut cause = dead.cause();
        cause.object = event::object_of(&dead.event);
        let (destinations, outcomes) = self.record(dead, &cause).await?;
        if !destinations.is_empty() {
            if !parked && dead.known() != Known::Untold {
                let parked = queue::park(
                    &self.sqs,
                    &self.queue,
                    &dead.event,
                    &destinations,
                    &cause.error,
                );
                parked.await?;
                self.catalog.note_parked(&dead.arn).await?;
            }
            if dead.known() != Known::Unparked {
                self.tell(&dead.event, &dead.arn, &outcomes).await?;
            }
        }
        self.catalog.done(&dead.arn, self.catalog.now()).await
    }

    /// Ends what the execution was copying; without any point of its own, the event is recorded whole.
    /// Returns for which destinations the event is to be parked, and what is told of them.
    async fn record(
        &self,
        dead: &Dead,
        cause: &Cause,
    ) -> Result<(Vec<String>, Vec<Outcome>), Failure> {
        let points = self.points(dead).await?;
        let own = |point: &&RecoveryPoint| watch::is_owned(point, &dead.arn);
        let mut outcomes = Vec::new();
        for point in points.iter().filter(own) {
            match point.status {
                Status::Copying => {
                    let mut failed = point.clone();
                    watch::fail(&mut failed, cause, self.catalog.now());
                    if let Written::Refused(there) = self.catalog.end(&failed).await?
                        && (there.status, &there.owner) != (failed.status, &failed.owner)
                    {
                        continue; // taken over meanwhile
                    }
                }
                Status::Stored => {
                    self.catalog.owe_settling(point, self.catalog.now()).await?;
                    continue;
                }
                Status::Failed => {}
                _ => continue,
            }
            outcomes.push(watch::outcome(&point.destination, cause));
        }
        if !outcomes.is_empty() {
            return Ok((watch::unfinished(dead, &points), outcomes));
        }
        let may_be = matches!(dead.known(), Known::Silent | Known::Untold);
        let is_left_alone = may_be && watch::is_taken_over(dead, &points);
        if is_left_alone || points.iter().any(|point| own(&point)) {
            return Ok((vec![], vec![]));
        }
        let execution = Execution {
            id: dead.arn.clone(),
            start_time: dead.start_time.clone(),
        };
        rejected::record(&self.catalog, &dead.event, &execution, cause).await?;
        let all = "*".to_owned();
        Ok((vec![all.clone()], vec![watch::outcome(&all, cause)]))
    }

    /// The points of the event's key, none where it names none.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn points(&self, dead: &Dead) -> Result<Vec<RecoveryPoint>, Failure> {
        match event::object_of(&dead.event) {
            Some(object) => {
                let pk = partition_key(&object.bucket, &object.key);
                self.catalog.points_of_key(&pk).await
            }
            None => Ok(vec![]),
        }
    }

    /// Tells it, whatever the rule's level: no rule may have been chosen yet.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn tell(
        &self,
        event: &Value,
        execution: &str,
        outcomes: &[Outcome],
    ) -> Result<(), Failure> {
        let object = event::object_of(event);
        let story = Story {
            object: object.as_ref(),
            size: event.pointer("/detail/object/size").and_then(Value::as_u64),
            event_at: event.get("time").and_then(Value::as_str),
            outcomes,
            execution,
            region: &self.region,
        };
        let Some(message) = compose(&story, NotifyLevel::Failures) else {
            return Ok(());
        };
        let bucket = object.as_ref().map(|object| object.bucket.as_str());
        let name = object
            .as_ref()
            .map_or("an unreadable event", |object| &object.key);
        self.notices
            .tell(&message, name, bucket.unwrap_or_default())
            .await
    }
}
