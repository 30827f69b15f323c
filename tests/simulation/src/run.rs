//! One run: a seed decides everything; faults for a while, then none, then all must be right.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::dynamodb::{Item, text};
use crate::faults::{ALL, Counts, Fault};
use crate::functions::{LEASE_SECONDS, SOURCE, SUSPENDED, UNVERSIONED};
use crate::machine::Machine;
use crate::oracle;
use crate::s3::Versioning;
use crate::s3_answers::iso;
use crate::workload::{self, History, act, arrivals};
use crate::world::{Execution, Mutant, Parked, World};

/// 2026-11-25, in milliseconds.
const START_MS: i64 = 1_795_600_000_000;
/// Turns of the runtime that every task has got as far as it can after.
const TURNS: usize = 12;
/// Rounds of redriving after which all must be settled.
const ROUNDS_MAX: usize = 8;

const POLICY: &str = r#"{"version":1,
    "destinations":{
        "primary":{"bucket":"backup-a","region":"eu-west-1"},
        "second":{"bucket":"backup-b","region":"eu-central-1","prefix":"copies/of é/"}},
    "rules":[
        {"name":"reports","match":{"keys":{"include":["reports/**"]}},"destinations":["primary","second"],"notify":"all"},
        {"name":"read","match":{"keys":{"include":["a b"]},"size":{"maxBytes":4096}},"destinations":["primary"],"verify":"read"},
        {"name":"everything","destinations":["primary"]}]}"#;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What is not as it must be.
    pub violations: Vec<String>,
    /// Faults by kind.
    pub faults: Counts,
    /// Requests that took effect.
    pub calls: u64,
    /// Executions run.
    pub executions: usize,
    /// Source versions written.
    pub versions: usize,
    /// Recovery points by status.
    pub statuses: BTreeMap<String, u64>,
    /// Copies beside the recorded ones.
    pub surplus: u64,
    /// Messages that were redriven.
    pub redriven: usize,
    /// Points of `null` versions, overwritten since, whose execution was cut off: their event no
    /// longer leads to them, and they stay as they were.
    pub stranded: u64,
    /// What was visited, and how often.
    pub seen: BTreeMap<&'static str, u64>,
}

/// A run to make.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// Kinds of faults that are left out.
    pub without: Vec<Fault>,
    /// How often faults strike, where the seed does not choose.
    pub intensity: Option<f64>,
    /// Whether everything that happens is printed.
    pub traced: bool,
}

/// Runs it.
pub fn run(plan: &Plan) -> Report {
    // Deadlines are far: the timers are there, and never the first.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let definition = definition();
    let local = LocalSet::new();
    let report = runtime.block_on(local.run_until(Run::new(plan, definition).whole()));
    // Tasks of the SDK may hold the world; they end with the runtime.
    drop(local);
    report
}

fn definition() -> Rc<Value> {
    let text = include_str!("../../../statemachine/backup.asl.json");
    // As the Standard machine is deployed; time-outs are none of the simulation's.
    let text = text
        .replace("${TimeoutSeconds}", "86400")
        .replace("${MachineType}", "STANDARD");
    Rc::new(serde_json::from_str(&text).expect("JSON"))
}

struct Run {
    world: World,
    machine: Machine,
    history: Rc<RefCell<History>>,
    redriven: usize,
    /// Notes of `null` versions that were swept.
    swept: BTreeSet<String>,
}

impl Run {
    fn new(plan: &Plan, definition: Rc<Value>) -> Self {
        let world = World::new(plan.seed, START_MS);
        {
            let mut state = world.state();
            POLICY.clone_into(&mut state.policy);
            for (name, versioning) in [
                (SOURCE, Versioning::Enabled),
                (SUSPENDED, Versioning::Suspended),
                (UNVERSIONED, Versioning::Off),
                ("backup-a", Versioning::Enabled),
                ("backup-b", Versioning::Enabled),
            ] {
                state.s3.create(name, versioning);
            }
            state.mutant = plan.mutant;
            state.traced = plan.traced;
            state.catalog.careless = plan.mutant == Some(Mutant::IgnoresConditions);
            let intensity = [0.0, 0.5, 1.0, 1.0, 2.0, 4.0];
            state.faults.intensity = intensity[state.rng.usize(..intensity.len())];
            if let Some(intensity) = plan.intensity {
                state.faults.intensity = intensity;
            }
            state.faults.without.clone_from(&plan.without);
            // Most runs leave some kinds out: rare ones are then not drowned by the common.
            for fault in ALL {
                if state.rng.u8(..4) == 0 {
                    state.faults.without.push(fault);
                }
            }
            let crate::world::State { rng, faults, .. } = &mut *state;
            if faults.strikes(rng, Fault::ClockOff, 0.3) {
                state.skew_ms = state.rng.i64(-90_000..90_000);
            }
        }
        let history = History::new(&mut world.state().rng);
        Self {
            machine: Machine::new(definition, world.clone()),
            world,
            history: Rc::new(RefCell::new(history)),
            redriven: 0,
            swept: BTreeSet::new(),
        }
    }

    async fn whole(mut self) -> Report {
        self.write();
        self.drain().await;
        {
            let mut state = self.world.state();
            state.faults.intensity = 0.0;
            state.skew_ms = 0;
        }
        self.settle().await;
        let report = oracle::judge(&self.world.state(), &self.history.borrow());
        Report {
            redriven: self.redriven,
            ..report
        }
    }

