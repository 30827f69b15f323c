//! "Object Deleted": a version, a delete marker, or the whole of an object without versions is gone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    EventError, Redrive, SourceEvent, TaggedEvent, expect_kind, field, optional_text, parse,
    parse_tagged, place, redrive, text, time,
};
use crate::object::NULL_VERSION;
use crate::policy::Deletes;

const TYPE: &str = "detail.deletion-type";
/// Reason of what a lifecycle rule has removed.
const EXPIRY: &str = "Lifecycle Expiration";

/// What was done (`deletion-type`; Amazon S3 User Guide, "EventBridge event message structure").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// A delete marker hides the object; all of its versions are still there.
    #[serde(rename = "Delete Marker Created")]
    MarkerCreated,
    /// The named version is gone for good: an old one, the latest one, or a delete marker. Only
    /// the source itself tells which, and what its latest version is now. Without a version id it
    /// is the object of a bucket that keeps no versions.
    #[serde(rename = "Permanently Deleted")]
    Permanent,
}

/// A readable "Object Deleted" event of a watched bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedEvent {
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
    /// The delete marker that was created, or the version that was removed.
    pub version_id: Option<String>,
    /// Order among the events of this key; that of a lifecycle expiry is of midnight.
    pub sequencer: String,
    /// What was done.
    pub deletion: Deletion,
    /// `DeleteObject` or `Lifecycle Expiration`; absent where S3 gives none.
    pub reason: Option<String>,
    /// Set when the execution was started again.
    pub redrive: Option<Redrive>,
}

impl DeletedEvent {
    /// What tells this deletion from the others of its key, in catalog keys: the delete marker's
    /// version id, else the sequencer. A removed version's id would not do: its own point has it.
    pub fn deletion_key(&self) -> &str {
        match (self.deletion, self.version_id.as_deref()) {
            (Deletion::MarkerCreated, Some(id)) if id != NULL_VERSION => id,
            _ => &self.sequencer,
        }
    }

    /// Whether it may change what must be the latest at the backup, so that the key is settled.
    ///
    /// Under `mirror` each kind may: even the removal of a version can uncover an older one, or a
    /// delete marker's the object itself. The source is asked; the event alone never deletes.
    /// Under `keep` it is recorded only, and so is what a lifecycle rule of the source has removed:
    /// that is no decision of a user's.
    pub fn must_settle(&self, deletes: Deletes) -> bool {
        deletes == Deletes::Mirror && self.reason.as_deref() != Some(EXPIRY)
    }
}

/// An event that starts an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Event {
    /// "Object Created".
    Created(SourceEvent),
    /// "Object Deleted".
    Deleted(DeletedEvent),
    /// "Object Tags Added" or "Object Tags Deleted".
    Tagged(TaggedEvent),
}

/// Reads an execution's input of either kind.
///
/// # Errors
/// [`EventError`], see [`parse`].
pub fn parse_any(input: &Value, watched: &[String]) -> Result<S3Event, EventError> {
    match input.get("detail-type").and_then(Value::as_str) {
        Some("Object Deleted") => parse_deleted(input, watched).map(S3Event::Deleted),
        Some("Object Tags Added" | "Object Tags Deleted") => {
            parse_tagged(input, watched).map(S3Event::Tagged)
        }
        _ => parse(input, watched).map(S3Event::Created),
    }
}

/// Reads an "Object Deleted" event of one of the `watched` buckets.
///
/// # Errors
/// [`EventError`], all of them `InvalidEvent`.
///
/// # Examples
/// ```
/// use backup_domain::event::{Deletion, parse_deleted};
/// let event = serde_json::json!({
///     "id": "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9", "detail-type": "Object Deleted",
///     "source": "aws.s3", "account": "111122223333", "time": "2026-11-12T00:00:00Z",
///     "region": "eu-west-1",
///     "detail": {
///         "bucket": {"name": "source"},
///         "object": {"key": "k", "version-id": "1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF", "sequencer": "617F0837B476E463"},
///         "reason": "DeleteObject", "deletion-type": "Delete Marker Created"
///     }
/// });
/// let event = parse_deleted(&event, &["source".to_owned()])?;
/// assert_eq!(event.deletion, Deletion::MarkerCreated);
/// assert_eq!(event.deletion_key(), "1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF");
/// # Ok::<(), backup_domain::event::EventError>(())
/// ```
pub fn parse_deleted(input: &Value, watched: &[String]) -> Result<DeletedEvent, EventError> {
    expect_kind(input, "Object Deleted")?;
    let (bucket, key, sequencer) = place(input, watched)?;
    Ok(DeletedEvent {
        id: text(input, "id")?,
        account: text(input, "account")?,
        region: text(input, "region")?,
        time: time(input)?,
        bucket,
        key,
        version_id: optional_text(input, "detail.object.version-id")?,
        sequencer,
        deletion: deletion(input)?,
        reason: optional_text(input, "detail.reason")?,
        redrive: redrive(input)?,
    })
}

