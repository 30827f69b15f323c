use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalog::{BackupVersion, SHAPE, partition_key, sort_key};
use crate::evidence::{Evidence, Kind as Proof};
use crate::lifecycle::Lifecycle;
use crate::task::fixtures::object;

mod events;
mod expiry;
mod same_second;

const DAY: i64 = 86_400;
const NOW: i64 = 100 * DAY;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// One key at one destination, as it should be: every version stored, the newest on top.
#[derive(Debug, Clone)]
struct World {
    key: String,
    source: Vec<Entry>,
    copies: Vec<Entry>,
    points: Vec<RecoveryPoint>,
    strays: BTreeMap<String, Stray>,
    deletes: Deletes,
    lifecycle: Option<Lifecycle>,
}

impl World {
    fn whole(key: &str, versions: usize) -> Self {
        let mut world = Self {
            key: key.to_owned(),
            source: vec![],
            copies: vec![],
            points: vec![],
            strays: BTreeMap::new(),
            deletes: Deletes::Keep,
            lifecycle: None,
        };
        for number in 1..=versions {
            let modified = at(i64::try_from(number).expect("few") * DAY);
            let entry = |id: String| Entry {
                id,
                size: 5,
                etag: format!("{number:032x}"),
                modified,
                class: "STANDARD".into(),
                latest: number == versions,
                delete_marker: false,
            };
            let version = entry(format!("v{number}"));
            world
                .points
                .push(point(key, &version, &format!("b{number}")));
            world.copies.insert(0, entry(format!("b{number}")));
            world.source.insert(0, version);
        }
        world
    }

    fn compare(&self) -> Compared {
        let wanted: Vec<_> = self.source.iter().map(|it| !it.delete_marker).collect();
        compare(&KeyView {
            bucket: "source",
            key: &self.key,
            destination: "primary",
            source: &self.source,
            wanted: &wanted,
            copies: &self.copies,
            points: &self.points,
            strays: &self.strays,
            deletes: self.deletes,
            lifecycle: self.lifecycle.as_ref(),
            due_before: at(NOW - 900),
            now: at(NOW),
            lease: SignedDuration::from_hours(24),
        })
    }

    fn kinds(&self) -> Vec<Kind> {
        self.compare()
            .findings
            .iter()
            .map(|it| it.finding)
            .collect()
    }

    fn remove_copy(&mut self, id: &str) {
        self.copies.retain(|copy| copy.id != id);
        if let Some(top) = self.copies.first_mut() {
            top.latest = true;
        }
    }

    fn stray(&mut self, id: &str, version: usize, bad: bool) {
        let stray = Stray::Ours {
            version_id: format!("v{version}"),
            sequencer: "0A".into(),
            bad,
        };
        self.strays.insert(id.to_owned(), stray);
    }

    /// Another copy below all others.
    fn add_copy(&mut self, id: &str) {
        let modified = at(3600);
        let (id, etag) = (id.to_owned(), "e".to_owned());
        let entry = Entry {
            id,
            etag,
            modified,
            size: 5,
            ..Entry::default()
        };
        self.copies.push(entry);
    }
}

fn point(key: &str, version: &Entry, copy: &str) -> RecoveryPoint {
    let mut object = object(key, Some(&version.id));
    (object.size, object.etag) = (version.size, version.etag.clone());
    object.last_modified = Some(version.modified);
    RecoveryPoint {
        pk: partition_key("source", key),
        sk: sort_key("primary", &object),
        shape: SHAPE,
        status: Status::Stored,
        destination: "primary".into(),
        rule: "everything".into(),
        owner: "arn:aws:states:eu-west-1:1:execution:m:e@2026-01-01T00:00:00Z".into(),
        until: at(version.modified.as_second() + DAY),
        attempts: 1,
        waits: 0,
        upload: None,
        backup: Some(BackupVersion {
            bucket: "backup".into(),
            region: "eu-west-1".into(),
            key: key.into(),
            version_id: copy.into(),
            storage_class: None,
            marked: true,
        }),
        promotions: vec![],
        bad: vec![],
        owed_after: None,
        checksums: BTreeMap::new(),
        evidence: Some(Evidence {
            kind: Proof::Etag,
            algorithm: "MD5".into(),
            value: version.etag.clone(),
        }),
        copied_at: None,
        verified_at: None,
        failed_at: None,
        exhausted: None,
        expired_at: None,
        machine: crate::task::Machine::default(),
        error: None,
        message: None,
        day: None,
        ended_at: Some(version.modified),
        object,
    }
}

