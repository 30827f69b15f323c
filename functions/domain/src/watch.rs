//! What becomes of executions that ended without a word, and of points that nobody works on any more.
//!
//! `States.ALL` sees neither a stop by hand, nor the machine's time-out, nor `States.Runtime`. Such an
//! execution is closed (recorded, parked, told) or started again, never both.

mod change;
mod plan;

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::catalog::{RecoveryPoint, Status, day};
use crate::error::{Cause, ErrorName, cause_of};
use crate::event::Deletion;
use crate::event::Redrive;
use crate::order::owed_after;
use crate::task::{Execution, Machine, Outcome};

pub use change::{StatusChange, StatusChangeDetail};
pub use plan::{AGAIN_MAX, Leaves, Part, leaves};

/// Executions that may try one version before it is given up: closed, and left to a person.
pub const ATTEMPTS_MAX: u32 = 5;

/// How an execution ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By an error: its own, or the platform's.
    Failed,
    /// It ran into the machine's time-out.
    TimedOut,
    /// Somebody stopped it.
    Aborted,
}

/// An execution that ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Its ARN.
    pub arn: String,
    /// When it started, as Step Functions says.
    pub start_time: String,
    /// How it ended.
    pub ended: Ended,
    /// Its error, as far as it has one.
    pub error: Option<String>,
    /// What it said.
    pub cause: Option<String>,
    /// Its input, `null` where that is no JSON.
    pub event: Value,
}

/// What is known of it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Recorded, parked and told by itself.
    Told,
    /// Recorded and told, but the queue refused the event.
    Unparked,
    /// Recorded and parked, but the topic refused the message.
    Untold,
    /// It was to settle an order, which its point still owes: the sweep starts it again.
    Owed,
    /// Nothing.
    Silent,
}

impl Dead {
    /// What it has done about its own failure.
    pub fn known(&self) -> Known {
        let name = self.error.as_deref().and_then(|error| error.parse().ok());
        match (self.ended, name) {
            (Ended::Failed, Some(ErrorName::BackupFailed)) => Known::Told,
            (Ended::Failed, Some(ErrorName::Unparked)) if self.is_untold() => Known::Silent,
            (Ended::Failed, Some(ErrorName::Unparked)) => Known::Unparked,
            (Ended::Failed, Some(ErrorName::Untold)) => Known::Untold,
            _ if self.redrive().is_some_and(|redrive| redrive.settle) => Known::Owed,
            _ => Known::Silent,
        }
    }

    /// Whether it says that the topic refused its message.
    fn is_untold(&self) -> bool {
        let said = self.cause.as_deref().map(serde_json::from_str::<Value>);
        said.is_some_and(|said| said.is_ok_and(|said| said["untold"] == true))
    }

    /// What its input says of a redrive.
    pub fn redrive(&self) -> Option<Redrive> {
        let redrive = self.event.get("redrive")?;
        serde_json::from_value(redrive.clone()).ok()
    }

    /// Its name and reason, as they are recorded and told: `Aborted`, `TimedOut`, or the error of the
    /// platform such as `States.Runtime`.
    pub fn cause(&self) -> Cause {
        let said = [self.error.as_deref(), self.cause.as_deref()];
        let said: Vec<_> = said
            .into_iter()
            .flatten()
            .filter(|it| !it.is_empty())
            .collect();
        let said = said.join(": ");
        let (error, message, advice) = match self.ended {
            Ended::Failed => {
                let error = self.error.as_deref().unwrap_or("Unknown");
                let cause = self.cause.as_deref().unwrap_or_default();
                let mut told = cause_of(&json!({"Error": error, "Cause": cause}));
                if error.parse::<ErrorName>().is_err() {
                    told.advice = "no state could catch this: read the execution's history, mend what it shows, then s3-backup redrive".to_owned();
                }
                return told;
            }
            Ended::TimedOut => (
                "TimedOut",
                format!("the execution ran into the state machine's time-out {said}"),
                "s3-backup redrive: what was copied is gone on with; if it recurs, raise the state machine's TimeoutSeconds",
            ),
            Ended::Aborted => (
                "Aborted",
                format!("the execution was stopped by hand {said}"),
                "s3-backup redrive, unless the stop was meant for good",
            ),
        };
        let raised = json!({"Error": error, "Cause": message.trim_end()});
        Cause {
            advice: advice.to_owned(),
            ..cause_of(&raised)
        }
    }
}

