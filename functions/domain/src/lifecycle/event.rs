//! What S3 tells of a backup bucket's lifecycle (Amazon S3 User Guide, "EventBridge event message
//! structure"). Best effort on the way: what is lost, an audit finds.

use jiff::Timestamp;
use serde_json::Value;

/// A version of a backup bucket that its lifecycle has worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// Backup bucket.
    pub bucket: String,
    /// Key there, raw.
    pub key: String,
    /// Version id there.
    pub version_id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub happened: Happened,
}

/// What the lifecycle did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The version is gone for good.
    Expired,
    /// It is in this storage class now.
    Transitioned(String),
}

/// Reads an event. `None` where a catalog has nothing to follow: a deletion that is somebody's, a
/// delete marker that the lifecycle put on top (the version below is still there), another kind, or
/// something that names no version.
pub fn parse(event: &Value) -> Option<LifecycleEvent> {
    let detail = &event["detail"];
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
    };
    let is = |name: &str, expected: &str| detail[name].as_str() == Some(expected);
    let happened = match event["detail-type"].as_str()? {
        "Object Deleted" => {
            let expired = is("reason", "Lifecycle Expiration");
            let for_good = is("deletion-type", "Permanently Deleted");
            (expired && for_good).then_some(Happened::Expired)?
        }
        "Object Storage Class Changed" => {
            Happened::Transitioned(text(&detail["destination-storage-class"])?)
        }
        _ => return None,
    };
    Some(LifecycleEvent {
        bucket: text(&detail["bucket"]["name"])?,
        key: text(&detail["object"]["key"])?,
        version_id: text(&detail["object"]["version-id"])?,
        at: event["time"].as_str()?.parse().ok()?,
        happened,
    })
}
