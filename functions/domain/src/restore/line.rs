//! The plan's lines: JSON Lines, each a batch that one function works through.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::course::Work;
use super::request::{Archive, Mode, To};
use crate::SourceObject;
use crate::evidence::Evidence;
use crate::limits::GIB;
use crate::plan::json_line;
use crate::policy::Annotations;

/// Items of one line at most.
pub const ITEMS_MAX: usize = 100;
/// Bytes of one line's items: a line is the input of a child execution, 256 KiB at most (AWS Step
/// Functions Developer Guide, "Service quotas").
pub const LINE_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the objects of one line at most, but for a line of one object: large ones are copied one
/// after another by one function, and many lines side by side.
pub const LINE_CONTENT_BYTES_MAX: u64 = 64 * GIB;
/// Bytes of the objects of one slice at most, which bounds its lines.
pub const SLICE_CONTENT_BYTES_MAX: u64 = 1000 * LINE_CONTENT_BYTES_MAX;
/// Lines of one slice that holds small objects. Each leaves a few bytes in the output of the Map, which takes 256 KiB at most.
pub const LINES_MAX: usize = 1000;

/// One line: everything that its function must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// At most [`ITEMS_MAX`].
    #[serde(rename = "Items")]
    pub items: Vec<Item>,
    /// Slice of the plan, from 1.
    pub slice: u32,
    /// Number within the slice, from 1.
    pub line: u32,
    /// Where results go.
    pub work: Work,
    /// The moment.
    pub at: Timestamp,
    /// The target.
    pub to: To,
    /// What is done about what lies there.
    pub mode: Mode,
    /// How archived copies are brought back.
    pub archive: Archive,
    /// Whether nothing lay at the target when planning began: then what is small is copied on
    /// condition that there is still nothing, before anything is asked of it.
    #[serde(default)]
    pub fresh: bool,
    /// Whether annotations are brought back: where the policy carries some to the backup.
    #[serde(default)]
    pub annotations: Annotations,
    /// Whether what was restored is read, whatever stored evidence there is.
    #[serde(default)]
    pub read: bool,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Source key.
    pub key: String,
    /// The moment of this key, where it has one of its own: in a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The copy to restore; absent: hide the key behind a delete marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<Copy>,
    /// Copies of the same version in other destinations: taken, in this order, where that one is
    /// gone, damaged or out of reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Copy>,
}

impl Item {
    fn content_bytes(&self) -> u64 {
        self.copy.as_ref().map_or(0, |copy| copy.size)
    }
}

/// A version of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copy {
    /// Backup bucket.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Its owner; absent: unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Key there, where it is another than the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Version id there.
    pub version_id: String,
    /// Size in bytes.
    pub size: u64,
    /// What the copy was proven by when it was stored: what is restored is held against it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Storage class, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

impl Copy {
    /// As the source of a copying request.
    pub fn object(&self, key: &str, account: &str) -> SourceObject {
        SourceObject {
            bucket: self.bucket.clone(),
            key: self.key.clone().unwrap_or_else(|| key.to_owned()),
            version_id: Some(self.version_id.clone()),
            size: self.size,
            etag: String::new(),
            sequencer: "0".to_owned(),
            last_modified: None,
            event_at: Timestamp::UNIX_EPOCH,
            deletion: None,
            deletion_type: None,
            account: self.account.clone().unwrap_or_else(|| account.to_owned()),
            region: self.region.clone(),
        }
    }
}

/// Deals items to lines, `items_max` to each at most, in the order they come.
pub fn deal(items: Vec<Item>, items_max: usize) -> Vec<Vec<Item>> {
    let (mut lines, mut bytes, mut content) = (Vec::<Vec<Item>>::new(), 0, 0_u64);
    for item in items {
        let (own, more) = (json_line(&item).len() + 1, item.content_bytes());
        let line = lines.last_mut();
        let fits = |line: &&mut Vec<Item>| {
            line.len() < items_max
                && bytes + own <= LINE_BYTES_MAX
                && content.saturating_add(more) <= LINE_CONTENT_BYTES_MAX
        };
        if let Some(line) = line.filter(fits) {
            bytes += own;
            content += more;
            line.push(item);
        } else {
            (bytes, content) = (own, more);
            lines.push(vec![item]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(key: &str) -> Item {
        Item {
            key: key.to_owned(),
            at: None,
            others: vec![],
            copy: Some(Copy {
                bucket: "backup".into(),
                region: "eu-west-1".into(),
                account: None,
                key: None,
                version_id: "v".into(),
                size: 1,
                evidence: None,
                storage_class: None,
            }),
        }
    }

    proptest! {
        #[test]
        fn every_item_is_dealt_once_and_in_order(lengths in prop::collection::vec(1usize..1024, 0..400)) {
            let items: Vec<_> = lengths.iter().map(|length| item(&"\u{1}".repeat(*length))).collect();
            let lines = deal(items.clone(), ITEMS_MAX);
            prop_assert_eq!(lines.concat(), items);
            for line in lines {
                prop_assert!(!line.is_empty() && line.len() <= ITEMS_MAX);
                prop_assert!(json_line(&line).len() <= LINE_BYTES_MAX + 2);
            }
        }

        #[test]
        fn a_line_is_ascii_and_reads_back(key in "\\PC{1,40}|[\u{85}\u{2028}\n\u{1}🦀]{1,9}") {
            let line = json_line(&item(&key));
            prop_assert!(line.is_ascii() && !line.contains('\n'));
            let back: Item = serde_json::from_str(&line).expect("reads");
            prop_assert_eq!(back, item(&key));
        }
    }

    #[test]
    fn few_items_are_one_line_and_none_is_no_line() {
        assert_eq!(deal(vec![], 100).len(), 0);
        let dealt = deal(vec![item("k"); 101], 100);
        assert_eq!(dealt.iter().map(Vec::len).collect::<Vec<_>>(), [100, 1]);
    }

    #[test]
    fn large_objects_are_dealt_to_many_lines() {
        let large = |bytes| {
            let mut item = item("k");
            item.copy.as_mut().expect("one").size = bytes;
            item
        };
        let lengths = |items| deal(items, 100).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(vec![large(1000 * GIB); 100]), [1; 100]);
        assert_eq!(lengths(vec![large(16 * GIB); 10]), [4, 4, 2]);
        let mixed = vec![large(1), large(1000 * GIB), large(1), large(1)];
        assert_eq!(lengths(mixed), [1, 1, 2]);
    }
}