/// The execution that holds a point and that Step Functions does not know any more.
pub fn unknown(point: &RecoveryPoint) -> Dead {
    let owner = &point.owner;
    Dead {
        arn: Execution::arn_of(owner).to_owned(),
        start_time: owner
            .rsplit_once('@')
            .map(|(_, at)| at)
            .unwrap_or_default()
            .to_owned(),
        ended: Ended::Aborted,
        error: None,
        cause: Some("or its history has gone: Step Functions does not know it".to_owned()),
        event: event_of(point),
    }
}

/// What can be known of the holder of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Step Functions says how it is.
    MayBeAsked,
    /// An EXPRESS execution whose lease lasts: nobody can say that it is dead.
    MayLive,
    /// An EXPRESS execution whose lease has expired.
    Dead,
}

/// What can be known of the holder of a point that is being copied. EXPRESS executions are not asked
/// for: Step Functions does not know them, and one that is not known is not dead for that.
pub fn holder(point: &RecoveryPoint, now: Timestamp) -> Holder {
    match point.machine {
        Machine::Standard => Holder::MayBeAsked,
        Machine::Express if point.until > now => Holder::MayLive,
        Machine::Express => Holder::Dead,
    }
}

/// Whether this execution holds, or held last, the lease of a point.
pub fn is_owned(point: &RecoveryPoint, arn: &str) -> bool {
    Execution::arn_of(&point.owner) == arn
}

/// What is to be done about an execution that ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Todo {
    /// Its event has an end, or somebody else works on it.
    Nothing,
    /// Its event is to be recorded, parked and told.
    Close,
    /// Something is stored, but it may have died before it settled the order.
    Owe,
    /// Its event is to be started again, for these destinations.
    Restart(Vec<String>),
}

/// Decides for the sweep over an execution that nobody has closed. `points` are all of the event's
/// key, `rejected` says whether the event is recorded whole.
pub fn todo(dead: &Dead, points: &[RecoveryPoint], rejected: bool) -> Todo {
    let owned = || points.iter().filter(|point| is_owned(point, &dead.arn));
    let has = |status| owned().any(|point| point.status == status);
    let known = dead.known();
    if known == Known::Owed {
        return Todo::Nothing;
    }
    if has(Status::Copying) {
        let tried = owned().map(|point| point.attempts).max();
        return again(tried, unfinished(dead, points));
    }
    if known == Known::Told {
        return Todo::Nothing;
    }
    if has(Status::Failed) || matches!(known, Known::Unparked | Known::Untold) {
        return Todo::Close;
    }
    if has(Status::Stored) {
        return Todo::Owe;
    }
    if owned().next().is_some() || rejected || is_taken_over(dead, points) {
        return Todo::Nothing;
    }
    let attempt = dead.redrive().map(|redrive| redrive.attempt);
    again(attempt, vec!["*".to_owned()])
}

/// Whether another execution of the same event leased what this one had leased, or would have: it
/// answers for all of the event's destinations. A redrive goes to some of them only, so that points of
/// others say nothing about what it was to mend.
pub fn is_taken_over(dead: &Dead, points: &[RecoveryPoint]) -> bool {
    let sequencer = dead.event.pointer("/detail/object/sequencer");
    let of_event = |point: &&RecoveryPoint| {
        Some(point.object.sequencer.as_str()) == sequencer.and_then(Value::as_str)
    };
    let mut others = points.iter().filter(of_event);
    dead.redrive().is_none() && others.any(|point| !is_owned(point, &dead.arn))
}

fn again(tried: Option<u32>, destinations: Vec<String>) -> Todo {
    if tried.unwrap_or_default() >= ATTEMPTS_MAX {
        Todo::Close
    } else {
        Todo::Restart(destinations)
    }
}

/// The destinations that a dead execution leaves to be done: by name where one of its points shows
/// that Filter had leased them all, else `*`, which leaves alone what is stored.
pub fn unfinished(dead: &Dead, points: &[RecoveryPoint]) -> Vec<String> {
    let error = dead.cause().error;
    let owned = || points.iter().filter(|point| is_owned(point, &dead.arn));
    // A point that was failed for this death was being copied when it came.
    let cut = |point: &&RecoveryPoint| {
        point.status == Status::Copying
            || point.status == Status::Failed && point.error.as_deref() == Some(error.as_str())
    };
    if dead.known() != Known::Unparked && owned().all(|point| cut(&point)) {
        return vec!["*".to_owned()];
    }
    let open = |point: &&RecoveryPoint| matches!(point.status, Status::Copying | Status::Failed);
    owned()
        .filter(open)
        .map(|point| point.destination.clone())
        .collect()
}

