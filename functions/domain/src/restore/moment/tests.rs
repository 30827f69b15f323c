mod expired;

use proptest::prelude::*;

use super::*;
use crate::catalog::{BackupVersion, SHAPE, partition_key, sort_key};
use crate::task::fixtures::object;

/// A point of a version or a deletion, stored unless told otherwise.
pub fn point(destination: &str, object: SourceObject, status: Status) -> RecoveryPoint {
    let backup = BackupVersion {
        bucket: "backup".into(),
        region: "eu-west-1".into(),
        key: object.key.clone(),
        version_id: format!("copy-of-{}", object.version_key()),
        storage_class: None,
        marked: true,
    };
    RecoveryPoint {
        pk: partition_key(&object.bucket, &object.key),
        sk: sort_key(destination, &object),
        shape: SHAPE,
        status,
        backup: (object.deletion.is_none() && status == Status::Stored).then_some(backup),
        object,
        destination: destination.into(),
        rule: "everything".into(),
        owner: "e@t".into(),
        machine: crate::task::Machine::default(),
        until: at(0),
        attempts: 1,
        waits: 0,
        upload: None,
        promotions: vec![],
        bad: vec![],
        owed_after: None,
        checksums: std::collections::BTreeMap::new(),
        evidence: None,
        copied_at: None,
        verified_at: None,
        failed_at: None,
        exhausted: None,
        expired_at: None,
        error: None,
        message: None,
        day: None,
        ended_at: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn version(id: Option<&str>, second: i64, sequencer: u64) -> SourceObject {
    SourceObject {
        sequencer: format!("{sequencer:016X}"),
        last_modified: Some(at(second)),
        event_at: at(second),
        etag: format!("etag-{sequencer}"),
        ..object("k", id)
    }
}

/// A deletion as the event of it would be recorded: of a marker, of a version, of the whole key.
fn deletion(id: Option<&str>, marker: bool, second: i64, sequencer: u64) -> SourceObject {
    let written = version(id, second, sequencer);
    let key = match id {
        Some(id) if marker && id != NULL_VERSION => id.to_owned(),
        _ => written.sequencer.clone(),
    };
    SourceObject {
        deletion: Some(key),
        deletion_type: Some(if marker {
            Deletion::MarkerCreated
        } else {
            Deletion::Permanent
        }),
        last_modified: None,
        ..written
    }
}

/// What can be done to a key.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// PUT under versioning.
    Put,
    /// DELETE under versioning.
    Mark,
    /// DELETE of a version or delete marker by its id: the n-th of those that are there.
    Remove(usize),
    /// PUT where versioning is off or suspended.
    PutNull,
    /// DELETE where versioning is off or suspended.
    DeleteNull,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Put),
        2 => Just(Op::Mark),
        3 => (0usize..6).prop_map(Op::Remove),
        1 => Just(Op::PutNull),
        1 => Just(Op::DeleteNull),
    ]
}

/// S3's own list of one key, the latest last.
#[derive(Debug, Clone, PartialEq)]
struct Layer {
    id: String,
    /// Of a version: what its copy is called. `None` is a delete marker.
    copy: Option<String>,
}

