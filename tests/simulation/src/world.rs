//! Everything that AWS holds and does in one run, the faults included: requests wait here until the
//! seeded scheduler lets one of them proceed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::dynamodb::{self, Table};
use crate::faults::{Fault, Faults};
use crate::s3::S3;
use crate::wire::{Answer, Request};
use crate::{s3_answers, services};

pub use crate::holdings::{Execution, Mutant, Parked};

/// What the HTTP client hands back.
pub type Reply = Result<HttpResponse, ConnectorError>;

tokio::task_local! {
    /// The function that runs: ARN as the definition has it.
    pub static FUNCTION: String;
}

/// A request that waits.
struct Gate {
    /// Whether a settling sent it: of promotions whose answer is lost nobody hears any more, they
    /// are known by their marker alone.
    settling: bool,
    request: Request,
    reply: oneshot::Sender<Reply>,
}

enum Timer {
    Wake(oneshot::Sender<()>),
    Land(Request),
}

/// What one run holds.
pub struct State {
    /// Decides everything.
    pub rng: fastrand::Rng,
    /// Milliseconds since 1970.
    pub clock_ms: i64,
    /// How far the functions' clocks are off.
    pub skew_ms: i64,
    /// Buckets.
    pub s3: S3,
    /// The catalog.
    pub catalog: Table,
    /// The dead-letter queue.
    pub parked: Vec<Parked>,
    /// Messages to the topic: subject and text.
    pub told: Vec<(String, String)>,
    /// Executions by ARN.
    pub executions: BTreeMap<String, Execution>,
    /// Those that were asked for and do not run yet.
    pub to_start: Vec<String>,
    /// ARNs of executions that ended badly and of which nobody has heard yet.
    pub ended: Vec<String>,
    /// The policy's document.
    pub policy: String,
    /// Whether its rules mirror deletions.
    pub mirrored: bool,
    /// What goes wrong.
    pub faults: Faults,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// Running Lambdas, to kill them by.
    pub running: BTreeMap<u64, AbortHandle>,
    /// Copies and uploads that took effect with nobody there to hear of it, by key.
    pub unheard: BTreeMap<String, u64>,
    /// Requests that took effect.
    pub calls: u64,
    /// What must never be seen and was.
    pub broken: Vec<String>,
    /// What was seen beside faults: shows that it was really visited.
    pub seen: BTreeMap<&'static str, u64>,
    /// Whether everything that happens is printed.
    pub traced: bool,
    gates: Vec<Gate>,
    timers: BTreeMap<(i64, u64), Timer>,
    sequence: u64,
}

/// A handle on the state; single-threaded use, though the SDK asks for more.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// An empty one.
    pub fn new(seed: u64, clock_ms: i64) -> Self {
        let state = State {
            rng: fastrand::Rng::with_seed(seed),
            clock_ms,
            skew_ms: 0,
            s3: S3::default(),
            catalog: Table::default(),
            parked: Vec::new(),
            told: Vec::new(),
            executions: BTreeMap::new(),
            to_start: Vec::new(),
            ended: Vec::new(),
            policy: String::new(),
            mirrored: false,
            faults: Faults::default(),
            mutant: None,
            running: BTreeMap::new(),
            unheard: BTreeMap::new(),
            calls: 0,
            broken: Vec::new(),
            seen: BTreeMap::new(),
            traced: false,
            gates: Vec::new(),
            timers: BTreeMap::new(),
            sequence: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The state; never held across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the scheduler lets a request proceed.
    pub fn send(&self, request: Request) -> impl Future<Output = Reply> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let settling = FUNCTION.try_with(|function| function == "${RecordFunctionArn}");
        let settling = settling.unwrap_or_default();
        self.state().gates.push(Gate {
            settling,
            request,
            reply,
        });
        async move {
            let lost = || ConnectorError::io("the run is over".into());
            answer.await.unwrap_or_else(|_| Err(lost()))
        }
    }

    /// Waits in virtual time.
    pub fn sleep(&self, ms: i64) -> impl Future<Output = ()> + 'static {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state();
        let at = state.clock_ms + ms;
        state.timer(at, Timer::Wake(wake));
        drop(state);
        async move {
            // A timer that is gone belongs to a run that is over.
            let _ = woken.await;
        }
    }
}

