//! One key of a line: its versions, the oldest first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backup_aws::elsewhere::{Asked, now};
use backup_aws::{Deadline, ErrorName, Failure, executions};
use backup_domain::Policy;
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::elsewhere::Now;
use backup_domain::backfill::event::{Source, event_of, execution_of, holder};
use backup_domain::backfill::known::{Known, known};
use backup_domain::backfill::line::{Item, Line, Version};
use backup_domain::backfill::report::{Failed, Open, Rest};
use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::error::one_line;
use backup_domain::task::{Action, Execution};
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::warn;

use crate::batch::Batch;
use crate::order::{Order, Said};
use crate::way::{Call, Ended};

/// Large objects of one line that are under way at once.
pub const LARGE_AT_ONCE: usize = 4;
/// First and longest wait between two looks at one.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_LAST: Duration = Duration::from_secs(20);

/// Bytes of a message in the list of what failed.
const MESSAGE_BYTES_MAX: usize = 300;

/// What all keys of a line share.
pub struct Shared {
    pub batch: Arc<Batch>,
    pub line: Line,
    /// As it was when the line was begun: what is done already is decided by it.
    pub policy: Arc<Policy>,
    pub deadline: Deadline,
    /// Nobody may try again after this run.
    pub last: bool,
    /// What an earlier run of the line has recorded as failed.
    pub failed: BTreeSet<(String, Option<String>)>,
    /// A destination cannot be reached: nothing more is begun.
    pub stopped: AtomicBool,
    /// Large objects that are under way at once.
    pub large: Semaphore,
}

/// What became of a key.
#[derive(Default)]
pub struct Done {
    pub counts: Counts,
    pub rest: Rest,
    /// Why something is left.
    pub raised: Option<Failure>,
}

impl Shared {
    pub async fn work(&self, number: usize) -> Done {
        let mut done = Done::default();
        let Some(item) = self.line.items.get(number) else {
            return done;
        };
        let mut begun = 0;
        if let Err(failure) = self.versions(number, item, &mut done, &mut begun).await {
            if failure.name == ErrorName::BreakerOpen {
                self.stopped.store(true, Ordering::Relaxed);
            }
            warn!(key = %item.key, error = %failure.name, problem = %failure.message, "left");
            done.raised = Some(failure);
        }
        // One that stays away would be overtaken by those behind it.
        done.counts.left = (item.versions.len() - begun) as u64;
        done
    }

    /// Version by version; `begun` counts those that are done with.
    async fn versions(
        &self,
        number: usize,
        item: &Item,
        done: &mut Done,
        begun: &mut usize,
    ) -> Result<(), Failure> {
        if self.deadline.is_near() || self.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let way = &self.batch.way;
        let pk = partition_key(self.source().bucket, &item.key);
        let points = way.catalog.known_points(&pk).await?;
        let execution = holder(&self.line, number);
        let mut order = Order::default();
        for (place, version) in item.versions.iter().enumerate() {
            if self.deadline.is_near() || self.stopped.load(Ordering::Relaxed) {
                // The next run settles behind the last version; what is owed until then the sweep knows.
                return Ok(());
            }
            order.later = place + 1 < item.versions.len();
            order.settled.clear();
            self.version(item, version, &points, &execution, done, &mut order)
                .await?;
            *begun += 1;
        }
        if !order.debts.is_empty() {
            let event = Value::Null;
            let call = self.call(&event, &execution, false, false);
            let paid = way.pay(order.debts, &order.settled, &call).await;
            if let Err(problem) = paid {
                warn!(key = %item.key, problem = %problem.message, "the order is left to the sweep");
            }
        }
        Ok(())
    }

    async fn version(
        &self,
        item: &Item,
        version: &Version,
        points: &[RecoveryPoint],
        execution: &Execution,
        done: &mut Done,
        order: &mut Order,
    ) -> Result<(), Failure> {
        let way = &self.batch.way;
        let owner = execution.owner();
        let begun = match known(version, &item.key, points, &self.policy, &owner) {
            Known::Unwanted => {
                done.counts.skipped += 1;
                return Ok(());
            }
            Known::Done(ended) => {
                let own = self.started(item, version);
                for (status, by) in ended {
                    let mine = by == owner || Execution::arn_of(&by) == own;
                    count(&mut done.counts, status, mine, version.size);
                }
                return Ok(());
            }
            Known::Open { begun } => begun,
        };
        let id = version.id.clone();
        if self.failed.contains(&(item.key.clone(), id.clone())) {
            done.counts.failed += 1;
            return Ok(());
        }
        let action = Action::for_size(version.size, way.filter.multipart_mib);
        if action == Action::Large && !version.marker {
            return self.start(item, version, done).await;
        }
        let event = event_of(self.source(), &item.key, version);
        let call = self.call(&event, execution, begun, order.later);
        for ended in way.go(&call).await? {
            order.add(note(done, item, version, ended));
        }
        Ok(())
    }