/// Replays a history naively: points as the catalog would hold them, and the state after each second.
fn replay(history: &[(u8, Op)]) -> (Vec<RecoveryPoint>, Vec<Option<String>>) {
    let (mut layers, mut points, mut states) = (Vec::<Layer>::new(), Vec::new(), Vec::new());
    let mut second = 0_i64;
    for (number, (pause, op)) in (1_u64..).zip(history) {
        for _ in 0..*pause {
            states.push(layers.last().and_then(|layer| layer.copy.clone()));
            second += 1;
        }
        let id = format!("v{number}");
        match op {
            Op::Put | Op::PutNull => {
                let id = matches!(op, Op::Put).then_some(id.as_str());
                let point = point("primary", version(id, second, number), Status::Stored);
                let layer = Layer {
                    id: id.unwrap_or(NULL_VERSION).to_owned(),
                    copy: point.backup.as_ref().map(|it| it.version_id.clone()),
                };
                layers.retain(|there| there.id != NULL_VERSION || layer.id != NULL_VERSION);
                layers.push(layer);
                points.push(point);
            }
            Op::Mark | Op::DeleteNull => {
                let id = if matches!(op, Op::Mark) {
                    id.as_str()
                } else {
                    NULL_VERSION
                };
                let gone = deletion(Some(id), true, second, number);
                points.push(point("primary", gone, Status::Deleted));
                layers.retain(|there| there.id != NULL_VERSION || id != NULL_VERSION);
                layers.push(Layer {
                    id: id.to_owned(),
                    copy: None,
                });
            }
            Op::Remove(place) => {
                if layers.is_empty() {
                    continue;
                }
                let id = layers[place % layers.len()].id.clone();
                let gone = deletion(Some(&id), false, second, number);
                points.push(point("primary", gone, Status::Deleted));
                layers.retain(|there| there.id != id);
            }
        }
    }
    states.push(layers.last().and_then(|layer| layer.copy.clone()));
    (points, states)
}

