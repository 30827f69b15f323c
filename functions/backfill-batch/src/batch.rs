//! What BackfillBatch does with one line.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use backup_aws::at_once::each;
use backup_aws::catalog::Gone;
use backup_aws::prepare::unavailable;
use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, Deadline, ErrorName, Failure, StepFunctions};
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::line::Line;
use backup_domain::backfill::report::Rest;
use tokio::sync::Semaphore;
use tracing::info;

use crate::key::{Done, LARGE_AT_ONCE, Shared};
use crate::way::Way;

/// Keys that are worked on at once: each takes one call after another.
const AT_ONCE: usize = 16;
/// Runs of a line that end in what may pass; in the last of them that counts as failed. The machine
/// tries at least as often.
const RUNS_MAX: u32 = 5;

/// The function's clients and settings.
pub struct Batch {
    pub way: Arc<Way>,
    pub clients: Clients,
    pub executions: StepFunctions,
    pub machine: String,
    pub account: String,
    pub region: String,
}

impl Batch {
    /// Backs up what the catalog does not hold as done, and notes what became of the line; then raises
    /// what may be over a moment later.
    ///
    /// # Errors
    /// `OutOfTime` where the next run goes on; `BreakerOpen`, `Throttled` or `DestinationUnavailable`
    /// where it waits first.
    pub async fn work(self: Arc<Self>, line: Line, deadline: Deadline) -> Result<Counts, Failure> {
        let (run, slice, number) = (line.work.run.clone(), line.slice, line.line);
        let catalog = &self.way.catalog;
        let documents = Documents {
            client: self.clients.s3(&self.region),
            bucket: line.work.bucket.clone(),
        };
        let key = line.work.rest(slice, number);
        let before = catalog.line(&run, slice, number).await?;
        let before = before.unwrap_or_default();
        if before.number > 0 && before.counts.left == 0 {
            return Ok(before.counts);
        }
        let rest: Rest = if before.rest {
            documents.get(&key).await?.unwrap_or_default()
        } else {
            Rest::default()
        };
        let items = line.items.len();
        let failed = rest.failed.iter();
        let failed: BTreeSet<_> = failed
            .map(|it| (it.key.clone(), it.version_id.clone()))
            .collect();
        let shared = Arc::new(Shared {
            policy: self.way.filter.policy.load().await?,
            batch: Arc::clone(&self),
            line,
            deadline,
            last: before.tries + 1 >= RUNS_MAX,
            failed,
            stopped: AtomicBool::new(false),
            large: Semaphore::new(LARGE_AT_ONCE),
        });
        let each_key = each((0..items).collect(), AT_ONCE, |number| {
            let shared = Arc::clone(&shared);
            async move { shared.work(number).await }
        });
        let (gone, rest, raised) = together(each_key.await, rest);
        let in_vain = raised.as_ref().is_some_and(|it| counts_as_try(it.name));
        let gone = Gone {
            number,
            tries: before.tries + u32::from(in_vain),
            rest: before.rest || !rest.failed.is_empty() || !rest.open.is_empty(),
            counts: gone,
            lines: 0,
        };
        if gone.rest {
            let text = serde_json::json!(rest).to_string();
            documents.put(&key, text, "application/json").await?;
        }
        catalog.put_line(&run, slice, &gone).await?;
        let Gone { counts, tries, .. } = gone;
        let (stored, left) = (counts.stored.objects, counts.left);
        info!(%run, slice, line = number, stored, failed = counts.failed, left, tries, "worked on");
        if left == 0 {
            return Ok(counts);
        }
        let moved = counts.ended() > before.counts.ended();
        Err(raised.unwrap_or_else(|| out_of_time(left, moved)))
    }
}

/// All keys of a line, what earlier runs have recorded as failed, and what comes first to be raised: a
/// destination that is away takes longest.
fn together(done: Vec<Done>, before: Rest) -> (Counts, Rest, Option<Failure>) {
    let mut counts = Counts::default();
    let mut rest = Rest {
        failed: before.failed,
        open: vec![],
    };
    let mut raised: Vec<Failure> = Vec::new();
    for mut one in done {
        counts.add(&one.counts);
        rest.failed.append(&mut one.rest.failed);
        rest.open.append(&mut one.rest.open);
        raised.extend(one.raised);
    }
    let weight = |failure: &Failure| match failure.name {
        ErrorName::BreakerOpen => 0,
        ErrorName::InvalidPolicy => 1,
        ErrorName::OutOfTime => 3,
        _ => 2,
    };
    (counts, rest, raised.into_iter().min_by_key(weight))
}

fn counts_as_try(name: ErrorName) -> bool {
    !matches!(name, ErrorName::BreakerOpen | ErrorName::OutOfTime)
}

fn out_of_time(left: u64, moved: bool) -> Failure {
    let message = format!("{left} versions of the line are left");
    if moved {
        Failure::new(ErrorName::OutOfTime, message)
    } else {
        unavailable(message)
    }
}
