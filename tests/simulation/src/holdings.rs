//! What a world holds beside its services: executions, parked messages, and what is broken on purpose.

use serde_json::Value;
use tokio::task::AbortHandle;

/// A run that has gone wrong on purpose, to show that the oracle sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Copies never look for their own marker.
    IgnoresMarker,
    /// Copies are recorded without being verified.
    RecordsUnverified,
    /// Failed events are not parked.
    ParksNothing,
    /// Conditions of the catalog always hold.
    IgnoresConditions,
    /// Promotions never arrive.
    PromotesNothing,
    /// Delete markers never arrive.
    MirrorsNothing,
    /// Neither watcher nor sweep runs.
    WatchesNothing,
}

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its input.
    pub input: Value,
    /// `RUNNING`, `SUCCEEDED`, `FAILED` or `ABORTED`.
    pub status: &'static str,
    /// Name of its error, where it failed.
    pub error: String,
    /// What it said of it.
    pub cause: String,
    /// When it started, in milliseconds.
    pub started_ms: i64,
    /// When it ended.
    pub stopped_ms: Option<i64>,
    /// Its task, to stop it by.
    pub task: Option<AbortHandle>,
}

impl Execution {
    /// One that starts now.
    pub fn new(input: Value, now_ms: i64) -> Self {
        Self {
            input,
            status: "RUNNING",
            error: String::new(),
            cause: String::new(),
            started_ms: now_ms,
            stopped_ms: None,
            task: None,
        }
    }

    /// Ends it.
    pub fn end(&mut self, status: &'static str, now_ms: i64) {
        self.status = status;
        self.stopped_ms = Some(now_ms);
    }
}

/// A message in the dead-letter queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    /// The event.
    pub event: Value,
    /// Destinations that failed; `*` for all.
    pub destinations: String,
}
