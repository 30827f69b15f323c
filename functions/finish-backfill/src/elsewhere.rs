//! What is under way elsewhere: in parts on the backup machine, or by somebody else's execution. The
//! catalog says what has become of it.

use std::sync::Arc;

use backup_aws::at_once::each;
use backup_aws::catalog::{Catalog, Gone};
use backup_aws::executions::{self, State};
use backup_aws::s3::documents::Documents;
use backup_aws::{Failure, StepFunctions};
use backup_domain::backfill::course::Work;
use backup_domain::backfill::event::{Source, execution_of};
use backup_domain::backfill::known::is_of;
use backup_domain::backfill::report::{Failed, Open};
use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::plan::json_line;

use crate::tally::keep_open;

/// Versions that are looked for at once.
const AT_ONCE: usize = 32;

/// Where to look.
pub struct Elsewhere {
    pub catalog: Catalog,
    pub executions: StepFunctions,
    /// ARN of the backup machine.
    pub machine: String,
    pub source: String,
    pub account: String,
    pub region: String,
}

/// What has become of a version.
enum Now {
    Open(Open),
    Ended { outcome: &'static str, bytes: u64 },
    Failed(Failed),
}

impl Elsewhere {
    /// Looks for what is open of a slice, and notes what has ended since.
    pub async fn look(
        self: &Arc<Self>,
        documents: &Documents,
        work: &Work,
        slice: &Gone,
    ) -> Result<Gone, Failure> {
        let number = slice.number;
        let open: Option<Vec<Open>> = documents.get(&work.open(number)).await?;
        let found = each(open.unwrap_or_default(), AT_ONCE, |open| {
            let (own, work) = (Arc::clone(self), work.clone());
            async move { own.now(&work, open).await }
        });
        let (mut gone, mut left, mut failed) = (slice.clone(), Vec::new(), Vec::new());
        for now in found.await {
            match now? {
                Now::Open(open) => left.push(open),
                Now::Ended { outcome, bytes } => gone.counts.count(outcome, bytes),
                Now::Failed(one) => failed.push(one),
            }
        }
        gone.counts.failed += failed.len() as u64;
        gone.counts.open = left.len() as u64;
        if !failed.is_empty() {
            let key = work.failed(number);
            let mut all: Vec<Failed> = documents.lines(&key).await?.unwrap_or_default();
            all.append(&mut failed);
            let text: String = all.iter().map(|one| json_line(one) + "\n").collect();
            documents.put(&key, text, "application/x-ndjson").await?;
        }
        keep_open(documents, work, number, &left).await?;
        self.catalog.put_slice(&work.run, &gone).await?;
        Ok(gone)
    }

    async fn now(&self, work: &Work, open: Open) -> Result<Now, Failure> {
        let pk = partition_key(&self.source, &open.key);
        let points = self.catalog.points_of_key(&pk).await?;
        let own: Vec<_> = points
            .into_iter()
            .filter(|it| is_of(it, &open.version))
            .collect();
        let source = Source {
            bucket: &self.source,
            account: &self.account,
            region: &self.region,
        };
        let name = execution_of(source, work, &open.key, &open.version);
        let arn = executions::arn_of(&self.machine, &name);
        if own.is_empty() {
            // No rule wanted it, once it was looked at; or it has not come so far.
            return Ok(match executions::describe(&self.executions, &arn).await? {
                State::Running => Now::Open(open),
                State::Dead(dead) => {
                    failed(&open, "*", dead.error.as_deref(), dead.cause.as_deref())
                }
                State::Succeeded | State::Unknown => ended("skipped", &open),
            });
        }
        if own.iter().any(|point| point.status == Status::Copying) {
            return Ok(Now::Open(open));
        }
        let of_failed = |point: &&RecoveryPoint| point.status == Status::Failed;
        if let Some(point) = own.iter().find(of_failed) {
            let (error, message) = (point.error.as_deref(), point.message.as_deref());
            return Ok(failed(&open, &point.destination, error, message));
        }
        let ours = own.iter().any(|point| point.owner.starts_with(&arn));
        Ok(ended(if ours { "stored" } else { "duplicate" }, &open))
    }
}

fn ended(outcome: &'static str, open: &Open) -> Now {
    let bytes = open.version.size;
    Now::Ended { outcome, bytes }
}

fn failed(open: &Open, destination: &str, error: Option<&str>, message: Option<&str>) -> Now {
    Now::Failed(Failed {
        key: open.key.clone(),
        version_id: open.version.id.clone(),
        destination: destination.to_owned(),
        error: error.unwrap_or("unknown error").to_owned(),
        message: message.unwrap_or_default().to_owned(),
    })
}
