//! The names that a failure can have: what a Lambda raises is what the ASL's `ErrorEquals` catches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::CAUSE_MESSAGE_BYTES_MAX;

macro_rules! error_names {
    ($($(#[$doc:meta])* $name:ident => $advice:literal,)*) => {
        /// The one list of error names; `docs/errors.md` has a section for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorName { $($(#[$doc])* $name,)* }

        impl ErrorName {
            /// All names, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name as `errorType` of a Lambda and as `ErrorEquals` in the ASL.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What the owner can do about it, where the failure itself says nothing closer.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }

        impl FromStr for ErrorName {
            type Err = UnknownErrorName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $(stringify!($name) => Ok(Self::$name),)*
                    _ => Err(UnknownErrorName(text.to_owned())),
                }
            }
        }
    };
}

error_names! {
    /// The event cannot be understood, or is not about a bucket of ours.
    InvalidEvent => "read the parked message; send a complete \"Object Created\" event of the source bucket",
    /// The policy cannot be read, breaks a rule, or contradicts what S3 answers.
    InvalidPolicy => "correct the policy parameter; the change is picked up without a deployment, then s3-backup redrive",
    /// Prefix and key together are longer than a key may be.
    KeyTooLong => "shorten the destination's prefix in the policy, then s3-backup redrive",
    /// The source object lies in an archive class and is not restored.
    SourceArchived => "restore the object (s3api restore-object), then s3-backup redrive; or let the policy skip archived objects",
    /// The source object cannot be read with the rights at hand.
    SourceUnreadable => "let the function's role read the object and decrypt with its key (KmsKeyArns, key policy), then s3-backup redrive; objects under SSE-C cannot be backed up",
    /// The destination, the catalog or the topic refuses.
    AccessDenied => "grant the function's role what the message names (bucket policy, key policy, SCP), then s3-backup redrive",
    /// A service asks for a slower pace.
    Throttled => "retried already; if it lasts, spread the keys over more prefixes or ask for a higher quota, then s3-backup redrive",
    /// The destination's bucket or region does not answer.
    DestinationUnavailable => "check that the destination bucket exists and its region is healthy, then s3-backup redrive",
    /// The destination bucket keeps no versions, so a copy there could be overwritten.
    DestinationUnversioned => "enable versioning on the destination bucket, wait 15 minutes, then s3-backup redrive",
    /// The destination's breaker is open: it could not be reached again and again, so this was not tried.
    BreakerOpen => "nothing is lost: what waits is redriven when the destination is back; check its bucket and region",
    /// The multipart upload is no longer there, and no copy came of it.
    UploadVanished => "the upload is begun again by itself; if it recurs, look for a lifecycle rule or a person that aborts uploads, then s3-backup redrive",
    /// The function's time is nearly over; what it has done is kept.
    OutOfTime => "resumed by itself, many times; if it recurs without end, raise the function's memory, then s3-backup redrive",
    /// The copy differs from its source.
    ChecksumMismatch => "the bad version is tagged s3-backup=bad and counts as no copy; read the message, then s3-backup redrive",
    /// The copy is stored, but the backup's latest version could not be made the right one.
    Unsettled => "the sweep settles it; if it recurs, look for something else that writes to the backup bucket",
    /// Raised at the end of an execution whose failure was recorded, parked and told.
    BackupFailed => "read the cause; each failed destination is named there with its own advice",
    /// A restore cannot be asked for like that. Nothing was written.
    InvalidRestore => "correct the request and start a new execution",
    /// Raised at the end of a restore that did not bring back everything; its report says what.
    RestoreIncomplete => "read the report; start an execution with its plan to try again what failed",
    /// Raised at the end of a drill that did not bring back and prove all of its sample.
    DrillFailed => "read the report; s3-backup audit --level checksums says whether more is damaged; start an execution with its plan to try again",
    /// A backfill cannot be asked for like that, or its source cannot be gone by. Nothing was copied.
    InvalidBackfill => "correct the request and start a new execution",
    /// Raised at the end of a backfill that leaves something out of the backup; its report says what.
    BackfillIncomplete => "read the report; what failed is redriven by itself, what was left goes on with s3-backup backfill --resume",
    /// Raised at the end of an audit that has no verdict, where nothing else says why.
    AuditIncomplete => "read the report; an audit with resume goes on where this one stopped",
    /// Raised at the end of an execution whose failure was recorded and parked, but could not be told.
    Untold => "the watcher tells it; check the topic and its policy",
    /// The dead-letter queue refused the event.
    Unparked => "check the dead-letter queue and its policy; the catalog holds the failure, s3-backup redrive goes by it",
}

/// A name that no Lambda of ours raises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no error of this backup is called {0}")]
pub struct UnknownErrorName(pub String);

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error that knows its name in the ASL.
pub trait Named: std::error::Error {
    /// The name to raise.
    fn name(&self) -> ErrorName;

    /// What to do next.
    fn advice(&self) -> String {
        self.name().advice().to_owned()
    }
}

/// What the cause of a failure says, as JSON: in the execution, in the catalog and in the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Name of the error: one of [`ErrorName`], or what the platform raised (`States.Timeout`).
    pub error: String,
    /// The object it happened to, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<CauseObject>,
    /// Name of the destination, absent when none had been chosen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// What happened, in one line.
    pub message: String,
    /// What to do next.
    pub advice: String,
    /// Which side did not do what was asked of it, where it is the answer of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// Which side a call of AWS was on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The source bucket.
    Source,
    /// A destination bucket.
    Destination,
    /// The catalog, the policy, the topic, the queue or Step Functions.
    Service,
}

/// The object that a [`Cause`] is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CauseObject {
    /// Source bucket.
    pub bucket: String,
    /// Source key.
    pub key: String,
    /// Source version id, absent where the source has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

