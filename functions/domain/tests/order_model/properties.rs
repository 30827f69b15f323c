//! What must hold always, and what must really be visited.

use backup_domain::policy::Deletes;
use stateright::Property;

use super::world::{Event, Id, Latest, Recorded, Setup, Step, World};

pub fn all(setup: &Setup) -> Vec<Property<Setup>> {
    let mut all = vec![
        Property::always("when quiet, latest equals latest", latest_equals_latest),
        Property::always("no version is lost", no_version_is_lost),
        Property::always(
            "nothing stored is overwritten",
            nothing_stored_is_overwritten,
        ),
        Property::sometimes(
            "it gets quiet with all stored",
            |setup: &Setup, world: &World| {
                world.is_quiet() && (0..setup.versions).all(|id| is_stored(world, id))
            },
        ),
        Property::sometimes("two copies race", |_, world: &World| {
            world
                .flights
                .iter()
                .filter(|flight| !flight.promotion)
                .count()
                > 1
        }),
        Property::sometimes("two promotions race", |_, world: &World| {
            world
                .flights
                .iter()
                .filter(|flight| flight.promotion)
                .count()
                > 1
        }),
    ];
    all.extend(visits(setup));
    all
}

/// What the setup's budgets make possible must happen.
fn visits(setup: &Setup) -> Vec<Property<Setup>> {
    let mut visits = vec![];
    if setup.crashes > 0 || setup.deaths > 0 {
        visits.push(Property::sometimes(
            "a promotion lands when nobody waits",
            |_, world: &World| {
                world
                    .flights
                    .iter()
                    .any(|flight| flight.promotion && !flight.awaited)
                    && world.executions.is_empty()
            },
        ));
        visits.push(Property::sometimes(
            "it dies between copy and record",
            |_, world: &World| {
                world
                    .executions
                    .iter()
                    .any(|one| one.cut_off && one.step == Step::Record)
            },
        ));
    }
    if setup.duplicates > 0 {
        visits.push(Property::sometimes(
            "a duplicate settles what is settled",
            |_, world: &World| {
                let settling = world.executions.iter().filter(|one| {
                    one.step == Step::HeadSource
                        && matches!(one.event, Event::Created(id) if is_stored(world, id))
                });
                settling.count()
                    > world
                        .points
                        .iter()
                        .filter(|one| one.status.is_some())
                        .count()
            },
        ));
    }
    if setup.exhausted > 0 {
        visits.push(Property::sometimes(
            "a failure stays parked",
            |_, world: &World| world.is_quiet() && has(world, Recorded::Failed),
        ));
        visits.push(Property::sometimes(
            "a stored version stays unsettled for a while",
            |_, world: &World| has(world, Recorded::Unsettled),
        ));
    }
    if setup.deaths > 0 {
        visits.push(Property::sometimes(
            "an execution dies untold after it stored",
            |_, world: &World| {
                world
                    .dead
                    .iter()
                    .any(|dead| matches!(dead, Event::Created(id) if is_stored(world, *id)))
            },
        ));
    }
    if setup.bad_copies > 0 {
        visits.push(Property::sometimes(
            "a bad copy lies over a stored one",
            |_, world: &World| {
                matches!(world.backup, Latest::Copy { bad: true, .. })
                    && has(world, Recorded::Stored)
            },
        ));
    }
    if setup.deletions > 0 && setup.deletes == Deletes::Mirror {
        visits.push(Property::sometimes(
            "a deletion is mirrored",
            |_, world: &World| world.is_quiet() && world.backup == Latest::Marker,
        ));
    }
    visits
}

fn is_stored(world: &World, id: Id) -> bool {
    world.points[id].status.is_some_and(Recorded::is_stored)
}

fn has(world: &World, status: Recorded) -> bool {
    world
        .points
        .iter()
        .any(|point| point.status == Some(status))
}

/// Told from the order in which versions were written, not from what the rule reads.
fn latest_equals_latest(setup: &Setup, world: &World) -> bool {
    if !world.is_quiet() {
        return true;
    }
    let hidden = matches!(world.backup, Latest::Marker | Latest::Nothing);
    let current = world.source_latest().filter(|id| is_stored(world, *id));
    match setup.deletes {
        Deletes::Mirror if world.source_latest().is_none() => return hidden,
        // A delete marker stays until the source's latest is stored.
        Deletes::Mirror if hidden => return current.is_none(),
        Deletes::Mirror | Deletes::Keep => {}
    }
    let newest = |among: &dyn Fn(Id) -> bool| {
        (0..world.written)
            .rev()
            .find(|id| is_stored(world, *id) && among(*id))
    };
    let expected = match setup.deletes {
        Deletes::Keep => newest(&|_| true),
        Deletes::Mirror => newest(&|id| world.source.contains(&id)).or_else(|| newest(&|_| true)),
    };
    let on_top = |of| world.backup == Latest::Copy { of, bad: false };
    expected.is_none_or(on_top) || current.is_some_and(on_top)
}

fn no_version_is_lost(_: &Setup, world: &World) -> bool {
    let told = |id: Id| match world.points[id].status {
        Some(Recorded::Stored | Recorded::Unsettled) => world.landed[id],
        Some(Recorded::Failed) => true,
        Some(Recorded::Gone) => !world.source.contains(&id),
        Some(Recorded::Copying) | None => false,
    };
    !world.is_quiet() || (0..world.written).all(told)
}

fn nothing_stored_is_overwritten(_: &Setup, world: &World) -> bool {
    (0..world.written).all(|id| !world.ever_stored[id] || is_stored(world, id))
}
