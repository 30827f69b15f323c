//! One key of a line: its versions, the oldest first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_aws::{Deadline, ErrorName, Failure, executions};
use backup_domain::Policy;
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::event::{Source, event_of, execution_of, holder};
use backup_domain::backfill::known::{Known, known};
use backup_domain::backfill::line::{Item, Line, Version};
use backup_domain::backfill::report::{Failed, Open, Rest};
use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::error::one_line;
use backup_domain::task::{Action, Execution};
use tracing::warn;

use crate::batch::Batch;
use crate::way::{Call, Ended};

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
        for version in &item.versions {
            if self.deadline.is_near() || self.stopped.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.version(item, version, &points, &execution, done)
                .await?;
            *begun += 1;
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
    ) -> Result<(), Failure> {
        let way = &self.batch.way;
        let owner = execution.owner();
        let begun = match known(version, &item.key, points, &self.policy, &owner) {
            Known::Unwanted => {
                done.counts.skipped += 1;
                return Ok(());
            }
            Known::Done(ended) => {
                for (status, by) in ended {
                    count(&mut done.counts, status, by == owner, version.size);
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
        let call = Call {
            event: &event,
            execution,
            begun,
            last: self.last,
            deadline: self.deadline,
        };
        for ended in way.go(&call).await? {
            note(done, item, version, ended);
        }
        Ok(())
    }

    /// A large object takes the backup machine, in parts.
    async fn start(&self, item: &Item, version: &Version, done: &mut Done) -> Result<(), Failure> {
        let Batch {
            executions: client,
            machine,
            ..
        } = &*self.batch;
        let name = execution_of(self.source(), &self.line.work, &item.key, version);
        let event = event_of(self.source(), &item.key, version).to_string();
        executions::start(client, machine, &name, &event).await?;
        done.counts.open += 1;
        done.rest.open.push(open(item, version));
        Ok(())
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

fn note(done: &mut Done, item: &Item, version: &Version, ended: Ended) {
    // What is settled for a delete marker is its deletion.
    let outcome = match ended.outcome.as_str() {
        "settled" if version.marker => "deleted",
        outcome => outcome,
    };
    done.counts.count(outcome, version.size);
    match outcome {
        "held" => done.rest.open.push(open(item, version)),
        "failed" | "unparked" => {
            let cause = ended.cause;
            let (error, message) = cause.map_or_else(Default::default, |it| (it.error, it.message));
            done.rest.failed.push(Failed {
                key: item.key.clone(),
                version_id: version.id.clone(),
                destination: ended.destination,
                error,
                message: one_line(&message, MESSAGE_BYTES_MAX),
            });
        }
        _ => {}
    }
}

fn open(item: &Item, version: &Version) -> Open {
    Open {
        key: item.key.clone(),
        version: version.clone(),
    }
}
