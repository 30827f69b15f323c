//! Many messages of one kind become two: the first at once, the others in a digest.
//!
//! A kind is what a person would sum up: the same error at the same destination. Its first message
//! opens a window; while that is open, further ones are counted. When it ends they are told in one
//! message, and the window opens anew; when it ends with nothing counted, it closes.

use jiff::Timestamp;
use serde_json::json;

use crate::error::printable;
use crate::lag;
use crate::message::{Message, subject};
use crate::task::Outcome;

/// Keys that a digest names.
pub const EXAMPLES_MAX: usize = 10;

/// What has been counted in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// See [`kind`].
    pub kind: String,
    /// How many were counted; one that was told twice may be counted twice.
    pub count: u64,
    /// When the window opened.
    pub since: Timestamp,
    /// Names of some of them, at most [`EXAMPLES_MAX`].
    pub examples: Vec<String>,
}

/// What the message about these outcomes is one of many of: `failed: <error> at <destination>, …`, or
/// `stored`.
pub fn kind(outcomes: &[Outcome]) -> String {
    let mut failed: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| {
            let cause = outcome.cause.as_ref()?;
            Some(format!("{} at {}", cause.error, outcome.destination))
        })
        .collect();
    failed.sort();
    failed.dedup();
    if failed.is_empty() {
        "stored".to_owned()
    } else {
        format!("failed: {}", failed.join(", "))
    }
}

/// The message of a window that has ended; `None` where nothing was counted.
pub fn summary(digest: &Digest) -> Option<Message> {
    if digest.count == 0 {
        return None;
    }
    let Digest {
        kind,
        count,
        since,
        examples,
    } = digest;
    let outcome = match kind.as_str() {
        "stored" => "stored",
        lag::MISSED => lag::MISSED,
        lag::ARRIVED => lag::ARRIVED,
        _ => "failed",
    };
    let what = match kind.strip_prefix("failed: ") {
        Some(errors) => format!("failed: {errors}"),
        None => lag::said(kind).unwrap_or("backed up").to_owned(),
    };
    let objects = if *count == 1 { "object" } else { "objects" };
    let mut lines = vec![
        format!("{count} more {objects} {what}"),
        format!("Since:    {since}, after the one that was told by itself"),
        String::new(),
    ];
    lines.extend(examples.iter().map(|key| format!("  {}", printable(key))));
    let unnamed = count.saturating_sub(examples.len() as u64);
    if unnamed > 0 {
        lines.push(format!("  and {unnamed} more"));
    }
    if outcome == "failed" {
        lines.push(String::new());
        lines.push(
            "Each is recorded in the catalog, and its event waits in the dead-letter queue; nothing is lost."
                .to_owned(),
        );
    }
    lines.push(String::new());
    let json = json!({
        "version": 1, "outcome": outcome, "digest": kind, "count": count, "since": since, "examples": examples,
    });
    Some(Message {
        subject: subject(&format!("s3-backup: {count} more {what}")),
        text: lines.join("\n"),
        json: json.to_string(),
        outcome,
        kind: kind.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    fn outcome(destination: &str, error: Option<&str>) -> Outcome {
        Outcome {
            destination: destination.to_owned(),
            outcome: if error.is_some() { "failed" } else { "stored" }.to_owned(),
            reason: String::new(),
            bucket: String::new(),
            region: String::new(),
            key: String::new(),
            version_id: None,
            evidence: None,
            cause: error.map(|error| Cause {
                error: error.to_owned(),
                object: None,
                destination: None,
                message: "why".to_owned(),
                advice: "what next".to_owned(),
                side: None,
            }),
            breaker: None,
        }
    }

    fn digest(count: u64, examples: &[&str]) -> Digest {
        Digest {
            kind: kind(&[outcome("primary", Some("DestinationUnavailable"))]),
            count,
            since: "2026-11-01T00:00:00Z".parse().expect("a time"),
            examples: examples.iter().map(|&key| key.to_owned()).collect(),
        }
    }

    #[test]
    fn a_kind_is_the_error_at_the_destination_whatever_the_order() {
        let (one, two) = (
            outcome("b", Some("Throttled")),
            outcome("a", Some("KeyTooLong")),
        );
        let both = kind(&[one.clone(), two.clone(), outcome("c", None)]);
        assert_eq!(both, "failed: KeyTooLong at a, Throttled at b");
        assert_eq!(kind(&[two, one]), both);
        assert_eq!(kind(&[outcome("c", None)]), "stored");
    }

    #[test]
    fn nothing_counted_is_nothing_told() {
        assert_eq!(summary(&digest(0, &[])), None);
    }

    #[test]
    fn a_digest_says_how_many_and_which() {
        let message = summary(&digest(412, &["a b", "new\nline"])).expect("told");
        assert_eq!(
            message.subject,
            "s3-backup: 412 more failed: DestinationUnavailable at primary"
        );
        insta::assert_snapshot!(message.text);
    }
}
