use super::*;

mod expired;
mod owed;
mod properties;
mod source_order;

const NONE: &[String] = &[];

fn version(id: &'static str, second: i64) -> Version<'static> {
    Version {
        id,
        etag: "e",
        modified: Timestamp::from_second(second).expect("a time"),
    }
}

fn point(version: Version<'static>, sequencer: &'static str, status: Status) -> Point<'static> {
    let stored = matches!(status, Status::Stored | Status::Unsettled);
    Point {
        version,
        sequencer,
        status,
        backup: stored.then_some(match version.id {
            "v1" => "b1",
            "v2" => "b2",
            _ => "b3",
        }),
        promotions: NONE,
        bad: NONE,
    }
}

fn copy_of(version_id: &'static str) -> BackupLatest<'static> {
    BackupLatest::Object {
        version_id: "unrecorded",
        marked: Some(Marked {
            version_id,
            sequencer: "0A",
        }),
    }
}

/// v1, then v2, both stored and listed; v2's copy lies on top.
fn view() -> View<'static> {
    let (v1, v2) = (version("v1", 1), version("v2", 2));
    View {
        backup: copy_of("v2"),
        points: vec![
            point(v1, "0A", Status::Stored),
            point(v2, "0B", Status::Stored),
        ],
        source: Listing {
            versions: vec![v2, v1],
            delete_marker: false,
        },
        deletes: Deletes::Keep,
    }
}

fn step<'a>(view: &View<'a>) -> Step<'a> {
    settle(view, 0).expect("a first round")
}

fn promote(id: &'static str, second: i64, from: From<'static>) -> Step<'static> {
    Step::Promote {
        version: version(id, second),
        from,
    }
}

#[test]
fn an_older_copy_on_top_gives_way_to_the_newest() {
    let mut view = view();
    assert_eq!(step(&view), Step::Done);
    for top in [
        copy_of("v1"),
        copy_of("unknown"),
        BackupLatest::Nothing,
        BackupLatest::DeleteMarker,
        BackupLatest::Object {
            version_id: "foreign",
            marked: None,
        },
    ] {
        view.backup = top;
        assert_eq!(step(&view), promote("v2", 2, From::Source), "{top:?}");
    }
    view.points.clear();
    assert_eq!(step(&view), Step::Done, "nothing is stored");
}

#[test]
fn what_the_source_no_longer_has_is_promoted_from_the_backup() {
    let mut view = view();
    view.backup = BackupLatest::Nothing;
    view.source.versions.clear();
    assert_eq!(step(&view), promote("v2", 2, From::Backup("b2")));
    let (refused, promoted) = (["b2".to_owned()], ["p2".to_owned()]);
    view.points[1].bad = &refused;
    assert_eq!(step(&view), promote("v1", 1, From::Backup("b1")));
    view.points[1].promotions = &promoted;
    assert_eq!(step(&view), promote("v2", 2, From::Backup("p2")));
}

#[test]
fn a_newer_copy_on_top_is_left_alone_only_while_its_execution_is_at_work() {
    for (status, expected) in [
        (Status::Copying, Step::Done),
        (Status::Stored, Step::Done),
        (Status::Unsettled, Step::Done),
        (Status::Failed, promote("v1", 1, From::Source)),
        (Status::Gone, promote("v1", 1, From::Source)),
        (Status::Superseded, promote("v1", 1, From::Source)),
        (Status::Skipped, promote("v1", 1, From::Source)),
    ] {
        let mut view = view();
        view.points[1].status = status;
        assert_eq!(step(&view), expected, "{status:?}");
    }
    let mut older = view();
    older.backup = copy_of("v1");
    older.points[0].status = Status::Copying;
    assert_eq!(step(&older), promote("v2", 2, From::Source));
}

#[test]
fn a_refused_copy_on_top_is_as_none() {
    let refused = ["unrecorded".to_owned()];
    let mut view = view();
    view.points[1].bad = &refused;
    assert_eq!(step(&view), promote("v2", 2, From::Source));
    view.points[1].status = Status::Copying;
    assert_eq!(step(&view), promote("v1", 1, From::Source));
    // Known by the catalog alone: it carries no marker.
    view.backup = BackupLatest::Object {
        version_id: "unrecorded",
        marked: None,
    };
    assert_eq!(step(&view), promote("v1", 1, From::Source));
}

#[test]
fn a_copy_without_a_marker_is_known_by_its_record() {
    let promoted = ["p2".to_owned()];
    let mut view = view();
    view.points[1].promotions = &promoted;
    for (id, expected) in [
        ("b2", Step::Done),
        ("p2", Step::Done),
        ("b1", promote("v2", 2, From::Source)),
        ("b9", promote("v2", 2, From::Source)),
    ] {
        view.backup = BackupLatest::Object {
            version_id: id,
            marked: None,
        };
        assert_eq!(step(&view), expected, "{id}");
    }
}

