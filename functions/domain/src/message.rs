//! What the owner is told: a subject, a text that reads well as e-mail, and JSON for machines.

use serde_json::{Value, json};

use crate::digest;
use crate::error::{CauseObject, printable};
use crate::limits::SNS_SUBJECT_CHARS_MAX;
use crate::policy::NotifyLevel;
use crate::task::Outcome;

/// What is told of one execution.
#[derive(Debug, Clone)]
pub struct Story<'a> {
    /// The object, as far as it is known.
    pub object: Option<&'a CauseObject>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// When S3 says it happened.
    pub event_at: Option<&'a str>,
    /// What became of each destination.
    pub outcomes: &'a [Outcome],
    /// ARN of the execution.
    pub execution: &'a str,
    /// Region of the state machine.
    pub region: &'a str,
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// At most 100 printable ASCII characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same for machines.
    pub json: String,
    /// `stored`, `failed` or `breaker`, for subscription filters.
    pub outcome: &'static str,
    /// What it is one of many of, see [`crate::digest::kind`].
    pub kind: String,
}

/// Whether any destination failed.
pub fn has_failed(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(is_failure)
}

fn is_failure(outcome: &Outcome) -> bool {
    outcome.outcome == "failed" || outcome.outcome == "unparked"
}

/// The message, or `None` when the level says that nothing is told.
///
/// What is gone, superseded, skipped or a duplicate is no news at any level.
pub fn compose(story: &Story<'_>, level: NotifyLevel) -> Option<Message> {
    let failed = has_failed(story.outcomes);
    let stored = story
        .outcomes
        .iter()
        .any(|outcome| outcome.outcome == "stored");
    let told = match level {
        NotifyLevel::None => false,
        NotifyLevel::Failures => failed,
        NotifyLevel::All => failed || stored,
    };
    if !told {
        return None;
    }
    let name = story.object.map_or_else(
        || "an unreadable event".to_owned(),
        |object| object.key.clone(),
    );
    let verb = if failed { "FAILED" } else { "backed up" };
    Some(Message {
        subject: subject(&format!("s3-backup {verb}: {name}")),
        text: text(story, failed),
        json: json(story, failed).to_string(),
        outcome: if failed { "failed" } else { "stored" },
        kind: digest::kind(story.outcomes),
    })
}

/// Cuts and cleans: SNS refuses a subject of 100 characters or with control characters, and not every
/// e-mail client shows one that is not ASCII.
pub(crate) fn subject(line: &str) -> String {
    let clean: String = line
        .chars()
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .collect();
    if clean.len() <= SNS_SUBJECT_CHARS_MAX {
        return clean;
    }
    format!("{}...", &clean[..SNS_SUBJECT_CHARS_MAX - 3])
}

