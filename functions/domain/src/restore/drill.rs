//! Drills: what one came to, when the next is overdue, and how long the whole would take.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::course::{Course, NAMED_MAX, Seen};
use super::estimate::LINES_AT_ONCE;
use super::report::{Counts, Restored, verdict};
use crate::error::{Cause, one_line};
use crate::message::{Message, subject};
use crate::policy::NotifyLevel;

/// Objects a second that S3 takes for one prefix, taken low: 3,500 (Amazon S3 User Guide, "Best
/// practices design patterns: optimizing Amazon S3 performance").
const OBJECTS_A_SECOND_MAX: u64 = 3200;
/// Bytes of a failure's message in the mail.
const WHY_BYTES_MAX: usize = 400;

/// What is remembered of drills.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mark {
    /// When drills were switched on; absent while they are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When one last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<Timestamp>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Drilled>,
}

/// How one drill ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drilled {
    /// ARN of its execution.
    pub execution: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether all of the sample was brought back and proven.
    pub passed: bool,
    /// What was done.
    #[serde(default)]
    pub done: Counts,
    /// What it has seen of the catalog.
    #[serde(default)]
    pub seen: Seen,
    /// Where its report is, `s3://…`; absent where it came to no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// Whether a drill has shown what it is there to show: all of the sample is back, and proven.
pub fn has_passed(done: &Counts) -> bool {
    done.is_complete() && done.conflicts == 0 && done.restored.objects > 0
}

impl Drilled {
    /// A drill that came to its end.
    pub fn of(course: &Course, execution: &str, began: Timestamp, ended: Timestamp) -> Self {
        let work = &course.work;
        Self {
            execution: execution.to_owned(),
            began,
            ended,
            passed: has_passed(&course.done),
            done: course.done,
            seen: course.plan.seen,
            report: Some(format!("s3://{}/{}", work.bucket, work.page())),
        }
    }

    /// A drill that came to none.
    pub fn unfinished(execution: &str, began: Timestamp, ended: Timestamp) -> Self {
        Self {
            execution: execution.to_owned(),
            began,
            ended,
            passed: false,
            done: Counts::default(),
            seen: Seen::default(),
            report: None,
        }
    }

    /// Seconds from its start to its end: planning, copying and proof.
    pub fn seconds(&self) -> i64 {
        self.ended.duration_since(self.began).as_secs()
    }

    /// For CloudWatch, by stack.
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating")]
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        let took = self.ended.duration_since(self.began).as_secs_f64();
        let objects = self.done.restored.objects as f64;
        let others = self.done.failed + self.done.missing + self.done.waiting + self.done.conflicts;
        let mut found = vec![
            ("DrillFailed", f64::from(u8::from(!self.passed))),
            ("DrillObjects", objects),
            ("DrillObjectsFailed", others as f64),
            ("DrillSeconds", took),
        ];
        if took > 0.0 {
            found.push(("DrillObjectsPerSecond", objects / took));
        }
        found
    }

    /// Keys of the whole backup, and seconds that all of them would take at the pace of the drill:
    /// [`LINES_AT_ONCE`] functions side by side, planning not included, and no faster than S3 takes
    /// them for one prefix. `items` are those of the catalog's table. `None` where the drill has
    /// restored nothing.
    pub fn whole(&self, items: u64) -> Option<Whole> {
        let (restored, seen) = (self.done.restored.objects, self.seen);
        if restored == 0 || seen.points == 0 {
            return None;
        }
        let scaled = |number: u64, by: u64, of: u64| {
            let exact = u128::from(number) * u128::from(by) / u128::from(of.max(1));
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        let keys = scaled(items, seen.keys, seen.points);
        let busy_us = scaled(keys, self.done.busy_us, restored);
        let seconds = busy_us / LINES_AT_ONCE / 1_000_000;
        Some(Whole {
            keys,
            bytes: scaled(keys, self.done.restored.bytes, restored),
            seconds: seconds.max(keys / OBJECTS_A_SECOND_MAX),
        })
    }
}

/// An estimate of what the whole backup would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Whole {
    /// Keys.
    pub keys: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Seconds of copying.
    pub seconds: u64,
}

impl Mark {
    /// Full periods since the last drill that succeeded, or since drills were switched on: at 2 one is
    /// overdue. `None` where nothing is known yet.
    pub fn periods_since(&self, now: Timestamp, days: u32) -> Option<i64> {
        let since = self.since.into_iter().chain(self.succeeded).max()?;
        let period = SignedDuration::from_hours(24 * i64::from(days.max(1)));
        Some(now.duration_since(since).as_secs().max(0) / period.as_secs())
    }
}

/// What the owner is told of a drill, if the level says so. `named` are keys that were not restored,
/// `cause` is why it came to no end.
pub fn message(
    drilled: &Drilled,
    named: &[Restored],
    cause: Option<&Cause>,
    level: NotifyLevel,
) -> Option<Message> {
    let told = match level {
        NotifyLevel::None => false,
        NotifyLevel::Failures => !drilled.passed,
        NotifyLevel::All => true,
    };
    if !told {
        return None;
    }
    let word = if drilled.passed { "passed" } else { "FAILED" };
    let mut text = format!("Restore drill {word} in {} seconds.\n", drilled.seconds());
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11}{value}");
    };
    match cause {
        None => line("Result:", &verdict(&drilled.done)),
        Some(cause) => {
            let why = one_line(&cause.message, WHY_BYTES_MAX);
            line("Result:", &format!("{}: {why}", cause.error));
            line("Do next:", &one_line(&cause.advice, WHY_BYTES_MAX));
        }
    }
    for one in named.iter().take(NAMED_MAX) {
        let why = format!("{} {}", one.error, one.why);
        let key = one_line(&one.key, 300);
        let why = one_line(why.trim(), WHY_BYTES_MAX);
        line("Object:", &format!("{key}: {why}"));
    }
    if let Some(report) = &drilled.report {
        line("Report:", report);
    }
    line("Execution:", &drilled.execution);
    Some(Message {
        subject: subject(&format!("s3-backup: restore drill {word}")),
        text,
        json: serde_json::json!({"drill": drilled}).to_string(),
        outcome: if drilled.passed { "stored" } else { "failed" },
        kind: "drill".to_owned(),
    })
}

#[cfg(test)]
mod tests;