/// The point of one version that is stored.
pub fn stored_point(key: &str) -> RecoveryPoint {
    World::whole(key, 1).points.remove(0)
}

/// Differences that can be seeded into a key with at least two versions.
const SEEDS: &[Kind] = &[
    Kind::Missing,
    Kind::Stuck,
    Kind::Failed,
    Kind::Unsettled,
    Kind::WrongLatest,
    Kind::CopyWithoutPoint,
    Kind::PointWithoutCopy,
    Kind::SizeDiffers,
    Kind::ChecksumDiffers,
    Kind::Extra,
    Kind::Surplus,
    Kind::BadVersion,
];

/// Seeds a difference at version `number`, counted from 1.
fn seed(world: &mut World, kind: Kind, number: usize) {
    let place = number - 1;
    let (version, copy) = (format!("v{number}"), format!("b{number}"));
    match kind {
        Kind::Missing => {
            world.points.remove(place);
            world.remove_copy(&copy);
        }
        Kind::Stuck | Kind::Failed => {
            let point = &mut world.points[place];
            (point.backup, point.evidence) = (None, None);
            point.status = if kind == Kind::Stuck {
                Status::Copying
            } else {
                Status::Failed
            };
            world.remove_copy(&copy);
        }
        Kind::Unsettled => world.points[place].status = Status::Unsettled,
        Kind::WrongLatest => world.copies.rotate_left(1),
        Kind::CopyWithoutPoint => {
            world.points.remove(place);
            world.stray(&copy, number, false);
        }
        Kind::PointWithoutCopy => world.remove_copy(&copy),
        Kind::SizeDiffers => edit(&mut world.copies, &copy, |it| it.size += 1),
        Kind::ChecksumDiffers => edit(&mut world.copies, &copy, |it| it.etag = "0".repeat(32)),
        Kind::Extra => {
            world.add_copy("x");
            world.strays.insert("x".into(), Stray::Foreign);
        }
        Kind::Surplus => {
            world.add_copy("x");
            world.stray("x", number, false);
        }
        Kind::BadVersion if number.is_multiple_of(2) => {
            world.add_copy("x");
            world.stray("x", number, true);
        }
        Kind::BadVersion => {
            world.add_copy("x");
            world.points[place].bad.push("x".into());
        }
        Kind::Expired | Kind::TagsDiffer | Kind::AnnotationsDiffer | Kind::StrayUpload => {
            unreachable!("no listing of keys shows {kind:?} of {version}")
        }
    }
}

fn edit(copies: &mut [Entry], id: &str, change: impl Fn(&mut Entry)) {
    copies
        .iter_mut()
        .filter(|copy| copy.id == id)
        .for_each(change);
}

proptest! {
    #[test]
    fn each_seeded_difference_is_found_and_nothing_else(
        keys in prop::collection::vec((2_usize..5, prop::option::of((0..SEEDS.len(), any::<prop::sample::Index>()))), 1..30),
    ) {
        for (number, (versions, seeded)) in keys.into_iter().enumerate() {
            let mut world = World::whole(&format!("k{number}"), versions);
            let mut expected = vec![];
            if let Some((kind, version)) = seeded {
                seed(&mut world, SEEDS[kind], version.index(versions) + 1);
                expected.push(SEEDS[kind]);
            }
            prop_assert_eq!(world.kinds(), expected, "{:?}", world);
        }
    }

    /// A healthy key in every way that listings may show it: promoted copies, removed versions,
    /// deletions that are kept.
    #[test]
    fn what_is_right_raises_no_alarm(
        versions in 1_usize..5, removed in any::<prop::sample::Index>(), promoted in any::<prop::sample::Index>(),
        deleted in any::<bool>(), mirror in any::<bool>(),
    ) {
        let mut world = World::whole("k", versions);
        // An older version that the source has removed since; its copy stays.
        let place = removed.index(versions);
        if place + 1 < versions {
            let id = format!("v{}", place + 1);
            world.source.retain(|entry| entry.id != id);
        }
        // Some version was on top once more before the newest one came.
        let again = promoted.index(versions);
        world.points[again].promotions.push("p".into());
        world.add_copy("p");
        if deleted {
            let marker = Entry { id: "d".into(), modified: at(50 * DAY), latest: true, delete_marker: true, ..Entry::default() };
            world.source[0].latest = false;
            world.source.insert(0, marker.clone());
            if mirror {
                world.deletes = Deletes::Mirror;
                world.copies[0].latest = false;
                world.copies.insert(0, marker);
            }
        }
        prop_assert_eq!(world.kinds(), vec![]);
    }
}

