//! Recovery points: what the catalog holds of one version at one destination.

mod expiry;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::multipart::Upload;
use crate::object::SourceObject;
use crate::order::Point;
use crate::redrive::waited;
use crate::sequencer;
use crate::task::Machine;

pub use expiry::Left;

/// Version of the stored shape; readers refuse what they do not know.
pub const SHAPE: u32 = 1;
/// The index by day is spread over this many partitions a day, and that of what is open at each
/// destination. Readers go through all of them, so that there may be more in a later release; never fewer.
pub const DAY_SHARDS: u64 = 32;

/// State of a recovery point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// An execution holds the lease.
    Copying,
    /// Copied and proven; nothing overwrites this.
    Stored,
    /// The source version no longer existed.
    Gone,
    /// An unversioned source was overwritten before it was copied.
    Superseded,
    /// Not to be copied: a backup's own copy, or archived under a rule that skips those.
    Skipped,
    /// A deletion at the source: recorded, and mirrored where the rule says so.
    Deleted,
    /// Failed, parked and told; a redrive makes it `copying` again.
    Failed,
    /// Stored, but its order could not be settled; parked. Counts as stored.
    Unsettled,
    /// It was stored, and its copies have expired by the bucket's lifecycle.
    Expired,
}

impl Status {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Stored => "stored",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::Unsettled => "unsettled",
            Self::Expired => "expired",
        }
    }
}

/// One item of the catalog. Enough of the event is in it to start the backup again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoint {
    /// `<source bucket>/<key>`.
    pub pk: String,
    /// `<destination>#<version key>`, see [`SourceObject::version_key`].
    pub sk: String,
    /// [`SHAPE`].
    pub shape: u32,
    /// State.
    pub status: Status,
    /// The source version.
    pub object: SourceObject,
    /// Name of the destination.
    pub destination: String,
    /// Rule that chose it.
    pub rule: String,
    /// Holder of the lease.
    pub owner: String,
    /// What the holder runs on.
    #[serde(default, skip_serializing_if = "Machine::is_standard")]
    pub machine: Machine,
    /// End of the lease.
    pub until: Timestamp,
    /// Executions that have tried.
    pub attempts: u32,
    /// How many of them could only wait, see [`crate::redrive::waited`]: they use up no redrive.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub waits: u32,
    /// Multipart upload under way, so that another execution can go on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// Backup bucket, region, key and version id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupVersion>,
    /// Version ids of copies that were put on top again to mend the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<String>,
    /// Version ids of copies that verification refused, or that were never verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<String>,
    /// A write to the backup may have been cut off: once this moment has passed it can no longer
    /// land, and the order of the key is to be settled once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_after: Option<Timestamp>,
    /// Full-object checksums that the source has (`SHA256`), base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
    /// How it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// When it was copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_at: Option<Timestamp>,
    /// When it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// Name of the error of a failed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the failure said, or why there is no copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Partition of the index by day; set at end states only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// When the end state was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it failed: there only while it is `failed` and not dismissed, so that the index of what
    /// failed holds nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// When it was given up: no redrive takes it up by itself any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Timestamp>,
    /// When the last of its copies expired: there only while it is `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
}

impl RecoveryPoint {
    /// Attempts that could only wait, the last one included.
    pub fn waits_so_far(&self) -> u32 {
        let waits = self.error.as_deref().is_some_and(waited) && self.status == Status::Failed;
        self.waits + u32::from(waits)
    }

    /// Whether an operator wants no backup of it any more.
    pub fn is_dismissed(&self) -> bool {
        self.status == Status::Failed && self.exhausted.is_some() && self.failed_at.is_none()
    }

    /// As the order of versions sees it.
    pub fn in_order(&self) -> Point<'_> {
        Point {
            version: self.object.in_order(),
            sequencer: &self.object.sequencer,
            status: self.status,
            backup: self.backup.as_ref().map(|copy| copy.version_id.as_str()),
            promotions: &self.promotions,
            bad: &self.bad,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_none_yet(waits: &u32) -> bool {
    *waits == 0
}

/// Where a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupVersion {
    /// Backup bucket.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Key of the copy.
    pub key: String,
    /// Version id of the copy.
    pub version_id: String,
    /// Storage class of the copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Whether it carries the marker.
    pub marked: bool,
}

/// Partition key of all recovery points of a key.
pub fn partition_key(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

/// Sort key of a version at a destination.
pub fn sort_key(destination: &str, object: &SourceObject) -> String {
    format!("{destination}#{}", object.version_key())
}

/// Partition of the index of what is open at a destination: spread like the days are.
pub fn open_at(destination: &str, shard: u64) -> String {
    format!("{destination}#{shard}")
}

impl RecoveryPoint {
    /// Its partition in the index of what is open, while it is.
    pub fn open(&self) -> Option<String> {
        let open = matches!(self.status, Status::Copying | Status::Failed);
        open.then(|| open_at(&self.destination, shard(&self.pk)))
    }
}

fn shard(pk: &str) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, pk.as_bytes()) % DAY_SHARDS
}

