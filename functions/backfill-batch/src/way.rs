//! The way of one event, as the backup machine has it, in one process: Filter, then Copy, Verify and
//! Record for each destination, or RecordFailure and Park. The steps are the very same functions.

use std::time::Duration;

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Deadline, Error, ErrorName, Failure, Raised, Settings, Sqs, queue};
use backup_domain::SourceObject;
use backup_domain::error::{Cause, cause_of, one_line};
use backup_domain::lease::LeaseSeconds;
use backup_domain::limits::CAUSE_MESSAGE_BYTES_MAX;
use backup_domain::order::owed_after;
use backup_domain::task::{
    Action, Copied, CopyTask, Decision, Execution, FailureTask, FilterTask, Machine, Outcome,
    RecordTask, Target, Verified, VerifyTask,
};
use function_copy::copy;
use function_filter::filter::Filter;
use function_record::record::Record;
use function_record_failure::failure;
use function_verify::verify;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use crate::order::Debt;

/// Tries of one step within a run of the function; more come with the next run.
const TRIES: u32 = 4;
/// Copies of one execution that verification may refuse, as the machine has it.
const REJECTED_MAX: usize = 2;
/// Longest first wait between two tries; doubled each time.
const WAIT: Duration = Duration::from_millis(250);
/// The same where a slower pace was asked for.
const WAIT_THROTTLED: Duration = Duration::from_secs(1);

/// The steps, and what they share.
pub struct Way {
    pub filter: Filter,
    pub record: Record,
    clients: Clients,
    pub catalog: Catalog,
    sqs: Sqs,
    queue: String,
}

/// One event, and who works on it.
pub struct Call<'a> {
    pub event: &'a Value,
    pub execution: &'a Execution,
    /// A copy of it may have been made whose answer nobody has.
    pub begun: bool,
    /// What may pass by itself counts as failed now: it was tried often enough.
    pub last: bool,
    /// The order of the key is settled behind its last version.
    pub later: bool,
    pub deadline: Deadline,
}

/// What became of an event at one destination, or of the whole of it.
#[derive(Debug)]
pub struct Ended {
    /// Name of the destination; `*` where none was chosen.
    pub destination: String,
    /// As [`Outcome::outcome`]; `held` where somebody else is at it.
    pub outcome: String,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// What it owes.
    pub debt: Option<Box<Debt>>,
}

impl Way {
    pub fn from_env(clients: &Clients, settings: Settings) -> Result<Self, Error> {
        let catalog = Catalog::new(clients.dynamodb(), settings.text("CATALOG_TABLE")?);
        let multipart_mib = settings.parse("MULTIPART_THRESHOLD_MIB")?;
        let filter = Filter {
            policy: PolicyStore::new(
                clients.ssm(),
                settings.text("POLICY_PARAMETER")?,
                vec![settings.text("SOURCE_BUCKET")?],
                Duration::from_secs(settings.parse("POLICY_CACHE_SECONDS")?),
            ),
            catalog: catalog.clone(),
            executions: clients.step_functions(),
            clients: clients.clone(),
            lease_seconds: LeaseSeconds {
                standard: settings.parse("LEASE_SECONDS")?,
                express: settings.parse("EXPRESS_LEASE_SECONDS")?,
            },
            multipart_mib,
        };
        Ok(Self {
            record: Record {
                clients: clients.clone(),
                catalog: catalog.clone(),
                breakers: Breakers::from_env(catalog.clone())?,
                multipart_mib,
            },
            sqs: clients.sqs(),
            queue: settings.text("QUEUE_URL")?,
            clients: clients.clone(),
            filter,
            catalog,
        })
    }

    /// Goes it to its end.
    ///
    /// # Errors
    /// What may be over a moment later: the lease is kept, and the next run goes on.
    pub async fn go(&self, call: &Call<'_>) -> Result<Vec<Ended>, Failure> {
        let decided = tried(call.deadline, |_| {
            let task = FilterTask {
                event: call.event.clone(),
                execution: call.execution.clone(),
                machine: Machine::Express,
            };
            self.filter.decide(task)
        });
        let decision = match decided.await {
            Ok(decision) => decision,
            // Wrong for every version: nothing is parked for it.
            Err(failure) if failure.name == ErrorName::InvalidPolicy => return Err(failure),
            Err(failure) if call.may_pass(&failure) => return Err(failure),
            Err(failure) => return Ok(vec![self.fail(call, None, &failure, None, vec![]).await]),
        };
        let Decision {
            action,
            outcome,
            held,
            object,
            targets,
            ..
        } = decision;
        let mut ended = Vec::new();
        if held {
            ended.push(as_whole("held"));
        } else if action == Action::Nothing {
            ended.push(as_whole(&outcome));
        }
        let Some(object) = object else {
            return Ok(ended);
        };
        for target in targets {
            ended.push(self.to(call, &object, target).await?);
        }
        Ok(ended)
    }

    async fn to(
        &self,
        call: &Call<'_>,
        object: &SourceObject,
        target: Target,
    ) -> Result<Ended, Failure> {
        let (mut copied, mut rejected) = (None, vec![]);
        let after = call.later.then(|| owed_after(self.catalog.now()));
        let failure = loop {
            match self
                .once(call, object, &target, &mut copied, &rejected, after)
                .await
            {
                Ok(outcome) => {
                    let mut ended = of(outcome);
                    ended.debt = after.filter(|_| ended.outcome == "stored").map(|after| {
                        let object = object.clone();
                        Box::new(Debt {
                            object,
                            target,
                            after,
                        })
                    });
                    return Ok(ended);
                }
                Err(failure) if failure.name == ErrorName::ChecksumMismatch => {
                    let id = copied
                        .as_ref()
                        .and_then(|it: &Copied| it.version_id.clone());
                    rejected.extend(id);
                    if rejected.len() >= REJECTED_MAX {
                        break failure;
                    }
                }
                Err(failure) => break failure,
            }
        };
        if call.may_pass(&failure) {
            return Err(failure);
        }
        let place = Some((object, &target));
        Ok(self.fail(call, place, &failure, copied, rejected).await)
    }

