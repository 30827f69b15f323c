//! Properties over views from a small, hostile alphabet.

use proptest::prelude::*;

use super::*;
use crate::object::NULL_VERSION;

/// Versions from a small, hostile alphabet: seconds and sequencers repeat and contradict each other.
fn any_view() -> impl Strategy<Value = View<'static>> {
    let one = (
        prop::sample::select(vec!["v1", "v2", "v3", NULL_VERSION]),
        prop::sample::select(vec!["x", "y"]),
        0i64..3,
        prop::sample::select(vec!["0A", "0a0", "0B", "0"]),
        prop::sample::select(vec![
            Status::Stored,
            Status::Stored,
            Status::Copying,
            Status::Failed,
            Status::Gone,
        ]),
        any::<bool>(),
    );
    let top = prop::sample::select(vec![
        BackupLatest::Nothing,
        BackupLatest::DeleteMarker,
        copy_of("v1"),
        copy_of("v2"),
        copy_of(NULL_VERSION),
        BackupLatest::Object {
            version_id: "b2",
            marked: None,
        },
    ]);
    let all = prop::collection::vec(one, 0..5);
    (all, top, any::<bool>(), any::<bool>()).prop_map(|(all, backup, delete_marker, mirror)| {
        let mut view = View {
            backup,
            points: vec![],
            source: Listing {
                versions: vec![],
                delete_marker,
            },
            deletes: if mirror {
                Deletes::Mirror
            } else {
                Deletes::Keep
            },
        };
        for (id, etag, second, sequencer, status, listed) in all {
            let version = Version {
                etag,
                ..version(id, second)
            };
            // A listing names each version once, of null ones there is one at most.
            let twice = |there: &Version| there.id == id;
            if listed && !view.source.versions.iter().any(twice) {
                view.source.versions.push(version);
            }
            if !view.points.iter().any(|there| there.version.is(&version)) {
                view.points.push(point(version, sequencer, status));
            }
        }
        view
    })
}

/// The view after a step has landed, told as the next reads would tell it.
fn after<'a>(view: &View<'a>, step: Step<'a>) -> View<'a> {
    let mut next = view.clone();
    next.backup = match step {
        Step::Done => next.backup,
        Step::MarkDeleted => BackupLatest::DeleteMarker,
        Step::Promote { version, .. } => {
            let mut points = next.points.iter();
            let point = points.find(|point| point.version.is(&version));
            BackupLatest::Object {
                version_id: "promoted",
                marked: point.map(|point| Marked {
                    version_id: point.version.id,
                    sequencer: point.sequencer,
                }),
            }
        }
    };
    next
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn one_step_settles_what_nobody_disturbs(view in any_view()) {
        // Null versions of one sequencer cannot be told apart by their markers: S3 gives no such.
        let nulls = view.points.iter().filter(|point| point.version.id == NULL_VERSION).count();
        prop_assume!(nulls <= 1);
        prop_assert_eq!(step(&after(&view, step(&view))), Step::Done);
    }

    #[test]
    fn the_order_of_the_points_makes_no_difference(view in any_view()) {
        let mut reversed = view.clone();
        reversed.points.reverse();
        let newest_of = |view: &View<'static>| newest(view.points.iter(), &view.source).map(|point| point.version);
        let ends = |view: &View<'static>| match step(view) {
            Step::Promote { version, .. } => Some(version),
            Step::Done | Step::MarkDeleted => None,
        };
        prop_assert_eq!(newest_of(&view), newest_of(&reversed));
        prop_assert!(view.points.iter().filter(|point| point.version.id == NULL_VERSION).count() > 1 || ends(&view) == ends(&reversed));
    }

    #[test]
    fn only_stored_versions_are_promoted_and_only_from_where_they_are(view in any_view()) {
        if let Step::Promote { version, from } = step(&view) {
            let stored = view.points.iter().find(|point| point.version.is(&version) && point.is_stored());
            prop_assert!(stored.is_some());
            prop_assert_eq!(from == From::Source, view.source.has(&version));
        }
    }

    #[test]
    fn what_a_glance_settles_a_closer_look_settles_too(view in any_view()) {
        let source = view.source.latest().map_or(SourceLatest::Deleted, SourceLatest::Version);
        for point in &view.points {
            if settled_at_a_glance(&Mine::Version(*point), &source, &view.backup) {
                let nulls = view.points.iter().filter(|point| point.version.id == NULL_VERSION).count();
                prop_assert!(nulls > 1 || step(&view) == Step::Done);
            }
        }
        if view.deletes == Deletes::Mirror && settled_at_a_glance(&Mine::Deletion, &source, &view.backup) {
            prop_assert_eq!(step(&view), Step::Done);
        }
    }

    #[test]
    fn kept_backups_are_never_hidden(view in any_view()) {
        prop_assert!(view.deletes == Deletes::Mirror || step(&view) != Step::MarkDeleted);
    }
}
