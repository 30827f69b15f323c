//! Copies that have expired, and what settling makes of them.

use super::*;

#[test]
fn what_has_expired_below_the_latest_is_left_alone() {
    let mut view = view();
    view.points[0].status = Status::Expired;
    assert_eq!(step(&view), Step::Done);
    view.deletes = Deletes::Mirror;
    assert_eq!(step(&view), Step::Done);
}

/// Deleted, mirrored, expired, and then undeleted: the source has it, the backup has nothing.
#[test]
fn an_undelete_copies_anew_what_has_expired() {
    for top in [BackupLatest::Nothing, BackupLatest::DeleteMarker] {
        let mut view = view();
        view.deletes = Deletes::Mirror;
        view.backup = top;
        view.source.delete_marker = true;
        for point in &mut view.points {
            point.status = Status::Expired;
        }
        assert_eq!(step(&view), Step::Done, "deleted on both sides");
        view.source.delete_marker = false;
        assert_eq!(step(&view), promote("v2", 2, From::Source), "{top:?}");
    }
}

/// Its answer was lost: the copy on top is known by its marker alone.
#[test]
fn a_promotion_of_what_has_expired_is_recorded_though_its_answer_was_lost() {
    let mut view = view();
    view.backup = copy_of("v2");
    assert_eq!(
        unrecorded(&view),
        None,
        "what is stored has a copy that is recorded"
    );
    view.points[1].status = Status::Expired;
    let lost = unrecorded(&view).map(|(version, copy)| (version.id, copy));
    assert_eq!(
        (step(&view), lost),
        (Step::Done, Some(("v2", "unrecorded")))
    );
    let bad = ["unrecorded".to_owned()];
    view.points[1].bad = &bad;
    assert_eq!(unrecorded(&view), None, "refused before");
    view.points[1].bad = NONE;
    view.source.versions.remove(0);
    assert_eq!(unrecorded(&view), None, "nothing proves it");
    view.backup = BackupLatest::DeleteMarker;
    assert_eq!(unrecorded(&view), None);
}

#[test]
fn what_neither_side_has_any_more_is_not_promoted_for_ever() {
    let mut view = view();
    view.backup = BackupLatest::Nothing;
    view.source.versions.clear();
    for deletes in [Deletes::Keep, Deletes::Mirror] {
        view.deletes = deletes;
        for point in &mut view.points {
            point.status = Status::Expired;
        }
        assert_eq!(step(&view), Step::Done, "{deletes:?}");
    }
}

/// An older version takes its place at the source: its own copy is promoted, not an expired one.
#[test]
fn a_newer_version_that_was_removed_and_expired_makes_way() {
    let mut view = view();
    view.source.versions.remove(0);
    view.points[1].status = Status::Expired;
    view.backup = copy_of("v1");
    assert_eq!(step(&view), Step::Done);
    view.backup = BackupLatest::DeleteMarker;
    assert_eq!(step(&view), promote("v1", 1, From::Source));
    view.source.versions.clear();
    assert_eq!(step(&view), promote("v1", 1, From::Backup("b1")));
}

#[test]
fn what_must_be_latest_is_told_and_a_mirrored_deletion_wants_nothing() {
    let mut view = view();
    let latest = |view: &View<'_>| must_be_latest(view).map(|it| it.id.to_owned());
    assert_eq!(latest(&view).as_deref(), Some("v2"));
    view.source.delete_marker = true;
    assert_eq!(latest(&view).as_deref(), Some("v2"), "kept at the backup");
    view.deletes = Deletes::Mirror;
    assert_eq!(latest(&view), None);
}