    /// Copy, Verify, Record.
    async fn once(
        &self,
        call: &Call<'_>,
        object: &SourceObject,
        target: &Target,
        kept: &mut Option<Copied>,
        rejected: &[String],
        settles_later: Option<Timestamp>,
    ) -> Result<Outcome, Failure> {
        let deadline = call.deadline;
        let copied = tried(deadline, |retry| {
            let task = CopyTask {
                retry: retry + u32::from(call.begun),
                rejected: rejected.to_vec(),
                execution: Some(call.execution.clone()),
                ..CopyTask::of(object.clone(), target.clone())
            };
            copy::copy(&self.clients, &self.record.breakers, task)
        })
        .await?;
        *kept = Some(copied.clone());
        let verified: Verified = tried(deadline, |_| {
            let task = VerifyTask {
                object: object.clone(),
                target: target.clone(),
                copied: copied.clone(),
                in_ranges: false,
                sums: vec![],
            };
            verify::verify(&self.clients, task, deadline)
        })
        .await?;
        tried(deadline, |_| {
            let task = RecordTask {
                object: object.clone(),
                target: target.clone(),
                copied: copied.clone(),
                verified: verified.clone(),
                rejected: rejected.to_vec(),
                execution: call.execution.clone(),
                settles_later,
            };
            self.record.record(task, deadline)
        })
        .await
    }

    /// RecordFailure, then Park.
    async fn fail(
        &self,
        call: &Call<'_>,
        place: Option<(&SourceObject, &Target)>,
        failure: &Failure,
        copied: Option<Copied>,
        rejected: Vec<String>,
    ) -> Ended {
        let destination = place.map_or("*", |(_, target)| target.name.as_str());
        let output = raised(failure, destination);
        let recorded = tried(call.deadline, |_| {
            let task = FailureTask {
                event: call.event.clone(),
                execution: call.execution.clone(),
                error_output: output.clone(),
                object: place.map(|(object, _)| object.clone()),
                target: place.map(|(_, target)| target.clone()),
                copied: copied.clone(),
                rejected: rejected.clone(),
            };
            failure::record(&self.catalog, &self.record.breakers, task)
        });
        let mut ended = match recorded.await {
            Ok(outcome) => of(outcome),
            Err(problem) => {
                warn!(problem = %problem.message, "the failure could not be recorded");
                Ended {
                    cause: Some(cause_of(&output)),
                    ..as_whole("failed")
                }
            }
        };
        destination.clone_into(&mut ended.destination);
        let names = [destination.to_owned()];
        let error = failure.name.as_str();
        let parked = tried(call.deadline, |_| {
            queue::park(&self.sqs, &self.queue, call.event, &names, error)
        });
        if let Err(problem) = parked.await {
            warn!(problem = %problem.message, "the event could not be parked");
            "unparked".clone_into(&mut ended.outcome);
        }
        ended
    }
}

impl Call<'_> {
    /// Whether the next run of the line may have better luck.
    fn may_pass(&self, failure: &Failure) -> bool {
        match failure.name {
            ErrorName::BreakerOpen | ErrorName::OutOfTime => true,
            name => passes(name) && !self.last,
        }
    }
}

fn passes(name: ErrorName) -> bool {
    matches!(
        name,
        ErrorName::Throttled | ErrorName::DestinationUnavailable | ErrorName::Unsettled
    )
}

/// Tries again what may be over a moment later, while there is time.
pub async fn tried<T, F>(deadline: Deadline, mut work: impl FnMut(u32) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut retry = 0;
    loop {
        let failure = match work(retry).await {
            Err(failure) if passes(failure.name) => failure,
            ended => return ended,
        };
        retry += 1;
        if retry >= TRIES || deadline.is_near() {
            return Err(failure);
        }
        let longest = match failure.name {
            ErrorName::Throttled => WAIT_THROTTLED,
            _ => WAIT,
        };
        tokio::time::sleep(longest.mul_f64(fastrand::f64() * f64::from(1_u32 << retry))).await;
    }
}

/// What the machine would have caught.
fn raised(failure: &Failure, destination: &str) -> Value {
    let raised = Raised {
        name: failure.name,
        sent_nothing: failure.sent_nothing,
        cause: Cause {
            error: failure.name.to_string(),
            object: None,
            destination: Some(destination.to_owned()),
            message: one_line(&failure.message, CAUSE_MESSAGE_BYTES_MAX),
            advice: failure.advice.clone(),
            side: failure.side,
        },
    };
    let answer = json!({"errorType": raised.name.as_str(), "errorMessage": raised.message()});
    json!({"Error": raised.name.as_str(), "Cause": answer.to_string()})
}

fn of(outcome: Outcome) -> Ended {
    Ended {
        destination: outcome.destination,
        outcome: outcome.outcome,
        cause: outcome.cause,
        debt: None,
    }
}

fn as_whole(outcome: &str) -> Ended {
    Ended {
        destination: "*".to_owned(),
        outcome: outcome.to_owned(),
        cause: None,
        debt: None,
    }
}
