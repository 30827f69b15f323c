//! Which of two versions is the newer one.

use super::*;
use crate::object::NULL_VERSION;

#[test]
fn a_listing_overrules_times_and_times_overrule_sequencers() {
    let (a, b) = (version("v1", 5), version("v2", 3));
    let (a, b) = (
        point(a, "0A", Status::Stored),
        point(b, "0B", Status::Stored),
    );
    let listed = |versions| Listing {
        versions,
        delete_marker: false,
    };
    let none = listed(vec![]);
    assert!(compare(&a, &b, &none).is_gt(), "last-modified");
    assert!(compare(&a, &b, &listed(vec![a.version])).is_gt());
    assert!(compare(&a, &b, &listed(vec![b.version, a.version])).is_lt());
    let same_second = Point {
        version: version("v1", 3),
        ..a
    };
    assert!(compare(&same_second, &b, &none).is_lt(), "sequencer");
    let same_sequencer = Point {
        sequencer: "0b00",
        ..same_second
    };
    assert!(compare(&same_sequencer, &b, &none).is_lt(), "version id");
}

/// A bucket whose versioning was suspended: a `null` version overwrites only its own kind.
#[test]
fn a_null_version_and_one_with_an_id_are_told_by_their_sequencers() {
    let null = point(version(NULL_VERSION, 1), "0A", Status::Stored);
    let removed = point(version("v2", 1), "0B", Status::Stored);
    let listing = Listing {
        versions: vec![null.version],
        delete_marker: false,
    };
    assert!(compare(&null, &removed, &listing).is_lt());
    assert!(compare(&removed, &null, &listing).is_gt());
}

/// A HEAD gives whole seconds, a listing may give more.
#[test]
fn parts_of_a_second_make_no_difference() {
    let late = Version {
        modified: "1970-01-01T00:00:01.9Z".parse().expect("a time"),
        ..version("null", 0)
    };
    assert!(late.is(&version("null", 1)) && !late.is(&version("null", 2)));
    let early = point(version("v1", 1), "0B", Status::Stored);
    let late = point(Version { id: "v2", ..late }, "0A", Status::Stored);
    let none = Listing {
        versions: vec![],
        delete_marker: false,
    };
    assert!(compare(&late, &early, &none).is_lt());
}

/// A source without version ids: the state last seen stays on top, whatever comes late.
#[test]
fn without_versions_an_older_state_never_covers_a_newer_one() {
    let null = |etag, second| Version {
        id: NULL_VERSION,
        etag,
        modified: Timestamp::from_second(second).expect("a time"),
    };
    let (first, second) = (null("x", 1), null("y", 1));
    let mut view = View {
        backup: BackupLatest::Object {
            version_id: "b1",
            marked: Some(Marked {
                version_id: NULL_VERSION,
                sequencer: "0F",
            }),
        },
        points: vec![
            point(first, "0F", Status::Stored),
            point(second, "0A", Status::Stored),
        ],
        source: Listing {
            versions: vec![second],
            delete_marker: false,
        },
        deletes: Deletes::Keep,
    };
    // Written in one second, and the sequencers mislead: what the source shows is the newer one.
    let expected = Step::Promote {
        version: second,
        from: From::Source,
    };
    assert_eq!(step(&view), expected);
    view.points.reverse();
    assert_eq!(step(&view), expected);
    // A marker of one null version is not a copy of the other.
    view.backup = BackupLatest::Object {
        version_id: "b9",
        marked: Some(Marked {
            version_id: NULL_VERSION,
            sequencer: "0a0",
        }),
    };
    assert_eq!(step(&view), Step::Done);
    assert!(first.is(&null("x", 1)) && !first.is(&null("x", 2)) && !first.is(&second));
    assert_eq!(
        compare(&view.points[0], &view.points[0], &view.source),
        std::cmp::Ordering::Equal
    );
}
