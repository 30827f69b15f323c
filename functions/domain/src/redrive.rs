//! What waits for a redrive, and what is started again for it.
//!
//! A message of the dead-letter queue is only a prompt: what is started is decided by the catalog's
//! points. Each execution takes up one destination of one version (or one whole event), under a name
//! that follows from what it is for, so that several redrives start nothing twice.

mod given_up;
mod letter;
mod request;

use jiff::Timestamp;
use serde_json::Value;

use crate::catalog::{RecoveryPoint, Status, partition_key};
use crate::event::{self, Redrive};
use crate::watch::{event_of, execution_name};

pub use given_up::{GivenUp, gave_up, on_their_way, waited};
pub use letter::{Letter, read};
pub use request::{Request, is_due};

/// What a run may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Redrives of one point, or of one event, before it is given up.
    pub attempts_max: u32,
    /// Whether what was given up is started all the same.
    pub force: bool,
    /// When the run began: what failed later is left to the next one, or one run would use up all
    /// attempts.
    pub begun: Timestamp,
}

/// What an execution is to take up.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A point: its keys, and what it was like when this was decided.
    Point(Box<RecoveryPoint>),
    /// An event, of which no point can be made or none is there: see [`whole_keys`].
    Whole {
        /// Partition key of its record.
        pk: String,
        /// Sort key of its record.
        sk: String,
    },
}

/// An execution to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// What it takes up.
    pub subject: Subject,
    /// Name of the destination, `*` for all that the policy knows.
    pub destination: String,
    /// Its input, but for `redrive`.
    pub event: Value,
    /// What stands beside the event; `None` starts the event as if it came for the first time.
    pub redrive: Option<Redrive>,
}

impl Start {
    /// Number of the first attempt that may be free.
    pub fn attempt(&self) -> u32 {
        self.redrive.as_ref().map_or(0, |redrive| redrive.attempt)
    }

    /// Name of its execution: the same for the same subject, destination and attempt.
    ///
    /// # Limits
    /// At most 80 characters (AWS Step Functions API Reference, "StartExecution").
    pub fn name(&self, attempt: u32) -> String {
        match &self.subject {
            Subject::Point(point) if point.status == Status::Unsettled => {
                let owed = point.owed_after.unwrap_or_default().to_string();
                execution_name("redrive", &[&point.pk, &point.sk, &owed], attempt)
            }
            Subject::Point(point) => execution_name("redrive", &[&point.pk, &point.sk], attempt),
            Subject::Whole { pk, sk } => {
                execution_name("redrive", &[pk, sk, &self.destination], attempt)
            }
        }
    }

    /// Number of the last attempt that may be made: those that could only wait come on top.
    pub fn attempt_last(&self, limits: Limits) -> u32 {
        let first = self.attempt();
        let more = if limits.force { limits.attempts_max } else { 0 };
        let last = limits.attempts_max.saturating_add(self.waits());
        first.max(last).saturating_add(more)
    }

    fn waits(&self) -> u32 {
        match &self.subject {
            Subject::Point(point) => point.waits_so_far(),
            Subject::Whole { .. } => self.redrive.as_ref().map_or(0, |redrive| redrive.waits),
        }
    }

    /// Whether it copies something, and so shows whether its destination is there: the order of a key,
    /// deletions and tags ask no breaker.
    pub fn copies(&self) -> bool {
        match &self.subject {
            Subject::Point(point) => {
                point.status == Status::Failed && point.object.deletion.is_none()
            }
            Subject::Whole { .. } => {
                let kind = self.event.get("detail-type").and_then(Value::as_str);
                self.destination != "*" && kind == Some("Object Created")
            }
        }
    }

    /// What to tell where it is given up.
    pub fn given_up(&self) -> GivenUp {
        let error = match &self.subject {
            Subject::Point(point) => point.error.clone(),
            Subject::Whole { .. } => None,
        };
        GivenUp {
            subject: self.subject.clone(),
            destination: self.destination.clone(),
            event: self.event.clone(),
            attempts: self.attempt(),
            error: error.unwrap_or_default(),
        }
    }
}

/// What is to be done about a message, or about a point without one. All empty: nothing is open any
/// more, or somebody else is at it, who parks a message of his own where he fails.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Todo {
    /// Executions to start.
    pub starts: Vec<Start>,
    /// What has been tried in vain often enough.
    pub given_up: Vec<GivenUp>,
    /// Something failed after the run began: the next one takes it up.
    pub later: bool,
}

/// Keys of the record of a whole event: under its object, as far as it names one.
///
/// An event without an id is known by what it says, so that all its attempts have one record.
pub fn whole_keys(event: &Value) -> (String, String) {
    let pk = event::object_of(event).map_or_else(
        || "unreadable".to_owned(),
        |object| partition_key(&object.bucket, &object.key),
    );
    let id = event.get("id").and_then(Value::as_str);
    let id = id.map_or_else(|| digest(event), str::to_owned);
    (pk, format!("*#{id}"))
}

