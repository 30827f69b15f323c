//! Versions as events and unversioned sources make them.

use super::*;

/// A source without versions: every content is called `null`.
fn without_versions() -> World {
    let mut world = World::whole("k", 1);
    world.source[0].id = "null".into();
    let (version, copy) = (world.source[0].clone(), "b1");
    world.points = vec![point("k", &version, copy)];
    world
}

#[test]
fn a_surplus_copy_of_what_was_overwritten_does_not_hide_that_the_newest_is_missing() {
    let mut world = without_versions();
    // A second copy of the content that is backed up, and then other content whose event was lost.
    world.add_copy("x");
    let sequencer = world.points[0].object.sequencer.clone();
    let stray = Stray::Ours {
        version_id: "null".into(),
        sequencer,
        bad: false,
    };
    world.strays.insert("x".into(), stray.clone());
    assert_eq!(world.kinds(), [Kind::Surplus]);
    world.source[0].etag = "f".repeat(32);
    world.source[0].modified = at(60 * DAY);
    assert_eq!(world.kinds(), [Kind::Missing, Kind::Surplus]);
    // Nor does a copy without a point that was made before the content was.
    world.points.clear();
    edit(&mut world.copies, "x", |copy| copy.modified = at(50 * DAY));
    assert_eq!(world.kinds(), [Kind::Missing, Kind::CopyWithoutPoint]);
    // One that was made after it may be a copy of it.
    edit(&mut world.copies, "x", |copy| copy.modified = at(61 * DAY));
    assert_eq!(world.kinds(), [Kind::CopyWithoutPoint]);
}

/// As events make it: they name a version id, so that nobody asked when it was written.
#[test]
fn a_failed_version_of_an_event_has_its_age_and_can_be_repaired() {
    let mut world = World::whole("k", 1);
    world.remove_copy("b1");
    let point = &mut world.points[0];
    (point.backup, point.evidence, point.status) = (None, None, Status::Failed);
    point.object.last_modified = None;
    let told = point.object.event_at;
    let findings = world.compare().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].finding, Kind::Failed);
    assert_eq!(findings[0].last_modified, Some(told));
    let start = crate::audit::repair::start_of(&findings[0], "1", "r", at(NOW));
    assert!(start.expect("a start").input.contains("v1"));
}
