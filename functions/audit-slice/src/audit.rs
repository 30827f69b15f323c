//! One stretch: from the document of the last one to the next.

use std::sync::Arc;

use backup_aws::{Deadline, Failure};
use backup_domain::Policy;
use backup_domain::audit::finding::{AuditError, Finding};
use backup_domain::audit::progress::{Progress, SHAPE, Stage, part_key, progress_key};
use backup_domain::audit::request::{Request, Slice};
use backup_domain::policy::Destination;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use crate::context::Context;
use crate::inventory;
use crate::listings::Listings;

/// Findings of one part, after which a stretch ends: a few batches more may come on top.
const PART_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Input of the state.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// What was asked for: the input of the state machine.
    request: Value,
    /// The execution.
    execution: Execution,
}

#[derive(Debug, Deserialize)]
struct Execution {
    /// Its ARN.
    id: String,
    name: String,
}

/// Output of the state.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sliced {
    run: String,
    /// Whether there is more to do.
    more: bool,
    /// Whether what was found is to be fed to the backup.
    repair: bool,
}

/// The function.
pub struct Audit {
    pub context: Arc<Context>,
}

/// A stretch under way.
pub struct Work {
    pub progress: Progress,
    /// ETag of the document that the progress was read from; `None` of a beginning.
    kept: Option<String>,
    pub policy: Arc<Policy>,
    /// Destinations that are compared, by name.
    pub destinations: Vec<(String, Destination)>,
    /// What is looked at more closely than by listing.
    pub slice: Option<Slice>,
    /// Listings that are open.
    pub listings: Option<Listings>,
    findings: String,
    found: u64,
}

impl Audit {
    /// Works on until the audit is done, the time is nearly over, or a part is full.
    pub async fn slice(&self, task: Task, deadline: Deadline) -> Result<Sliced, Failure> {
        let mut work = self.open(&task).await?;
        while !work.progress.is_done()
            && !deadline.is_near()
            && work.findings.len() < PART_BYTES_MAX
        {
            self.step(&mut work, deadline).await?;
        }
        self.close(work).await
    }

    async fn step(&self, work: &mut Work, deadline: Deadline) -> Result<(), Failure> {
        if !work.progress.reading.is_empty() {
            return self.read(work, deadline).await;
        }
        match work.progress.stage.clone() {
            Stage::Listings { after } => self.list(work, after).await,
            Stage::Uploads { destination, after } => self.uploads(work, destination, after).await,
            Stage::Catalog { from } => self.sum_up(work, from).await,
            Stage::Unlisted { from, last } => self.unlisted(work, from, last).await,
            Stage::Done => Ok(()),
        }
    }

    async fn open(&self, task: &Task) -> Result<Work, Failure> {
        let request = Request::parse(&task.request)?;
        let run = request.resume.as_ref().unwrap_or(&task.execution.name);
        let documents = &self.context.documents;
        let kept: Option<(Progress, String)> = documents.get_tagged(&progress_key(run)).await?;
        let is_new = kept.is_none();
        let (kept, mut tag) = kept.unzip();
        let mut progress = match kept {
            Some(kept) if kept.shape == SHAPE => kept,
            Some(kept) => {
                let problem = format!("run {run} was begun by another release ({})", kept.shape);
                return Err(AuditError::Request { problem }.into());
            }
            None if request.resume.is_some() => {
                let problem = format!("there is no run {run} to go on with");
                return Err(AuditError::Request { problem }.into());
            }
            None => Progress::new(run.clone(), request, Timestamp::now()),
        };
        if progress.execution.as_ref() != Some(&task.execution.id) {
            if let Some(before) = progress.execution.replace(task.execution.id.clone()) {
                self.context.let_go(&progress.run, &before).await?;
            }
            tag = self.claim(&progress, tag.as_deref()).await?;
        }
        let policy = self.context.policy.load().await?;
        let chosen = &progress.request.destinations;
        if let Some(unknown) = chosen
            .iter()
            .find(|it| !policy.destinations.contains_key(*it))
        {
            let known: Vec<_> = policy.destinations.keys().map(String::as_str).collect();
            let known = known.join(", ");
            let problem = format!("no destination is called {unknown:?}; there are {known}");
            return Err(AuditError::Request { problem }.into());
        }
        let destinations = policy.destinations.iter();
        let destinations: Vec<_> = destinations
            .filter(|(name, _)| chosen.is_empty() || chosen.contains(name))
            .map(|(name, destination)| (name.clone(), destination.clone()))
            .collect();
        if is_new {
            inventory::choose(&self.context, &destinations, &mut progress).await?;
        }
        Ok(Work {
            slice: progress.request.slice_on(progress.begun)?,
            progress,
            kept: tag,
            destinations,
            policy,
            listings: None,
            findings: String::new(),
            found: 0,
        })
    }

    /// Writes the progress over the one that was read.
    async fn claim(
        &self,
        progress: &Progress,
        kept: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let text = serde_json::to_string(progress).unwrap_or_default();
        let key = progress_key(&progress.run);
        let written = self.context.documents.put_over(&key, text, kept).await?;
        if written.is_none() {
            let problem = format!("run {} is worked on by another execution", progress.run);
            return Err(AuditError::Request { problem }.into());
        }
        Ok(written)
    }

    /// The part first, then the progress that counts it: whoever dies between has written nothing.
    async fn close(&self, mut work: Work) -> Result<Sliced, Failure> {
        let documents = &self.context.documents;
        let run = work.progress.run.clone();
        if !work.findings.is_empty() {
            work.progress.parts += 1;
            let key = part_key(&run, work.progress.parts);
            documents
                .put(&key, work.findings, "application/x-ndjson")
                .await?;
        }
        if let (Some(listings), Stage::Listings { after }) =
            (&mut work.listings, work.progress.stage.clone())
        {
            listings.keep(&after, &mut work.progress);
        }
        self.claim(&work.progress, work.kept.as_deref()).await?;
        let more = !work.progress.is_done();
        let (keys, stage) = (work.progress.totals.keys, &work.progress.stage);
        info!(%run, keys, found = work.found, more, ?stage, "audited");
        Ok(Sliced {
            more,
            repair: work.progress.request.repair,
            run,
        })
    }
}

impl Work {
    /// Takes a finding into the part and the totals.
    pub fn find(&mut self, finding: &Finding) {
        self.progress.totals.add(finding);
        self.findings
            .push_str(&serde_json::json!(finding).to_string());
        self.findings.push('\n');
        self.found += 1;
    }
}
