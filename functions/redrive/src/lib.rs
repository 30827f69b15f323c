//! A redrive: what waits in the dead-letter queue, and what the catalog holds as failed, is started
//! again; what was tried in vain is given up and told, once.

mod failed;
mod gate;
mod given_up;
mod letters;
mod report;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use backup_aws::breakers::Breakers;
use backup_aws::dead::Closing;
use backup_aws::{Deadline, Failure, StepFunctions};
use backup_domain::redrive::{GivenUp, Limits, Request, on_their_way};
use tracing::{error, info};

use gate::Gate;
pub use report::{Item, Redriven};

/// Messages and points that one run looks at.
const LOOKS_MAX: u32 = 2000;

/// Clients and settings.
pub struct Redriver {
    /// Step Functions.
    pub executions: StepFunctions,
    /// ARN of the Standard machine.
    pub machine: String,
    /// Redrives before something is given up.
    pub attempts_max: u32,
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
    /// Receipts of messages that stay in the queue.
    kept: Vec<String>,
    /// What is to be told and marked at the end, and the messages that go then.
    given_up: Vec<GivenUp>,
    told_first: Vec<String>,
    /// Partition keys of which this run has started something already.
    taken: BTreeSet<String>,
    /// Started of what waited for its destination, by destination.
    waited: BTreeMap<String, u32>,
}

impl Redriver {
    /// Runs once as a function: one line of log, and the first failure is raised at the end.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`; running again goes on.
    pub async fn run(&self, request: Request, deadline: Deadline) -> Result<Redriven, Failure> {
        let mut report = self.redrive(&request, deadline).await;
        report.log();
        match report.problem.take() {
            Some(problem) => {
                error!(left = report.left, "not everything could be redriven");
                Err(problem)
            }
            None => Ok(report),
        }
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
            given_up: vec![],
            told_first: vec![],
            taken: BTreeSet::new(),
            waited: BTreeMap::new(),
        };
        if !request.is_filtered() {
            run.letters().await;
        }
        run.failed().await;
        run.give_up().await;
        run.tell_what_waited().await;
        run.show_kept().await;
        run.report
    }
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.report.looked >= LOOKS_MAX || self.deadline.is_near() || self.is_at_limit()
    }

    fn is_at_limit(&self) -> bool {
        let limit = self.request.limit.unwrap_or(u32::MAX);
        self.report.started >= limit
    }

    /// Tells which destinations what had waited for them is on its way to.
    async fn tell_what_waited(&mut self) {
        for (destination, count) in std::mem::take(&mut self.waited) {
            let message = on_their_way(&destination, count);
            let told = self.redriver.closing.notices.tell_at_once(&message).await;
            if let Err(problem) = told {
                self.report.fail("what was redriven", problem);
            }
        }
    }

    /// Messages that stay are seen again at once, and not when their time of hiding is over.
    async fn show_kept(&self) {
        let closing = &self.redriver.closing;
        for receipt in &self.kept {
            let shown = backup_aws::queue::postpone(&closing.sqs, &closing.queue, receipt, 0).await;
            if let Err(problem) = shown {
                info!(problem = %problem.message, "a message stays hidden until its time is over");
            }
        }
    }
}
