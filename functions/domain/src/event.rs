//! The events that start an execution: S3 events as EventBridge delivers them, and our own redrive.

mod deleted;
mod tagged;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CauseObject, ErrorName, Named};
use crate::limits::KEY_BYTES_MAX;
use crate::sequencer;

pub use deleted::{DeletedEvent, Deletion, S3Event, parse_any, parse_deleted};
pub use tagged::{TaggedEvent, parse_tagged};

/// A readable "Object Created" event of a watched bucket.
///
/// Shape: Amazon S3 User Guide, "EventBridge event message structure". Keys come raw, not
/// URL-encoded. Fields that are not listed here are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEvent {
    /// Event id, a UUID.
    pub id: String,
    /// Account that owns the bucket.
    pub account: String,
    /// Region of the bucket.
    pub region: String,
    /// When S3 says it happened.
    pub time: Timestamp,
    /// Source bucket.
    pub bucket: String,
    /// Source key, raw.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Version id: absent for unversioned buckets, absent or `null` for suspended ones.
    pub version_id: Option<String>,
    /// Order among the events of this key.
    pub sequencer: String,
    /// Set when the execution was started again.
    pub redrive: Option<Redrive>,
}

/// What a redrive adds beside the original event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redrive {
    /// The destinations that failed; the others are left alone.
    pub destinations: Vec<String>,
    /// Owner of the lease to take over, see [`crate::lease`].
    #[serde(default)]
    pub owner: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many of those before could only wait, where the event is started whole; a point counts
    /// them itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waits: u32,
    /// Only the order of the key's versions is to be settled; nothing is copied for its own sake.
    #[serde(default)]
    pub settle: bool,
    /// `owedAfter` of the point as it was seen before: cleared once the order is settled, unless it
    /// has changed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_after: Option<Timestamp>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_zero(waits: &u32) -> bool {
    *waits == 0
}

/// Why an event cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A field is absent, empty or of another type.
    #[error("the event has no usable {field}: {problem}")]
    Field {
        /// Path of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Another kind of event than this machine backs up.
    #[error("the event is a {found:?} of {origin:?}, not an {wanted:?} of aws.s3")]
    Kind {
        /// Its `detail-type`.
        found: String,
        /// Its `source`.
        origin: String,
        /// The `detail-type` that is read here.
        wanted: &'static str,
    },
    /// The bucket is not the one that is backed up.
    #[error("the event is about bucket {found:?}, this backup watches {watched:?}")]
    ForeignBucket {
        /// Bucket of the event.
        found: String,
        /// The buckets that are ours.
        watched: Vec<String>,
    },
}

impl Named for EventError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Field { .. } | Self::Kind { .. } | Self::ForeignBucket { .. } => {
                ErrorName::InvalidEvent
            }
        }
    }
}

/// Reads an execution's input.
///
/// `watched` are the buckets that are backed up.
///
/// # Errors
/// [`EventError`], all of them `InvalidEvent`: another kind of event, a bucket that is not
/// watched, or a field that is missing, empty or of another type.
pub fn parse(input: &Value, watched: &[String]) -> Result<SourceEvent, EventError> {
    expect_kind(input, "Object Created")?;
    let (bucket, key, sequencer) = place(input, watched)?;
    Ok(SourceEvent {
        id: text(input, "id")?,
        account: text(input, "account")?,
        region: text(input, "region")?,
        time: time(input)?,
        bucket,
        key,
        size: size(input)?,
        etag: text(input, "detail.object.etag")?
            .trim_matches('"')
            .to_owned(),
        version_id: optional_text(input, "detail.object.version-id")?,
        sequencer,
        redrive: redrive(input)?,
    })
}

fn expect_kind(input: &Value, wanted: &'static str) -> Result<(), EventError> {
    let kind = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    if kind("source") == "aws.s3" && kind("detail-type") == wanted {
        return Ok(());
    }
    Err(EventError::Kind {
        found: kind("detail-type").to_owned(),
        origin: kind("source").to_owned(),
        wanted,
    })
}

/// Bucket, key and sequencer.
fn place(input: &Value, watched: &[String]) -> Result<(String, String, String), EventError> {
    let (bucket, key) = bucket_and_key(input, watched)?;
    let sequencer = text(input, "detail.object.sequencer")?;
    if !sequencer::is_valid(&sequencer) {
        return Err(field(
            "detail.object.sequencer",
            format!("{sequencer:?} is not hexadecimal"),
        ));
    }
    Ok((bucket, key, sequencer))
}

fn bucket_and_key(input: &Value, watched: &[String]) -> Result<(String, String), EventError> {
    let bucket = text(input, "detail.bucket.name")?;
    if !watched.contains(&bucket) {
        return Err(EventError::ForeignBucket {
            found: bucket,
            watched: watched.to_vec(),
        });
    }
    let key = text(input, "detail.object.key")?;
    if key.len() > KEY_BYTES_MAX {
        return Err(field(
            "detail.object.key",
            format!("{} bytes, a key holds {KEY_BYTES_MAX}", key.len()),
        ));
    }
    Ok((bucket, key))
}

