//! What can happen next.

use backup_domain::policy::Deletes;
use stateright::{Model, Property};

use super::execution::{crash, die, filter, land, step};
use super::properties;
use super::world::{Event, Execution, Flight, Id, Mutant, Owed, Recorded, Setup, Step, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Write,
    DeleteMarker,
    /// The version at this place, the newest being 0, is removed for good.
    Remove(usize),
    /// The delete marker is removed.
    Undelete,
    Deliver(Event),
    Duplicate(Event),
    Step(usize),
    /// The Lambda dies and is retried.
    Crash(usize),
    /// Retries ran out; the failure is to be recorded.
    Exhaust(usize),
    /// The execution ends without a word.
    Die(usize),
    /// A write takes effect; this execution gets the answer.
    Land(usize, Option<usize>),
    LandBad(usize, Option<usize>),
    /// A request whose sender is gone never takes effect.
    Vanish(usize),
    /// The sweep settles the key.
    Sweep,
    /// The sweep starts again what ended without a word.
    Restart(usize),
    /// A failed point is started again.
    Redrive(Id),
}

impl Model for Setup {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        source_actions(self, world, actions);
        for event in &world.events {
            actions.push(Action::Deliver(*event));
            if world.duplicates > 0 {
                actions.push(Action::Duplicate(*event));
            }
        }
        actions.dedup();
        for (at, one) in world.executions.iter().enumerate() {
            if !matches!(one.step, Step::Copying | Step::Acting { .. }) {
                actions.push(Action::Step(at));
            }
            if world.crashes > 0 {
                actions.push(Action::Crash(at));
            }
            if world.exhausted > 0 && one.event != Event::Sweep {
                actions.push(Action::Exhaust(at));
            }
            if world.deaths > 0 {
                actions.push(Action::Die(at));
            }
        }
        for (index, flight) in world.flights.iter().enumerate() {
            // What lands when nobody waits is verified by nobody: that is the audit's.
            let bad = world.bad_copies > 0 && flight.awaited && !flight.promotion;
            if !flight.awaited {
                actions.push(Action::Vanish(index));
            }
            for sender in senders(world, flight) {
                actions.push(Action::Land(index, sender));
                if bad {
                    actions.push(Action::LandBad(index, sender));
                }
            }
        }
        sweep_actions(self, world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Write => write(self, &mut next),
            Action::DeleteMarker => delete(&mut next, |world| world.source_marker = true),
            Action::Undelete => delete(&mut next, |world| world.source_marker = false),
            Action::Remove(place) => delete(&mut next, |world| {
                world.source.remove(place);
            }),
            Action::Deliver(event) => {
                let index = next.events.iter().position(|pending| *pending == event)?;
                next.events.remove(index);
                begin(self, &mut next, event, false);
            }
            Action::Duplicate(event) => {
                next.duplicates -= 1;
                begin(self, &mut next, event, false);
            }
            Action::Step(at) => step(self, &mut next, at),
            Action::Crash(at) => crash(&mut next, at),
            Action::Exhaust(at) => {
                next.exhausted -= 1;
                let one = next.executions[at];
                next.orphan(one.step, one.event);
                next.executions[at].step = Step::RecordFailure;
            }
            Action::Die(at) => die(self, &mut next, at),
            Action::Land(index, sender) => land(self, &mut next, index, sender, false),
            Action::LandBad(index, sender) => {
                next.bad_copies -= 1;
                land(self, &mut next, index, sender, true);
            }
            Action::Vanish(index) => drop(next.flights.remove(index)),
            Action::Sweep => {
                if next.owed == Owed::Due {
                    next.owed = Owed::InSweep;
                }
                let step = Step::HeadBackup { right: false };
                next.executions
                    .push(Execution::new(Event::Sweep, step, false));
            }
            Action::Restart(index) => {
                let event = next.dead.remove(index);
                begin(self, &mut next, event, true);
            }
            Action::Redrive(id) => {
                next.redrives -= 1;
                begin(self, &mut next, Event::Created(id), true);
            }
        }
        for one in &mut next.executions {
            if one.step >= Step::HeadSource {
                // What it was before makes no difference to its settling.
                (one.holds, one.sent, one.cut_off, one.redriven) = (false, false, false, false);
            }
        }
        next.executions.sort_unstable();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

fn source_actions(setup: &Setup, world: &World, actions: &mut Vec<Action>) {
    if world.written < setup.versions {
        actions.push(Action::Write);
    }
    if world.deletions == 0 || world.source.is_empty() {
        return;
    }
    if world.source_marker {
        actions.push(Action::Undelete);
        return;
    }
    if setup.versioned {
        actions.push(Action::DeleteMarker);
    }
    actions.extend((0..world.source.len()).map(Action::Remove));
}

fn sweep_actions(setup: &Setup, world: &World, actions: &mut Vec<Action>) {
    let orphans = world.flights.iter().any(|flight| !flight.awaited);
    // It comes when the debt is due: what was noted when it was sent has landed by then, or never will.
    let noted = world.flights.iter().any(|flight| flight.promotion);
    let sweeps = world.executions.iter().any(|one| one.event == Event::Sweep);
    let may_begin = if setup.sweeps_beside {
        !sweeps && !noted
    } else {
        // Others may begin while it is at work.
        world.executions.is_empty()
    };
    if may_begin && !orphans && world.owed != Owed::No {
        actions.push(Action::Sweep);
    }
    actions.extend((0..world.dead.len()).map(Action::Restart));
    if world.redrives > 0 {
        let failed = |id: &Id| world.points[*id].status == Some(Recorded::Failed);
        actions.extend((0..setup.versions).filter(failed).map(Action::Redrive));
    }
}

fn write(setup: &Setup, world: &mut World) {
    let id = world.written;
    world.written += 1;
    if !setup.versioned {
        world.source.clear();
    }
    world.source.insert(0, id);
    world.source_marker = false;
    world.happened(Event::Created(id));
}

fn delete(world: &mut World, deed: impl FnOnce(&mut World)) {
    world.deletions -= 1;
    deed(world);
    world.happened(Event::Deleted);
}

/// Filter's first run is part of the delivery: before it, a crash leaves the event as it was.
fn begin(setup: &Setup, world: &mut World, event: Event, redriven: bool) {
    let settles =
        setup.deletes == Deletes::Mirror && setup.mutant != Some(Mutant::DeletionsDoNotSettle);
    match event {
        Event::Created(id) => {
            world
                .executions
                .push(Execution::new(event, Step::Filter, redriven));
            filter(setup, world, world.executions.len() - 1, id);
        }
        Event::Deleted if settles => {
            world
                .executions
                .push(Execution::new(event, Step::HeadSource, redriven));
        }
        Event::Deleted | Event::Sweep | Event::Any => {}
    }
}

/// Executions that may be waiting for this write; executions of one kind are not told apart.
fn senders(world: &World, flight: &Flight) -> Vec<Option<usize>> {
    if !flight.awaited {
        return vec![None];
    }
    let copy_of = flight.copy_of;
    let waits = |one: &Execution| match one.step {
        Step::Copying => !flight.promotion && Some(one.event) == copy_of.map(Event::Created),
        Step::Acting { copy_of: sent } => flight.promotion && sent == copy_of,
        _ => false,
    };
    let waiting = world.executions.iter().enumerate();
    waiting
        .filter(|(_, one)| waits(one))
        .map(|(at, _)| Some(at))
        .collect()
}
