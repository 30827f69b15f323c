//! One run of the sweep: bounded in time and number, and going on where the last one stopped.

use std::collections::BTreeMap;

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Start;
use backup_aws::dead::Closing;
use backup_aws::{Deadline, Failure, StepFunctions, executions};
use backup_domain::watch::Ended;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{error, info, warn};

use crate::restart::Done;

/// Executions of one page of a list: what is dealt with before progress is kept.
const PAGE: i32 = 100;
/// Things that one run looks at.
const LOOKS_MAX: u32 = 2000;
/// Pages of open points that one run goes through: where much has failed, the next goes on.
const OPEN_PAGES: u32 = 8;
/// Lists are behind by a moment (AWS Step Functions API Reference, "ListExecutions"), and a claim
/// that came to nothing ends by itself: executions that ended so long before the last pass are looked
/// at once more.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// The machine's time-out: what ended after a moment did not start longer before it. Lists are in
/// the order of starts.
const MACHINE_MAX: SignedDuration = SignedDuration::from_hours(24);
const STATUSES: [(&str, Ended); 3] = [
    ("ABORTED", Ended::Aborted),
    ("TIMED_OUT", Ended::TimedOut),
    ("FAILED", Ended::Failed),
];

/// The function's clients and settings.
pub struct Sweep {
    pub executions: StepFunctions,
    pub machine: String,
    pub closing: Closing,
    pub breakers: Breakers,
}

/// What is remembered from one run to the next.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Marks {
    /// By status of the list.
    passes: BTreeMap<String, Pass>,
    /// Where the open points go on.
    open: Option<Start>,
}

/// One pass through the list of one status, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Pass {
    /// What ended before is done.
    since: Timestamp,
    /// When the pass under way began.
    begun: Timestamp,
    /// Where it goes on.
    token: Option<String>,
    /// Whether it has left something.
    left: bool,
}

impl Default for Pass {
    fn default() -> Self {
        Self {
            since: Timestamp::UNIX_EPOCH,
            begun: Timestamp::UNIX_EPOCH,
            token: None,
            left: false,
        }
    }
}

/// What one run has done; its log line is the metric.
#[derive(Debug, Default, Serialize)]
pub struct Swept {
    looked: u32,
    found: u32,
    restarted: u32,
    closed: u32,
    owed: u32,
    stuck: u32,
    /// Messages that tell of many.
    digests: u32,
    /// Failed; taken up by the next run.
    left: u32,
    #[serde(skip)]
    problem: Option<Failure>,
}

impl Swept {
    fn count(&mut self, what: &str, done: Result<Done, Failure>) -> bool {
        self.looked += 1;
        match done {
            Ok(Done::Nothing) => return true,
            Ok(Done::InFlight) => {}
            Ok(Done::Restarted) => self.restarted += 1,
            Ok(Done::Closed) => self.closed += 1,
            Ok(Done::Owed) => self.owed += 1,
            Ok(Done::Stuck) => self.stuck += 1,
            Err(problem) => {
                self.fail(what, problem);
                self.found += 1;
                return false;
            }
        }
        self.found += 1;
        true
    }

    fn fail(&mut self, what: &str, problem: Failure) {
        warn!(what, error = %problem.name, problem = %problem.message, "left to the next run");
        self.left += 1;
        self.problem.get_or_insert(problem);
    }

    fn is_over(&self, deadline: Deadline) -> bool {
        self.looked >= LOOKS_MAX || deadline.is_near()
    }
}