fn offered(found: &AtMoment) -> Option<String> {
    match found {
        AtMoment::Offered { copy, .. } => Some((*copy).to_owned()),
        AtMoment::NotYet | AtMoment::Deleted => None,
        AtMoment::Missing { why, .. } => panic!("all are stored: {why}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever happened to a key, in whatever order the catalog hands it out: its state at the end
    /// of every second is the one that S3 had.
    #[test]
    fn the_state_at_any_moment_is_that_of_a_replay(
        history in prop::collection::vec((0u8..3, op()), 1..14),
        shuffle in any::<u64>(),
    ) {
        let (mut points, states) = replay(&history);
        let mut state = shuffle | 1;
        for place in (1..points.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            points.swap(place, usize::try_from(state % (place as u64 + 1)).expect("small"));
        }
        for (second, expected) in (0_i64..).zip(&states) {
            let found = at_moment(&points, at(second), None);
            prop_assert_eq!(&offered(&found), expected, "at second {}: {:?}", second, points);
        }
    }

    /// A deletion is stamped by another clock than a write. When all is over, that changes nothing.
    #[test]
    fn stamps_that_are_some_seconds_off_leave_the_end_as_it_is(
        history in prop::collection::vec((0u8..4, op()), 1..14),
        off in prop::collection::vec(-4i64..=4, 14),
    ) {
        let (mut points, states) = replay(&history);
        for (point, off) in points.iter_mut().zip(off) {
            if point.object.deletion.is_some() {
                let second = (point.object.event_at.as_second() + off).max(0);
                point.object.event_at = at(second);
            }
        }
        let end = i64::try_from(states.len()).expect("small") + 10;
        let expected = states.last().expect("a state");
        prop_assert_eq!(&offered(&at_moment(&points, at(end), None)), expected, "{:?}", points);
    }

    /// What happens later changes nothing about a moment.
    #[test]
    fn a_moment_never_changes_afterwards(
        history in prop::collection::vec((0u8..3, op()), 1..10),
        later in prop::collection::vec((1u8..3, op()), 1..6),
    ) {
        let (before, states) = replay(&history);
        let end = i64::try_from(states.len()).expect("small") - 1;
        let (all, _) = replay(&[history, later].concat());
        prop_assert_eq!(
            offered(&at_moment(&before, at(end), None)),
            offered(&at_moment(&all, at(end), None))
        );
    }
}

#[test]
fn a_version_that_is_not_stored_is_missing_and_no_older_one_takes_its_place() {
    for status in [
        Status::Copying,
        Status::Failed,
        Status::Gone,
        Status::Superseded,
        Status::Skipped,
    ] {
        let points = [
            point("primary", version(Some("v1"), 1, 1), Status::Stored),
            point("primary", version(Some("v2"), 2, 2), status),
        ];
        let found = at_moment(&points, at(5), None);
        let AtMoment::Missing { point, why } = found else {
            panic!("{status:?}: {found:?}")
        };
        assert_eq!(point.object.version_id.as_deref(), Some("v2"));
        assert!(!why.is_empty());
        assert!(matches!(
            at_moment(&points, at(1), None),
            AtMoment::Offered { .. }
        ));
    }
}

/// An object from before versioning is overwritten, and cleaned up by its id.
#[test]
fn removing_an_old_null_version_leaves_the_live_one() {
    let live = point("primary", version(Some("v1"), 20, 2), Status::Stored);
    let mut points = vec![
        point("primary", version(None, 10, 1), Status::Stored),
        live.clone(),
        point(
            "primary",
            deletion(Some("null"), false, 30, 3),
            Status::Deleted,
        ),
    ];
    let copy = live.backup.map(|copy| copy.version_id);
    assert_eq!(offered(&at_moment(&points, at(40), None)), copy);
    // Whoever wrote the point before this kind was kept left the two indistinguishable.
    points[2].object.deletion_type = None;
    assert_eq!(at_moment(&points, at(40), None), AtMoment::Deleted);
}

#[test]
fn a_deletion_that_is_stamped_late_does_not_hide_what_was_written_after_it() {
    let put = point("primary", version(Some("v2"), 10, 3), Status::Stored);
    let at_end = |second, sequencer| {
        let mut gone = deletion(Some("m"), true, second, sequencer);
        gone.event_at = at(second);
        let points = [put.clone(), point("primary", gone, Status::Deleted)];
        offered(&at_moment(&points, at(100), None)).is_some()
    };
    assert!(at_end(11, 2), "a second late");
    assert!(!at_end(9, 4), "a second early");
    assert!(at_end(20, 2) && !at_end(21, 2), "no more than some seconds");
}

#[test]
fn a_copy_that_was_refused_is_never_offered() {
    let mut refused = point("primary", version(Some("v1"), 1, 1), Status::Stored);
    let copy = refused.backup.as_ref().expect("a copy").version_id.clone();
    refused.bad = vec![copy];
    let points = [refused.clone()];
    assert!(matches!(
        at_moment(&points, at(1), None),
        AtMoment::Missing { .. }
    ));
    refused.promotions = vec!["promoted".to_owned()];
    let points = [refused];
    let found = at_moment(&points, at(1), None);
    assert_eq!(offered(&found).as_deref(), Some("promoted"));
}

#[test]
fn one_destination_helps_out_for_another_and_readable_classes_go_first() {
    let failed = point("a", version(Some("v1"), 1, 1), Status::Failed);
    let mut cold = point("b", version(Some("v1"), 1, 1), Status::Stored);
    cold.backup.as_mut().expect("a copy").storage_class = Some("GLACIER".to_owned());
    let warm = point("c", version(Some("v1"), 1, 1), Status::Stored);
    let points = [failed, cold, warm];
    let from = |destination| match at_moment(&points, at(1), destination) {
        AtMoment::Offered { point, .. } => point.destination.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(from(None), "c");
    assert_eq!(from(Some("b")), "b");
    assert_eq!(from(Some("a")), "c");
}

#[test]
fn before_the_first_version_there_is_nothing_yet() {
    let points = [
        point("primary", version(Some("v1"), 10, 1), Status::Stored),
        point("primary", deletion(Some("m"), true, 12, 2), Status::Deleted),
    ];
    assert_eq!(at_moment(&points, at(9), None), AtMoment::NotYet);
    assert_eq!(at_moment(&points, at(12), None), AtMoment::Deleted);
    assert_eq!(earliest(&points), Some(at(10)));
    assert!(is_backed_up(&points));
}

#[test]
fn a_deletion_alone_says_neither_that_a_key_was_backed_up_nor_since_when() {
    let points = [point(
        "primary",
        deletion(Some("m"), true, 12, 2),
        Status::Deleted,
    )];
    assert!(!is_backed_up(&points));
    assert_eq!(earliest(&points), None);
}
