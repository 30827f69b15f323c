//! What became of one slice, from the results of its lines.

use std::collections::BTreeMap;

use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_aws::s3::documents::Documents;
use backup_domain::plan::json_line;
use backup_domain::restore::course::Work;
use backup_domain::restore::line::Line;
use backup_domain::restore::report::{Counts, Outcome, Restored};
use serde::{Deserialize, Serialize};

/// Results that are read at once.
const AT_ONCE: usize = 32;
/// Keys that the report names, of all slices.
const NAMED_MAX: usize = 50;

/// Counts of every slice, and some of what was not restored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    slices: BTreeMap<u32, Counted>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counted {
    counts: Counts,
    named: Vec<Restored>,
}

impl Progress {
    /// Counts a slice anew, and writes its part of the report: one line an object.
    pub async fn count(
        &mut self,
        documents: &Documents,
        work: &Work,
        slice: u32,
    ) -> Result<(), Failure> {
        let lines: Vec<Line> = documents
            .lines(&work.lines(slice))
            .await?
            .unwrap_or_default();
        let results = each(lines, AT_ONCE, |line| {
            let (documents, work) = (documents.clone(), work.clone());
            async move {
                let key = work.results(slice, line.line);
                let found: Option<Vec<Restored>> = documents.get(&key).await?;
                let results = answered(&line, found.unwrap_or_default());
                let is_open = results.iter().any(|one| !one.outcome.is_settled());
                Ok::<_, Failure>((results, is_open.then(|| json_line(&line) + "\n")))
            }
        });
        let (mut counted, mut text) = (Counted::default(), String::new());
        let mut open = String::new();
        for line in results.await {
            let (results, line) = line?;
            open.push_str(&line.unwrap_or_default());
            for one in results {
                counted.counts.count(&one);
                text.push_str(&json_line(&one));
                text.push('\n');
                let is_well = matches!(
                    one.outcome,
                    Outcome::Restored | Outcome::Same | Outcome::Hidden | Outcome::Archived
                );
                if !is_well && counted.named.len() < NAMED_MAX {
                    counted.named.push(one);
                }
            }
        }
        let kind = "application/x-ndjson";
        documents.put(&work.objects(slice), text, kind).await?;
        if counted.counts.waiting > 0 {
            // The next pass has nothing to do with the others.
            documents.put(&work.open_lines(slice), open, kind).await?;
        }
        self.slices.insert(slice, counted);
        Ok(())
    }

    /// All slices together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.slices.values().for_each(|it| total.add(&it.counts));
        total
    }

    /// Some of what was not restored.
    pub fn named(&self) -> Vec<Restored> {
        let all = self.slices.values().flat_map(|it| it.named.iter());
        all.take(NAMED_MAX).cloned().collect()
    }

    /// How many slices have something in an archive.
    pub fn waiting(&self) -> u32 {
        let waiting = self.slices.values().filter(|it| it.counts.waiting > 0);
        u32::try_from(waiting.count()).unwrap_or(u32::MAX)
    }

    /// The next slice behind `after` of which something lies in an archive.
    pub fn waiting_after(&self, after: u32) -> Option<u32> {
        let mut waiting = self.slices.range(after + 1..);
        waiting
            .find(|(_, it)| it.counts.waiting > 0)
            .map(|(slice, _)| *slice)
    }
}

/// Every item of a line has a result: one whose function ended without a word has failed.
fn answered(line: &Line, found: Vec<Restored>) -> Vec<Restored> {
    let mut found: BTreeMap<_, _> = found.into_iter().map(|it| (it.key.clone(), it)).collect();
    let items = line.items.iter();
    items
        .map(|item| {
            found.remove(&item.key).unwrap_or_else(|| {
                let why = format!(
                    "line {} of slice {} has no result for it: read the log of RestoreBatch",
                    line.line, line.slice
                );
                Restored::because(&item.key, Outcome::Failed, why)
            })
        })
        .collect()
}
