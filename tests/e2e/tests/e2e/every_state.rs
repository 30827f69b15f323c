//! Every task state of the machine fails in turn, and fails well. The states are read from the
//! deployed definition: one that is added later is covered without another test.

use std::collections::BTreeMap;

use backup_e2e::world::wait;
use backup_e2e::{World, planned};

use crate::asl::{Machine, Sample};

/// Retried long, named and not retried, and the time-out of the function.
const ERRORS: [&str; 3] = ["Throttled", "AccessDenied", "Sandbox.Timedout"];
/// Of each other kind: retried, the platform's unknown, a panic's type path, and the time-out of the task.
const OTHERS: [&str; 4] = [
    "DestinationUnavailable",
    "Lambda.Unknown",
    "alloc::string::String",
    "States.Timeout",
];

/// Which states throw what.
type Plan = BTreeMap<String, String>;

#[test]
fn every_task_state_fails_well() {
    fail_with(&ERRORS);
}

#[test]
#[ignore = "on demand: a minute or two"]
fn every_task_state_fails_well_in_every_other_way() {
    fail_with(&OTHERS);
}

fn fail_with(errors: &[&str]) {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let machine = Machine::read(world, "fails-well");
    let (mut runs, mut cases) = (Vec::new(), Vec::new());
    for task in machine.tasks() {
        for (number, error) in errors.iter().enumerate() {
            let (sample, mut plan) = machine.way_to(task);
            plan.insert(task.clone(), (*error).to_owned());
            let case = format!("{task}-{number}");
            cases.push((case.clone(), plan.clone()));
            runs.push((case, task, sample, plan));
        }
    }
    let name = world.outputs["StateMachineArn"].rsplit(':').next().unwrap();
    world.mock(name, &cases);
    std::thread::scope(|scope| {
        for batch in runs.chunks(runs.len().div_ceil(4)) {
            let machine = &machine;
            scope.spawn(move || {
                for (case, task, sample, plan) in batch {
                    check(world, machine, (case, task), sample, plan);
                }
            });
        }
    });
}

/// Runs one case on a version that is not in the catalog, and expects what its failing states leave.
fn check(
    world: &World,
    machine: &Machine,
    (case, task): (&str, &str),
    sample: &Sample,
    plan: &Plan,
) {
    let key = sample.key(&format!("fails-well/{case}"));
    let first = world.upload(&key, sample.body, &[]);
    world.forget(&key);
    let ended = world.start_case(&world.input_of(&first.arn), case);
    let thrown = |what: &dyn Fn(&crate::asl::State) -> bool| {
        plan.keys().any(|name| what(&machine.states[name]))
    };
    for (name, error) in plan {
        let said = planned(name);
        let tries = ended
            .failures
            .iter()
            .filter(|cause| **cause == said)
            .count();
        let written = machine.states[name].tries_of(error);
        // As often for each iteration of a Map.
        assert!(
            tries > 0 && tries % written == 0,
            "{case}: {name} is tried {tries} times at {error}, {written} are written: {ended:?}"
        );
    }
    if thrown(&|state| state.invokes("Notify")) {
        assert_eq!(
            ended.status, "SUCCEEDED",
            "{case}: a broken Notify turns nothing red: {ended:?}"
        );
        assert_eq!(world.points(&key)[0]["status"]["S"], "stored", "{case}");
        return;
    }
    let unparked = thrown(&|state| state.parks());
    assert_eq!(ended.status, "FAILED", "{case}: {ended:?}");
    assert_eq!(
        ended.error,
        if unparked { "Unparked" } else { "BackupFailed" },
        "{case}: {ended:?}"
    );
    if unparked {
        // The machine could not: the watcher does, as soon as it hears of it.
        wait("the watcher parks it", || match world.parked(&key).len() {
            0 => Err(format!("{case}: not yet")),
            _ => Ok(()),
        });
    }
    assert_eq!(world.parked(&key).len(), 1, "{case}: parked once");
    assert!(
        ended.cause["advice"].is_string() && ended.cause["message"].is_string(),
        "{case}: {}",
        ended.cause
    );
    let unrecorded = thrown(&|state| state.invokes("RecordFailure"));
    let points = world.points(&key);
    let failed = points.iter().find(|point| point["status"]["S"] == "failed");
    assert_eq!(
        failed.is_none(),
        unrecorded,
        "{case}: recorded unless the catalog was away"
    );
    if let Some(point) = failed
        && plan.len() == 1
    {
        assert_eq!(
            point["error"]["S"].as_str(),
            Some(plan[task].as_str()),
            "{case}"
        );
    }
    wait("the failure is told", || {
        let told = world.told(&key);
        let failed = |body: &str| body.contains("FAILED");
        if told
            .iter()
            .any(|message| message["Body"].as_str().is_some_and(failed))
        {
            Ok(())
        } else {
            Err(format!("{case}: {} messages", told.len()))
        }
    });
}