/// Decides over a parked event. `points` are all of the event's key; `attempt` says which redrive
/// failed, 0 for the first execution, and `error` with what.
pub fn of_parked(
    event: &Value,
    destinations: &[String],
    (attempt, error): (u32, &str),
    points: &[RecoveryPoint],
    limits: Limits,
) -> Todo {
    let mut todo = Todo::default();
    let kind = event.get("detail-type").and_then(Value::as_str);
    let of_tags = kind.is_some_and(|kind| kind.starts_with("Object Tags "));
    for name in destinations {
        let own = |point: &&RecoveryPoint| point.destination == *name && is_of(point, event);
        let mut own = points.iter().filter(own).peekable();
        if name == "*" || of_tags || own.peek().is_none() {
            whole(event, name, (attempt, error), limits, &mut todo);
        }
        // What the tags of a stored version owe, they owe to their own event.
        for point in own.filter(|_| !of_tags) {
            take_up(point, Some(event), limits, &mut todo);
        }
    }
    todo
}

/// Decides over an event that EventBridge could not deliver: it starts as if it came now.
pub fn of_undelivered(event: &Value) -> Start {
    let mut event = event.clone();
    if let Some(fields) = event.as_object_mut() {
        fields.remove("redrive");
    }
    start_of_whole(event, "*", None)
}

/// Decides over a point of the catalog, whether or not a message waits for it.
pub fn of_point(point: &RecoveryPoint, limits: Limits) -> Todo {
    let mut todo = Todo::default();
    take_up(point, None, limits, &mut todo);
    todo
}

/// Decides over the record of a whole event, which failed with `error`.
pub fn of_whole(event: &Value, destination: &str, error: &str, limits: Limits) -> Todo {
    let mut todo = Todo::default();
    let attempt = event.pointer("/redrive/attempt").and_then(Value::as_u64);
    let attempt = u32::try_from(attempt.unwrap_or_default()).unwrap_or(u32::MAX);
    whole(event, destination, (attempt, error), limits, &mut todo);
    todo
}

fn take_up(point: &RecoveryPoint, event: Option<&Value>, limits: Limits, todo: &mut Todo) {
    let settle = match point.status {
        Status::Failed => false,
        Status::Unsettled => true,
        _ => return,
    };
    let event = match event {
        Some(event) => event_for(event, point),
        None => event_of(point),
    };
    let start = Start {
        subject: Subject::Point(Box::new(point.clone())),
        destination: point.destination.clone(),
        event,
        redrive: Some(Redrive {
            destinations: vec![point.destination.clone()],
            owner: Some(point.owner.clone()),
            attempt: if settle { 1 } else { point.attempts },
            waits: 0,
            settle,
            owed_after: point.owed_after.filter(|_| settle),
        }),
    };
    let tried = point.attempts.saturating_sub(point.waits_so_far());
    if point.failed_at.is_some_and(|at| at > limits.begun) {
        todo.later = true;
    } else if settle || limits.force || (tried <= limits.attempts_max && !point.is_dismissed()) {
        todo.starts.push(start);
    } else if point.exhausted.is_none() {
        todo.given_up.push(start.given_up());
    }
}

fn whole(
    event: &Value,
    destination: &str,
    (attempt, error): (u32, &str),
    limits: Limits,
    todo: &mut Todo,
) {
    let attempt = attempt.saturating_add(1);
    let before = event.pointer("/redrive/waits").and_then(Value::as_u64);
    let before = u32::try_from(before.unwrap_or_default()).unwrap_or(u32::MAX);
    let waits = before.saturating_add(u32::from(waited(error)));
    let redrive = Redrive {
        destinations: vec![destination.to_owned()],
        owner: None,
        attempt,
        waits,
        settle: false,
        owed_after: None,
    };
    let start = start_of_whole(event.clone(), destination, Some(redrive));
    if limits.force || attempt.saturating_sub(waits) <= limits.attempts_max {
        todo.starts.push(start);
    } else {
        todo.given_up.push(start.given_up());
    }
}

fn start_of_whole(event: Value, destination: &str, redrive: Option<Redrive>) -> Start {
    let (pk, mut sk) = whole_keys(&event);
    if destination != "*" {
        // Each destination of an event is given up on its own.
        sk = format!("{sk}#{destination}");
    }
    Start {
        subject: Subject::Whole { pk, sk },
        destination: destination.to_owned(),
        event,
        redrive,
    }
}

/// Tells an event without an id from others, whichever attempt it is.
fn digest(event: &Value) -> String {
    let mut event = event.clone();
    if let Some(fields) = event.as_object_mut() {
        fields.remove("redrive");
    }
    execution_name("event", &[&event.to_string()], 0)
}

/// Whether a point is of the version, or the deletion, that an event tells of.
fn is_of(point: &RecoveryPoint, event: &Value) -> bool {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let sequencer = text("/detail/object/sequencer");
    if sequencer == Some(point.object.sequencer.as_str()) {
        return true;
    }
    let deleted = text("/detail-type") == Some("Object Deleted");
    let version = text("/detail/object/version-id");
    version.is_some()
        && version == point.object.pinned_version()
        && deleted == point.object.deletion.is_some()
}

/// The event as it came. Where it is about an object without a version id, its point is to be found
/// again, see [`event_of`].
fn event_for(event: &Value, point: &RecoveryPoint) -> Value {
    let mut event = event.clone();
    let object = &point.object;
    let modified = object
        .last_modified
        .filter(|_| object.pinned_version().is_none());
    if let (Some(modified), Some(fields)) = (modified, event.as_object_mut()) {
        fields.insert("time".to_owned(), Value::from(modified.to_string()));
    }
    event
}

#[cfg(test)]
mod tests;