fn deletion(input: &Value) -> Result<Deletion, EventError> {
    match text(input, TYPE)?.as_str() {
        "Delete Marker Created" => Ok(Deletion::MarkerCreated),
        "Permanently Deleted" => Ok(Deletion::Permanent),
        other => Err(field(TYPE, format!("{other:?} is no kind of deletion"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::error::{ErrorName, Named};

    fn deleted(deletion: &str, version_id: Option<&str>) -> Value {
        let mut event = json!({
            "version": "0", "id": "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9", "detail-type": "Object Deleted",
            "source": "aws.s3", "account": "111122223333", "time": "2026-11-12T00:00:00Z", "region": "eu-west-1",
            "detail": {
                "bucket": {"name": "source"}, "object": {"key": "a b+%41", "etag": "e", "sequencer": "0A"},
                "reason": "DeleteObject", "deletion-type": deletion
            }
        });
        if let Some(id) = version_id {
            event["detail"]["object"]["version-id"] = json!(id);
        }
        event
    }

    fn read(event: &Value) -> Result<DeletedEvent, EventError> {
        parse_deleted(event, &["source".to_owned()])
    }

    #[test]
    fn markers_and_removals_are_told_apart() {
        let marker = read(&deleted("Delete Marker Created", Some("m1"))).expect("readable");
        assert_eq!(
            (marker.deletion, marker.deletion_key()),
            (Deletion::MarkerCreated, "m1")
        );
        assert_eq!(marker.reason.as_deref(), Some("DeleteObject"));
        let removal = read(&deleted("Permanently Deleted", Some("v1"))).expect("readable");
        assert_eq!(
            (removal.deletion, removal.deletion_key()),
            (Deletion::Permanent, "0A")
        );
        assert_eq!(removal.version_id.as_deref(), Some("v1"));
    }

    #[test]
    fn null_markers_are_told_apart_by_their_sequencers() {
        for id in [None, Some("null")] {
            let marker = read(&deleted("Delete Marker Created", id)).expect("readable");
            assert_eq!(marker.deletion_key(), "0A");
        }
    }

    #[test]
    fn only_mirrored_deletions_settle() {
        for kind in ["Delete Marker Created", "Permanently Deleted"] {
            let event = read(&deleted(kind, Some("v1"))).expect("readable");
            assert!(event.must_settle(Deletes::Mirror));
            assert!(!event.must_settle(Deletes::Keep));
            let mut expired = deleted(kind, Some("v1"));
            expired["detail"]["reason"] = json!("Lifecycle Expiration");
            let expired = read(&expired).expect("readable");
            assert!(!expired.must_settle(Deletes::Mirror), "recorded only");
        }
    }

    #[test]
    fn each_kind_of_event_finds_its_reader() {
        let watched = ["source".to_owned()];
        let event = deleted("Permanently Deleted", None);
        assert!(matches!(
            parse_any(&event, &watched),
            Ok(S3Event::Deleted(_))
        ));
        let mut created = event.clone();
        created["detail-type"] = json!("Object Created");
        created["detail"]["object"]["size"] = json!(5);
        assert!(matches!(
            parse_any(&created, &watched),
            Ok(S3Event::Created(_))
        ));
        assert!(read(&created).is_err() && parse(&event, &watched).is_err());
        for (name, bad) in [("detail-type", "Object Restored"), ("source", "aws.ec2")] {
            let mut other = event.clone();
            other[name] = json!(bad);
            assert!(matches!(
                parse_any(&other, &watched),
                Err(EventError::Kind { .. })
            ));
        }
    }

    #[test]
    fn an_unknown_or_absent_kind_of_deletion_is_an_invalid_event() {
        for bad in [json!("Erased"), json!(""), Value::Null, json!(1)] {
            let mut event = deleted("x", None);
            event["detail"]["deletion-type"] = bad;
            assert_eq!(
                read(&event).expect_err("refused").name(),
                ErrorName::InvalidEvent
            );
        }
        let foreign = parse_deleted(&deleted("Permanently Deleted", None), &["other".to_owned()]);
        assert!(matches!(foreign, Err(EventError::ForeignBucket { .. })));
    }

    proptest! {
        #[test]
        fn no_json_breaks_the_parser(text in "\\PC{0,200}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert!(read(&value).is_err() || value.is_object());
            }
        }
    }
}
