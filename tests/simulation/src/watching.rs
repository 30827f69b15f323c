//! What starts executions, and what looks after those that ended badly: the watcher, whose events may
//! never come, and the sweep.

use serde_json::{Value, json};

use crate::faults::Fault;
use crate::machine::Machine;
use crate::s3_answers::iso;
use crate::services::EXECUTION;
use crate::world::{Execution, Mutant, State, World};

/// How often Lambda tries an event, and after how long the next time (AWS Lambda Developer Guide,
/// "Error handling for asynchronous invocation").
const TRIES: u32 = 3;
const BETWEEN_TRIES_MS: i64 = 60_000;

/// Starts an execution of an event.
pub fn start(world: &World, machine: &Machine, event: Value) {
    let arn = {
        let mut state = world.state();
        let arn = format!("{EXECUTION}e{}", state.number());
        let now_ms = state.clock_ms;
        state
            .executions
            .insert(arn.clone(), Execution::new(event, now_ms));
        arn
    };
    run(world, machine, &arn);
}

fn run(world: &World, machine: &Machine, arn: &str) {
    let (input, started) = {
        let state = world.state();
        let execution = &state.executions[arn];
        (execution.input.clone(), iso(execution.started_ms))
    };
    let (ended, machine, id) = (world.clone(), machine.clone(), arn.to_owned());
    let task = tokio::task::spawn_local(async move {
        let result = machine.execute(input, id.clone(), started).await;
        finish(&mut ended.state(), &id, result.err());
    });
    let mut state = world.state();
    if let Some(execution) = state.executions.get_mut(arn) {
        execution.task = Some(task.abort_handle());
    }
}

fn finish(state: &mut State, arn: &str, problem: Option<(String, String)>) {
    let now_ms = state.clock_ms;
    let execution = state.executions.get_mut(arn).expect("itself");
    let Some((error, cause)) = problem else {
        return execution.end("SUCCEEDED", now_ms);
    };
    execution.end("FAILED", now_ms);
    (execution.error, execution.cause) = (error.clone(), cause);
    state.ended.push(arn.to_owned());
    if !["BackupFailed", "Unparked", "Untold"].contains(&error.as_str()) {
        state
            .broken
            .push(format!("an execution failed with {error}"));
    }
}

/// Runs what was asked for, and tells the watcher of what ended badly, as far as it hears of it.
pub fn spawn(world: &World, machine: &Machine) {
    let (to_start, ended) = {
        let mut state = world.state();
        (
            std::mem::take(&mut state.to_start),
            std::mem::take(&mut state.ended),
        )
    };
    for arn in to_start {
        run(world, machine, &arn);
    }
    for arn in ended {
        let (change, arrivals) = {
            let mut state = world.state();
            let ended = &state.executions[&arn];
            let change = json!({"detail": {
                "executionArn": arn, "status": ended.status, "error": ended.error,
                "stopDate": ended.stopped_ms,
            }});
            (change, deliveries(&mut state))
        };
        for wait_ms in arrivals {
            let (world, machine) = (world.clone(), machine.clone());
            let change = change.clone();
            tokio::task::spawn_local(async move {
                world.sleep(wait_ms).await;
                tried(&world, &machine, "watcher", change).await;
            });
        }
    }
}

/// When a status change arrives, as often as it does.
fn deliveries(state: &mut State) -> Vec<i64> {
    let State {
        rng,
        faults,
        mutant,
        ..
    } = state;
    if *mutant == Some(Mutant::WatchesNothing) || faults.strikes(rng, Fault::Unheard, 0.2) {
        return vec![];
    }
    let mut arrivals = vec![rng.i64(50..5000)];
    if faults.strikes(rng, Fault::Duplicated, 0.12) {
        arrivals.push(rng.i64(50..5 * 60_000));
    }
    arrivals
}

/// As Lambda tries an event that nobody waits for.
async fn tried(world: &World, machine: &Machine, function: &str, payload: Value) -> Option<Value> {
    for _ in 0..TRIES {
        let answer = machine.lambda(function.to_owned(), payload.clone()).await;
        if let Ok(answer) = answer {
            return Some(answer);
        }
        world.sleep(BETWEEN_TRIES_MS).await;
    }
    None
}

/// Runs the sweep; says how much it has found, or left.
pub async fn sweep(world: World, machine: Machine) -> u64 {
    if world.state().mutant == Some(Mutant::WatchesNothing) {
        return 0;
    }
    let swept = tried(&world, &machine, "sweep", json!({})).await;
    swept.map_or(1, |swept| swept["found"].as_u64().unwrap_or(1))
}

/// Sweeps at some moments while everything fails.
pub fn sweep_meanwhile(world: &World, machine: &Machine) {
    let moments: Vec<_> = {
        let rng = &mut world.state().rng;
        (0..rng.u32(..3)).map(|_| rng.i64(1..40 * 60_000)).collect()
    };
    for wait_ms in moments {
        let (world, machine) = (world.clone(), machine.clone());
        tokio::task::spawn_local(async move {
            world.sleep(wait_ms).await;
            sweep(world, machine).await;
        });
    }
}