impl Sweep {
    /// Runs once. What fails is left to the next run, and does not keep it from the rest; the first
    /// failure is raised at the end.
    pub async fn run(&self, _schedule: Value, deadline: Deadline) -> Result<Swept, Failure> {
        let catalog = &self.closing.catalog;
        let marks = catalog.marks("sweep").await?.unwrap_or_default();
        let mut marks: Marks = serde_json::from_str(&marks).unwrap_or_default();
        let mut swept = Swept::default();
        for (status, ended) in STATUSES {
            let pass = marks.passes.entry(status.to_owned()).or_default();
            self.pass(status, ended, pass, &mut swept, deadline).await;
        }
        self.owed(&mut swept, deadline).await;
        self.copying(&mut marks, &mut swept, deadline).await;
        let notices = &self.closing.notices;
        match notices.tell_digests().await {
            Ok(told) => swept.digests = told,
            Err(problem) => swept.fail("digests", problem),
        }
        if let Err(problem) = self.breakers.tell_untold(notices).await {
            swept.fail("breakers", problem);
        }
        if let Err(problem) = catalog
            .set_marks("sweep", &serde_json::json!(marks).to_string())
            .await
        {
            swept.fail("marks", problem);
        }
        let Swept {
            looked,
            found,
            restarted,
            closed,
            owed,
            stuck,
            digests,
            left,
            ..
        } = swept;
        info!(
            looked,
            found, restarted, closed, owed, stuck, digests, left, "swept"
        );
        match swept.problem.take() {
            Some(problem) => {
                error!(left, "not everything could be swept");
                Err(problem)
            }
            None => Ok(swept),
        }
    }

    /// Executions that ended badly since the last pass.
    async fn pass(
        &self,
        status: &str,
        ended: Ended,
        pass: &mut Pass,
        swept: &mut Swept,
        deadline: Deadline,
    ) {
        while !swept.is_over(deadline) {
            if pass.token.is_none() {
                (pass.begun, pass.left) = (self.closing.catalog.now(), false);
            }
            let token = pass.token.take();
            let listed =
                executions::list(&self.executions, &self.machine, ended, PAGE, token).await;
            let (listed, next) = match listed {
                Ok(listed) => listed,
                // A token lives for a day: without it the pass begins anew.
                Err(problem) => return swept.fail(status, problem),
            };
            let since = pass.since;
            for execution in listed.iter().filter(|it| it.stopped_at >= since) {
                let done = self.listed(&execution.arn).await;
                pass.left |= !swept.count(&execution.arn, done);
            }
            let oldest = since.saturating_sub(MACHINE_MAX).unwrap_or(Timestamp::MIN);
            let is_through = listed.last().is_none_or(|it| it.started_at < oldest);
            pass.token = next.filter(|_| !is_through);
            if pass.token.is_none() {
                if !pass.left {
                    let since = pass.begun.saturating_sub(OVERLAP);
                    pass.since = since.unwrap_or(Timestamp::MIN);
                }
                return;
            }
        }
    }

    /// Points that owe a settling: few, so every run looks at all.
    async fn owed(&self, swept: &mut Swept, deadline: Deadline) {
        let mut from = None;
        while !swept.is_over(deadline) {
            let page = match self.closing.catalog.owing(from).await {
                Ok(page) => page,
                Err(problem) => return swept.fail("what is owed", problem),
            };
            for (pk, sk) in &page.keys {
                let done = self.owing(pk, sk).await;
                swept.count(pk, done);
            }
            from = page.next;
            if from.is_none() {
                return;
            }
        }
    }

    /// Points that are being copied by nobody whose death a list has shown.
    async fn copying(&self, marks: &mut Marks, swept: &mut Swept, deadline: Deadline) {
        for _ in 0..OPEN_PAGES {
            if swept.is_over(deadline) {
                return;
            }
            let page = match self.closing.catalog.copying(marks.open.clone()).await {
                Ok(page) => page,
                Err(problem) => return swept.fail("what is being copied", problem),
            };
            let mut left = false;
            for (pk, sk) in &page.keys {
                let done = self.held(pk, sk).await;
                left |= !swept.count(pk, done);
            }
            if left {
                return;
            }
            marks.open = page.next;
            if marks.open.is_none() {
                return;
            }
        }
    }
}
