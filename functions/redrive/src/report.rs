//! What a run has done.

use backup_aws::Failure;
use serde::Serialize;
use tracing::{info, warn};

/// So many of what is held are named; an outage may hold back any number.
const HELD_NAMED: u32 = 50;

/// Figures of a run; its log line is the metric.
#[derive(Debug, Default, Serialize)]
pub struct Redriven {
    /// Messages and points looked at.
    pub looked: u32,
    /// Executions started.
    pub started: u32,
    /// Started before, and still at it or over.
    pub running: u32,
    /// Messages of which nothing was open any more.
    pub done: u32,
    /// Executions closed of whose end the watcher had not heard.
    pub closed: u32,
    /// Held back, since the destination takes nothing now.
    pub held: u32,
    /// Given up by this run: marked and told.
    pub exhausted: u32,
    /// Messages that nobody of ours wrote; they stay in the queue.
    pub rubbish: u32,
    /// Failed; taken up by the next run.
    pub left: u32,
    /// Taken off: an operator wants it no more.
    pub dismissed: u32,
    /// Whether the run was cut short by its time, and the next has enough to do at once.
    pub more: bool,
    /// Age of the oldest message that stays in the queue, in seconds.
    pub oldest_seconds: u64,
    /// What became of each, but for `done`.
    #[serde(skip)]
    pub items: Vec<Item>,
    /// The first failure.
    #[serde(skip)]
    pub problem: Option<Failure>,
}

/// What became of one message or point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// `started`, `running`, `closed`, `held`, `exhausted`, `dismissed`, `rubbish` or `left`.
    pub outcome: &'static str,
    /// Source bucket and key, id of a message, or ARN of an execution.
    pub object: String,
    /// Name of the destination, `*` for all; empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination: String,
    /// Name of the execution, or why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Redriven {
    /// Notes what became of something.
    pub fn note(&mut self, outcome: &'static str, object: &str, destination: &str, detail: &str) {
        let count = match outcome {
            "started" => &mut self.started,
            "running" => &mut self.running,
            "closed" => &mut self.closed,
            "held" => &mut self.held,
            "exhausted" => &mut self.exhausted,
            "rubbish" => &mut self.rubbish,
            "dismissed" => &mut self.dismissed,
            _ => &mut self.left,
        };
        *count += 1;
        if outcome == "held" && self.held > HELD_NAMED {
            return;
        }
        match outcome {
            "rubbish" | "exhausted" => warn!(outcome, object, destination, detail, "redrive"),
            _ => info!(outcome, object, destination, detail, "redrive"),
        }
        self.items.push(Item {
            outcome,
            object: object.to_owned(),
            destination: destination.to_owned(),
            detail: detail.to_owned(),
        });
    }

    /// Notes a failure, which the next run may not meet.
    pub fn fail(&mut self, what: &str, problem: Failure) {
        warn!(what, error = %problem.name, problem = %problem.message, "left to the next run");
        self.note("left", what, "", &problem.message);
        self.problem.get_or_insert(problem);
    }

    /// Takes up the figures of the run after it.
    pub fn add(&mut self, next: Self) {
        self.looked += next.looked;
        self.started += next.started;
        self.running += next.running;
        self.done += next.done;
        self.closed += next.closed;
        self.held += next.held;
        self.exhausted += next.exhausted;
        self.rubbish += next.rubbish;
        self.left += next.left;
        self.dismissed += next.dismissed;
        self.more = next.more;
        self.oldest_seconds = self.oldest_seconds.max(next.oldest_seconds);
        self.items.extend(next.items);
        self.problem = self.problem.take().or(next.problem);
    }

    /// Whether all that was looked at is under way or over.
    pub fn is_well(&self) -> bool {
        self.exhausted + self.rubbish + self.left + self.held == 0 && !self.more
    }

    pub(crate) fn log(&self) {
        let Self {
            looked,
            started,
            running,
            done,
            closed,
            held,
            exhausted,
            rubbish,
            left,
            dismissed,
            more,
            oldest_seconds,
            ..
        } = self;
        info!(
            looked,
            started,
            running,
            done,
            closed,
            held,
            exhausted,
            rubbish,
            left,
            dismissed,
            more,
            oldest_seconds,
            "redriven"
        );
    }
}
