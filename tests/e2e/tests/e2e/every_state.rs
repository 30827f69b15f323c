//! Every task state of the machine fails in turn, and fails well. The states are read from the
//! deployed definition: one that is added later is covered without another test.

use std::collections::{BTreeMap, BTreeSet};

use backup_e2e::World;
use serde_json::{Map, Value, json};

/// One of a kind: retried long, named and not retried, a panic's type path, a time-out.
const ERRORS: [&str; 4] = [
    "Throttled",
    "AccessDenied",
    "alloc::string::String",
    "States.Timeout",
];

/// A state with what it can lead to.
struct State {
    kind: String,
    next: Vec<String>,
    caught: Vec<String>,
}

/// All states by name; a Map leads to the first state of its iterations.
fn states(scope: &Value, found: &mut BTreeMap<String, State>) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for (name, state) in scope["States"].as_object().unwrap() {
        let each = |field: &str| -> Vec<String> {
            state[field]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| text(&one["Next"]))
                .collect()
        };
        let mut next: Vec<String> = [&state["Next"], &state["ItemProcessor"]["StartAt"]]
            .into_iter()
            .filter_map(text)
            .collect();
        next.extend(each("Choices"));
        let kind = state["Type"].as_str().unwrap().to_owned();
        found.insert(
            name.clone(),
            State {
                kind,
                next,
                caught: each("Catch"),
            },
        );
        if state["ItemProcessor"].is_object() {
            states(&state["ItemProcessor"], found);
        }
    }
}

/// States that a good execution passes.
fn good_path(definition: &Value, states: &BTreeMap<String, State>) -> BTreeSet<String> {
    let mut passed = BTreeSet::new();
    let mut next = vec![definition["StartAt"].as_str().unwrap().to_owned()];
    while let Some(name) = next.pop() {
        if passed.insert(name.clone()) {
            next.extend(states[&name].next.iter().cloned());
        }
    }
    passed
}

/// The state of the good path whose failure leads to `name`.
fn led_to_by(name: &str, states: &BTreeMap<String, State>, good: &BTreeSet<String>) -> String {
    let mut reach: BTreeSet<&str> = BTreeSet::from([name]);
    loop {
        let by_catch = states.iter().find(|(from, state)| {
            good.contains(*from)
                && state.kind == "Task"
                && state.caught.iter().any(|to| reach.contains(to.as_str()))
        });
        if let Some((from, _)) = by_catch {
            return from.clone();
        }
        let more: Vec<&str> = states
            .iter()
            .filter(|(_, state)| state.next.iter().any(|to| reach.contains(to.as_str())))
            .map(|(from, _)| from.as_str())
            .collect();
        let before = reach.len();
        reach.extend(more);
        assert!(reach.len() > before, "nothing leads to {name}");
    }
}

/// Which states are made to fail, and with what, to see `name` fail with `error`.
fn plan(
    name: &str,
    error: &str,
    states: &BTreeMap<String, State>,
    good: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let mut plan = BTreeMap::from([(name.to_owned(), error.to_owned())]);
    if !good.contains(name) {
        plan.insert(led_to_by(name, states, good), "AccessDenied".to_owned());
    }
    plan
}

fn mock(world: &World, cases: &[(String, BTreeMap<String, String>)]) {
    let mut responses = Map::new();
    let mut test_cases = Map::new();
    for (case, plan) in cases {
        let mut mocked = Map::new();
        for (state, error) in plan {
            let response = format!("throws {error}");
            let throw = json!({"0-999": {"Throw": {"Error": error, "Cause": format!("{error} was planned")}}});
            responses.insert(response.clone(), throw);
            mocked.insert(state.clone(), json!(response));
        }
        test_cases.insert(case.clone(), Value::Object(mocked));
    }
    let machine = world.outputs["StateMachineArn"].rsplit(':').next().unwrap();
    let config = json!({"StateMachines": {machine: {"TestCases": test_cases}}, "MockedResponses": responses});
    world.configure("stepfunctions._sfn_mock_config", &config);
}

#[test]
fn every_task_state_fails_well() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let definition: Value = serde_json::from_str(&world.definition).unwrap();
    let mut all = BTreeMap::new();
    states(&definition, &mut all);
    let good = good_path(&definition, &all);
    let tasks: Vec<&String> = all
        .iter()
        .filter(|(_, state)| state.kind == "Task")
        .map(|(name, _)| name)
        .collect();
    assert!(tasks.len() >= 8, "{tasks:?}");

    let mut cases = Vec::new();
    for task in tasks {
        for (number, error) in ERRORS.iter().enumerate() {
            cases.push((format!("{task}-{number}"), plan(task, error, &all, &good)));
        }
    }
    mock(world, &cases);
    std::thread::scope(|scope| {
        for batch in cases.chunks(cases.len().div_ceil(4)) {
            scope.spawn(move || {
                for (case, plan) in batch {
                    check(world, case, plan);
                }
            });
        }
    });
}

/// Runs one case on a version that is not in the catalog, and expects what its failing states leave.
fn check(world: &World, case: &str, plan: &BTreeMap<String, String>) {
    let key = format!("told/fails-well/{case}");
    let first = world.upload(&key, b"x", &[]);
    world.forget(&key);
    let ended = world.start_case(&world.input_of(&first.arn), case);
    let fails = |state: &str| plan.contains_key(state);
    let parked = world.parked(&key);

    if fails("Notify") {
        assert_eq!(
            ended.status, "SUCCEEDED",
            "{case}: a broken Notify turns nothing red: {ended:?}"
        );
        assert_eq!(world.points(&key)[0]["status"]["S"], "stored", "{case}");
        return;
    }
    let unparked = fails("Park") || fails("ParkEvent");
    assert_eq!(ended.status, "FAILED", "{case}: {ended:?}");
    assert_eq!(
        ended.error,
        if unparked { "Unparked" } else { "BackupFailed" },
        "{case}: {ended:?}"
    );
    assert_eq!(
        parked.len(),
        usize::from(!unparked),
        "{case}: parked once, or told that it could not be"
    );
    assert!(
        ended.cause["advice"].is_string() && ended.cause["message"].is_string(),
        "{case}: {}",
        ended.cause
    );
    let unrecorded = fails("RecordFailure") || fails("RejectEvent");
    let recorded = world
        .points(&key)
        .iter()
        .any(|point| point["status"]["S"] == "failed");
    assert_eq!(
        recorded, !unrecorded,
        "{case}: recorded unless the catalog was away"
    );
    backup_e2e::world::wait("the failure is told", || {
        let told = world.told(&key);
        if told.iter().any(|message| {
            message["Body"]
                .as_str()
                .is_some_and(|body| body.contains("FAILED"))
        }) {
            Ok(())
        } else {
            Err(format!("{case}: {} messages", told.len()))
        }
    });
}
