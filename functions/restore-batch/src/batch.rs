//! What RestoreBatch does with one line.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_aws::at_once::each;
use backup_aws::prepare::unavailable;
use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, Deadline, ErrorName, Failure};
use backup_domain::limits::MIB;
use backup_domain::restore::estimate::OBJECTS_AT_ONCE;
use backup_domain::restore::line::{Item, Line};
use backup_domain::restore::report::{Counts, Outcome, Restored, Unproven};
use tracing::{info, warn};

use crate::one::{Keeper, One};

/// The function's clients and settings.
pub struct Batch {
    pub clients: Arc<Clients>,
    pub region: String,
    pub multipart_mib: u64,
    pub part_min_mib: u64,
}

impl Batch {
    /// Restores what no earlier run has ended, and writes what became of it; then raises what may be
    /// over a moment later.
    pub async fn restore(&self, line: Line, deadline: Deadline) -> Result<Counts, Failure> {
        let documents = Documents {
            client: self.clients.s3(&self.region),
            bucket: line.work.bucket.clone(),
        };
        let key = line.work.results(line.slice, line.line);
        let before: Option<Vec<Restored>> = documents.get(&key).await?;
        let is_first = before.is_none();
        if is_first {
            // Should this run die, the next one looks before it copies.
            documents
                .put(&key, "[]".to_owned(), "application/json")
                .await?;
        }
        let mut results: BTreeMap<String, Restored> = before
            .into_iter()
            .flatten()
            .map(|it| (it.key.clone(), it))
            .collect();
        let found = settled(&results);
        let left = results
            .values()
            .filter(|it| !it.outcome.is_final())
            .filter_map(|it| Some((it.key.clone(), it.unproven.clone()?)))
            .collect();

        let one = self.one(&line, left, is_first, &documents, deadline);
        let one = one.await?;
        let open = line
            .items
            .iter()
            .filter(|it| !results.get(&it.key).is_some_and(|it| it.outcome.is_final()));
        // Each of the large ones is many calls at once by itself.
        let (large, small): (Vec<_>, Vec<_>) = open.cloned().partition(|item| one.is_large(item));
        let mut raised: Option<Failure> = None;
        let (mut left, mut moved) = (0_usize, false);
        let at_once = usize::try_from(OBJECTS_AT_ONCE).unwrap_or(1);
        for (items, at_once) in [(small, at_once), (large, 1)] {
            for ended in each(items, at_once, |item| {
                work_on(Arc::clone(&one), item, deadline)
            })
            .await
            {
                match ended {
                    Ended::Left { progress } => {
                        left += 1;
                        moved |= progress;
                    }
                    Ended::Well(restored) => drop(results.insert(restored.key.clone(), restored)),
                    Ended::Badly(restored, again) => {
                        raised = raised.or(again);
                        results.insert(restored.key.clone(), restored);
                    }
                }
            }
        }
        let ended = settled(&results);
        let results: Vec<_> = results.into_values().collect();
        let text = serde_json::json!(results).to_string();
        documents.put(&key, text, "application/json").await?;
        let mut counts = Counts::default();
        for one in &results {
            counts.count(one);
        }
        info!(
            slice = line.slice,
            line = line.line,
            found,
            left,
            failed = counts.failed,
            "restored"
        );
        if left > 0 {
            moved |= ended > found;
            let message = format!("{left} objects of the line are left");
            return Err(if moved {
                Failure::new(ErrorName::OutOfTime, message)
            } else {
                raised.unwrap_or_else(|| unavailable(message))
            });
        }
        raised.map_or(Ok(counts), Err)
    }

    async fn one(
        &self,
        line: &Line,
        left: BTreeMap<String, Unproven>,
        is_first: bool,
        documents: &Documents,
        deadline: Deadline,
    ) -> Result<Arc<One>, Failure> {
        let key = line.work.uploads(line.slice, line.line);
        let uploads = documents.get(&key).await?.unwrap_or_default();
        Ok(Arc::new(One {
            clients: Arc::clone(&self.clients),
            target_region: line
                .to
                .region
                .clone()
                .unwrap_or_else(|| self.region.clone()),
            to: line.to.clone(),
            mode: line.mode,
            at: line.at,
            archive: line.archive.clone(),
            annotations: line.annotations,
            fresh: line.fresh && is_first,
            read: line.read,
            left,
            multipart_bytes: self.multipart_mib * MIB,
            part_bytes_min: self.part_min_mib * MIB,
            deadline,
            keeper: Keeper::new(documents.clone(), key, uploads),
        }))
    }
}

fn settled(results: &BTreeMap<String, Restored>) -> usize {
    let settled = results.values().filter(|it| it.outcome.is_settled());
    settled.count()
}

/// How work on one key ended.
enum Ended {
    /// The time is too far gone to begin, or was too short to end, with or without progress.
    Left { progress: bool },
    /// As it should.
    Well(Restored),
    /// Failed; what may be over a moment later is raised too.
    Badly(Restored, Option<Failure>),
}

async fn work_on(one: Arc<One>, item: Item, deadline: Deadline) -> Ended {
    if deadline.is_near() {
        return Ended::Left { progress: false };
    }
    match one.restore(&item).await {
        Ok(restored) => Ended::Well(restored),
        Err(failure) if failure.name == ErrorName::OutOfTime => Ended::Left { progress: true },
        Err(failure) => {
            warn!(key = %item.key, error = %failure.name, problem = %failure.message, "failed");
            let restored = Restored {
                error: failure.name.to_string(),
                at: item.at,
                ..Restored::because(&item.key, Outcome::Failed, failure.message.clone())
            };
            let passing = [ErrorName::Throttled, ErrorName::DestinationUnavailable];
            let again = passing.contains(&failure.name).then_some(failure);
            Ended::Badly(restored, again)
        }
    }
}
