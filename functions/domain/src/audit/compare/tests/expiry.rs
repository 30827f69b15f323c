//! What may have expired, and what never does.

use super::*;

const LIFECYCLE_DAYS: u32 = 30;

fn keeping(world: &mut World, newer: Option<u32>) {
    world.lifecycle = Some(Lifecycle {
        noncurrent_days: Some(LIFECYCLE_DAYS),
        newer_noncurrent_versions: newer,
        ..Lifecycle::default()
    });
}

fn mirrored_deletion(world: &mut World, day: i64) {
    world.deletes = Deletes::Mirror;
    let marker = Entry {
        id: "d".into(),
        modified: at(day * DAY),
        latest: true,
        delete_marker: true,
        ..Entry::default()
    };
    world.source[0].latest = false;
    world.source.insert(0, marker.clone());
    world.copies[0].latest = false;
    world.copies.insert(0, marker);
}

/// Version 2 was written on day 2: version 1 is noncurrent since, and may be gone from day 32 on.
#[test]
fn a_noncurrent_copy_may_be_gone_when_its_days_are_over_and_not_before() {
    let mut world = World::whole("k", 2);
    keeping(&mut world, None);
    world.remove_copy("b1");
    assert_eq!(world.kinds(), [Kind::Expired]);
    world.points[1].ended_at = Some(at(NOW - 29 * DAY));
    world.copies[0].modified = at(NOW - 29 * DAY);
    assert_eq!(world.kinds(), [Kind::PointWithoutCopy]);
    world.copies[0].modified = at(NOW - 30 * DAY);
    assert_eq!(world.kinds(), [Kind::Expired]);
}

#[test]
fn without_a_declared_expiry_it_is_damage() {
    let mut world = World::whole("k", 2);
    world.remove_copy("b1");
    assert_eq!(world.kinds(), [Kind::PointWithoutCopy]);
    world.lifecycle = Some(Lifecycle::default());
    assert_eq!(world.kinds(), [Kind::PointWithoutCopy]);
}

#[test]
fn the_latest_copy_never_expires() {
    for versions in 1..4 {
        let mut world = World::whole("k", versions);
        keeping(&mut world, None);
        world.remove_copy(&format!("b{versions}"));
        assert_eq!(world.kinds(), [Kind::PointWithoutCopy], "{versions}");
        // Deleted at the source and kept at the backup: it still is the latest there.
        world.source[0].latest = false;
        world.source.insert(
            0,
            Entry {
                id: "d".into(),
                modified: at(50 * DAY),
                latest: true,
                delete_marker: true,
                ..Entry::default()
            },
        );
        assert_eq!(world.kinds(), [Kind::PointWithoutCopy], "{versions}");
    }
}

#[test]
fn versions_that_the_lifecycle_keeps_do_not_expire() {
    let mut world = World::whole("k", 4);
    keeping(&mut world, Some(2));
    world.remove_copy("b1");
    assert_eq!(
        world.kinds(),
        [Kind::Expired],
        "b3 and b2 are the two newest noncurrent ones"
    );
    world.remove_copy("b2");
    assert_eq!(
        world.kinds(),
        [Kind::PointWithoutCopy, Kind::PointWithoutCopy]
    );
}

#[test]
fn a_deletion_that_is_mirrored_lets_the_data_expire() {
    let mut world = World::whole("k", 1);
    keeping(&mut world, None);
    mirrored_deletion(&mut world, 50);
    assert_eq!(world.kinds(), []);
    world.remove_copy("b1");
    assert_eq!(world.kinds(), [Kind::Expired]);
    world.copies[0].modified = at(NOW - 10 * DAY);
    assert_eq!(world.kinds(), [Kind::PointWithoutCopy]);
}

/// The delete marker has gone with the last version below it, and nothing lists the key any more:
/// the deletion's own point tells when it was mirrored.
#[test]
fn a_key_that_nothing_lists_any_more_may_have_expired_by_its_recorded_deletion() {
    let mut world = World::whole("k", 1);
    keeping(&mut world, None);
    world.deletes = Deletes::Mirror;
    world.source.clear();
    world.copies.clear();
    assert_eq!(world.kinds(), [Kind::PointWithoutCopy]);
    let mut deletion = world.points[0].clone();
    deletion.sk = "primary#deleted#d".into();
    deletion.status = Status::Deleted;
    deletion.object.deletion = Some("d".into());
    (deletion.backup, deletion.ended_at) = (None, Some(at(50 * DAY)));
    world.points.push(deletion);
    assert_eq!(world.kinds(), [Kind::Expired]);
    // Kept at the backup, it would lie there still.
    world.deletes = Deletes::Keep;
    assert_eq!(world.kinds(), [Kind::PointWithoutCopy]);
}

