//! What one execution does, task by task.

use backup_domain::lease::Claim;
use backup_domain::order::{Left, must_settle};
use jiff::Timestamp;

use super::decide::{self, Missing};
use super::world::{Event, Flight, Id, Latest, Mutant, Owed, Recorded, Setup, Step, World};

/// The task that the Lambda worked at begins again; Record is one task with its settling.
pub fn crash(world: &mut World, at: usize) {
    world.crashes -= 1;
    let one = world.executions[at];
    world.orphan(one.step, one.event);
    let one = &mut world.executions[at];
    one.step = match one.step {
        Step::Copy if !one.sent && !one.cut_off => Step::Filter,
        Step::Copy | Step::Copying | Step::Refuse => {
            one.cut_off |= one.sent;
            Step::Copy
        }
        step if step >= Step::HeadSource => first_read(one.event),
        step => step,
    };
}

fn first_read(event: Event) -> Step {
    match event {
        Event::Sweep => Step::HeadBackup { right: false },
        Event::Created(_) | Event::Deleted | Event::Any => Step::HeadSource,
    }
}

/// The execution is stopped by hand, or times out. The sweep finds it among those that ended untold.
pub fn die(setup: &Setup, world: &mut World, at: usize) {
    world.deaths -= 1;
    let dead = world.executions.remove(at);
    world.orphan(dead.step, dead.event);
    let in_catalog = match dead.event {
        Event::Created(id) => dead.holds && world.points[id].status == Some(Recorded::Copying),
        Event::Deleted | Event::Sweep | Event::Any => false,
    };
    let found = in_catalog || setup.mutant != Some(Mutant::SweepOfTheCatalogAlone);
    if found && dead.event != Event::Sweep {
        world.dead.push(dead.event);
        world.dead.sort_unstable();
    }
}

/// A write takes effect, and its sender, if there still is one, gets the answer.
pub fn land(setup: &Setup, world: &mut World, index: usize, sender: Option<usize>, bad: bool) {
    let flight = world.flights.remove(index);
    let refused = flight.if_match.is_some() && flight.if_match != decide::content(world.backup);
    if !refused {
        if let Some(id) = flight.copy_of {
            world.landed[id] |= !bad;
        }
        if !flight.overtaken {
            world.backup = flight
                .copy_of
                .map_or(Latest::Marker, |of| Latest::Copy { of, bad });
        }
        if setup.multipart {
            for earlier in &mut world.flights[..index] {
                earlier.overtaken = true;
            }
        }
    }
    let Some(at) = sender else {
        return;
    };
    let ends = setup.mutant == Some(Mutant::PromoteOnce)
        || (setup.mutant == Some(Mutant::IfMatch) && !refused);
    let one = &mut world.executions[at];
    match one.step {
        Step::Copying => one.step = if bad { Step::Refuse } else { Step::Record },
        _ if ends => end(setup, world, at),
        // It reads again.
        _ => one.step = first_read(one.event),
    }
}

pub fn step(setup: &Setup, world: &mut World, at: usize) {
    let one = world.executions[at];
    if one.step >= Step::HeadSource {
        return settle(setup, world, at);
    }
    let Event::Created(id) = one.event else {
        // Its deletion is in the catalog; the settling that it failed to do is owed.
        owe(setup, world);
        return end(setup, world, at);
    };
    match one.step {
        Step::Filter => filter(setup, world, at, id),
        Step::Copy => copy(setup, world, at, id),
        Step::Refuse => {
            world.points[id].refused = true;
            world.executions[at].cut_off = true;
            world.executions[at].step = Step::Copy;
        }
        Step::Record => {
            let settles = end_point(setup, world, at, id, Recorded::Stored, one.cut_off);
            after(setup, world, at, settles);
        }
        Step::RecordGone => {
            let left = one.cut_off && setup.mutant != Some(Mutant::GoneDoesNotSettle);
            let settles = end_point(setup, world, at, id, Recorded::Gone, left);
            after(setup, world, at, settles);
        }
        Step::RecordFailure => record_failure(setup, world, at, id),
        _ => unreachable!("{one:?} waits"),
    }
}

fn settle(setup: &Setup, world: &mut World, at: usize) {
    let one = world.executions[at];
    let next = match one.step {
        Step::HeadSource => Step::HeadBackup {
            right: decide::source_is_right(world, one.event),
        },
        Step::HeadBackup { right } => {
            let backup = world.backup;
            if right && decide::at_a_glance(world, one.event, backup) {
                return end(setup, world, at);
            }
            if world.is_calm() && one.event != Event::Sweep {
                world.executions[at].event = Event::Any;
            }
            Step::Query { backup }
        }
        Step::Query { backup } => Step::ListSource {
            backup,
            points: world.points,
        },
        Step::ListSource { backup, points } => {
            let copy_of = match decide::missing(setup, world, backup, points) {
                Missing::Nothing => return end(setup, world, at),
                Missing::Promote(id) => Some(id),
                Missing::Marker => None,
            };
            send(setup, world, copy_of, backup);
            Step::Acting { copy_of }
        }
        _ => unreachable!("{one:?} waits"),
    };
    world.executions[at].step = next;
}