/// Joins an error and its sources to one line, leaving out what a level repeats.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line
}

/// A message as one printable line of at most `bytes_max` bytes; what is cut off shows as `…`.
///
/// Services put keys and whole documents into what they say, and a panic says anything.
pub fn one_line(message: &str, bytes_max: usize) -> String {
    const CUT: char = '…';
    let mut line = printable(message);
    if line.len() > bytes_max {
        line.truncate(line.floor_char_boundary(bytes_max.saturating_sub(CUT.len_utf8())));
        line.push(CUT);
    }
    line
}

/// The text with everything escaped that would break the lines of a mail, move a cursor, turn the
/// writing direction or hide: an object's key may hold any of it.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if is_treacherous(c) {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Reads what Step Functions hands to a Catch (`$states.errorOutput`) into a [`Cause`].
///
/// `Error` is a name of ours, of the platform (`States.Timeout`, `Lambda.Unknown`), or a Rust type
/// path after a panic. `Cause` is JSON within JSON for an error that a Lambda raised, and plain
/// text for everything else. Nothing is refused: a failure must be recordable whatever it says, at
/// [`CAUSE_MESSAGE_BYTES_MAX`] bytes of message.
pub fn cause_of(error_output: &serde_json::Value) -> Cause {
    let text = |name: &str| error_output.get(name).and_then(serde_json::Value::as_str);
    let error = text("Error").unwrap_or("Unknown").to_owned();
    let raw = text("Cause").unwrap_or_default();
    let raised: Option<Raised> = serde_json::from_str(raw).ok();
    let message = raised.map_or_else(|| raw.to_owned(), |raised| raised.error_message);
    if let Ok(cause) = serde_json::from_str::<Cause>(&message) {
        return Cause {
            message: one_line(&cause.message, CAUSE_MESSAGE_BYTES_MAX),
            ..cause
        };
    }
    let advice = match error.parse::<ErrorName>() {
        Ok(name) => name.advice(),
        Err(_) if error == "States.Timeout" || error == "Sandbox.Timedout" => {
            "the step ran out of time; s3-backup redrive, and raise the function's time-out or memory if it recurs"
        }
        Err(_) => "read the function's log of this execution, then s3-backup redrive",
    };
    let message = if message.is_empty() {
        format!("the step ended with {error} and said nothing more")
    } else {
        one_line(&message, CAUSE_MESSAGE_BYTES_MAX)
    };
    Cause {
        error,
        object: None,
        destination: None,
        message,
        advice: advice.to_owned(),
        side: None,
    }
}

/// Whether a failure says of itself that no write to the backup can come of its step any more: nothing
/// was sent by any try of it, or what was sent was surely turned away. Whatever says nothing, such as
/// a time-out, may have sent something.
pub fn sent_nothing(error_output: &serde_json::Value) -> bool {
    let raw = error_output
        .get("Cause")
        .and_then(serde_json::Value::as_str);
    let raised = raw.and_then(|raw| serde_json::from_str::<Raised>(raw).ok());
    let said = raised.and_then(|it| serde_json::from_str::<Said>(&it.error_message).ok());
    said.is_some_and(|said| said.sent_nothing)
}

/// What a cause says beside a [`Cause`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(default)]
    sent_nothing: bool,
}

/// The JSON that the Lambda service makes of a raised error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raised {
    error_message: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_parses_back() {
        for name in ErrorName::ALL {
            assert_eq!(name.as_str().parse::<ErrorName>(), Ok(*name));
            assert!(!name.advice().is_empty());
        }
        assert!("Choice".parse::<ErrorName>().is_err());
    }

    #[test]
    fn a_raised_cause_survives_json_within_json() {
        let cause = Cause {
            error: "Throttled".into(),
            object: Some(CauseObject {
                bucket: "b".into(),
                key: "a \"b\"\n🦀".into(),
                version_id: None,
            }),
            destination: Some("primary".into()),
            message: "S3 asked for a slower pace".into(),
            advice: "wait".into(),
            side: None,
        };
        let message = serde_json::to_string(&cause).expect("serialises");
        let outer = json!({"errorType": "Throttled", "errorMessage": message}).to_string();
        assert_eq!(
            cause_of(&json!({"Error": "Throttled", "Cause": outer})),
            cause
        );
    }

    #[test]
    fn a_message_is_one_line_and_cut_between_characters() {
        assert_eq!(one_line("short", 5), "short");
        assert_eq!(one_line("a\nb\u{1}", 99), "a\\nb\\u{1}");
        assert_eq!(one_line("a\u{202e}txt.exe", 99), "a\\u{202e}txt.exe");
        assert_eq!(one_line("🦀🦀🦀", 12), "🦀🦀🦀");
        assert_eq!(one_line("🦀🦀🦀🦀", 12), "🦀🦀…");
        let said = "x".repeat(9 * CAUSE_MESSAGE_BYTES_MAX);
        let cause = cause_of(&json!({"Error": "Lambda.Unknown", "Cause": said}));
        assert_eq!(cause.message.len(), CAUSE_MESSAGE_BYTES_MAX);
    }

    #[test]
    fn plain_text_missing_and_foreign_causes_are_kept() {
        let timeout = cause_of(&json!({"Error": "States.Timeout", "Cause": "after 60 s"}));
        assert_eq!(
            (timeout.error.as_str(), timeout.message.as_str()),
            ("States.Timeout", "after 60 s")
        );
        assert!(timeout.advice.contains("ran out of time"));
        let empty = cause_of(&json!({}));
        assert!(empty.message.contains("said nothing more"));
        let panic = cause_of(
            &json!({"Error": "alloc::string::String", "Cause": "{\"errorMessage\":\"boom\"}"}),
        );
        assert_eq!(panic.message, "boom");
    }
}
