//! Every task state of the machine runs twice in turn, and nothing differs but what is admitted: a
//! repeated Notify may tell once more, a repeated Park may park once more.
//!
//! Method: beside the deployed machine stands one in which a second state of the same text follows
//! the state in question. States of failure paths are reached by planned throws, as where they fail.

use std::collections::BTreeMap;

use backup_e2e::World;
use serde_json::Value;

use crate::asl::{Machine, State};

/// What an execution leaves behind, without the names and times that differ between any two.
#[derive(Debug, PartialEq)]
struct Left {
    status: String,
    error: String,
    /// Outcome of each destination.
    outcomes: Vec<String>,
    /// Status, attempts and error of each recovery point.
    points: Vec<[String; 3]>,
    versions: usize,
    parked: usize,
    told: usize,
}

#[test]
fn every_task_state_may_run_twice() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let machine = Machine::read(world, "twice");
    let tasks = machine.tasks();
    std::thread::scope(|scope| {
        for batch in tasks.chunks(tasks.len().div_ceil(4)) {
            let machine = &machine;
            scope.spawn(move || batch.iter().for_each(|task| check(world, machine, task)));
        }
    });
}

fn check(world: &World, machine: &Machine, task: &str) {
    let (sample, plan) = machine.way_to(task);
    let deployed = world.outputs["StateMachineArn"].clone();
    let name = format!("twice-{task}");
    let doubled = world.create_machine(&name, &machine.doubled(task));
    let case = [(name.clone(), plan)];
    for machine in [&deployed, &doubled] {
        world.mock(machine.rsplit(':').next().unwrap(), &case);
    }
    let run = |machine: &str, how: &str| {
        let key = sample.key(&format!("twice/{task}.{how}"));
        run(world, machine, &case[0], &key, sample.body)
    };
    let (once, twice) = (run(&deployed, "once"), run(&doubled, "twice"));
    assert!(
        twice.1 > once.1,
        "{task} did not run twice: {once:?} {twice:?}"
    );

    let state: &State = &machine.states[task];
    let admitted = Left {
        parked: once.0.parked + usize::from(state.parks()),
        told: once.0.told + usize::from(state.invokes("Notify")),
        ..once.0
    };
    assert_eq!(twice.0, admitted, "{task} ran twice");
}

/// Runs one version that is not in the catalog: what it left, and how many tasks it tried.
fn run(
    world: &World,
    machine: &str,
    (case, plan): &(String, BTreeMap<String, String>),
    key: &str,
    body: &[u8],
) -> (Left, usize) {
    let first = world.upload(key, body, &[]);
    world.forget(key);
    let machine = if plan.is_empty() {
        machine.to_owned()
    } else {
        format!("{machine}#{case}")
    };
    let ended = world.start_on(&machine, &world.input_of(&first.arn));
    let text = |value: &Value, field: &str| {
        let value = &value[field];
        let text = value["S"].as_str().or(value["N"].as_str());
        text.unwrap_or_default().to_owned()
    };
    let points = world.points(key);
    let mut points: Vec<_> = points
        .iter()
        .map(|point| ["status", "attempts", "error"].map(|field| text(point, field)))
        .collect();
    points.sort();
    let outcomes = ended.output["destinations"].as_array();
    let outcomes = outcomes.into_iter().flatten();
    let left = Left {
        outcomes: outcomes.map(|it| it["outcome"].to_string()).collect(),
        points,
        versions: world.versions(world.backup(), key).len(),
        parked: world.parked(key).len(),
        told: world.told(key).len(),
        status: ended.status,
        error: ended.error,
    };
    (left, ended.tasks)
}
