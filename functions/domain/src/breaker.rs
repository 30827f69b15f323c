//! A circuit breaker for each destination: while one cannot be reached, backups to it are parked
//! without being tried, and one execution at a time finds out whether it is back.
//!
//! ```text
//!           failures ≥ limit within the window
//!  closed ─────────────────────────────────────▶ open ──── cooled down: one probe ──▶ half-open
//!    ▲                                             ▲                                    │  │
//!    │                                             └──── the probe failed: longer ──────┘  │
//!    └──────────────────────── the probe's copy is stored ─────────────────────────────────┘
//! ```
//!
//! Every function here says what is to be written instead of what was read, on condition that nobody
//! wrote meanwhile ([`Breaker::revision`]); `None` is nothing to write.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Cause, ErrorName, Side};
use crate::message::{Message, subject};

/// Changes that are remembered.
pub const HISTORY_MAX: usize = 20;
/// A probe may take so many cool-downs, and [`PROBE_MIN`] at least; then it counts as dead, and another
/// may try.
const PROBE_COOL_DOWNS: i32 = 3;
/// Longer than a probe goes without asking again whether it is one: one run of Copy, 15 minutes at most,
/// and the longest wait before the next, 5 minutes.
const PROBE_MIN: SignedDuration = SignedDuration::from_mins(20);
/// A cool-down doubles with each probe that fails, so often at most.
const DOUBLINGS_MAX: u32 = 3;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures within the window, and none that got through between them, that open it; 0 means that there is no breaker.
    pub failures: u32,
    /// How long failures are counted together.
    pub window: SignedDuration,
    /// How long it stays open before somebody may try; doubled up to eight times as long while tries
    /// fail.
    pub cool_down: SignedDuration,
}

/// The breaker of one destination, as the catalog holds it; none there is a closed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    /// Counts writes.
    pub revision: u64,
    /// Failures since `since`, while it is closed, and since the last copy that was made.
    pub failures: u32,
    /// When the first of them was.
    pub since: Timestamp,
    /// Set while it is open. (`open` is the key of an index of the catalog.)
    #[serde(default, rename = "opened", skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// Whether its last change is still to be told.
    #[serde(default)]
    pub untold: bool,
    /// Its last changes, the newest last.
    #[serde(default)]
    pub history: Vec<Change>,
    /// Backups that waited while it was open, started again since, and not told yet.
    #[serde(default)]
    pub redriven: u32,
}

/// While it is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// Since when.
    pub since: Timestamp,
    /// From when on somebody may try.
    pub retry_at: Timestamp,
    /// Probes that failed.
    pub failed_probes: u32,
    /// Who tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

/// Who tries whether the destination is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// An execution, as it owns leases.
    pub owner: String,
    /// When it counts as dead.
    pub until: Timestamp,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// `true` to open.
    pub opened: bool,
    /// Failures that opened it, or probes that failed before it closed.
    pub failures: u32,
    /// When it had opened, for one that closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Whether a backup may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// Yes, as the probe that it is already; this is to be written, that it goes on being it.
    Probing(Breaker),
    /// Yes, as the probe, once this is written.
    Probe(Breaker),
    /// No.
    Refused {
        /// Since when it is open.
        since: Timestamp,
        /// From when on somebody may try, as far as is known.
        retry_at: Timestamp,
    },
}

impl Breaker {
    /// One that nothing has happened to.
    pub fn closed(now: Timestamp) -> Self {
        Self {
            revision: 0,
            failures: 0,
            since: now,
            open: None,
            untold: false,
            history: vec![],
            redriven: 0,
        }
    }

    /// Whether `owner` may try now.
    pub fn admit(&self, owner: &str, now: Timestamp, limits: &Limits) -> Admission {
        let Some(open) = &self.open else {
            return Admission::Go;
        };
        let since = open.since;
        match &open.probe {
            Some(probe) if probe.owner == owner => {
                Admission::Probing(self.probed_by(open, owner, now, limits))
            }
            Some(probe) if now < probe.until => Admission::Refused {
                since,
                retry_at: probe.until,
            },
            None if now < open.retry_at => Admission::Refused {
                since,
                retry_at: open.retry_at,
            },
            _ => Admission::Probe(self.probed_by(open, owner, now, limits)),
        }
    }

    fn probed_by(&self, open: &Open, owner: &str, now: Timestamp, limits: &Limits) -> Self {
        let cool_downs = limits.cool_down.saturating_mul(PROBE_COOL_DOWNS);
        let probe = Probe {
            owner: owner.to_owned(),
            until: after(now, cool_downs.max(PROBE_MIN)),
        };
        Self {
            open: Some(Open {
                probe: Some(probe),
                ..open.clone()
            }),
            ..self.written()
        }
    }

    /// A backup by `owner` could not reach the destination.
    pub fn failed(&self, owner: &str, now: Timestamp, limits: &Limits) -> Option<Self> {
        let mut next = self.written();
        let Some(open) = &mut next.open else {
            if now > after(self.since, limits.window) || self.failures == 0 {
                (next.failures, next.since) = (0, now);
            }
            next.failures += 1;
            if next.failures >= limits.failures {
                next.open = Some(Open {
                    since: now,
                    retry_at: after(now, limits.cool_down),
                    failed_probes: 0,
                    probe: None,
                });
                next.changed(now, true, next.failures, None);
            }
            return Some(next);
        };
        open.probe.take_if(|probe| probe.owner == owner)?;
        open.failed_probes += 1;
        let times = 1 << open.failed_probes.min(DOUBLINGS_MAX);
        open.retry_at = after(now, limits.cool_down.saturating_mul(times));
        Some(next)
    }