    fn call<'a>(
        &self,
        event: &'a Value,
        execution: &'a Execution,
        begun: bool,
        later: bool,
    ) -> Call<'a> {
        Call {
            event,
            execution,
            begun,
            last: self.last,
            later,
            deadline: self.deadline,
        }
    }

    /// A large object takes the backup machine, in parts, and is waited for: so many are under way at
    /// once as lines are, times [`LARGE_AT_ONCE`].
    async fn start(&self, item: &Item, version: &Version, done: &mut Done) -> Result<(), Failure> {
        let Batch {
            executions: client,
            machine,
            ..
        } = &*self.batch;
        let _permit = self.large.acquire().await;
        if self.deadline.is_near() || self.stopped.load(Ordering::Relaxed) {
            return Err(waits(item));
        }
        let name = execution_of(self.source(), &self.line.work, &item.key, version);
        let event = event_of(self.source(), &item.key, version).to_string();
        executions::start(client, machine, &name, &event).await?;
        let open = open(item, version, true);
        let asked = Asked {
            catalog: &self.batch.way.catalog,
            executions: client,
            machine,
            source: self.source(),
        };
        let mut wait = LOOK_FIRST;
        loop {
            tokio::time::sleep(wait).await;
            match now(asked, &self.line.work, &open).await? {
                Now::Ended(outcome) => done.counts.count(outcome, version.size),
                Now::Failed(one) => {
                    done.counts.failed += 1;
                    done.rest.failed.push(*one);
                }
                // The next run of the line finds it again by its name.
                Now::Open | Now::Ask if self.deadline.is_near() => return Err(waits(item)),
                Now::Open | Now::Ask => {
                    wait = (wait * 2).min(LOOK_LAST);
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// ARN of the execution that a large object has.
    fn started(&self, item: &Item, version: &Version) -> String {
        let name = execution_of(self.source(), &self.line.work, &item.key, version);
        executions::arn_of(&self.batch.machine, &name)
    }

    fn source(&self) -> Source<'_> {
        let sources = self.batch.way.filter.policy.sources();
        Source {
            bucket: sources.first().map_or("", String::as_str),
            account: &self.batch.account,
            region: &self.batch.region,
        }
    }
}

/// A version that had come to its end before; `mine` is what an earlier run of this line has done.
fn count(counts: &mut Counts, status: Status, mine: bool, bytes: u64) {
    let outcome = match (status, mine) {
        (Status::Stored | Status::Unsettled, true) => "stored",
        (Status::Deleted, true) => "deleted",
        (Status::Gone, _) => "gone",
        (Status::Superseded, _) => "superseded",
        (Status::Skipped, _) => "skipped",
        _ => "duplicate",
    };
    counts.count(outcome, bytes);
}

/// Notes an end; hands back what it says of the order.
fn note(done: &mut Done, item: &Item, version: &Version, mut ended: Ended) -> Said {
    let settled = ended.debt.is_none() && matches!(&*ended.outcome, "stored" | "settled");
    let said = Said {
        debt: ended.debt.take().map(|debt| *debt),
        settled: settled.then(|| ended.destination.clone()),
    };
    // What is settled for a delete marker is its deletion.
    let outcome = match ended.outcome.as_str() {
        "settled" if version.marker => "deleted",
        outcome => outcome,
    };
    done.counts.count(outcome, version.size);
    match outcome {
        "held" => done.rest.open.push(open(item, version, false)),
        "failed" | "unparked" => {
            let cause = ended.cause;
            let (error, message) = cause.map_or_else(Default::default, |it| (it.error, it.message));
            done.rest.failed.push(Failed {
                key: item.key.clone(),
                version_id: version.id.clone(),
                destination: ended.destination,
                error,
                message: one_line(&message, MESSAGE_BYTES_MAX),
                version: Some(version.clone()),
            });
        }
        _ => {}
    }
    said
}

fn waits(item: &Item) -> Failure {
    let message = format!("{} is still under way in parts", item.key);
    Failure::new(ErrorName::OutOfTime, message)
}

fn open(item: &Item, version: &Version, started: bool) -> Open {
    Open {
        key: item.key.clone(),
        version: version.clone(),
        started,
    }
}
