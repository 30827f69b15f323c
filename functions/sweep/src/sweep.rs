//! One run of the sweep: bounded in time and number, and going on where the last one stopped.

use std::collections::BTreeMap;

use backup_aws::breakers::{Breakers, Ready};
use backup_aws::catalog::{Due, Start};
use backup_aws::dead::Closing;
use backup_aws::{Deadline, Failure, StepFunctions, executions};
use backup_domain::watch::{Ended, Leaves, Part, leaves};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{error, info, warn};

use crate::restart::Done;

/// Executions of one page of a list: what is dealt with before progress is kept.
const PAGE: i32 = 100;
/// Notes of a page that are read at once.
const AT_ONCE: usize = 16;
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
    /// Where the debts go on.
    owed: Option<Start>,
    /// Where the open points go on.
    open: Option<Start>,
    /// Whether that page has left something before: then the next one comes.
    open_left: bool,
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
    /// What it has left, and when that ended.
    again: Vec<(String, Timestamp)>,
}

impl Default for Pass {
    fn default() -> Self {
        Self {
            since: Timestamp::UNIX_EPOCH,
            begun: Timestamp::UNIX_EPOCH,
            token: None,
            again: vec![],
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
    /// Debts whose destination is away.
    waiting: u32,
    /// Messages that tell of many.
    digests: u32,
    /// Failed; taken up by the next run.
    left: u32,
    #[serde(skip)]
    problem: Option<Failure>,
    /// Looks of the part under way.
    #[serde(skip)]
    part_looked: u32,
}

impl Swept {
    fn count(&mut self, what: &str, done: Result<Done, Failure>) -> bool {
        let cheap = matches!(done, Ok(Done::Stuck | Done::Waiting));
        self.part_looked += u32::from(!cheap);
        self.looked += u32::from(!cheap);
        match done {
            Ok(Done::Nothing) => return true,
            Ok(Done::InFlight) => {}
            Ok(Done::Restarted) => self.restarted += 1,
            Ok(Done::Closed) => self.closed += 1,
            Ok(Done::Owed) => self.owed += 1,
            Ok(Done::Stuck) => self.stuck += 1,
            Ok(Done::Waiting) => self.waiting += 1,
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

    fn is_over(&self, part: Part, deadline: Deadline) -> bool {
        part.is_over(self.part_looked, deadline.hundredths())
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
        for part in Part::ALL {
            swept.part_looked = 0;
            match part {
                Part::Owed => self.owed(&mut marks, &mut swept, deadline).await,
                Part::Copying => self.copying(&mut marks, &mut swept, deadline).await,
                Part::Lists => self.lists(&mut marks, &mut swept, deadline).await,
            }
        }
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
            waiting,
            digests,
            left,
            ..
        } = swept;
        info!(
            looked,
            found, restarted, closed, owed, stuck, waiting, digests, left, "swept"
        );
        match swept.problem.take() {
            Some(problem) => {
                error!(left, "not everything could be swept");
                Err(problem)
            }
            None => Ok(swept),
        }
    }

    async fn lists(&self, marks: &mut Marks, swept: &mut Swept, deadline: Deadline) {
        for (status, ended) in STATUSES {
            let pass = marks.passes.entry(status.to_owned()).or_default();
            let before = std::mem::take(&mut pass.again);
            pass.again = self.dealt_with(before, swept).await;
            self.pass(status, ended, pass, swept, deadline).await;
        }
    }

    /// Deals with executions; returns those that it could not.
    async fn dealt_with(
        &self,
        ended: Vec<(String, Timestamp)>,
        swept: &mut Swept,
    ) -> Vec<(String, Timestamp)> {
        let mut left = vec![];
        for (arn, stopped_at) in ended {
            let done = self.listed(&arn, stopped_at).await;
            if !swept.count(&arn, done) {
                left.push((arn, stopped_at));
            }
        }
        left
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
        while !swept.is_over(Part::Lists, deadline) {
            if pass.token.is_none() {
                pass.begun = self.closing.catalog.now();
            }
            let token = pass.token.take();
            let listed =
                executions::list(&self.executions, &self.machine, ended, PAGE, token.clone());
            let (listed, next) = match listed.await {
                Ok(listed) => listed,
                // A token lives for a day: without it the pass begins anew.
                Err(problem) => return swept.fail(status, problem),
            };
            let since = pass.since;
            let recent = listed.iter().filter(|it| it.stopped_at >= since);
            let recent = recent.map(|it| (it.arn.clone(), it.stopped_at)).collect();
            let open = self.open_ones(recent).await;
            let left = self.dealt_with(open, swept).await;
            match leaves(std::mem::take(&mut pass.again), left) {
                Leaves::Again(again) => pass.again = again,
                Leaves::Page => {
                    pass.token = token;
                    return;
                }
            }
            let oldest = since.saturating_sub(MACHINE_MAX).unwrap_or(Timestamp::MIN);
            let is_through = listed.last().is_none_or(|it| it.started_at < oldest);
            pass.token = next.filter(|_| !is_through);
            if pass.token.is_none() {
                let since = pass.begun.saturating_sub(OVERLAP);
                pass.since = since.unwrap_or(Timestamp::MIN);
                return;
            }
        }
    }

    /// Those of which nothing is noted that ends them: nearly all have told everything themselves,
    /// which costs one read each, many at once.
    async fn open_ones(&self, ended: Vec<(String, Timestamp)>) -> Vec<(String, Timestamp)> {
        let catalog = &self.closing.catalog;
        let now = catalog.now();
        let mut open = vec![];
        for some in ended.chunks(AT_ONCE) {
            let read = some.iter().map(async |(arn, stopped_at)| {
                let noted = catalog.noted(arn, now).await;
                // One that cannot be read is looked at by itself.
                let is_done = noted.is_ok_and(|noted| noted.is_done(*stopped_at));
                (!is_done).then(|| (arn.clone(), *stopped_at))
            });
            open.extend(join_all(read).await.into_iter().flatten());
        }
        open
    }

    /// Points that owe a settling, from where the last run stopped. Where a destination is away, they
    /// wait: nothing is lost by that, and what they would start would fail and be parked.
    async fn owed(&self, marks: &mut Marks, swept: &mut Swept, deadline: Deadline) {
        let mut ready = BTreeMap::new();
        while !swept.is_over(Part::Owed, deadline) {
            let now = self.closing.catalog.now();
            let page = self.closing.catalog.due(marks.owed.clone(), now).await;
            let (due, next) = match page {
                Ok(page) => page,
                Err(problem) => {
                    // A place that is no more, or a table that does not answer.
                    marks.owed = None;
                    return swept.fail("what is owed", problem);
                }
            };
            for due in &due {
                let done = if self.may_settle(due, &mut ready).await {
                    self.owing(due).await
                } else {
                    Ok(Done::Waiting)
                };
                swept.count(&due.pk, done);
            }
            marks.owed = next;
            if marks.owed.is_none() {
                return;
            }
        }
    }

    /// Whether the destination of a debt answers, as its breaker shows it: one that may be back is
    /// tried by one of them a run.
    async fn may_settle(&self, due: &Due, ready: &mut BTreeMap<String, Ready>) -> bool {
        let destination = due.sk.split('#').next().unwrap_or_default();
        if !ready.contains_key(destination) {
            let read = self.breakers.ready(destination).await;
            ready.insert(destination.to_owned(), read);
        }
        match ready.get_mut(destination) {
            Some(Ready::None) => false,
            Some(one @ Ready::One) => {
                *one = Ready::None;
                true
            }
            Some(Ready::All) | None => true,
        }
    }

    /// Points that are being copied by nobody whose death a list has shown. A page that leaves
    /// something comes once more, and then the next one.
    async fn copying(&self, marks: &mut Marks, swept: &mut Swept, deadline: Deadline) {
        for _ in 0..OPEN_PAGES {
            if swept.is_over(Part::Copying, deadline) {
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
            if left && !marks.open_left {
                marks.open_left = true;
                return;
            }
            (marks.open, marks.open_left) = (page.next, false);
            if marks.open.is_none() {
                return;
            }
        }
    }
}