#[test]
fn kept_deletions_change_nothing() {
    let mut view = view();
    view.source.delete_marker = true;
    assert_eq!(step(&view), Step::Done);
    view.source.versions.remove(0);
    assert_eq!(step(&view), Step::Done);
    view.backup = copy_of("v1");
    assert_eq!(step(&view), promote("v2", 2, From::Backup("b2")));
    // Two HEADs would call this settled.
    view.source.delete_marker = false;
    assert_eq!(step(&view), Step::Done);
    view.points[0].status = Status::Failed;
    assert_eq!(step(&view), promote("v2", 2, From::Backup("b2")));
}

#[test]
fn a_mirrored_deletion_is_a_delete_marker_and_an_undelete_promotes() {
    let mut view = view();
    view.deletes = Deletes::Mirror;
    assert_eq!(step(&view), Step::Done);
    view.source.delete_marker = true;
    assert_eq!(step(&view), Step::MarkDeleted);
    for hidden in [BackupLatest::DeleteMarker, BackupLatest::Nothing] {
        view.backup = hidden;
        assert_eq!(step(&view), Step::Done);
    }
    view.source.delete_marker = false;
    assert_eq!(step(&view), promote("v2", 2, From::Source));
    view.source.versions.clear();
    view.backup = copy_of("v2");
    assert_eq!(step(&view), Step::MarkDeleted);
}

#[test]
fn a_mirrored_removal_of_the_latest_uncovers_the_one_before_and_of_an_old_one_nothing() {
    let mut view = view();
    view.deletes = Deletes::Mirror;
    view.source.versions.remove(1);
    assert_eq!(step(&view), Step::Done);
    view.source.versions = vec![version("v1", 1)];
    assert_eq!(step(&view), promote("v1", 1, From::Source));
}

#[test]
fn a_mirrored_delete_marker_stays_until_the_latest_is_stored() {
    let mut view = view();
    view.deletes = Deletes::Mirror;
    view.backup = BackupLatest::DeleteMarker;
    view.points[1].status = Status::Failed;
    assert_eq!(step(&view), Step::Done);
    view.points[1].status = Status::Unsettled;
    assert_eq!(step(&view), promote("v2", 2, From::Source));
    // Nothing that the source has is stored: what is stored still beats a failed copy.
    view.source.versions.remove(1);
    view.points[1].status = Status::Failed;
    view.backup = copy_of("v2");
    assert_eq!(step(&view), promote("v1", 1, From::Backup("b1")));
}

#[test]
fn rounds_are_bounded_and_the_last_may_still_find_all_well() {
    let mut view = view();
    assert_eq!(settle(&view, ROUNDS_MAX), Ok(Step::Done));
    view.backup = BackupLatest::Nothing;
    assert!(settle(&view, ROUNDS_MAX - 1).is_ok());
    let unsettled = settle(&view, ROUNDS_MAX).expect_err("too many");
    assert_eq!(unsettled.rounds, ROUNDS_MAX);
}

fn glance(mine: Point, source: SourceLatest, backup: BackupLatest) -> bool {
    settled_at_a_glance(&Mine::Version(mine), &source, &backup)
}

#[test]
fn two_heads_settle_what_is_mine_on_both_sides_and_nothing_else() {
    let (mine, other) = (view().points[1], view().points[0]);
    let source = SourceLatest::Version(mine.version);
    let recorded = BackupLatest::Object {
        version_id: "b2",
        marked: None,
    };
    assert!(glance(mine, source, copy_of("v2")) && glance(mine, source, recorded));
    assert!(!glance(mine, source, copy_of("v1")));
    assert!(!glance(mine, source, BackupLatest::DeleteMarker));
    assert!(!glance(
        mine,
        SourceLatest::Version(other.version),
        copy_of("v2")
    ));
    assert!(!glance(mine, SourceLatest::Deleted, copy_of("v2")));
    let refused = ["unrecorded".to_owned()];
    let bad = Point {
        bad: &refused,
        ..mine
    };
    assert!(!glance(bad, source, copy_of("v2")) && glance(bad, source, recorded));
    let failed = Point {
        status: Status::Failed,
        ..mine
    };
    assert!(!glance(failed, source, copy_of("v2")));

    let gone = |source: SourceLatest, backup: BackupLatest| {
        settled_at_a_glance(&Mine::Deletion, &source, &backup)
    };
    assert!(gone(SourceLatest::Deleted, BackupLatest::DeleteMarker));
    assert!(gone(SourceLatest::Deleted, BackupLatest::Nothing));
    assert!(!gone(SourceLatest::Deleted, copy_of("v2")));
    assert!(!gone(source, BackupLatest::DeleteMarker));
}

#[test]
fn every_end_that_may_leave_a_copy_settles() {
    for status in [Status::Stored, Status::Unsettled, Status::Expired] {
        assert!(must_settle(status, false) && must_settle(status, true));
    }
    for status in [
        Status::Failed,
        Status::Gone,
        Status::Superseded,
        Status::Skipped,
    ] {
        assert!(!must_settle(status, false) && must_settle(status, true));
    }
    assert!(!must_settle(Status::Copying, true));
}

#[test]
fn a_write_is_owed_a_settling_half_an_hour_later() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    assert_eq!(
        owed_after(at("2026-11-25T04:00:00Z")),
        at("2026-11-25T04:30:00Z")
    );
    assert_eq!(owed_after(Timestamp::MAX), Timestamp::MAX);
}