/// Partition of the index by day: the UTC day, and a shard that is always the same for a key.
pub fn day(at: Timestamp, pk: &str) -> String {
    day_at(at, shard(pk))
}

/// The same by the number of the shard, below [`DAY_SHARDS`].
pub fn day_at(at: Timestamp, shard: u64) -> String {
    let day = at.to_string();
    format!("{}#{shard}", day.split('T').next().unwrap_or_default())
}

/// The object of the point that an object without a version id is known by already, where one of the two
/// was made without an event: its sequencer is made of its second, and the key would not find it.
pub fn same_without_event<'p>(
    object: &SourceObject,
    points: &'p [RecoveryPoint],
) -> Option<&'p SourceObject> {
    let modified = object.in_order().modified;
    let made = |object: &SourceObject| sequencer::is_of_second(&object.sequencer, modified);
    let mut others = points.iter().map(|point| &point.object);
    others.find(|other| {
        let either = made(object) || made(other);
        other.deletion.is_none() && either && other.in_order().is(&object.in_order())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixtures::object;

    #[test]
    fn versions_of_a_key_never_share_an_item() {
        let mut other = object("k", None);
        other.etag = "x".into();
        let keys = [
            object("k", None),
            other,
            object("k", Some("v1")),
            object("k", Some("v2")),
        ]
        .map(|object| sort_key("primary", &object));
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "{keys:?}");
        assert_eq!(
            sort_key("p", &object("k", Some("null"))),
            sort_key("p", &object("k", None))
        );
    }

    #[test]
    fn deletions_never_share_an_item_with_a_version_or_with_each_other() {
        use crate::event::{Deletion, parse_deleted};
        let event = serde_json::json!({
            "id": "i", "detail-type": "Object Deleted", "source": "aws.s3", "account": "111122223333",
            "time": "2026-11-12T00:00:00Z", "region": "r",
            "detail": {"bucket": {"name": "b"}, "deletion-type": "Delete Marker Created",
                       "object": {"key": "k", "version-id": "v1", "sequencer": "0A"}}
        });
        let marker = parse_deleted(&event, &["b".to_owned()]).expect("an event");
        let mut removal = marker.clone();
        removal.deletion = Deletion::Permanent;
        assert_eq!(
            sort_key("p", &SourceObject::deleted(&marker)),
            "p#deleted#v1"
        );
        assert_eq!(
            sort_key("p", &SourceObject::deleted(&removal)),
            "p#deleted#0A"
        );
        assert_ne!(
            sort_key("p", &SourceObject::deleted(&marker)),
            sort_key("p", &object("k", Some("v1")))
        );
    }

    #[test]
    fn a_version_without_id_is_known_by_the_point_that_was_made_first() {
        let listed = {
            let mut object = object("k", None);
            object.sequencer = sequencer::of_second(object.in_order().modified, 1);
            object
        };
        let live = object("k", None);
        let point = |object: &SourceObject| RecoveryPoint {
            object: object.clone(),
            ..serde_json::from_value(serde_json::json!({
                "pk": "source/k", "sk": sort_key("p", object), "shape": SHAPE, "status": "stored",
                "object": object, "destination": "p", "rule": "r", "owner": "o",
                "until": "2026-11-02T00:00:00Z", "attempts": 1,
            }))
            .expect("a point")
        };
        let found = |object, points: &[RecoveryPoint]| same_without_event(object, points).cloned();
        assert_eq!(found(&listed, &[point(&live)]), Some(live.clone()));
        assert_eq!(found(&live, &[point(&listed)]), Some(listed.clone()));
        // Two events are two versions, and other content is another one.
        let mut event = live.clone();
        event.sequencer = "0B".into();
        assert_eq!(found(&event, &[point(&live)]), None);
        let mut other = live.clone();
        other.etag = "x".into();
        assert_eq!(found(&listed, &[point(&other)]), None);
    }

    #[test]
    fn a_day_is_utc_and_its_shard_stays() {
        let at: Timestamp = "2026-11-24T23:59:59Z".parse().expect("a time");
        let first = day(at, "b/k");
        assert!(first.starts_with("2026-11-24#"));
        assert_eq!(first, day(at, "b/k"));
    }
}