/// What can be told of the object of an event that may be damaged.
pub fn object_of(input: &Value) -> Option<CauseObject> {
    let bucket = optional_text(input, "detail.bucket.name").ok().flatten()?;
    let key = optional_text(input, "detail.object.key").ok().flatten()?;
    let version_id = optional_text(input, "detail.object.version-id")
        .ok()
        .flatten();
    Some(CauseObject {
        bucket,
        key,
        version_id,
    })
}

fn field(field: &'static str, problem: impl Into<String>) -> EventError {
    EventError::Field {
        field,
        problem: problem.into(),
    }
}

fn at<'a>(input: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(input, |value, name| value.get(name))
}

fn optional_text(input: &Value, path: &'static str) -> Result<Option<String>, EventError> {
    match at(input, path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Err(field(path, "it is empty")),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(field(path, format!("expected text, found {other}"))),
    }
}

fn text(input: &Value, path: &'static str) -> Result<String, EventError> {
    optional_text(input, path)?.ok_or_else(|| field(path, "it is missing"))
}

fn time(input: &Value) -> Result<Timestamp, EventError> {
    let time = text(input, "time")?;
    time.parse()
        .map_err(|_| field("time", format!("{time:?} is not an RFC 3339 time")))
}

fn size(input: &Value) -> Result<u64, EventError> {
    let path = "detail.object.size";
    match at(input, path) {
        None | Some(Value::Null) => Err(field(path, "it is missing")),
        Some(value) => value
            .as_u64()
            .ok_or_else(|| field(path, format!("expected bytes, found {value}"))),
    }
}

fn redrive(input: &Value) -> Result<Option<Redrive>, EventError> {
    match input.get("redrive") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|error| field("redrive", error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn created() -> Value {
        json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
            "source": "aws.s3", "account": "111122223333", "time": "2026-11-12T00:00:00Z", "region": "eu-west-1",
            "resources": ["arn:aws:s3:::source"],
            "detail": {
                "version": "0", "bucket": {"name": "source"},
                "object": {"key": "a b+%41//é🦀", "size": 5, "etag": "\"b1946ac92492d2347c6235b4d2611184\"",
                           "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "00617F08299329D189"},
                "request-id": "N4N7GDK58NMKJ12R", "requester": "111122223333", "reason": "PutObject", "new-field": 1
            }
        })
    }

    fn watched() -> Vec<String> {
        vec!["source".to_owned()]
    }

    #[test]
    fn a_faithful_event_is_read_and_unknown_fields_are_ignored() {
        let event = parse(&created(), &watched()).expect("readable");
        assert_eq!(event.key, "a b+%41//é🦀");
        assert_eq!(event.etag, "b1946ac92492d2347c6235b4d2611184");
        assert_eq!(
            event.version_id.as_deref(),
            Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e")
        );
        assert_eq!(event.redrive, None);
    }

    #[test]
    fn every_missing_empty_or_mistyped_field_is_an_invalid_event() {
        for path in [
            "id",
            "account",
            "region",
            "time",
            "source",
            "detail-type",
            "detail",
            "detail/bucket",
            "detail/bucket/name",
            "detail/object",
            "detail/object/key",
            "detail/object/size",
            "detail/object/etag",
            "detail/object/sequencer",
        ] {
            for bad in [None, Some(json!("")), Some(json!([])), Some(json!(-1))] {
                let mut event = created();
                let pointer = format!("/{path}");
                let (parent, name) = pointer.rsplit_once('/').expect("a slash");
                let parent = event
                    .pointer_mut(parent)
                    .and_then(Value::as_object_mut)
                    .expect("an object");
                match &bad {
                    None => drop(parent.remove(name)),
                    Some(value) => drop(parent.insert(name.to_owned(), value.clone())),
                }
                let error = parse(&event, &watched())
                    .expect_err(&format!("{path} = {bad:?} must be refused"));
                assert_eq!(error.name(), ErrorName::InvalidEvent);
            }
        }
    }

    #[test]
    fn a_foreign_bucket_and_a_redrive_without_attempt_are_refused() {
        assert!(matches!(
            parse(&created(), &["other".to_owned()]),
            Err(EventError::ForeignBucket { .. })
        ));
        let mut event = created();
        event["redrive"] = json!({"destinations": ["primary"]});
        assert!(parse(&event, &watched()).is_err());
        event["redrive"] = json!({"destinations": ["primary"], "owner": "o", "attempt": 2});
        assert_eq!(
            parse(&event, &watched())
                .expect("readable")
                .redrive
                .expect("a redrive")
                .attempt,
            2
        );
    }

    proptest! {
        #[test]
        fn no_json_breaks_the_parser(text in "\\PC{0,200}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = parse(&value, &watched());
                let _ = object_of(&value);
            }
        }

        #[test]
        fn any_key_comes_through_byte_for_byte(key in "\\PC{1,200}") {
            let mut event = created();
            event["detail"]["object"]["key"] = json!(key);
            prop_assert_eq!(parse(&event, &watched()).expect("readable").key, key);
        }
    }
}
