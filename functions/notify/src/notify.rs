//! What Notify does with the outcomes of one execution.

use backup_aws::breakers::Breakers;
use backup_aws::notices::Notices;
use backup_aws::{ErrorName, Failure};
use backup_domain::error::one_line;
use backup_domain::event;
use backup_domain::limits::CAUSE_MESSAGE_BYTES_MAX;
use backup_domain::message::{Story, compose, has_failed};
use backup_domain::task::{NotifyTask, Outcome};
use serde::Serialize;
use serde_json::Value;

/// The function's client and settings.
pub struct Notify {
    pub notices: Notices,
    pub breakers: Breakers,
    pub region: String,
}

/// Output of a good execution.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    outcome: &'static str,
    destinations: Vec<Outcome>,
}

impl Notify {
    /// Publishes what the level asks for, then raises `BackupFailed` where any destination failed.
    pub async fn tell(&self, task: NotifyTask) -> Result<Told, Failure> {
        let object = event::object_of(&task.event);
        let story = Story {
            object: object.as_ref(),
            size: task
                .event
                .pointer("/detail/object/size")
                .and_then(Value::as_u64),
            event_at: task.event.get("time").and_then(Value::as_str),
            outcomes: &task.outcomes,
            execution: &task.execution.id,
            region: &self.region,
        };
        if let Some(message) = compose(&story, task.notify) {
            let bucket = object
                .as_ref()
                .map(|object| object.bucket.as_str())
                .unwrap_or_default();
            let name = object
                .as_ref()
                .map_or("an unreadable event", |object| &object.key);
            self.notices.tell(&message, name, bucket).await?;
        }
        for outcome in &task.outcomes {
            if let Some(change) = &outcome.breaker {
                let tell = self
                    .breakers
                    .tell(&self.notices, &outcome.destination, change);
                tell.await?;
            }
        }
        if has_failed(&task.outcomes) {
            return Err(failed(&task.outcomes));
        }
        Ok(Told {
            outcome: "backed-up",
            destinations: task.outcomes,
        })
    }
}

/// Between what is said of two destinations.
const SEPARATOR: &str = "; ";

/// Names each failed destination with its own error; all of them fit into one message.
fn failed(outcomes: &[Outcome]) -> Failure {
    let causes: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.cause.as_ref().map(|cause| (outcome, cause)))
        .collect();
    let room = CAUSE_MESSAGE_BYTES_MAX / causes.len().max(1) - SEPARATOR.len();
    let message: Vec<_> = causes
        .iter()
        .map(|(outcome, cause)| {
            let line = format!(
                "{}: {}: {}",
                outcome.destination, cause.error, cause.message
            );
            one_line(&line, room)
        })
        .collect();
    let unparked = outcomes.iter().any(|outcome| outcome.outcome == "unparked");
    let name = if unparked {
        ErrorName::Unparked
    } else {
        ErrorName::BackupFailed
    };
    let mut failure = Failure::new(name, message.join(SEPARATOR));
    if let Some((outcome, first)) = causes.first() {
        failure.advice.clone_from(&first.advice);
        let mut first = (*first).clone();
        first.destination = Some(outcome.destination.clone());
        failure.behind = Some(Box::new(first));
    }
    failure
}
