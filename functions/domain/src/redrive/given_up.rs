//! What was tried in vain often enough, and how it is told.

use serde_json::{Value, json};

use super::Subject;
use crate::breaker;
use crate::error::{ErrorName, one_line, printable};
use crate::message::{Message, subject};

/// Objects that one message names; the others are counted.
const NAMED_MAX: usize = 20;
/// Longest key that is written out.
const KEY_BYTES_MAX: usize = 200;

/// Something that no redrive takes up any more, unless it is forced to.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenUp {
    /// What it is about.
    pub subject: Subject,
    /// Name of the destination, `*` where none was chosen.
    pub destination: String,
    /// The event that was started again.
    pub event: Value,
    /// The attempt that is not made any more.
    pub attempts: u32,
    /// Name of the error of the last one, as far as it is known.
    pub error: String,
}

impl GivenUp {
    /// Partition key of its point or record.
    pub fn pk(&self) -> &str {
        match &self.subject {
            Subject::Point(point) => &point.pk,
            Subject::Whole { pk, .. } => pk,
        }
    }

    /// Sort key of its point or record.
    pub fn sk(&self) -> &str {
        match &self.subject {
            Subject::Point(point) => &point.sk,
            Subject::Whole { sk, .. } => sk,
        }
    }
}

/// The one message about all that a run gives up.
pub fn gave_up(all: &[GivenUp], attempts_max: u32) -> Message {
    let backups = if all.len() == 1 { "backup" } else { "backups" };
    let mut lines = vec![
        format!(
            "{} {backups} failed again in each of {attempts_max} redrives. No redrive takes them up by itself any more.",
            all.len()
        ),
        String::new(),
    ];
    for given_up in all.iter().take(NAMED_MAX) {
        let destination = match given_up.destination.as_str() {
            "*" => "any destination",
            name => name,
        };
        let object = one_line(given_up.pk(), KEY_BYTES_MAX);
        let error = printable(&given_up.error);
        lines.push(
            format!("  {object} to {destination} {error}")
                .trim_end()
                .to_owned(),
        );
    }
    if let Some(more) = all.len().checked_sub(NAMED_MAX + 1) {
        lines.push(format!("  and {} more", more + 1));
    }
    lines.push(String::new());
    lines.push(
        "They stand in the catalog as failed and exhausted: s3-backup status counts them."
            .to_owned(),
    );
    lines.push("Mend what their errors name, then: s3-backup redrive --force".to_owned());
    lines.push(String::new());
    let named = all.iter().take(NAMED_MAX);
    let named = named
        .map(|it| json!({"object": it.pk(), "destination": it.destination, "error": it.error}));
    Message {
        subject: format!("s3-backup GAVE UP: {} {backups}", all.len()),
        text: lines.join("\n"),
        json: json!({
            "version": 1, "outcome": "exhausted", "count": all.len(), "attempts": attempts_max,
            "backups": named.collect::<Vec<_>>(),
        })
        .to_string(),
        outcome: "exhausted",
        kind: "given up".to_owned(),
    }
}

/// The message that backups which waited for a destination are on their way.
pub fn on_their_way(destination: &str, count: u32) -> Message {
    let backups = if count == 1 { "backup" } else { "backups" };
    Message {
        subject: subject(&format!(
            "s3-backup: {count} parked {backups} redriven to {destination}"
        )),
        text: format!(
            "{count} parked {backups} redriven: destination {destination} could not be reached, and takes copies again.\n\
             Whatever fails once more is parked and told as before; nothing is to be done.\n"
        ),
        json:
            json!({"version": 1, "outcome": "redriven", "destination": destination, "count": count})
                .to_string(),
        outcome: "redriven",
        kind: format!("redriven: {destination}"),
    }
}

/// Whether a failure of this name says nothing against the object: what was asked did not answer, or
/// asked for a slower pace. Such an attempt has only waited, and is made again however often.
pub fn waited(error: &str) -> bool {
    let waits = [ErrorName::BreakerOpen, ErrorName::Throttled];
    waits.iter().any(|name| name.as_str() == error)
        || error == "Lambda.TooManyRequestsException"
        || breaker::is_out_of_reach(error)
}
