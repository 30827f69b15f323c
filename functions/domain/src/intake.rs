//! The queued way in: which machine an event runs on, and what the answer means for its message.
//!
//! A message is acknowledged only where its event has an end, stored or the like, or recorded and parked,
//! or where the Standard machine has it, which sees to that. Everything else goes back, also what nobody
//! thought of.

use serde::Deserialize;
use serde_json::Value;

use crate::error::ErrorName;
use crate::limits::{EXPRESS_SECONDS_MAX, LAMBDA_SECONDS_MAX, VISIBILITY_SECONDS_MAX};
use crate::task::Action;
use crate::watch::digest;

/// How often a message is received before SQS moves it to the dead-letter queue: `maxReceiveCount`
/// of the template, and the most that SQS takes (Amazon SQS API Reference, "SetQueueAttributes"). The
/// intake's own trouble uses it up in five days at least.
pub const RECEIVES_MAX: u32 = 1000;
/// After so many receives an event whose run ended without a record is handed to the Standard machine.
pub const RUNS_MAX: u32 = 10;
/// Objects of this size and more, in MiB, run on the Standard machine: one CopyObject of them may take
/// too long for what comes after it to end within an EXPRESS execution, see
/// [`crate::copy::seconds_max`].
pub const EXPRESS_MIB_MAX: u64 = 64;
/// Wait of a message that goes back for the first time, in seconds.
pub const RETRY_SECONDS_MIN: u32 = 30;
/// Longest wait of a message that goes back, in seconds.
pub const RETRY_SECONDS_MAX: u32 = 900;

const _: () = assert!(RETRY_SECONDS_MAX <= VISIBILITY_SECONDS_MAX);
// Where the first run died, its lease has expired by then: another has gone on with it.
const _: () = assert!(waits_at_least() > EXPRESS_SECONDS_MAX + LAMBDA_SECONDS_MAX);

/// All waits of a message until it is handed on, each as short as it can be.
const fn waits_at_least() -> u32 {
    let (mut receives, mut sum) = (1, 0);
    while receives < RUNS_MAX {
        sum += wait_max(receives, RETRY_SECONDS_MIN) / 2;
        receives += 1;
    }
    sum
}

/// Where an event is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// On the EXPRESS machine, whose answer is waited for.
    Express,
    /// On the Standard machine: it may take long, so nobody waits.
    Standard(Named),
}

/// An execution of the Standard machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name: the same whenever this event comes, so that it is started once.
    pub name: String,
    /// Its input.
    pub input: String,
}

/// Chooses the machine for a message's body, with parts from `multipart_mib` MiB on.
///
/// Large objects, and events that give no size (deletions, tags, what is malformed), run on the
/// Standard machine: they may take longer than five minutes. What is no event is started too, as a JSON
/// text where it is no JSON: Filter refuses it as `InvalidEvent`, and it is recorded, parked and told.
///
/// ```
/// use backup_domain::intake::{Way, way};
/// assert_eq!(way(r#"{"detail": {"object": {"size": 5}}}"#, 1024), Way::Express);
/// ```
pub fn way(body: &str, multipart_mib: u64) -> Way {
    let event = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
    let size = event.pointer("/detail/object/size").and_then(Value::as_u64);
    let express_mib = multipart_mib.min(EXPRESS_MIB_MAX);
    if size.map(|bytes| Action::for_size(bytes, express_mib)) == Some(Action::Small) {
        return Way::Express;
    }
    Way::Standard(standard(body))
}

/// What a message's body is started as on the Standard machine.
pub fn standard(body: &str) -> Named {
    let event = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
    let id = event.get("id").and_then(Value::as_str);
    Named {
        name: format!("intake-{}", digest(&[id.unwrap_or(body)])),
        input: match &event {
            Value::String(_) => event.to_string(),
            _ => body.to_owned(),
        },
    }
}

/// What StartSyncExecution came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It answered. That is no success yet: a run that failed is answered with 200 too.
    Ended {
        /// `SUCCEEDED`, `FAILED` or `TIMED_OUT`.
        status: String,
        /// Error of a failed run.
        error: Option<String>,
        /// Output of a run that succeeded.
        output: Option<String>,
    },
    /// It was refused, cut off or lost; whether the execution runs is not known.
    Nothing {
        /// What is known of it.
        why: String,
    },
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its event has an end: the message goes.
    Acknowledge,
    /// It has none yet, for this reason: the message comes again.
    GoBack(String),
    /// Run after run came to no end that anybody knows of, for this reason: the Standard machine is to
    /// have it, whose executions are watched.
    HandOn(String),
}

/// As much of the machine's output as decides.
#[derive(Deserialize)]
struct Output {
    outcome: String,
    #[serde(default)]
    held: bool,
}

/// Outcomes of an execution that leave nothing to be done.
const DONE: &[&str] = &["backed-up", "duplicate", "recorded", "skipped"];

/// Decides over an answer, to a message that was received so often, from 1.
///
/// Who gets no answer asks again, as long as SQS keeps the message: it is the intake's own trouble.
pub fn verdict(answer: &Answer, receives: u32) -> Verdict {
    let (status, error, output) = match answer {
        Answer::Ended {
            status,
            error,
            output,
        } => (status.as_str(), error.as_deref(), output.as_deref()),
        Answer::Nothing { why } => return Verdict::GoBack(why.clone()),
    };
    let no_end = |why| {
        if receives < RUNS_MAX {
            Verdict::GoBack(why)
        } else {
            Verdict::HandOn(why)
        }
    };
    match (status, error) {
        // Recorded and parked by the execution itself, and told as far as the topic took it.
        ("FAILED", Some(error))
            if [ErrorName::BackupFailed, ErrorName::Untold]
                .map(ErrorName::as_str)
                .contains(&error) =>
        {
            Verdict::Acknowledge
        }
        ("SUCCEEDED", _) => match serde_json::from_str::<Output>(output.unwrap_or_default()) {
            Ok(output) if output.held || output.outcome == "held" => {
                Verdict::GoBack("another execution is copying the version".to_owned())
            }
            Ok(output) if DONE.contains(&output.outcome.as_str()) => Verdict::Acknowledge,
            Ok(output) => no_end(format!("the outcome {} is unknown", output.outcome)),
            Err(problem) => no_end(format!("the output cannot be read: {problem}")),
        },
        (status, error) => {
            let error = error.unwrap_or("no error is named");
            no_end(format!("the execution ended {status}: {error}"))
        }
    }
}

/// Seconds until a message that goes back after so many receives, from 1, is received again: it
/// doubles from `first` on, at most [`RETRY_SECONDS_MAX`]. Messages that go back together do not
/// come together: each waits between half and the whole, as its id has it.
///
/// ```
/// use backup_domain::intake::wait_seconds;
/// assert!((60..=120).contains(&wait_seconds(3, "message", 30)));
/// ```
pub fn wait_seconds(receives: u32, message_id: &str, first: u32) -> u32 {
    let whole = wait_max(receives, first);
    let half = whole / 2;
    let spread = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, message_id.as_bytes())
        % u64::from(whole - half + 1);
    half + u32::try_from(spread).unwrap_or_default()
}

const fn wait_max(receives: u32, first: u32) -> u32 {
    let doublings = receives.saturating_sub(1);
    let doubled = if doublings < 16 {
        first.saturating_mul(1 << doublings)
    } else {
        RETRY_SECONDS_MAX
    };
    if first == 0 {
        0
    } else if doubled < RETRY_SECONDS_MAX {
        doubled
    } else {
        RETRY_SECONDS_MAX
    }
}

#[cfg(test)]
mod tests;