impl State {
    fn timer(&mut self, at: i64, timer: Timer) {
        self.sequence += 1;
        self.timers.insert((at, self.sequence), timer);
    }

    /// A number that no other has.
    pub fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Lets one thing happen; `false` when nothing waits.
    pub fn step(&mut self) -> bool {
        self.strike_at_random();
        let next = self.timers.keys().next().copied();
        let due = next.is_some_and(|(at, _)| at <= self.clock_ms);
        if self.gates.is_empty() || (due && self.rng.bool()) {
            let Some(((at, _), timer)) = self.timers.pop_first() else {
                return false;
            };
            self.clock_ms = self.clock_ms.max(at);
            match timer {
                // A sleeper that is gone needs no waking.
                Timer::Wake(wake) => drop(wake.send(())),
                Timer::Land(request) => drop(self.land_unheard(&request)),
            }
            return true;
        }
        self.clock_ms += self.rng.i64(1..150);
        let place = self.rng.usize(..self.gates.len());
        let gate = self.gates.swap_remove(place);
        if gate.reply.is_closed() {
            // Its Lambda is dead; the request may be on its way all the same.
            if self.rng.bool() {
                self.trace(|| format!("nobody hears of {}", gate.request.operation));
                self.land_unheard(&gate.request);
            }
            return true;
        }
        let reply = self.answer(&gate.request, gate.settling);
        drop(gate.reply.send(reply));
        true
    }

    /// Deaths and stops, between any two calls.
    fn strike_at_random(&mut self) {
        let Self { rng, faults, .. } = self;
        if !self.running.is_empty() && faults.strikes(rng, Fault::Killed, 0.004) {
            let place = rng.usize(..self.running.len());
            let number = *self.running.keys().nth(place).expect("one of them");
            self.running.remove(&number).expect("it").abort();
            self.trace(|| format!("killed {number}"));
        }
        let alive: Vec<_> = self
            .executions
            .iter()
            .filter(|(_, execution)| execution.status == "RUNNING")
            .map(|(arn, _)| arn.clone())
            .collect();
        let Self { rng, faults, .. } = self;
        if !alive.is_empty() && faults.strikes(rng, Fault::Stopped, 0.0015) {
            let arn = &alive[rng.usize(..alive.len())];
            let now_ms = self.clock_ms;
            let execution = self.executions.get_mut(arn).expect("it");
            execution.end("ABORTED", now_ms);
            self.ended.push(arn.clone());
            if let Some(task) = execution.task.take() {
                task.abort();
            }
            let input = execution.input.clone();
            let key = input.pointer("/detail/object/key").and_then(Value::as_str);
            self.may_be_surplus(key.unwrap_or_default());
        }
    }

    /// A Lambda goes on though nobody waits for it: what it copies may be one too many.
    pub fn may_be_surplus(&mut self, key: &str) {
        for prefix in ["backup-a/", "backup-b/copies/of é/"] {
            *self.unheard.entry(format!("{prefix}{key}")).or_default() += 1;
        }
    }

