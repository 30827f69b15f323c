//! Events as EventBridge hands them on.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::World;

impl World {
    /// A faithful event for the latest version of a key.
    pub fn event_of(&self, key: &str) -> String {
        let head = self
            .objects
            .head_object(self.source(), key, None)
            .expect("it is there");
        let size: u64 = head
            .header("content-length")
            .and_then(|text| text.parse().ok())
            .expect("a size");
        let mut object = json!({
            "key": key, "size": size, "etag": head.header("etag"),
            "sequencer": sequencer(),
        });
        if let (Some(version), Some(object)) = (head.version_id(), object.as_object_mut()) {
            object.insert("version-id".to_owned(), json!(version));
        }
        json!({
            "version": "0", "id": format!("event of {key}"), "detail-type": "Object Created",
            "source": "aws.s3", "account": "000000000000", "time": now(), "region": "us-east-1",
            "resources": [format!("arn:aws:s3:::{}", self.source())],
            "detail": {"version": "0", "bucket": {"name": self.source()}, "object": object,
                       "request-id": "R", "requester": "000000000000", "reason": "PutObject"},
        })
        .to_string()
    }
}

/// Later than every other of this process, in the form and time of the local stack's.
fn sequencer() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = jiff::Timestamp::now().as_microsecond();
    let now = u64::try_from(now).expect("a time after 1970");
    LAST.fetch_max(now, Ordering::Relaxed);
    format!("{:018X}", LAST.fetch_add(1, Ordering::Relaxed))
}

/// This moment, RFC 3339.
fn now() -> String {
    jiff::Timestamp::now().to_string()
}
