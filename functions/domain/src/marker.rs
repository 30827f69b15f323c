//! The marker: user metadata that lets a backup be read without the catalog, and lets a retry find
//! its own work.

use std::collections::BTreeMap;

use crate::key;
use crate::limits::USER_METADATA_BYTES_MAX;
use crate::object::{NULL_VERSION, SourceObject};
use crate::order::Marked;

/// Metadata names; S3 puts `x-amz-meta-` before them.
pub const SOURCE_BUCKET: &str = "s3-backup-source-bucket";
/// Version id of the source, `null` where it has none.
pub const SOURCE_VERSION: &str = "s3-backup-source-version";
/// Sequencer of the event.
pub const SEQUENCER: &str = "s3-backup-sequencer";
/// Last-modified of the source, RFC 3339.
pub const LAST_MODIFIED: &str = "s3-backup-last-modified";
/// The destination's prefix, percent-encoded; absent when empty.
pub const PREFIX: &str = "s3-backup-prefix";
/// All of them: what a restored object does not carry.
pub const NAMES: [&str; 5] = [
    SOURCE_BUCKET,
    SOURCE_VERSION,
    SEQUENCER,
    LAST_MODIFIED,
    PREFIX,
];

/// The marker of a copy of `object` under `prefix`.
pub fn of(object: &SourceObject, prefix: &str) -> BTreeMap<String, String> {
    let modified = object.last_modified.unwrap_or(object.event_at);
    let mut marker = BTreeMap::from([
        (SOURCE_BUCKET.to_owned(), object.bucket.clone()),
        (
            SOURCE_VERSION.to_owned(),
            object
                .version_id
                .clone()
                .unwrap_or_else(|| NULL_VERSION.to_owned()),
        ),
        (SEQUENCER.to_owned(), object.sequencer.clone()),
        (LAST_MODIFIED.to_owned(), modified.to_string()),
    ]);
    if !prefix.is_empty() {
        marker.insert(PREFIX.to_owned(), key::encode(prefix));
    }
    marker
}

/// Whether an object with this metadata is a copy that a backup made.
pub fn is_copy(metadata: &BTreeMap<String, String>) -> bool {
    metadata.contains_key(SOURCE_BUCKET) && metadata.contains_key(SOURCE_VERSION)
}

/// Whether this metadata marks a copy of exactly this source version.
pub fn is_mine(metadata: &BTreeMap<String, String>, object: &SourceObject, prefix: &str) -> bool {
    let mine = of(object, prefix);
    // An object without a version id is told from its successors by sequencer and time.
    mine.iter().all(|(name, value)| {
        let pinned =
            object.pinned_version().is_some() && (name == SEQUENCER || name == LAST_MODIFIED);
        pinned || metadata.get(name) == Some(value)
    })
}

/// Whose copy this metadata marks: a version of `bucket`, copied under `prefix`; `None` for any
/// other object.
pub fn read<'a>(
    metadata: &'a BTreeMap<String, String>,
    bucket: &str,
    prefix: &str,
) -> Option<Marked<'a>> {
    let text = |name| metadata.get(name).map(String::as_str);
    let here =
        text(SOURCE_BUCKET)? == bucket && text(PREFIX).unwrap_or_default() == key::encode(prefix);
    here.then_some(Marked {
        version_id: text(SOURCE_VERSION)?,
        sequencer: text(SEQUENCER)?,
    })
}

/// The source's user metadata and the marker together, or `None` when S3 would refuse that much.
pub fn with(
    metadata: &BTreeMap<String, String>,
    object: &SourceObject,
    prefix: &str,
) -> Option<BTreeMap<String, String>> {
    let mut all = metadata.clone();
    all.extend(of(object, prefix));
    let bytes: usize = all
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    (bytes <= USER_METADATA_BYTES_MAX).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixtures::object;

    #[test]
    fn a_retry_knows_its_own_copy_and_no_other() {
        let mine = object("k", Some("v1"));
        let marked = with(&BTreeMap::new(), &mine, "p/").expect("fits");
        assert!(is_copy(&marked) && is_mine(&marked, &mine, "p/"));
        assert!(!is_mine(&marked, &object("k", Some("v2")), "p/"));
        assert!(!is_mine(&marked, &mine, "q/"));
        assert!(!is_copy(&BTreeMap::new()));
    }

    #[test]
    fn versions_without_ids_are_told_apart_by_time_and_sequencer() {
        let mine = object("k", None);
        let marked = of(&mine, "");
        let mut later = mine.clone();
        later.sequencer = "0B".into();
        assert!(is_mine(&marked, &mine, ""));
        assert!(!is_mine(&marked, &later, ""));
    }

    #[test]
    fn a_marker_tells_whose_copy_it_is_and_foreign_ones_tell_nothing() {
        let marked = of(&object("k", Some("v1")), "p/");
        let mine = Marked {
            version_id: "v1",
            sequencer: "0A",
        };
        assert_eq!(read(&marked, "source", "p/"), Some(mine));
        assert_eq!(read(&marked, "other", "p/"), None);
        assert_eq!(read(&marked, "source", ""), None);
        let unprefixed = of(&object("k", None), "");
        assert_eq!(
            read(&unprefixed, "source", "").map(|mark| mark.version_id),
            Some("null")
        );
        for lost in [SOURCE_BUCKET, SOURCE_VERSION, SEQUENCER] {
            let mut damaged = marked.clone();
            damaged.remove(lost);
            assert_eq!(read(&damaged, "source", "p/"), None, "without {lost}");
        }
    }

    #[test]
    fn a_marker_that_does_not_fit_is_left_out() {
        let full = BTreeMap::from([("note".to_owned(), "x".repeat(USER_METADATA_BYTES_MAX - 4))]);
        assert_eq!(with(&full, &object("k", None), ""), None);
    }
}
