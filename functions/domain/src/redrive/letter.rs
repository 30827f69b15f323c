//! The messages of the dead-letter queue, told apart by who wrote them.

use serde_json::Value;

use crate::error::one_line;
use crate::event::object_of;
use crate::watch::StatusChange;

/// Longest part of what a message says that is told on.
const TOLD_BYTES_MAX: usize = 200;

/// A message of the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// Parked by the state machine or the watcher: the event, and what its backup failed with.
    Parked {
        /// The execution's input, untouched.
        event: Value,
        /// Names of the destinations that failed, or `*`.
        destinations: Vec<String>,
        /// Name of the error.
        error: String,
        /// Which redrive it was, 0 for the first execution.
        attempt: u32,
    },
    /// An S3 event that EventBridge could not deliver for 24 hours, or was not allowed to.
    Undelivered {
        /// The event.
        event: Value,
        /// What EventBridge said.
        why: String,
    },
    /// The end of an execution, of which EventBridge could not tell the watcher.
    Ended(StatusChange),
    /// Nothing that anybody of ours has written.
    Rubbish(String),
}

/// Reads a message: the body, and its attributes by name.
///
/// Shapes: [Amazon EventBridge User Guide, "Using dead-letter queues to process undelivered events"],
/// and the states Park and ParkEvent. An S3 event without any attribute was sent by hand, and counts
/// as undelivered.
///
/// [Amazon EventBridge User Guide, "Using dead-letter queues to process undelivered events"]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
pub fn read(body: &str, attribute: impl Fn(&str) -> Option<String>) -> Letter {
    let read = serde_json::from_str(body);
    if let Some(destinations) = attribute("destinations") {
        let names = destinations.split(',').map(str::trim);
        let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
        return Letter::Parked {
            // An event that was a text is parked without its quotes.
            event: read.unwrap_or_else(|_| Value::from(body)),
            destinations: if names.is_empty() {
                vec!["*".to_owned()]
            } else {
                names.into_iter().map(str::to_owned).collect()
            },
            error: attribute("error").unwrap_or_default(),
            attempt: attribute("attempt")
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        };
    }
    let event: Value = match read {
        Ok(event @ Value::Object(_)) => event,
        Ok(_) => return Letter::Rubbish("the body is no JSON object".to_owned()),
        Err(problem) => return Letter::Rubbish(format!("the body is no JSON: {problem}")),
    };
    let kind = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    match (kind("source"), kind("detail-type")) {
        ("aws.states", "Step Functions Execution Status Change") => {
            match serde_json::from_value(event) {
                Ok(change) => Letter::Ended(change),
                Err(problem) => {
                    Letter::Rubbish(format!("a status change without its execution: {problem}"))
                }
            }
        }
        ("aws.s3", _) if object_of(&event).is_some() => {
            let said = ["ERROR_CODE", "ERROR_MESSAGE"].map(attribute);
            let said: Vec<_> = said.into_iter().flatten().collect();
            Letter::Undelivered {
                event,
                why: one_line(&said.join(": "), TOLD_BYTES_MAX),
            }
        }
        ("aws.s3", _) => Letter::Rubbish("an S3 event that names no object".to_owned()),
        (source, kind) => Letter::Rubbish(one_line(
            &format!("a {kind:?} of {source:?}, without the attribute destinations"),
            TOLD_BYTES_MAX,
        )),
    }
}
