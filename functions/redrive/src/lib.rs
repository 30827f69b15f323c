//! A redrive: what waits in the dead-letter queue, and what the catalog holds as failed, is started
//! again; what was tried in vain is given up and told, once.

mod dismiss;
mod failed;
mod gate;
mod given_up;
mod letters;
mod report;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backup_aws::breakers::Breakers;
use backup_aws::dead::Closing;
use backup_aws::{Deadline, Failure, StepFunctions};
use backup_domain::redrive::{GivenUp, Limits, Request, is_due};
use jiff::{SignedDuration, Timestamp};
use tracing::{error, info};

use failed::Marks;
use gate::{Gate, Waited};
pub use report::{Item, Redriven};

/// Hundredths of a run's time that the messages may take at first: the catalog is to have its turn, however
/// many there are.
const LETTERS_FIRST: u32 = 40;
/// Messages that are shown again at once.
const SHOWN_AT_ONCE: usize = 16;

/// Clients and settings.
pub struct Redriver {
    /// Step Functions.
    pub executions: StepFunctions,
    /// ARN of the Standard machine.
    pub machine: String,
    /// Redrives before something is given up.
    pub attempts_max: u32,
    /// From one run by the clock to the next.
    pub every: SignedDuration,
    /// Catalog, queue and topic.
    pub closing: Closing,
    /// Which destinations may be tried.
    pub breakers: Breakers,
}

/// One run under way.
struct Run<'a> {
    redriver: &'a Redriver,
    request: &'a Request,
    deadline: Deadline,
    limits: Limits,
    gate: Gate,
    report: Redriven,
    /// Receipts of messages that stay in the queue, and when the oldest of them was sent.
    kept: Vec<String>,
    oldest: Option<Timestamp>,
    /// What is to be told and marked at the end, and the messages that go then.
    given_up: Vec<GivenUp>,
    told_first: Vec<(String, Timestamp)>,
    /// Keys of what this run has started already.
    taken: BTreeSet<(String, String)>,
    /// Started of what waited for its destination, by destination.
    waited: BTreeMap<String, Waited>,
}

impl Redriver {
    /// Runs once as a function: one line of log, and the first failure is raised at the end.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`; running again goes on.
    pub async fn run(&self, request: Request, deadline: Deadline) -> Result<Redriven, Failure> {
        if request.by_the_clock && !self.begins().await? {
            return Ok(Redriven::default());
        }
        let mut report = self.redrive(&request, deadline).await;
        report.log();
        if request.by_the_clock {
            self.ends(report.more).await?;
        }
        match report.problem.take() {
            Some(problem) => {
                error!(left = report.left, "not everything could be redriven");
                Err(problem)
            }
            None => Ok(report),
        }
    }

    /// Whether a run of the clock's is due; if so, it is noted as one that has not ended: where it is
    /// killed, the next begins at once.
    async fn begins(&self) -> Result<bool, Failure> {
        let (mut marks, now) = (self.marks().await?, self.closing.catalog.now());
        // The first one comes its time after the deployment.
        let begun = marks.begun.unwrap_or(now);
        let is_due = is_due((begun, marks.more), self.every, now);
        if is_due || marks.begun.is_none() {
            (marks.begun, marks.more) = (Some(now), is_due);
            self.set_marks(&marks).await?;
        }
        Ok(is_due)
    }

    async fn ends(&self, more: bool) -> Result<(), Failure> {
        let marks = self.marks().await?;
        self.set_marks(&Marks { more, ..marks }).await
    }

    async fn marks(&self) -> Result<Marks, Failure> {
        let text = self.closing.catalog.marks("redrive").await?;
        // What an older release has noted, or nothing: from the beginning.
        Ok(serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default())
    }

    async fn set_marks(&self, marks: &Marks) -> Result<(), Failure> {
        let text = serde_json::json!(marks).to_string();
        self.closing.catalog.set_marks("redrive", &text).await
    }

    /// Runs once. What fails is left to the next run, and does not keep it from the rest.
    ///
    /// The failed points are the record and the messages only prompts: with a filter the queue is
    /// left alone, and messages whose work is done by then go with the next run without one.
    pub async fn redrive(&self, request: &Request, deadline: Deadline) -> Redriven {
        let mut run = Run {
            redriver: self,
            request,
            deadline,
            limits: Limits {
                attempts_max: self.attempts_max,
                force: request.force,
                begun: self.closing.catalog.now(),
            },
            gate: Gate::default(),
            report: Redriven::default(),
            kept: vec![],
            oldest: None,
            given_up: vec![],
            told_first: vec![],
            taken: BTreeSet::new(),
            waited: BTreeMap::new(),
        };
        if request.dismiss {
            run.dismiss().await;
        } else {
            run.go_through().await;
            run.give_up().await;
            run.tell_what_waited().await;
        }
        run.show_kept().await;
        run.report
    }
}

impl Run<'_> {
    /// Messages, points, and what time is left for messages again.
    async fn go_through(&mut self) {
        let has_letters = !self.request.is_filtered();
        let mut letters_cut = has_letters && self.letters(LETTERS_FIRST).await;
        let failed_cut = self.failed().await;
        if letters_cut {
            letters_cut = self.letters(100).await;
        }
        // Messages that are all held would be gone through again and again.
        let moved = self.report.started + self.report.done + self.report.closed > 0;
        self.report.more = failed_cut || (letters_cut && moved);
    }

    fn is_over(&self) -> bool {
        self.deadline.is_near() || self.is_at_limit()
    }

    fn is_at_limit(&self) -> bool {
        let limit = self.request.limit.unwrap_or(u32::MAX);
        self.report.started + self.report.dismissed >= limit
    }

    /// Messages that stay are seen again at once, and not when their time of hiding is over; where the
    /// next run follows at once, it is to meet others.
    async fn show_kept(&mut self) {
        let closing = &self.redriver.closing;
        let age = |sent_at| closing.catalog.now().duration_since(sent_at).as_secs();
        let seconds = self.oldest.map(age).unwrap_or_default();
        self.report.oldest_seconds = u64::try_from(seconds).unwrap_or_default();
        if self.report.more {
            return;
        }
        let (sqs, queue) = (closing.sqs.clone(), Arc::new(closing.queue.clone()));
        let deadline = self.deadline;
        let kept = std::mem::take(&mut self.kept);
        backup_aws::at_once::each(kept, SHOWN_AT_ONCE, |receipt| {
            let (sqs, queue) = (sqs.clone(), Arc::clone(&queue));
            async move {
                if deadline.left().is_zero() {
                    return;
                }
                let shown = backup_aws::queue::postpone(&sqs, &queue, &receipt, 0).await;
                if let Err(problem) = shown {
                    info!(problem = %problem.message, "a message stays hidden until its time is over");
                }
            }
        })
        .await;
    }
}
