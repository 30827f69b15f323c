//! What became of a backfill: what did not end well by version, and a page for a reader.

use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::course::Course;
use super::line::Version;
use super::request::Versions;
use crate::error::one_line;
use crate::message::{Message, subject};
use crate::plan::size;
use crate::plan::usd;

/// Namespace of the metrics.
pub use crate::audit::report::NAMESPACE;

/// Versions that the report names, of all slices.
pub const NAMED_MAX: usize = 50;

/// What did not end well of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rest {
    /// What failed.
    pub failed: Vec<Failed>,
    /// What is under way elsewhere.
    pub open: Vec<Open>,
}

/// A version that failed at a destination; it is recorded and parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Source key.
    pub key: String,
    /// Version id; absent where it is `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Name of the destination, `*` before one was chosen.
    pub destination: String,
    /// Name of the error.
    pub error: String,
    /// What it said.
    pub message: String,
    /// The version as it was listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// A version that somebody else is at: the backup machine, in parts, or another execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// Source key.
    pub key: String,
    /// The version.
    pub version: Version,
    /// Whether this run has started an execution for it: somebody else's is known by its lease alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
}

/// How a backfill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that it found is in the backup, or need not be.
    Whole,
    /// Something is not in the backup.
    Behind,
}

impl Verdict {
    /// Of these counts.
    pub const fn of(done: &Counts) -> Self {
        if done.is_whole() {
            Self::Whole
        } else {
            Self::Behind
        }
    }

    /// As an audit says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Behind => "behind",
        }
    }
}

/// In one line: what became of it, for a subject, a log and a screen.
pub fn line(done: &Counts) -> String {
    let mut line = format!(
        "{}: {} copies made, {}",
        Verdict::of(done).as_str(),
        done.stored.objects,
        size(done.stored.bytes)
    );
    for (count, what) in [
        (done.already, "in the backup already"),
        (done.deletions, "deletions recorded"),
        (done.skipped, "not wanted by the policy"),
        (done.gone, "gone from the source"),
        (done.superseded, "overwritten since"),
        (done.open, "under way elsewhere"),
        (done.failed, "failed"),
        (done.left, "left, tried in vain"),
    ] {
        if count > 0 {
            let _ = write!(line, "; {count} {what}");
        }
    }
    line
}

/// The page for a reader, in Markdown. `named` is some of what failed.
pub fn page(course: &Course, named: &[Failed], open: &[Open], ended: Timestamp) -> String {
    let (work, plan, done) = (&course.work, &course.plan, &course.done);
    let mut page = String::new();
    let mut line = |text: &str| {
        page.push_str(text);
        page.push('\n');
    };
    line(&format!(
        "# Backfill of {}\n",
        one_line(&course.request.what(), 300)
    ));
    line(&format!("**{}**\n", self::line(done)));
    line("| | |\n|---|---|");
    line(&format!("| run | {} |", work.run));
    let which = match course.request.versions {
        Versions::All => "all, the oldest first, and delete markers",
        Versions::Latest => "the latest of each key",
    };
    line(&format!("| versions | {which} |"));
    let by = course.request.inventory.as_deref().unwrap_or("listing");
    line(&format!("| found by | {} |", one_line(by, 300)));
    let found = (plan.keys, plan.versions.objects, plan.markers);
    line(&format!(
        "| found | {} keys, {} versions ({}), {} delete markers |",
        found.0,
        found.1,
        size(plan.versions.bytes),
        found.2
    ));
    line(&format!(
        "| estimated at most | {} |",
        usd(plan.estimate.micro_usd)
    ));
    line(&format!("| from, to | {}, {ended} |\n", work.begun));
    if !named.is_empty() {
        line("## Failed\n");
        line(
            "Some of them; `failed-*.jsonl` beside this page name all. Each is recorded and parked: `s3-backup redrive` starts it again.\n",
        );
        for one in named {
            let key = one_line(&one.key, 300).replace('`', "'");
            let version = one.version_id.as_deref().unwrap_or("null");
            let why = one_line(&format!("{}: {}", one.error, one.message), 400);
            line(&format!(
                "- `{key}` version {version} at {}: {why}",
                one.destination
            ));
        }
        line("");
    }
    if !open.is_empty() {
        line("## Still under way elsewhere\n");
        line("`s3-backup status KEY` says how each is.\n");
        for one in open {
            let key = one_line(&one.key, 300).replace('`', "'");
            line(&format!("- `{key}` version {}", one.version.in_order().id));
        }
        line("");
    }
    if !done.is_whole() {
        line(&format!(
            "To try again what was left: `s3-backup backfill --resume {}`.",
            work.run
        ));
    }
    page
}

/// What the owner is told at the end.
pub fn message(course: &Course, bucket: &str, execution: &str) -> Message {
    let (work, done) = (&course.work, &course.done);
    let verdict = Verdict::of(done);
    let subject_line = format!("s3-backup backfill: {}: {bucket}", verdict.as_str());
    let report = format!("s3://{}/{}", work.bucket, work.page());
    let what = one_line(&course.request.what(), 300);
    let text = format!(
        "{}\n\nOf:        {what} of {bucket}\nReport:    {report}\nExecution: {execution}\n",
        line(done)
    );
    Message {
        subject: subject(&subject_line),
        text,
        json: serde_json::json!({"backfill": course, "verdict": verdict, "execution": execution})
            .to_string(),
        outcome: match verdict {
            Verdict::Whole => "backfill-whole",
            Verdict::Behind => "backfill-behind",
        },
        kind: "backfill".to_owned(),
    }
}

/// Metrics by name; the values are counts or bytes as the names say.
#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
pub fn metrics(done: &Counts) -> [(&'static str, f64); 5] {
    [
        ("BackfillStored", done.stored.objects as f64),
        ("BackfillStoredBytes", done.stored.bytes as f64),
        ("BackfillAlready", done.already as f64),
        ("BackfillFailed", done.failed as f64),
        ("BackfillLeft", (done.left + done.open) as f64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_what_is_not_as_wished_and_nothing_else() {
        let mut done = Counts::default();
        done.count("stored", 512);
        done.count("stored", 512);
        done.count("duplicate", 9);
        assert_eq!(
            line(&done),
            "whole: 2 copies made, 1.0 KiB; 1 in the backup already"
        );
        done.left = 3;
        assert_eq!(Verdict::of(&done), Verdict::Behind);
        assert!(line(&done).ends_with("; 3 left, tried in vain"));
    }
}