#[test]
fn a_point_that_says_expired_is_right_without_its_copy() {
    let mut world = World::whole("k", 3);
    world.remove_copy("b1");
    world.points[0].status = Status::Expired;
    assert_eq!(world.kinds(), []);
    let held = world.compare().held;
    assert!(
        held.iter().all(|(point, _)| *point != 0),
        "it is not safe: {held:?}"
    );
}

/// Deleted for so long that its copies are gone, then undeleted: it must be copied once more.
#[test]
fn an_expired_version_that_is_the_latest_again_is_the_wrong_latest() {
    let mut world = World::whole("k", 1);
    keeping(&mut world, None);
    mirrored_deletion(&mut world, 50);
    world.remove_copy("b1");
    world.points[0].status = Status::Expired;
    assert_eq!(world.kinds(), []);
    world.source.remove(0);
    world.source[0].latest = true;
    assert_eq!(world.kinds(), [Kind::WrongLatest]);
}

/// What S3 does to one key of the backup: the newest first, by age and by how many are kept. Returns
/// the copies that have expired.
fn lifecycle_runs(world: &mut World, days: i64, keep: usize) -> Vec<String> {
    let due = |at: Timestamp| (at.as_second() + days * DAY + DAY - 1) / DAY * DAY <= NOW;
    let noncurrent = world.copies.windows(2).enumerate();
    let gone: Vec<_> = noncurrent
        .filter(|(newer, pair)| *newer >= keep && due(pair[0].modified))
        .map(|(_, pair)| pair[1].id.clone())
        .collect();
    world.copies.retain(|copy| !gone.contains(&copy.id));
    // A delete marker under which nothing is left goes too.
    world.copies.retain({
        let alone = world.copies.len() == 1;
        move |copy| !(copy.delete_marker && alone)
    });
    gone
}

/// Versions at these moments, each copied as it was written; deleted at the last one, if so.
fn world_of(times: &[i64], deleted: bool) -> World {
    let versions = times.len() - usize::from(deleted);
    let mut world = World::whole("k", versions);
    for (number, second) in times[..versions].iter().enumerate() {
        let point = &mut world.points[number];
        (point.ended_at, point.object.last_modified) = (Some(at(*second)), Some(at(*second)));
        world.source[versions - 1 - number].modified = at(*second);
        world.copies[versions - 1 - number].modified = at(*second);
    }
    if deleted {
        mirrored_deletion(&mut world, 0);
        let second = at(times[versions]);
        (world.source[0].modified, world.copies[0].modified) = (second, second);
        let mut deletion = world.points[0].clone();
        deletion.sk = "primary#deleted#d".into();
        (deletion.status, deletion.backup) = (Status::Deleted, None);
        deletion.object.deletion = Some("d".into());
        deletion.ended_at = Some(second);
        world.points.push(deletion);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Every event was lost: what S3 has expired is a note each, and whatever else is missing is damage.
    #[test]
    fn what_s3_has_expired_is_a_note_and_whatever_else_is_gone_is_damage(
        gaps in prop::collection::vec(1..8 * DAY, 2..7), tail in 3600..50 * DAY,
        days in 1_u32..50, keep in 0_u32..4, deleted in any::<bool>(),
        victim in any::<prop::sample::Index>(),
    ) {
        let mut second = NOW - tail - gaps.iter().sum::<i64>();
        let times: Vec<_> = gaps.iter().map(|gap| { second += gap; second }).collect();
        let mut world = world_of(&times, deleted);
        world.lifecycle = Some(Lifecycle {
            noncurrent_days: Some(days),
            newer_noncurrent_versions: (keep > 0).then_some(keep),
            ..Lifecycle::default()
        });
        prop_assert_eq!(world.kinds(), vec![], "all is there");
        let gone = lifecycle_runs(&mut world, days.into(), keep as usize);
        prop_assert_eq!(world.kinds(), vec![Kind::Expired; gone.len()], "{:?}", world);
        let left: Vec<_> = world.copies.iter().filter(|it| !it.delete_marker).map(|it| it.id.clone()).collect();
        if let Some(victim) = (!left.is_empty()).then(|| victim.get(&left)) {
            world.remove_copy(victim);
            let findings = world.compare().findings;
            let of_victim = |it: &&Finding| it.backup_version_id.as_ref() == Some(victim);
            let own: Vec<_> = findings.iter().filter(of_victim).map(|it| it.finding).collect();
            prop_assert_eq!(own, vec![Kind::PointWithoutCopy], "{}: {:?}", victim, world);
        }
    }
}
