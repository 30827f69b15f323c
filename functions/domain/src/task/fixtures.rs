//! Objects for tests of this crate.

use super::*;

/// A source version of bucket `source`.
pub fn object(key: &str, version_id: Option<&str>) -> SourceObject {
    SourceObject {
        bucket: "source".into(),
        key: key.into(),
        version_id: version_id.map(str::to_owned),
        size: 5,
        etag: "b1946ac92492d2347c6235b4d2611184".into(),
        sequencer: "0A".into(),
        last_modified: Some("2026-11-01T00:00:00Z".parse().expect("a time")),
        event_at: "2026-11-01T00:00:01Z".parse().expect("a time"),
        deletion: None,
        deletion_type: None,
        account: "111122223333".into(),
        region: "eu-west-1".into(),
    }
}

/// A target without any wishes.
pub fn target() -> Target {
    Target {
        name: "primary".into(),
        destination: serde_json::from_str(r#"{"bucket":"backup","region":"eu-west-1"}"#)
            .expect("a destination"),
        key: "k".into(),
        read: false,
        archived: Archived::Fail,
        annotations: Annotations::Exclude,
        deletes: Deletes::Keep,
        settle_only: None,
        rule: "everything".into(),
        attempts: 1,
        upload: None,
        bad: vec![],
        owed_after: None,
    }
}