fn after(setup: &Setup, world: &mut World, at: usize, settles: bool) {
    if settles {
        world.executions[at].step = Step::HeadSource;
    } else {
        end(setup, world, at);
    }
}

pub fn filter(setup: &Setup, world: &mut World, at: usize, id: Id) {
    let one = world.executions[at];
    let alive = world
        .executions
        .iter()
        .enumerate()
        .any(|(place, other)| other.holds && place != at && other.event == one.event);
    let take = |world: &mut World, again: bool| {
        world.points[id].status = Some(Recorded::Copying);
        world.executions[at].holds = true;
        world.executions[at].cut_off |= again;
        world.executions[at].step = Step::Copy;
    };
    let Some(there) = world.points[id].status else {
        return take(world, false);
    };
    match decide::lease(there, one.holds, one.redriven && !alive) {
        Claim::Done(status) => {
            let settles =
                must_settle(status, false) && setup.mutant != Some(Mutant::DuplicatesDoNotSettle);
            after(setup, world, at, settles);
        }
        Claim::AskOwner | Claim::Held if alive => end(setup, world, at),
        Claim::AskOwner | Claim::Held | Claim::TakeOver => take(world, true),
    }
}

fn copy(setup: &Setup, world: &mut World, at: usize, id: Id) {
    let refused = world.points[id].refused;
    let one = &mut world.executions[at];
    let on_top = world.backup == Latest::Copy { of: id, bad: true } && !refused;
    if one.cut_off && on_top && setup.mutant != Some(Mutant::AdoptsWhatLiesBelow) {
        // It finds its own work by the marker, the latest version first, and verifies it.
        one.step = Step::Refuse;
    } else if one.cut_off && world.landed[id] {
        one.step = Step::Record;
    } else if world.source.contains(&id) {
        one.sent = true;
        one.step = Step::Copying;
        world.flights.push(Flight {
            copy_of: Some(id),
            promotion: false,
            awaited: true,
            overtaken: false,
            if_match: None,
        });
    } else {
        one.step = Step::RecordGone;
    }
}

/// Ends a point on condition of the lease, and tells whether the key must be settled.
fn end_point(
    setup: &Setup,
    world: &mut World,
    at: usize,
    id: Id,
    status: Recorded,
    may_have_copied: bool,
) -> bool {
    let held = world.executions[at].holds && world.points[id].status == Some(Recorded::Copying);
    if held {
        world.points[id].status = Some(status);
        world.ever_stored[id] |= status.is_stored();
        if may_have_copied {
            owe(setup, world);
        }
    }
    let there = world.points[id].status.unwrap_or(status);
    must_settle(there.status(), may_have_copied)
}

fn record_failure(setup: &Setup, world: &mut World, at: usize, id: Id) {
    let one = world.executions[at];
    if world.points[id].status.is_some_and(Recorded::is_stored) {
        world.points[id].status = Some(Recorded::Unsettled);
        owe(setup, world);
        return end(setup, world, at);
    }
    // As RecordFailure has it: what is known to lie there, and what may land yet. It settles nothing
    // itself, but leaves that to the sweep.
    let left = Left {
        known: world.points[id].refused || world.landed[id],
        may_land: one.sent || one.cut_off,
    };
    let owes = left.owes(None, Timestamp::UNIX_EPOCH).is_some();
    let owes = owes && setup.mutant != Some(Mutant::FailuresDoNotSettle);
    if one.holds {
        end_point(setup, world, at, id, Recorded::Failed, owes);
    }
    end(setup, world, at);
}

/// Notes the write for the sweep, then sends it.
fn send(setup: &Setup, world: &mut World, copy_of: Option<Id>, seen: Latest) {
    owe(setup, world);
    let if_match = decide::content(seen).filter(|_| setup.mutant == Some(Mutant::IfMatch));
    world.flights.push(Flight {
        copy_of,
        promotion: true,
        awaited: true,
        overtaken: false,
        if_match,
    });
}

fn owe(setup: &Setup, world: &mut World) {
    // The early sketches knew no such notes.
    let without = matches!(
        setup.mutant,
        Some(Mutant::NothingIsOwed | Mutant::PromoteOnce | Mutant::IfMatch)
    );
    if !without {
        world.owed = Owed::Due;
    }
}

/// The execution ends; a sweep takes back what it found noted, unless more was noted meanwhile.
fn end(setup: &Setup, world: &mut World, at: usize) {
    let one = world.executions.remove(at);
    let unchanged = world.owed == Owed::InSweep || setup.mutant == Some(Mutant::SweepTakesAllBack);
    if one.event != Event::Sweep || !unchanged {
        return;
    }
    world.owed = Owed::No;
    for point in &mut world.points {
        if point.status == Some(Recorded::Unsettled) {
            point.status = Some(Recorded::Stored);
        }
    }
}