    /// Prints one line of what happens, where that is asked for.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.traced {
            eprintln!("{} {}", crate::s3_answers::iso(self.clock_ms), line());
        }
    }

    fn land_unheard(&mut self, request: &Request) -> Answer {
        let answer = self.land(request);
        if answer.status < 300
            && matches!(
                request.operation.as_str(),
                "CopyObject" | "CompleteMultipartUpload" | "CreateMultipartUpload"
            )
        {
            *self.unheard.entry(request.path.clone()).or_default() += 1;
        }
        answer
    }

    /// What a settling copies is recorded afterwards, or, where that is lost, not at all; a copy without
    /// the marker is not found again either.
    fn land_for(&mut self, request: &Request, settling: bool) -> Answer {
        let unmarked = request.header("x-amz-metadata-directive") == Some("COPY");
        if settling || unmarked {
            self.land_unheard(request)
        } else {
            self.land(request)
        }
    }

    /// Takes effect.
    fn land(&mut self, request: &Request) -> Answer {
        self.calls += 1;
        let answer = self.done(request);
        let seen = services::seen(&request.operation, answer.status);
        *self.seen.entry(seen).or_default() += 1;
        self.trace(|| {
            let (name, path, status) = (&request.operation, &request.path, answer.status);
            let text = String::from_utf8_lossy(&answer.body);
            format!("{name} {path} {:?}: {status} {text:.300}", request.query)
        });
        answer
    }

    fn done(&mut self, request: &Request) -> Answer {
        match request.service.as_str() {
            "s3" => s3_answers::answer(&mut self.s3, request, self.clock_ms),
            "dynamodb" => {
                let before = request.writes().then(|| self.catalog.items.clone());
                let answer = dynamodb::answer(&mut self.catalog, request);
                self.watch(&before.unwrap_or_default());
                answer
            }
            _ => services::answer(self, request),
        }
    }

    /// What is stored stays stored.
    fn watch(&mut self, before: &BTreeMap<(String, String), dynamodb::Item>) {
        for (keys, old) in before {
            let new = &self.catalog.items[keys];
            let (was, is) = (dynamodb::text(old, "status"), dynamodb::text(new, "status"));
            let kept = is == "stored" || is == "unsettled";
            if was == "stored" && (!kept || old.get("backup") != new.get("backup")) {
                let line = format!("the stored point {keys:?} was overwritten: {is}");
                self.broken.push(line);
            }
        }
    }

    fn answer(&mut self, request: &Request, settling: bool) -> Reply {
        let copies = request.header("x-amz-copy-source").is_some();
        let never = match self.mutant {
            Some(Mutant::PromotesNothing) => settling && copies,
            Some(Mutant::MirrorsNothing) => request.operation == "DeleteObject",
            _ => false,
        };
        if never {
            return Err(ConnectorError::timeout("no answer came".into()));
        }
        let Some((fault, reply)) = self.fault(request, settling) else {
            return Ok(self.land_for(request, settling).into_http());
        };
        self.trace(|| format!("{fault:?}: {} {}", request.operation, request.path));
        reply.map(Answer::into_http)
    }

    /// What goes wrong with a request, and what is answered then.
    fn fault(
        &mut self,
        request: &Request,
        settling: bool,
    ) -> Option<(Fault, Result<Answer, ConnectorError>)> {
        let lost = || Err(ConnectorError::timeout("no answer came".into()));
        let failed = || Ok(services::failure(request, 500, "InternalError"));
        let writes = request.writes();
        let whole = ["CopyObject", "CompleteMultipartUpload"].contains(&request.operation.as_str());
        let bytes = ["CopyObject", "UploadPartCopy"].contains(&request.operation.as_str());
        let Self { rng, faults, .. } = self;
        let (fault, _, _) = [
            (Fault::Throttled, 0.01, true),
            (Fault::FailedBefore, 0.01, true),
            (Fault::LostBefore, 0.01, true),
            (Fault::LostAfter, 0.015, writes),
            (Fault::FailedAfter, 0.01, writes),
            (Fault::LandsLate, 0.007, writes),
            (Fault::ErrorIn200, 0.02, whole),
            (Fault::Spoilt, 0.02, bytes),
        ]
        .into_iter()
        .find(|(fault, chance, possible)| *possible && faults.strikes(rng, *fault, *chance))?;
        let reply = match fault {
            Fault::Throttled => Ok(services::failure(request, 503, "SlowDown")),
            Fault::FailedBefore => failed(),
            Fault::LostBefore => lost(),
            Fault::LostAfter => {
                self.land_for(request, settling);
                lost()
            }
            Fault::FailedAfter => {
                self.land_for(request, settling);
                failed()
            }
            Fault::LandsLate => {
                let at = self.clock_ms + rng.i64(1000..20 * 60_000);
                self.timer(at, Timer::Land(request.clone()));
                lost()
            }
            Fault::ErrorIn200 => {
                if rng.bool() {
                    self.land_for(request, settling);
                }
                Ok(Answer::s3_error(200, "InternalError"))
            }
            _ => {
                let mut spoilt = request.clone();
                let name = "x-simulated-spoilt".to_owned();
                spoilt.headers.insert(name, String::new());
                Ok(self.land(&spoilt))
            }
        };
        Some((fault, reply))
    }
}
