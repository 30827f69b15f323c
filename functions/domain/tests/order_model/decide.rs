//! What the executions of the model decide: by the functions that the Lambdas call.

use std::sync::LazyLock;

use backup_domain::lease::{Claim, Held, claim};
use backup_domain::order::{
    BackupLatest, From, Listing, Marked, Mine, Point, SourceLatest, Step, Version, View, settle,
    settled_at_a_glance,
};
use jiff::Timestamp;

use super::world::{Event, Id, Latest, Mutant, Points, Recorded, Setup, VERSIONS_MAX, World};

const IDS: [&str; VERSIONS_MAX] = ["v0", "v1", "v2", "v3"];
/// Contents repeat.
const ETAGS: [&str; VERSIONS_MAX] = ["x", "y", "x", "y"];
/// The first was written a second before the others, and its sequencer misleads.
const SECONDS: [i64; VERSIONS_MAX] = [1, 2, 2, 2];
const SEQUENCERS: [&str; VERSIONS_MAX] = ["0F", "0A", "0B", "0C"];
const GOOD: [&str; VERSIONS_MAX] = ["good-0", "good-1", "good-2", "good-3"];
const BAD: [&str; VERSIONS_MAX] = ["bad-0", "bad-1", "bad-2", "bad-3"];
static REFUSED: LazyLock<[[String; 1]; VERSIONS_MAX]> =
    LazyLock::new(|| BAD.map(|id| [id.to_owned()]));

/// What is missing, as the model acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Nothing,
    Promote(Id),
    Marker,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn version(id: Id, mutant: Option<Mutant>) -> Version<'static> {
    let second = match mutant {
        Some(Mutant::SequencerAlone) => 0,
        _ => SECONDS[id],
    };
    Version {
        id: IDS[id],
        etag: ETAGS[id],
        modified: at(second),
    }
}

fn backup(latest: Latest) -> BackupLatest<'static> {
    match latest {
        Latest::Nothing => BackupLatest::Nothing,
        Latest::Marker => BackupLatest::DeleteMarker,
        Latest::Copy { of, bad } => BackupLatest::Object {
            version_id: if bad { BAD[of] } else { GOOD[of] },
            marked: Some(Marked {
                version_id: IDS[of],
                sequencer: SEQUENCERS[of],
            }),
        },
    }
}

fn point(id: Id, points: Points, mutant: Option<Mutant>) -> Option<Point<'static>> {
    let recorded = points[id].status?;
    let status = match (mutant, recorded) {
        // As if its execution were still at work.
        (Some(Mutant::FailedCopyCounts), Recorded::Failed) => Recorded::Copying,
        _ => recorded,
    };
    let refused = points[id].refused && mutant != Some(Mutant::BadCopyCounts);
    Some(Point {
        version: version(id, mutant),
        sequencer: SEQUENCERS[id],
        status: status.status(),
        backup: status.is_stored().then_some(GOOD[id]),
        promotions: &[],
        bad: if refused { &REFUSED[id] } else { &[] },
    })
}

fn listing(world: &World, mutant: Option<Mutant>) -> Listing<'static> {
    let mut ids = world.source.clone();
    match mutant {
        Some(Mutant::SequencerAlone) => ids.sort_by_key(|id| std::cmp::Reverse(SEQUENCERS[*id])),
        Some(Mutant::RemovedVersionsStay) if !world.source_marker && !ids.is_empty() => {
            ids = (0..world.written).rev().collect();
        }
        _ => {}
    }
    Listing {
        versions: ids.into_iter().map(|id| version(id, mutant)).collect(),
        delete_marker: world.source_marker,
    }
}

/// The last read of a round, of the source, and the decision over all three.
pub fn missing(setup: &Setup, world: &World, latest: Latest, points: Points) -> Missing {
    let left_to_the_latest = world.source_latest().is_some_and(|id| {
        let stored = points[id].status.is_some_and(Recorded::is_stored);
        !stored && setup.mutant == Some(Mutant::LeaveItToTheLatest)
    });
    if left_to_the_latest {
        return Missing::Nothing;
    }
    let view = View {
        backup: backup(latest),
        points: (0..world.written)
            .filter_map(|id| point(id, points, setup.mutant))
            .collect(),
        source: listing(world, setup.mutant),
        deletes: setup.deletes,
    };
    match settle(&view, 0) {
        Ok(Step::Done) => Missing::Nothing,
        Ok(Step::MarkDeleted) => Missing::Marker,
        Ok(Step::Promote { version, from }) => {
            let id = IDS.iter().position(|id| *id == version.id).expect("known");
            let readable = match from {
                From::Source => world.source.contains(&id),
                From::Backup(copy) => copy == GOOD[id] && world.landed[id],
            };
            assert!(
                readable || setup.mutant == Some(Mutant::RemovedVersionsStay),
                "version {id} cannot be read from {from:?}"
            );
            Missing::Promote(id)
        }
        Err(unsettled) => unreachable!("{unsettled}: rounds are not counted here"),
    }
}

/// The fast path, once the source has shown what it must. A sweep has no version of its own, and
/// takes the long path.
pub fn at_a_glance(world: &World, event: Event, latest: Latest) -> bool {
    let source = match event {
        Event::Created(id) => Some(id),
        Event::Deleted | Event::Sweep | Event::Any => None,
    };
    glance(world, event, source, latest)
}

/// The source's half of the fast path: whether the backup's half can still end it.
pub fn source_is_right(world: &World, event: Event) -> bool {
    let source = world.source_latest();
    let hoped = source.map_or(Latest::Marker, |of| Latest::Copy { of, bad: false });
    glance(world, event, source, hoped)
}

fn glance(world: &World, event: Event, source: Option<Id>, latest: Latest) -> bool {
    let mine = match event {
        Event::Created(id) => match point(id, world.points, None) {
            Some(point) => Mine::Version(point),
            None => return false,
        },
        Event::Deleted => Mine::Deletion,
        Event::Sweep | Event::Any => return false,
    };
    let source = source.map_or(SourceLatest::Deleted, |id| {
        SourceLatest::Version(version(id, None))
    });
    settled_at_a_glance(&mine, &source, &backup(latest))
}

/// What Filter makes of a point that is there. `redriven`: the input names its owner.
pub fn lease(status: Recorded, mine: bool, redriven: bool) -> Claim {
    let held = Held {
        machine: backup_domain::task::Machine::Standard,
        status: status.status(),
        owner: if mine { "me" } else { "other" }.to_owned(),
        until: at(100),
        attempts: 1,
    };
    claim(&held, "me", redriven.then_some("other"), at(1))
}

/// Content of the latest, for [`Mutant::IfMatch`].
pub fn content(latest: Latest) -> Option<u8> {
    match latest {
        Latest::Copy { of, .. } => Some(ETAGS[of].as_bytes()[0]),
        Latest::Nothing | Latest::Marker => None,
    }
}
