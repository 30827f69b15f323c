//! One run: a seed decides everything; faults for a while, then none, then all must be right.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::faults::{ALL, Counts, Fault};
use crate::functions::{LEASE_SECONDS, SOURCE, SUSPENDED, UNVERSIONED};
use crate::machine::Machine;
use crate::oracle;
use crate::s3::Versioning;
use crate::watching::{self, start};
use crate::workload::{History, act, arrivals, one};
use crate::world::{Mutant, Parked, World};

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
        {"name":"reports","match":{"keys":{"include":["reports/**"]}},"destinations":["primary","second"],"notify":"all","deletes":"DELETES"},
        {"name":"read","match":{"keys":{"include":["a b"]},"size":{"maxBytes":4096}},"destinations":["primary"],"verify":"read","deletes":"DELETES"},
        {"name":"everything","destinations":["primary"],"deletes":"DELETES"}]}"#;

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
    /// Executions that failed by name, each of which was told.
    pub failures: u64,
    /// Copies whose tags changed at the source, and followed.
    pub tagged: u64,
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

/// Starts the same event so often at the same moment, and waits until all is quiet; what it came to, and
/// how many messages were told.
pub fn at_once(starts: usize) -> (Report, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let plan = Plan {
        without: ALL.to_vec(),
        ..Plan::default()
    };
    let local = LocalSet::new();
    let run = Run::new(&plan, definition());
    let result = runtime.block_on(local.run_until(run.whole_of_one(starts)));
    drop(local);
    result
}

fn definition() -> Rc<Value> {
    let text = include_str!("../../../statemachine/backup.asl.json");
    // As the Standard machine is deployed; time-outs are none of the simulation's.
    let text = text
        .replace("${TimeoutSeconds}", "86400")
        .replace("${ThrottledAttempts}", "12")
        .replace("${Partition}", "aws")
        .replace("${UnavailableAttempts}", "6")
        .replace("${MachineType}", "STANDARD");
    Rc::new(serde_json::from_str(&text).expect("JSON"))
}

struct Run {
    world: World,
    machine: Machine,
    history: Rc<RefCell<History>>,
    redriven: usize,
}

impl Run {
    fn new(plan: &Plan, definition: Rc<Value>) -> Self {
        let world = World::new(plan.seed, START_MS);
        {
            let mut state = world.state();
            state.mirrored = state.rng.u8(..3) == 0;
            let deletes = if state.mirrored { "mirror" } else { "keep" };
            state.policy = POLICY.replace("DELETES", deletes);
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

    async fn whole_of_one(mut self, starts: usize) -> (Report, usize) {
        let event = one(
            &mut self.world.state(),
            &mut self.history.borrow_mut(),
            "reports/november.csv",
        );
        for _ in 0..starts {
            start(&self.world, &self.machine, event.clone());
        }
        self.drain().await;
        self.settle().await;
        let state = self.world.state();
        (
            oracle::judge(&state, &self.history.borrow()),
            state.told.len(),
        )
    }

    /// Starts the writer, and a sweep now and then.
    fn write(&self) {
        watching::sweep_meanwhile(&self.world, &self.machine);
        let (world, machine, history) = (
            self.world.clone(),
            self.machine.clone(),
            Rc::clone(&self.history),
        );
        tokio::task::spawn_local(async move {
            let writes = {
                let rng = &mut world.state().rng;
                let most = [3, 5, 6, 20][rng.usize(..4)];
                rng.u32(1..=most)
            };
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
            watching::spawn(&self.world, &self.machine);
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            if !self.world.state().step() {
                return;
            }
        }
    }

    /// What an operator does, redriving what is parked, and the sweep by its schedule, until there is
    /// nothing left to do.
    async fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let (parked, twice) = {
                let mut state = self.world.state();
                state.clock_ms += (LEASE_SECONDS + 1) * 1000;
                (std::mem::take(&mut state.parked), state.rng.bool())
            };
            self.redriven += parked.len();
            for event in parked.iter().map(redriven) {
                start(&self.world, &self.machine, event);
            }
            self.drain().await;
            let sweep = || {
                tokio::task::spawn_local(watching::sweep(self.world.clone(), self.machine.clone()))
            };
            let mut sweeps = vec![sweep()];
            if twice {
                sweeps.push(sweep());
            }
            self.drain().await;
            let mut found = 0;
            for sweep in sweeps {
                found += sweep.await.expect("a sweep does not panic");
            }
            if found == 0 && self.world.state().parked.is_empty() {
                return;
            }
        }
        let line = format!("not settled after {ROUNDS_MAX} rounds");
        self.world.state().broken.push(line);
    }
}

fn redriven(parked: &Parked) -> Value {
    let mut event = parked.event.clone();
    let attempt = event["redrive"]["attempt"].as_u64().unwrap_or_default() + 1;
    event["redrive"] = json!({"destinations": [parked.destinations], "attempt": attempt});
    event
}
