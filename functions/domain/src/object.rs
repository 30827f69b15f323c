//! One version of one object at the source.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::CauseObject;
use crate::event::{DeletedEvent, Deletion, SourceEvent};
use crate::order::Version;
use crate::sequencer;

/// The version id that S3 gives to objects of buckets without (or with suspended) versioning.
pub const NULL_VERSION: &str = "null";

/// The source version that one execution backs up: ids and sizes, never content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceObject {
    /// Source bucket.
    pub bucket: String,
    /// Source key, raw.
    pub key: String,
    /// Version id; absent where the source keeps no versions, `null` where it does and this one was
    /// written before, or while that was suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Size in bytes.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Order among the events of this key, see [`crate::sequencer::compare`].
    pub sequencer: String,
    /// When S3 stored it; known where the source was headed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<Timestamp>,
    /// When the event says it happened.
    pub event_at: Timestamp,
    /// Set where this is no version but a deletion: what tells it from the key's others, see
    /// [`crate::event::DeletedEvent::deletion_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<String>,
    /// What kind of deletion; releases before did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_type: Option<Deletion>,
    /// Account that owns the source bucket, 12 digits; empty where it is not known.
    pub account: String,
    /// Region of the source bucket.
    pub region: String,
}

impl SourceObject {
    /// A version that an event tells of.
    pub fn created(event: &SourceEvent) -> Self {
        Self {
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            version_id: event.version_id.clone(),
            size: event.size,
            etag: event.etag.clone(),
            sequencer: event.sequencer.clone(),
            last_modified: None,
            event_at: event.time,
            deletion: None,
            deletion_type: None,
            account: event.account.clone(),
            region: event.region.clone(),
        }
    }

    /// A deletion, which takes a version's way through the machine.
    pub fn deleted(event: &DeletedEvent) -> Self {
        Self {
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            version_id: event.version_id.clone(),
            size: 0,
            etag: String::new(),
            sequencer: event.sequencer.clone(),
            last_modified: None,
            event_at: event.time,
            deletion: Some(event.deletion_key().to_owned()),
            deletion_type: Some(event.deletion),
            account: event.account.clone(),
            region: event.region.clone(),
        }
    }

    /// The version id that requests name. `null` is one too: newer versions may lie above it. `None`
    /// where none was seen, since the bucket keeps no versions: then the key alone says which.
    ///
    /// What [`Self::pinned_version`] does not pin is guarded by the ETag beside it.
    pub fn named_version(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// The version id that pins this object for good: `None` where an overwrite would take its
    /// place, so that requests are guarded by the ETag instead.
    pub fn pinned_version(&self) -> Option<&str> {
        self.version_id.as_deref().filter(|id| *id != NULL_VERSION)
    }

    /// Whether no event told of it: a listing did, so that its sequencer is made of its second, and
    /// nobody was told of it when it was written.
    pub fn is_untold(&self) -> bool {
        sequencer::is_of_second(&self.sequencer, self.event_at)
    }

    /// Account that must own the bucket, for requests to check; `None` where it is not known.
    pub fn owner(&self) -> Option<&str> {
        Some(self.account.as_str()).filter(|account| !account.is_empty())
    }

    /// As the order of versions sees it; the event's time stands in for an unknown last-modified.
    pub fn in_order(&self) -> Version<'_> {
        Version {
            id: self.pinned_version().unwrap_or(NULL_VERSION),
            etag: &self.etag,
            modified: self.last_modified.unwrap_or(self.event_at),
        }
    }

    /// How a failure names it.
    pub fn in_cause(&self) -> CauseObject {
        CauseObject {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            version_id: self.version_id.clone(),
        }
    }

    /// What tells this version from the others of its key, in catalog keys:
    /// the version id, `null#<etag>#<sequencer>` where there is none (the event alone tells it, so that
    /// every execution of it finds the same point), or
    /// `deleted#<deletion key>`, which is like none of them, since version ids hold no `#`.
    pub fn version_key(&self) -> String {
        if let Some(deletion) = &self.deletion {
            return format!("deleted#{deletion}");
        }
        self.pinned_version().map_or_else(
            || format!("{NULL_VERSION}#{}#{}", self.etag, self.sequencer),
            str::to_owned,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixtures::object;

    #[test]
    fn what_a_listing_told_of_is_told_from_what_an_event_did() {
        let mut listed = object("k", Some("v1"));
        assert!(!listed.is_untold());
        listed.sequencer = sequencer::of_second(listed.event_at, 0);
        assert!(listed.is_untold());
        listed.sequencer = sequencer::of_second(listed.event_at, 3);
        assert!(listed.is_untold());
    }
}
