//! Which destinations may be tried now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backup_aws::breakers::Ready;
use backup_domain::redrive::{Start, Subject, waited};
use jiff::Timestamp;
use tracing::info;

use crate::Run;

/// How long a run waits for the backup that tries whether a destination is back; a small object takes
/// seconds. Where nobody has tried by then, the next one does; where it still tries, what is held goes
/// with the next run.
const PROBE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How long a run believes what it has seen: a destination may go away, or come back, meanwhile.
const BELIEVED: Duration = Duration::from_secs(5);
/// Backups that waited are counted in steps of so many, after the first.
const COUNTED_TOGETHER: u32 = 20;

/// What a run knows of the destinations' breakers. What is held back waits, and costs no attempt.
pub type Gate = BTreeMap<String, Seen>;

/// What was seen of one.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    passage: Passage,
    at: Instant,
    /// Since when it is back, where it has been away.
    back_at: Option<Timestamp>,
    /// Whether the one that tries is of what had to wait.
    is_waiting: bool,
}

/// What may pass to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// Everything.
    Open,
    /// One has been let through, to try.
    Trying,
    /// Nothing.
    Closed,
}

/// Backups that waited for a destination that is back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waited {
    /// Started by this run.
    started: u32,
    /// Of those, noted in the catalog.
    noted: u32,
}

impl Run<'_> {
    /// Whether a backup may be started now. What copies nothing always may: it shows nothing of the
    /// destination.
    pub async fn may_try(&mut self, start: &Start) -> bool {
        if !start.copies() {
            return true;
        }
        let destination = &start.destination;
        let before = self.gate.get(destination).copied();
        let passage = match before {
            Some(seen) if seen.passage == Passage::Trying => self.tried(destination).await,
            Some(seen) if seen.at.elapsed() < BELIEVED => return seen.passage != Passage::Closed,
            _ => self.look(destination).await,
        };
        let back_at = match passage {
            Passage::Open => self.redriver.breakers.back_at(destination).await,
            _ => None,
        };
        let seen = Seen {
            passage,
            at: Instant::now(),
            back_at,
            is_waiting: false,
        };
        self.gate.insert(destination.clone(), seen);
        if back_at.is_some() && before.is_some_and(|it| it.is_waiting) {
            // The one that has tried waited as the others did.
            self.note_first(destination).await;
            self.count_waited(destination).await;
        }
        passage != Passage::Closed
    }

    async fn look(&self, destination: &str) -> Passage {
        match self.redriver.breakers.ready(destination).await {
            Ready::All => Passage::Open,
            Ready::One => Passage::Trying,
            Ready::None => Passage::Closed,
        }
    }

    /// Waits for what becomes of the one that tries. Where it has come to nothing, such as to find its
    /// source gone, another may.
    async fn tried(&self, destination: &str) -> Passage {
        let mut since = Duration::ZERO;
        loop {
            let seen = self.look(destination).await;
            if seen == Passage::Open {
                info!(destination, "it is back");
                return seen;
            }
            if since >= PROBE || self.deadline.is_near() {
                return seen;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            since += BETWEEN_LOOKS;
        }
    }

    /// Whether this waited for a destination that is back now. The first of them is noted before it is
    /// started, so that it is told even where this run is cut off.
    pub async fn has_waited(&mut self, start: &Start) -> bool {
        let Subject::Point(point) = &start.subject else {
            return false;
        };
        if !start.copies() {
            return false;
        }
        let Some(seen) = self.gate.get_mut(&start.destination) else {
            return false;
        };
        let is_waiting = point.error.as_deref().is_some_and(waited);
        seen.is_waiting = is_waiting && seen.passage == Passage::Trying;
        let since = point.failed_at.zip(seen.back_at);
        let has_waited =
            is_waiting && since.is_some_and(|(failed_at, back_at)| failed_at <= back_at);
        if has_waited {
            self.note_first(&start.destination).await;
        }
        has_waited
    }

    async fn note_first(&mut self, destination: &str) {
        if self.waited.contains_key(destination) {
            return;
        }
        self.redriver.breakers.redriven(destination, 1).await;
        let first = Waited {
            started: 0,
            noted: 1,
        };
        self.waited.insert(destination.to_owned(), first);
    }

    /// One of them was started.
    pub async fn count_waited(&mut self, destination: &str) {
        let Some(count) = self.waited.get_mut(destination) else {
            return;
        };
        count.started += 1;
        let more = count.started.saturating_sub(count.noted);
        if more >= COUNTED_TOGETHER {
            count.noted = count.started;
            self.redriver.breakers.redriven(destination, more).await;
        }
    }

    /// Notes the rest, and tells all of it once what waits has been gone through: what others have
    /// noted and could not tell, too.
    pub async fn tell_what_waited(&mut self) {
        let breakers = &self.redriver.breakers;
        for (destination, Waited { started, noted }) in std::mem::take(&mut self.waited) {
            if started > noted {
                breakers.redriven(&destination, started - noted).await;
            } else if noted > started {
                breakers.fewer_redriven(&destination, noted - started).await;
            }
        }
        if self.report.more {
            return;
        }
        let notices = &self.redriver.closing.notices;
        if let Err(problem) = breakers.tell_redriven(notices).await {
            self.report.fail("what was redriven", problem);
        }
    }
}