    /// Starts the writer.
    fn write(&self) {
        let (world, machine, history) = (
            self.world.clone(),
            self.machine.clone(),
            Rc::clone(&self.history),
        );
        tokio::task::spawn_local(async move {
            let writes = world.state().rng.u32(1..7);
            for _ in 0..writes {
                let (event, arrivals) = {
                    let mut state = world.state();
                    let event = act(&mut state, &mut history.borrow_mut());
                    (event, arrivals(&mut state))
                };
                for (event, wait_ms) in event
                    .iter()
                    .flat_map(|event| arrivals.iter().map(move |wait| (event, *wait)))
                {
                    let event = event.clone();
                    let (world, machine) = (world.clone(), machine.clone());
                    tokio::task::spawn_local(async move {
                        world.sleep(wait_ms).await;
                        start(&world, &machine, event);
                    });
                }
                // Several within one second, or minutes apart.
                let pause = {
                    let rng = &mut world.state().rng;
                    if rng.bool() {
                        rng.i64(1..300)
                    } else {
                        rng.i64(1..120_000)
                    }
                };
                world.sleep(pause).await;
            }
        });
    }

    /// Lets things happen until nothing waits any more.
    async fn drain(&self) {
        loop {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            if !self.world.state().step() {
                return;
            }
        }
    }

    /// What an operator, the watcher and the sweep do: redrive what is parked, start again what was
    /// stopped and what is `copying` past its lease.
    async fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let events = self.owed();
            if events.is_empty() {
                return;
            }
            self.redriven += events.len();
            self.world.state().clock_ms += (LEASE_SECONDS + 1) * 1000;
            for event in events {
                start(&self.world, &self.machine, event);
            }
            self.drain().await;
        }
        let line = format!("not settled after {ROUNDS_MAX} rounds");
        self.world.state().broken.push(line);
    }

    fn owed(&mut self) -> Vec<Value> {
        let mut guard = self.world.state();
        let state = &mut *guard;
        let mut events: Vec<_> = std::mem::take(&mut state.parked)
            .iter()
            .map(redriven)
            .collect();
        for execution in state.executions.values_mut() {
            let untold = execution.status == "ABORTED" || execution.error == "Unparked";
            if untold {
                events.push(execution.input.clone());
                execution.status = "SWEPT";
                execution.error.clear();
            }
            let unforeseen = execution.status == "FAILED"
                && !["", "BackupFailed"].contains(&execution.error.as_str());
            if unforeseen {
                let line = format!("an execution failed with {}", execution.error);
                execution.error.clear();
                state.broken.push(line);
            }
        }
        let stuck = state
            .catalog
            .items
            .values()
            .filter(|item| text(item, "status") == "copying");
        // An event cannot name a `null` version that was overwritten since: once must do.
        let swept = &mut self.swept;
        let mut first = |item: &Item, name: &str| {
            let note = format!("{} {}", text(item, "sk"), text(item, name));
            !note.contains("#null#") || swept.insert(note)
        };
        events.extend(stuck.filter(|item| first(item, "owner")).map(event_of));
        let owed = state
            .catalog
            .items
            .values()
            .filter(|item| item.contains_key("owedAfter"))
            .filter(|item| first(item, "owedAfter"));
        events.extend(owed.map(|item| {
            let mut event = event_of(item);
            event["redrive"]["settle"] = json!(true);
            event["redrive"]["owedAfter"] = item["owedAfter"]["S"].clone();
            event
        }));
        events
    }
}

fn redriven(parked: &Parked) -> Value {
    let mut event = parked.event.clone();
    let attempt = event["redrive"]["attempt"].as_u64().unwrap_or_default() + 1;
    event["redrive"] = json!({"destinations": [parked.destinations], "attempt": attempt});
    event
}

/// The event of a point, from what the catalog holds.
fn event_of(point: &Item) -> Value {
    let field = |name: &str| point["object"]["M"][name].clone();
    let mut object = json!({
        "key": field("key")["S"], "etag": field("etag")["S"], "sequencer": field("sequencer")["S"],
        "size": field("size")["N"].as_str().and_then(|size| size.parse::<u64>().ok()),
    });
    if let Some(id) = field("versionId")["S"].as_str() {
        object["version-id"] = json!(id);
    }
    let bucket = field("bucket");
    let time = field("eventAt");
    let (bucket, time) = (
        bucket["S"].as_str().expect("a bucket"),
        time["S"].as_str().expect("a time"),
    );
    let mut event = workload::event(bucket, &object, time, 0);
    event["id"] = json!("swept");
    if let Some(deletion) = field("deletion")["S"].as_str() {
        event["detail-type"] = json!("Object Deleted");
        event["detail"]["deletion-type"] = json!(deletion);
    }
    event["redrive"] = json!({"destinations": [text(point, "destination")], "attempt": 1});
    event
}

/// Starts an execution.
fn start(world: &World, machine: &Machine, event: Value) {
    let (arn, started) = {
        let mut state = world.state();
        let number = state.number();
        let arn = format!("arn:aws:states:eu-west-1:111122223333:execution:backup:e{number}");
        let execution = Execution {
            input: event.clone(),
            status: "RUNNING",
            error: String::new(),
            task: None,
        };
        state.executions.insert(arn.clone(), execution);
        (arn, iso(state.clock_ms))
    };
    let (ended, machine, id) = (world.clone(), machine.clone(), arn.clone());
    let task = tokio::task::spawn_local(async move {
        let result = machine.execute(event, id.clone(), started).await;
        let mut state = ended.state();
        let execution = state.executions.get_mut(&id).expect("itself");
        match result {
            Ok(_) => execution.status = "SUCCEEDED",
            Err((error, _)) => {
                execution.status = "FAILED";
                execution.error = error;
            }
        }
    });
    let mut state = world.state();
    if let Some(execution) = state.executions.get_mut(&arn) {
        execution.task = Some(task.abort_handle());
    }
}