fn text(story: &Story<'_>, failed: bool) -> String {
    let mut lines = Vec::new();
    match story.object {
        Some(object) => {
            lines.push(format!("Object:   {}", printable(&object.key)));
            lines.push(format!("Bucket:   {}", object.bucket));
            if let Some(version) = &object.version_id {
                lines.push(format!("Version:  {version}"));
            }
        }
        None => lines.push("Object:   the event names none; it is parked as it came".to_owned()),
    }
    if let Some(size) = story.size {
        lines.push(format!("Size:     {size} bytes"));
    }
    if let Some(time) = story.event_at {
        lines.push(format!("Uploaded: {time}"));
    }
    for outcome in story.outcomes {
        lines.push(String::new());
        lines.extend(outcome_lines(outcome));
    }
    lines.push(String::new());
    lines.push(format!("Execution: {}", console_link(story)));
    if failed {
        lines.push(
            "The event waits in the dead-letter queue for the next redrive, or for: s3-backup redrive"
                .to_owned(),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

fn outcome_lines(outcome: &Outcome) -> Vec<String> {
    let name = if outcome.destination == "*" {
        "any destination"
    } else {
        &outcome.destination
    };
    let mut lines = vec![format!("{} to {name}", outcome.outcome)];
    if outcome.outcome == "stored" {
        let version = outcome.version_id.as_deref().unwrap_or("none");
        lines.push(format!(
            "  Copy:     s3://{}/{}",
            outcome.bucket,
            printable(&outcome.key)
        ));
        lines.push(format!("  Region:   {}, version {version}", outcome.region));
    }
    if let Some(evidence) = &outcome.evidence {
        let kind = match evidence.kind {
            crate::evidence::Kind::Stored => "the same checksum is stored on both sides",
            crate::evidence::Kind::Etag => "both ETags are the content's MD5",
            crate::evidence::Kind::Read => "content was read and compared",
        };
        lines.push(format!(
            "  Evidence: {kind} ({} {})",
            evidence.algorithm, evidence.value
        ));
    }
    if let Some(cause) = &outcome.cause {
        lines.push(format!("  What:     {}", cause.error));
        lines.push(format!("  Why:      {}", printable(&cause.message)));
        lines.push(format!("  Do next:  {}", cause.advice));
    }
    if !outcome.reason.is_empty() {
        lines.push(format!("  Why:      {}", printable(&outcome.reason)));
    }
    lines
}

fn json(story: &Story<'_>, failed: bool) -> Value {
    json!({
        "version": 1,
        "outcome": if failed { "failed" } else { "stored" },
        "object": story.object,
        "size": story.size,
        "eventTime": story.event_at,
        "destinations": story.outcomes,
        "execution": story.execution,
    })
}

/// A page of the console of the partition that the execution is in: the hosts of the template's mapping
/// `Consoles`, in `aws` with the region before it.
fn console_link(story: &Story<'_>) -> String {
    let (region, arn) = (story.region, story.execution);
    let host = match arn.split(':').nth(1) {
        Some("aws-cn") => "console.amazonaws.cn".to_owned(),
        Some("aws-us-gov") => "console.amazonaws-us-gov.com".to_owned(),
        Some("aws-eusc") => "console.amazonaws-eusc.eu".to_owned(),
        _ => format!("{region}.console.aws.amazon.com"),
    };
    format!("https://{host}/states/home?region={region}#/v2/executions/details/{arn}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::{Evidence, Kind};
    use crate::{Cause, ErrorName};

    fn outcome(name: &str) -> Outcome {
        Outcome {
            destination: "primary".into(),
            outcome: name.into(),
            reason: String::new(),
            bucket: "backup".into(),
            region: "eu-west-1".into(),
            key: "a\nb".into(),
            version_id: Some("v9".into()),
            evidence: None,
            cause: None,
            breaker: None,
        }
    }

    fn told(outcomes: &[Outcome], level: NotifyLevel) -> Option<Message> {
        let object = CauseObject {
            bucket: "source".into(),
            key: "a\nb".into(),
            version_id: Some("v1".into()),
        };
        let story = Story {
            object: Some(&object),
            size: Some(5),
            event_at: Some("2026-11-01T00:00:00Z"),
            outcomes,
            execution: "arn:aws:states:eu-west-1:111122223333:execution:backup:x",
            region: "eu-west-1",
        };
        compose(&story, level)
    }

    #[test]
    fn the_link_leads_to_the_console_of_the_partition() {
        let link = |partition: &str, region: &str| {
            console_link(&Story {
                object: None,
                size: None,
                event_at: None,
                outcomes: &[],
                execution: &format!("arn:{partition}:states:{region}:111122223333:execution:b:x"),
                region,
            })
        };
        for (partition, region, host) in [
            ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
            ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
            (
                "aws-us-gov",
                "us-gov-west-1",
                "console.amazonaws-us-gov.com",
            ),
            ("aws-eusc", "eusc-de-east-1", "console.amazonaws-eusc.eu"),
        ] {
            let link = link(partition, region);
            let start = format!("https://{host}/states/home?region={region}#");
            assert!(link.starts_with(&start), "{link}");
            assert!(
                link.contains(&format!("arn:{partition}:states:{region}")),
                "{link}"
            );
        }
    }

    #[test]
    fn levels_choose_what_is_told() {
        let (stored, failed, gone) = (outcome("stored"), outcome("failed"), outcome("gone"));
        assert!(told(std::slice::from_ref(&stored), NotifyLevel::Failures).is_none());
        assert!(told(std::slice::from_ref(&stored), NotifyLevel::All).is_some());
        assert!(told(&[stored.clone(), failed.clone()], NotifyLevel::Failures).is_some());
        assert!(told(&[failed], NotifyLevel::None).is_none());
        assert!(told(&[gone], NotifyLevel::All).is_none());
    }

    #[test]
    fn a_success_reads_well() {
        let mut stored = outcome("stored");
        stored.evidence = Some(Evidence {
            kind: Kind::Etag,
            algorithm: "MD5".into(),
            value: "b1946ac9".into(),
        });
        insta::assert_snapshot!(told(&[stored], NotifyLevel::All).expect("told").text);
    }

    #[test]
    fn a_failure_says_what_why_and_what_next() {
        let mut failed = outcome("failed");
        failed.cause = Some(Cause {
            error: "SourceArchived".into(),
            object: None,
            destination: None,
            message: "the object is in GLACIER and not restored, so it cannot be read".into(),
            advice: ErrorName::SourceArchived.advice().into(),
            side: None,
        });
        insta::assert_snapshot!(told(&[failed], NotifyLevel::Failures).expect("told").text);
    }

    proptest! {
        #[test]
        fn any_key_makes_a_subject_that_sns_takes(key in "\\PC{0,300}|[\\n\\t\\r]{1,3}") {
            let line = subject(&format!("s3-backup FAILED: {key}"));
            prop_assert!(line.len() < 100);
            prop_assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
}