    /// A copy was made there: what failed before says nothing of the destination any more. One that is
    /// open is closed by its probe alone.
    pub fn reached(&self) -> Option<Self> {
        (self.open.is_none() && self.failures > 0).then(|| Self {
            failures: 0,
            ..self.written()
        })
    }

    /// The copy of a probe is stored: it closes, whoever else is trying by now.
    pub fn succeeded(&self, now: Timestamp) -> Option<Self> {
        let open = self.open.clone()?;
        let mut next = self.written();
        (next.open, next.failures, next.since) = (None, 0, now);
        next.changed(now, false, open.failed_probes, Some(open.since));
        Some(next)
    }

    /// The probe came to an end that says nothing of the destination: another may try at once.
    pub fn released(&self, owner: &str) -> Option<Self> {
        let mut next = self.written();
        next.open
            .as_mut()?
            .probe
            .take_if(|probe| probe.owner == owner)?;
        Some(next)
    }

    /// This change has been told; a note that comes late leaves a newer one to be told.
    pub fn told(&self, change: &Change) -> Option<Self> {
        let is_last = self.last_change() == Some(change);
        (self.untold && is_last).then(|| Self {
            untold: false,
            ..self.written()
        })
    }

    /// Since when it is back, where it has been open: what failed before had to wait for it.
    pub fn back_at(&self) -> Option<Timestamp> {
        let last = self.last_change().filter(|change| !change.opened);
        last.filter(|_| self.open.is_none()).map(|change| change.at)
    }

    /// So many more that waited for it have been started again.
    pub fn redriven(&self, more: u32) -> Option<Self> {
        (more > 0).then(|| Self {
            redriven: self.redriven.saturating_add(more),
            ..self.written()
        })
    }

    /// So many of those have been told.
    pub fn told_redriven(&self, count: u32) -> Option<Self> {
        (count > 0 && self.redriven > 0).then(|| Self {
            redriven: self.redriven.saturating_sub(count),
            ..self.written()
        })
    }

    /// Its last change.
    pub fn last_change(&self) -> Option<&Change> {
        self.history.last()
    }

    fn written(&self) -> Self {
        Self {
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    fn changed(&mut self, at: Timestamp, opened: bool, failures: u32, since: Option<Timestamp>) {
        self.untold = true;
        self.history.push(Change {
            at,
            opened,
            failures,
            since,
        });
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
    }
}

/// Whether this failure says that the destination could not be reached: not a refusal, which would
/// be the same a moment later, and not the trouble of the source or of the catalog. A 503 that outlived
/// its retries does. A step that ran out of time names no side: it is the destination's where nothing
/// was copied yet, since what takes so long then is the copying.
pub fn counts(cause: &Cause, is_copied: bool) -> bool {
    match cause.side {
        Some(Side::Destination) => {
            is_out_of_reach(&cause.error) || cause.error == ErrorName::Throttled.as_str()
        }
        Some(_) => false,
        None => is_out_of_reach(&cause.error) && !is_copied,
    }
}

/// Whether an error of this name may go by itself, when what did not answer does so again.
pub fn is_out_of_reach(error: &str) -> bool {
    matches!(
        error,
        "DestinationUnavailable" | "States.Timeout" | "Sandbox.Timedout"
    )
}

/// What the owner is told of a change.
pub fn news(destination: &str, change: &Change) -> Message {
    let Change {
        at,
        opened,
        failures,
        since,
    } = change;
    let (subject_line, lines) = if *opened {
        (
            format!("s3-backup: {destination} cannot be reached, backups to it wait"),
            vec![
                format!("Destination {destination} could not be reached {failures} times; last at {at}."),
                "From now on backups to it are parked without being tried; other destinations go on.".to_owned(),
                "One at a time tries whether it is back; when it is, you are told.".to_owned(),
                String::new(),
                "Do next: check that its bucket exists, and the AWS Health page of its region.".to_owned(),
            ],
        )
    } else {
        let since = since
            .map(|since| format!(" It could not be reached since {since}."))
            .unwrap_or_default();
        (
            format!("s3-backup: {destination} is back"),
            vec![
                format!(
                    "Destination {destination} is back: a copy was stored there at {at}.{since}"
                ),
                format!("Tries before that one that failed: {failures}."),
                "What was parked meanwhile goes with the next redrive, every RedriveMinutes unless that is 0."
                    .to_owned(),
                String::new(),
                format!("To redrive it now: s3-backup redrive --destination {destination}"),
            ],
        )
    };
    let json = serde_json::json!({"version": 1, "outcome": "breaker", "destination": destination, "change": change});
    Message {
        subject: subject(&subject_line),
        text: lines.join("\n") + "\n",
        json: json.to_string(),
        outcome: "breaker",
        kind: format!("breaker: {destination}"),
    }
}

fn after(moment: Timestamp, wait: SignedDuration) -> Timestamp {
    moment.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
