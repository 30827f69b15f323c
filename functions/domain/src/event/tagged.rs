//! "Object Tags Added" and "Object Tags Deleted": the tags of a version changed, without a new version.

use jiff::Timestamp;
use serde_json::Value;

use super::{EventError, Redrive, bucket_and_key, expect_kind, optional_text, redrive, text, time};

/// A readable event about the tags of an object of a watched bucket.
///
/// It tells neither size nor sequencer (Amazon S3 User Guide, "EventBridge event message structure"),
/// nor the tags: those are read at the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedEvent {
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
    /// The version whose tags changed; absent or `null` where the bucket keeps no versions.
    pub version_id: Option<String>,
    /// Set when the execution was started again.
    pub redrive: Option<Redrive>,
}

/// Reads an event about tags of one of the `watched` buckets.
///
/// # Errors
/// [`EventError`], all of them `InvalidEvent`.
pub fn parse_tagged(input: &Value, watched: &[String]) -> Result<TaggedEvent, EventError> {
    let kind = input.get("detail-type").and_then(Value::as_str);
    expect_kind(
        input,
        if kind == Some("Object Tags Deleted") {
            "Object Tags Deleted"
        } else {
            "Object Tags Added"
        },
    )?;
    let (bucket, key) = bucket_and_key(input, watched)?;
    Ok(TaggedEvent {
        id: text(input, "id")?,
        account: text(input, "account")?,
        region: text(input, "region")?,
        time: time(input)?,
        bucket,
        key,
        version_id: optional_text(input, "detail.object.version-id")?,
        redrive: redrive(input)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{S3Event, parse_any};
    use super::*;
    use crate::error::{ErrorName, Named};

    fn tagged(kind: &str) -> Value {
        json!({
            "id": "i", "detail-type": kind, "source": "aws.s3", "account": "111122223333",
            "time": "2026-11-12T00:00:00Z", "region": "r",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a b+%41", "etag": "e", "version-id": "v1"}}
        })
    }

    #[test]
    fn both_kinds_are_read_and_others_are_not() {
        for kind in ["Object Tags Added", "Object Tags Deleted"] {
            let event = parse_any(&tagged(kind), &["b".to_owned()]).expect("readable");
            let S3Event::Tagged(event) = event else {
                panic!("{kind} is about tags")
            };
            assert_eq!(event.version_id.as_deref(), Some("v1"));
        }
        let wrong = parse_tagged(&tagged("Object ACL Updated"), &["b".to_owned()]);
        assert_eq!(wrong.expect_err("other").name(), ErrorName::InvalidEvent);
        let foreign = parse_tagged(&tagged("Object Tags Added"), &["c".to_owned()]);
        assert!(matches!(foreign, Err(EventError::ForeignBucket { .. })));
    }
}
