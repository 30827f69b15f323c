//! The plan's lines: JSON Lines, each a batch that one function works through.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::course::Work;
use crate::audit::Entry;
use crate::limits::GIB;
use crate::object::NULL_VERSION;
use crate::order;
use crate::plan::json_line;

/// Versions of one line, but for a key that has more by itself.
pub const VERSIONS_MAX: usize = 100;
/// Bytes of one line's items: a line is the input of a child execution, 256 KiB at most (AWS Step
/// Functions Developer Guide, "Service quotas").
pub const LINE_BYTES_MAX: usize = 160 * 1024;
/// Bytes of the objects of one line, but for one that is larger by itself: one that must be read to be
/// proven takes as long as its bytes, and 16 of 5 GiB would not fit into a run of the function.
pub const OBJECT_BYTES_MAX: u64 = 32 * GIB;
/// Lines of one slice. Each leaves a few bytes in the output of the Map, which takes 256 KiB at most.
pub const LINES_MAX: usize = 10_000;
/// Versions of one slice, some 45 MB: one Map works through it, and an execution of 25,000 events takes
/// some two thousand slices.
pub const SLICE_VERSIONS_MAX: usize = 250_000;
/// Bytes of the lines of one slice, which planning holds in memory, twice while it writes them.
pub const SLICE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// One line: everything that its function must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Keys with their versions.
    #[serde(rename = "Items")]
    pub items: Vec<Item>,
    /// Slice of the plan, from 1.
    pub slice: u32,
    /// Number within the slice, from 1.
    pub line: u32,
    /// Where results go.
    pub work: Work,
}

/// Versions of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Source key, raw.
    pub key: String,
    /// Its versions, the oldest first.
    pub versions: Vec<Version>,
}

/// A version or delete marker at the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Version id; absent where it is `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// ETag without quotes; empty of a delete marker.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub etag: String,
    /// Last-modified.
    pub modified: Timestamp,
    /// Whether it is a delete marker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marker: bool,
    /// Its rank within its second, see [`crate::sequencer::rank`].
    #[serde(default, skip_serializing_if = "is_first")]
    pub rank: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_first(rank: &u16) -> bool {
    *rank == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl From<&Entry> for Version {
    fn from(entry: &Entry) -> Self {
        let id = Some(entry.id.as_str()).filter(|id| !id.is_empty() && *id != NULL_VERSION);
        Self {
            id: id.map(str::to_owned),
            size: entry.size,
            etag: entry.etag.clone(),
            modified: entry.modified,
            marker: entry.delete_marker,
            rank: 0,
        }
    }
}

impl Version {
    /// As the order of versions sees it.
    pub fn in_order(&self) -> order::Version<'_> {
        order::Version {
            id: self.id.as_deref().unwrap_or(NULL_VERSION),
            etag: &self.etag,
            modified: self.modified,
        }
    }
}

/// Deals items to lines in the order they come: a key's versions stay together, unless they alone
/// would not fit into a line.
#[derive(Debug, Default)]
pub struct Dealer {
    lines: Vec<Vec<Item>>,
    versions: usize,
    bytes: usize,
    object_bytes: u64,
    plan_bytes: usize,
}

impl Dealer {
    /// One more key.
    pub fn push(&mut self, item: Item) {
        for item in in_pieces(item) {
            let (versions, bytes) = (item.versions.len(), json_line(&item).len() + 1);
            let sizes = item.versions.iter().map(|version| version.size);
            let object_bytes = sizes.fold(0, u64::saturating_add);
            self.plan_bytes += bytes;
            let fits = self.versions + versions <= VERSIONS_MAX
                && self.bytes + bytes <= LINE_BYTES_MAX
                && self.object_bytes.saturating_add(object_bytes) <= OBJECT_BYTES_MAX;
            match self.lines.last_mut() {
                Some(line) if fits => {
                    line.push(item);
                    self.versions += versions;
                    self.bytes += bytes;
                    self.object_bytes += object_bytes;
                }
                _ => {
                    self.lines.push(vec![item]);
                    (self.versions, self.bytes) = (versions, bytes);
                    self.object_bytes = object_bytes;
                }
            }
        }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Bytes of all lines.
    pub const fn plan_bytes(&self) -> usize {
        self.plan_bytes
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines; none is left.
    pub fn take(&mut self) -> Vec<Vec<Item>> {
        std::mem::take(self).lines
    }
}

fn in_pieces(item: Item) -> Vec<Item> {
    if item.versions.len() <= VERSIONS_MAX && json_line(&item).len() < LINE_BYTES_MAX {
        return vec![item];
    }
    let own = json_line(&item.key).len() + 64;
    let (mut pieces, mut bytes) = (Vec::<Item>::new(), 0);
    for version in item.versions {
        let more = json_line(&version).len() + 1;
        match pieces.last_mut() {
            Some(piece) if bytes + more <= LINE_BYTES_MAX => {
                piece.versions.push(version);
                bytes += more;
            }
            _ => {
                bytes = own + more;
                pieces.push(Item {
                    key: item.key.clone(),
                    versions: vec![version],
                });
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests;