/// Ends a point for a failure. A Lambda of the dead execution may still be at work: its copy would
/// land later, so the order is owed.
pub fn fail(point: &mut RecoveryPoint, cause: &Cause, now: Timestamp) {
    point.status = Status::Failed;
    point.error = Some(cause.error.clone());
    point.message = Some(cause.message.clone());
    point.day = Some(day(now, &point.pk));
    (point.ended_at, point.failed_at) = (Some(now), Some(now));
    point.owed_after = point.owed_after.max(Some(owed_after(now)));
}

/// What is told of a destination, `*` where none had been chosen.
pub fn outcome(destination: &str, cause: &Cause) -> Outcome {
    Outcome {
        destination: destination.to_owned(),
        outcome: "failed".to_owned(),
        reason: String::new(),
        bucket: String::new(),
        region: String::new(),
        key: String::new(),
        version_id: None,
        evidence: None,
        cause: Some(Cause {
            object: None,
            ..cause.clone()
        }),
        breaker: None,
    }
}

/// Name of the execution that takes something up again: the same for the same subject and attempt,
/// so that a sweep that runs twice starts nothing twice.
///
/// # Limits
/// At most 80 characters (AWS Step Functions API Reference, "StartExecution").
pub fn restart_name(subject: &[&str], attempt: u32) -> String {
    execution_name("sweep", subject, attempt)
}

/// Name of an execution that somebody starts for something: a hash of what it is for, and the attempt.
///
/// # Limits
/// At most 80 characters for a `starter` of 20 (AWS Step Functions API Reference, "StartExecution").
pub fn execution_name(starter: &str, subject: &[&str], attempt: u32) -> String {
    format!("{starter}-{}-{attempt}", digest(subject))
}

/// 40 hexadecimal digits that tell a subject from all others.
pub(crate) fn digest(subject: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in subject {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash = hash.finalize();
    hash[..20].iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The input of an execution that takes an event up again: the event, and `redrive` beside it.
pub fn restart_input(mut event: Value, redrive: &Redrive) -> String {
    if let Some(fields) = event.as_object_mut() {
        fields.insert("redrive".to_owned(), json!(redrive));
    }
    event.to_string()
}

/// The event of a dead execution, to be started again. Where it is about an object without a version
/// id, its point is to be found again, see [`event_of`].
pub fn event_again(dead: &Dead, points: &[RecoveryPoint]) -> Value {
    let mut event = dead.event.clone();
    let modified = points
        .iter()
        .filter(|point| is_owned(point, &dead.arn) && point.status == Status::Copying)
        .filter(|point| point.object.pinned_version().is_none())
        .find_map(|point| point.object.last_modified);
    if let (Some(modified), Some(fields)) = (modified, event.as_object_mut()) {
        fields.insert("time".to_owned(), json!(modified));
    }
    event
}

/// The event that a point tells of, for a point whose execution Step Functions knows no more.
///
/// An object without a version id is known by its last-modified: that stands in for the time of the
/// event, so that the point found again is this one, though the object may be gone by now.
pub fn event_of(point: &RecoveryPoint) -> Value {
    let object = &point.object;
    let modified = object
        .last_modified
        .filter(|_| object.pinned_version().is_none());
    let mut event = json!({
        "version": "0",
        "id": restart_name(&[&point.pk, &point.sk], 0),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": object.account,
        "time": modified.unwrap_or(object.event_at),
        "region": object.region,
        "detail": {
            "bucket": {"name": object.bucket},
            "object": {"key": object.key, "size": object.size, "etag": object.etag, "sequencer": object.sequencer},
        },
    });
    if let Some(version_id) = &object.version_id {
        event["detail"]["object"]["version-id"] = json!(version_id);
    }
    if let Some(deletion) = &object.deletion {
        let of_marker = Some(deletion) == object.version_id.as_ref();
        let guessed = if of_marker {
            Deletion::MarkerCreated
        } else {
            Deletion::Permanent
        };
        event["detail-type"] = json!("Object Deleted");
        event["detail"]["deletion-type"] = json!(object.deletion_type.unwrap_or(guessed));
    }
    event
}

#[cfg(test)]
mod tests;
