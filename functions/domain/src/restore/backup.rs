//! Point in time without the catalog: what a backup bucket alone can tell of a key.
//!
//! Each copy's marker says which source version it is, and when that was written. Of deletions a
//! bucket knows those that were mirrored (`deletes: mirror`), by its own delete markers, and those
//! somewhat later than they happened. Deletions under `deletes: keep` stand in the catalog alone:
//! such a key is offered though it was deleted. What was never stored is not known at all.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::marker;
use crate::object::NULL_VERSION;
use crate::sequencer;

/// One version or delete marker of a key in the backup bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its version id at the backup.
    pub version_id: String,
    /// When it was written there, in whole seconds on S3.
    pub modified: Timestamp,
    /// Whether it lies on top now.
    pub latest: bool,
    /// What it is.
    pub what: What,
}

/// What a version of the backup is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A mirrored deletion.
    DeleteMarker,
    /// A copy of a source version.
    Copy(Origin),
    /// An object whose marker is missing or another backup's.
    Foreign,
}

/// What a marker says of the source version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Version id at the source, `null` where it had none.
    pub version_id: String,
    /// Sequencer of its event.
    pub sequencer: String,
    /// When the source version was written.
    pub last_modified: Timestamp,
}

impl Origin {
    /// Reads a marker: of a copy of `bucket` under `prefix`.
    pub fn read(metadata: &BTreeMap<String, String>, bucket: &str, prefix: &str) -> Option<Self> {
        let marked = marker::read(metadata, bucket, prefix)?;
        Some(Self {
            version_id: marked.version_id.to_owned(),
            sequencer: marked.sequencer.to_owned(),
            last_modified: metadata.get(marker::LAST_MODIFIED)?.parse().ok()?,
        })
    }

    /// Source order, as the catalog's.
    fn compare(&self, other: &Self) -> Ordering {
        let second = |it: &Self| it.last_modified.as_second();
        second(self)
            .cmp(&second(other))
            .then_with(|| sequencer::compare(&self.sequencer, &other.sequencer))
            .then_with(|| self.version_id.cmp(&other.version_id))
    }

    fn is(&self, other: &Self) -> bool {
        self.version_id == other.version_id
            && (self.version_id != NULL_VERSION || self.compare(other).is_eq())
    }
}

/// What a key was at a moment, as far as its backup can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromBackup<'h> {
    /// It had no version yet.
    NotYet,
    /// It was deleted, and the deletion mirrored.
    Deleted,
    /// Copies of the version that was the latest, the last made first. One that is tagged
    /// `s3-backup=bad` is not to be taken.
    Offered(Vec<&'h Held>),
    /// Nothing here carries a marker.
    Foreign,
    /// An object without a marker was written there after what the moment would be taken for: that
    /// may be the version itself, whose metadata left no room.
    Unmarked(&'h Held),
}

/// What a key was at the end of the second of `at`, by all that its backup holds, in any order.
pub fn at_moment(held: &[Held], at: Timestamp) -> FromBackup<'_> {
    let origin = |it: &'_ Held| match &it.what {
        What::Copy(origin) => Some(origin.clone()),
        What::DeleteMarker | What::Foreign => None,
    };
    let origins: Vec<_> = held.iter().filter_map(origin).collect();
    if origins.is_empty() {
        return FromBackup::Foreign;
    }
    let before = |moment: Timestamp| moment.as_second() <= at.as_second();
    let written = origins.iter().filter(|it| before(it.last_modified));
    // What carries no marker was written at the source at any time before it was copied.
    let unmarked = |since: i64| {
        let foreign = held.iter().filter(|it| it.what == What::Foreign);
        foreign
            .max_by_key(|it| it.modified)
            .filter(|it| it.modified.as_second() >= since)
    };
    let Some(latest) = written.max_by(|left, right| left.compare(right)) else {
        return unmarked(i64::MIN).map_or(FromBackup::NotYet, FromBackup::Unmarked);
    };
    // A delete marker that the backup had on top then hides what was written before it. Below a
    // promoted copy it hides nothing any more: the deletion was undone.
    let written = held.iter().map(|it| it.modified);
    let last = written.filter(|it| before(*it)).max();
    let tied = held.iter().filter(|it| Some(it.modified) == last);
    let top = tied.max_by_key(|it| (it.latest, rank(held, it)));
    let hidden = top.filter(|it| {
        it.what == What::DeleteMarker && it.modified.as_second() >= latest.last_modified.as_second()
    });
    let since = hidden.map_or(latest.last_modified, |it| it.modified);
    if let Some(unmarked) = unmarked(since.as_second()) {
        return FromBackup::Unmarked(unmarked);
    }
    if hidden.is_some() {
        return FromBackup::Deleted;
    }
    let mut copies: Vec<_> = held
        .iter()
        .filter(|it| origin(it).is_some_and(|it| it.is(latest)))
        .collect();
    copies.sort_by_key(|it| std::cmp::Reverse(it.modified));
    FromBackup::Offered(copies)
}