#[test]
fn what_is_young_is_pending_and_no_difference() {
    let mut world = World::whole("k", 1);
    world.points.clear();
    world.copies.clear();
    world.source[0].modified = at(NOW - 60);
    let compared = world.compare();
    assert_eq!(compared.findings, []);
    assert_eq!((compared.pending.versions, compared.pending.bytes), (1, 5));
    assert_eq!(compared.pending.oldest, Some(at(NOW - 60)));
}

#[test]
fn a_live_lease_is_pending_and_one_held_too_long_is_stuck() {
    let mut world = World::whole("k", 1);
    world.copies.clear();
    let point = &mut world.points[0];
    (point.status, point.backup, point.ended_at) = (Status::Copying, None, None);
    point.until = at(NOW + DAY - 60);
    assert_eq!(world.compare().pending.versions, 1);
    assert_eq!(world.kinds(), []);
    world.points[0].until = at(NOW + DAY - 2 * 3600);
    assert_eq!(world.kinds(), [Kind::Stuck]);
    // The short lease of an Express execution says nothing of when it was taken.
    let owner = std::mem::replace(
        &mut world.points[0].owner,
        "arn:aws:states:r:1:express:m:e:1@t".into(),
    );
    assert_eq!(world.kinds(), []);
    world.points[0].owner = owner;
    // A large one may take its time.
    world.points[0].object.size = 1 << 40;
    assert_eq!(world.kinds(), []);
}

#[test]
fn a_deletion_that_was_not_mirrored_is_the_wrong_latest() {
    let mut world = World::whole("k", 1);
    world.deletes = Deletes::Mirror;
    world.source[0].latest = false;
    let marker = Entry {
        id: "d".into(),
        modified: at(50 * DAY),
        latest: true,
        delete_marker: true,
        ..Entry::default()
    };
    world.source.insert(0, marker);
    assert_eq!(world.kinds(), [Kind::WrongLatest]);
}

#[test]
fn a_version_that_is_not_wanted_is_not_missing_and_a_gone_one_that_is_there_is() {
    let mut world = World::whole("k", 1);
    world.copies.clear();
    world.points[0].status = Status::Skipped;
    assert_eq!(world.kinds(), []);
    world.points[0].status = Status::Gone;
    assert_eq!(world.kinds(), [Kind::Missing]);
}

#[test]
fn another_backups_copy_is_no_difference() {
    let mut world = World::whole("k", 1);
    world.add_copy("other");
    world.strays.insert("other".into(), Stray::Other);
    assert_eq!(world.kinds(), []);
}

#[test]
fn only_copies_that_no_point_knows_are_asked_whose_they_are() {
    let mut world = World::whole("k", 3);
    world.points[0].promotions.push("p".into());
    world.points[1].bad.push("x".into());
    world.add_copy("p");
    world.add_copy("x");
    assert_eq!(unexplained(&world.copies, &world.points, at(NOW)), [""; 0]);
    world.add_copy("y");
    assert_eq!(unexplained(&world.copies, &world.points, at(NOW)), ["y"]);
    assert_eq!(unexplained(&world.copies, &world.points, at(0)), [""; 0]);
}