/// What lies above of what was written at one time. A version is copied, then deleted; what is copied
/// once more was deleted, and brought back.
fn rank(held: &[Held], one: &Held) -> u8 {
    match &one.what {
        What::Copy(origin) => {
            let is_earlier = |it: &Held| match &it.what {
                What::Copy(other) => other.is(origin) && it.modified < one.modified,
                What::DeleteMarker | What::Foreign => false,
            };
            if held.iter().any(is_earlier) { 2 } else { 0 }
        }
        What::DeleteMarker => 1,
        What::Foreign => 0,
    }
}

/// The source's key of a backup's key; `None` outside of the destination's prefix.
pub fn source_key<'k>(backup_key: &'k str, prefix: &str) -> Option<&'k str> {
    backup_key.strip_prefix(prefix).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::fixtures::object;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn copy(id: &str, source: &str, written: i64, copied: i64) -> Held {
        Held {
            version_id: id.to_owned(),
            modified: at(copied),
            latest: false,
            what: What::Copy(Origin {
                version_id: source.to_owned(),
                sequencer: format!("{written:08X}"),
                last_modified: at(written),
            }),
        }
    }

    fn marker_at(second: i64) -> Held {
        Held {
            version_id: format!("m{second}"),
            modified: at(second),
            latest: false,
            what: What::DeleteMarker,
        }
    }

    fn offered(held: &[Held], second: i64) -> Vec<String> {
        match at_moment(held, at(second)) {
            FromBackup::Offered(copies) => copies.iter().map(|it| it.version_id.clone()).collect(),
            _ => vec![],
        }
    }

    #[test]
    fn a_marker_is_read_back() {
        let source = object("k", Some("v1"));
        let marked = marker::with(&BTreeMap::new(), &source, "p/").expect("fits");
        let origin = Origin::read(&marked, "source", "p/").expect("ours");
        assert_eq!(origin.version_id, "v1");
        assert_eq!(Some(origin.last_modified), source.last_modified);
        assert_eq!(Origin::read(&marked, "source", ""), None);
    }

    #[test]
    fn copies_that_were_made_late_and_out_of_order_count_by_their_source() {
        let held = [copy("b1", "v2", 20, 100), copy("b2", "v1", 10, 200)];
        assert_eq!(offered(&held, 9), Vec::<String>::new());
        assert_eq!(offered(&held, 10), ["b2"]);
        assert_eq!(offered(&held, 20), ["b1"]);
    }

    #[test]
    fn a_mirrored_deletion_hides_and_an_undelete_brings_back() {
        let mut held = vec![copy("b1", "v1", 10, 11), marker_at(20)];
        assert_eq!(offered(&held, 19), ["b1"]);
        assert_eq!(at_moment(&held, at(20)), FromBackup::Deleted);
        held.push(copy("b2", "v1", 10, 30));
        assert_eq!(at_moment(&held, at(29)), FromBackup::Deleted);
        assert_eq!(
            offered(&held, 30),
            ["b2", "b1"],
            "the promoted copy goes first"
        );
    }

    /// A copy, a deletion and what undid it may all fall into one second.
    #[test]
    fn within_a_second_what_lies_on_top_decides_then_what_is_copied_again() {
        let deleted = [copy("b1", "v1", 10, 11), marker_at(11)];
        let undone = [
            copy("b1", "v1", 10, 11),
            marker_at(20),
            copy("b2", "v1", 10, 20),
        ];
        for turned in 0..3 {
            let mut held = deleted.clone();
            held.rotate_left(turned % 2);
            assert_eq!(at_moment(&held, at(11)), FromBackup::Deleted);
            let mut held = undone.clone();
            held.rotate_left(turned);
            assert_eq!(offered(&held, 20), ["b2", "b1"]);
        }
        let mut held = deleted.clone();
        held[0].latest = true;
        assert_eq!(offered(&held, 11), ["b1"]);
        let mut held = undone.clone();
        held[1].latest = true;
        assert_eq!(at_moment(&held, at(20)), FromBackup::Deleted);
    }

    #[test]
    fn a_version_that_was_written_after_a_deletion_is_offered_before_its_copy_is_made() {
        let held = [
            copy("b1", "v1", 10, 11),
            marker_at(20),
            copy("b2", "v2", 25, 40),
        ];
        assert_eq!(offered(&held, 25), ["b2"]);
    }

    #[test]
    fn what_carries_no_marker_is_told_apart_from_nothing() {
        let foreign = Held {
            what: What::Foreign,
            ..copy("b1", "v1", 1, 1)
        };
        assert_eq!(at_moment(&[foreign], at(5)), FromBackup::Foreign);
    }

    #[test]
    fn an_older_version_never_takes_the_place_of_one_whose_copy_had_no_room_for_the_marker() {
        let unmarked = |second| Held {
            what: What::Foreign,
            ..copy("full", "?", 0, second)
        };
        let held = [copy("b1", "v1", 10, 11), unmarked(20)];
        assert_eq!(at_moment(&held, at(30)), FromBackup::Unmarked(&held[1]));
        // It may have been written at any time before it was copied.
        assert_eq!(at_moment(&held, at(15)), FromBackup::Unmarked(&held[1]));
        assert_eq!(at_moment(&held, at(5)), FromBackup::Unmarked(&held[1]));
        let held = [unmarked(20), copy("b2", "v2", 21, 22)];
        assert_eq!(offered(&held, 21), ["b2"], "it lies below");
        let held = [copy("b1", "v1", 10, 11), unmarked(12), marker_at(20)];
        assert_eq!(at_moment(&held, at(20)), FromBackup::Deleted);
        let held = [copy("b1", "v1", 10, 11), marker_at(20), unmarked(25)];
        assert_eq!(at_moment(&held, at(30)), FromBackup::Unmarked(&held[2]));
    }

    proptest! {
        /// Without deletions, bucket and catalog agree about every moment.
        #[test]
        fn without_deletions_the_backup_alone_tells_the_same_as_a_replay(
            history in prop::collection::vec((0i64..4, 0i64..50), 1..12),
        ) {
            let (mut second, mut held, mut states) = (0, vec![], vec![]);
            for (number, (pause, lag)) in history.iter().enumerate() {
                for _ in 0..*pause {
                    states.push(number);
                    second += 1;
                }
                let mut one = copy(&format!("b{number}"), &format!("v{number}"), second, second + lag);
                if let What::Copy(origin) = &mut one.what {
                    origin.sequencer = format!("{number:08X}");
                }
                held.push(one);
            }
            states.push(history.len());
            for (second, written) in states.iter().enumerate() {
                let second = i64::try_from(second).expect("small");
                let expected: Vec<_> = written.checked_sub(1).map(|it| format!("b{it}")).into_iter().collect();
                prop_assert_eq!(offered(&held, second), expected);
            }
        }
    }
}
