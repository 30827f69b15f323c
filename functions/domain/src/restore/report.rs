//! What became of a restore: results by object, counts, and a page for a reader.

use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::course::{Course, NAMED_MAX};
use super::request::{From, Mode};
use crate::error::one_line;
use crate::evidence::Evidence;
use crate::message::{Message, subject};
use crate::plan::{Tally, size, usd};

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Source key.
    pub key: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Size in bytes, 0 of what was hidden.
    pub bytes: u64,
    /// Version id at the target, where it keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// What proves that it is the backup's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Why it was not restored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Name of the error of a failed one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Of a failed one: what it has left at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
    /// The moment of this key, where it has one of its own: in a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Microseconds of its function that copying it took: its own time, shared among those that are
    /// copied side by side. Proof by reading is not counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub busy_us: u64,
}

/// Content at the target that was copied there and is not proven, by what tells it from any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unproven {
    /// Bucket and key, `s3://…`.
    pub place: String,
    /// Version id, where the target keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its ETag.
    pub etag: String,
    /// Whether it carries the tag [`UNPROVEN`].
    pub tagged: bool,
}

/// Tag of content at a target that is not proven. Another one than that of a bad copy of the backup:
/// tags of the source follow to the backup, where that would spoil a good copy.
pub const UNPROVEN: (&str, &str) = ("s3-backup-restore", "unproven");

impl Unproven {
    /// For a reader: what lies there, and what to do.
    pub fn advice(&self) -> String {
        let version = self
            .version_id
            .as_deref()
            .map_or_else(String::new, |id| format!(", version {id}"));
        let (name, value) = UNPROVEN;
        let tagged = if self.tagged {
            format!(", tagged {name}={value}")
        } else {
            String::new()
        };
        format!(
            "at the target lies content that is not proven ({}{version}{tagged}): do not use it; to go on with the plan covers it, or remove it yourself",
            self.place
        )
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like that")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Restored {
    /// Without any remark.
    pub fn new(key: &str, outcome: Outcome, bytes: u64) -> Self {
        Self {
            key: key.to_owned(),
            outcome,
            bytes,
            version_id: None,
            evidence: None,
            why: String::new(),
            error: String::new(),
            unproven: None,
            at: None,
            busy_us: 0,
        }
    }

    /// With a reason.
    pub fn because(key: &str, outcome: Outcome, why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            ..Self::new(key, outcome, 0)
        }
    }
}

/// How a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Copied and proven.
    Restored,
    /// Its content was there already.
    Same,
    /// Hidden behind a delete marker, or not there any more.
    Hidden,
    /// Something else is there and was left.
    Conflict,
    /// The right version has no copy.
    Missing,
    /// Its key would be too long at the target.
    TooLong,
    /// It is being brought back from an archive.
    Waiting,
    /// It lies in an archive, and is to be left there.
    Archived,
    /// It failed, and another try may help.
    Failed,
}

impl Outcome {
    /// Whether another try has nothing to do. What is missing or in the way may be mended by then.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Waiting | Self::Failed | Self::Missing | Self::Conflict
        )
    }

    /// Whether a try has come to an end with it, one way or another.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Failed)
    }
}

/// How many keys ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Copied and proven.
    pub restored: Tally,
    /// There already.
    pub same: u64,
    /// Behind delete markers.
    pub hidden: u64,
    /// Left, since something else is there.
    pub conflicts: u64,
    /// Without a copy.
    pub missing: u64,
    /// Whose key would be too long at the target.
    pub too_long: u64,
    /// In an archive.
    pub waiting: u64,
    /// Left in an archive, as asked.
    pub archived: u64,
    /// Failed.
    pub failed: u64,
    /// Of these, those that left content at the target that is not proven.
    pub unproven: u64,
    /// Microseconds of one function that those restored took together.
    pub busy_us: u64,
}

impl Counts {
    /// Counts one.
    pub fn count(&mut self, one: &Restored) {
        match one.outcome {
            Outcome::Restored => self.restored.add(one.bytes),
            Outcome::Same => self.same += 1,
            Outcome::Hidden => self.hidden += 1,
            Outcome::Conflict => self.conflicts += 1,
            Outcome::Missing => self.missing += 1,
            Outcome::TooLong => self.too_long += 1,
            Outcome::Waiting => self.waiting += 1,
            Outcome::Archived => self.archived += 1,
            Outcome::Failed => self.failed += 1,
        }
        self.unproven += u64::from(one.unproven.is_some());
        if one.outcome == Outcome::Restored {
            self.busy_us = self.busy_us.saturating_add(one.busy_us);
        }
    }

    /// Counts those of another.
    pub fn add(&mut self, other: &Self) {
        self.restored.objects += other.restored.objects;
        self.restored.bytes = self.restored.bytes.saturating_add(other.restored.bytes);
        self.same += other.same;
        self.hidden += other.hidden;
        self.conflicts += other.conflicts;
        self.missing += other.missing;
        self.too_long += other.too_long;
        self.waiting += other.waiting;
        self.archived += other.archived;
        self.failed += other.failed;
        self.unproven += other.unproven;
        self.busy_us = self.busy_us.saturating_add(other.busy_us);
    }

    /// Whether the moment is back, but for what was left on purpose.
    pub const fn is_complete(&self) -> bool {
        self.missing == 0 && self.too_long == 0 && self.failed == 0 && self.waiting == 0
    }
}

/// A key that is not restored, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Source key.
    pub key: String,
    /// `conflict`, `missing` or `toolong`.
    pub outcome: Outcome,
    /// Why.
    pub why: String,
}

/// In one line: what became of it, for a subject, a log and a screen.
pub fn verdict(done: &Counts) -> String {
    let word = match (done.is_complete(), done.conflicts) {
        (true, 0) => "Restored",
        (true, _) => "Restored, but for what was there already and differs",
        (false, _) => "INCOMPLETE",
    };
    let mut line = format!(
        "{word}: {} objects, {}",
        done.restored.objects,
        size(done.restored.bytes)
    );
    for (count, what) in [
        (done.same, "already there"),
        (done.hidden, "behind delete markers"),
        (done.conflicts, "conflicts, left as they were"),
        (done.missing, "without a copy in the backup"),
        (done.too_long, "with too long a key at the target"),
        (done.archived, "left in an archive"),
        (done.failed, "failed"),
        (done.unproven, "of these left at the target, not proven"),
        (done.waiting, "still in an archive"),
    ] {
        if count > 0 {
            let _ = write!(line, "; {count} {what}");
        }
    }
    line
}

/// The page for a reader, in Markdown. `named` are keys that were not restored, some of them at most.
pub fn page(course: &Course, named: &[Restored]) -> String {
    let request = &course.request;
    let mut page = String::new();
    let mut line = |text: &str| {
        page.push_str(text);
        page.push('\n');
    };
    line(&match &request.sample {
        None => format!("# Restore of {} as of {}", request.what(), request.at),
        Some(_) => format!("# Restore drill of {}", request.at),
    });
    line("");
    line(&format!("**{}**", verdict(&course.done)));
    line("");
    line("| | |\n|---|---|");
    line(&format!(
        "| target | s3://{}/{} |",
        request.to.bucket,
        one_line(&request.to.prefix, 200)
    ));
    line(&format!("| what was there | {} |", mode(request.mode)));
    let from = match &request.from {
        From::Catalog => "the catalog".to_owned(),
        From::Backup(backup) => format!("the bucket {} alone", backup.bucket),
    };
    line(&format!("| versions by | {from} |"));
    if let Some(sample) = &request.sample {
        let seed = one_line(&sample.seed, 200);
        line(&format!(
            "| chosen by | seed {seed}, each as of a moment of its own |"
        ));
    }
    line(&format!(
        "| estimated | {} |",
        usd(course.plan.estimate.micro_usd)
    ));
    line(&format!(
        "| plan | s3://{}/{} |",
        course.work.bucket,
        course.work.plan()
    ));
    line("");
    for unknown in &course.plan.unknown {
        line(&format!("Not known: {unknown}."));
        line("");
    }
    if let Some(expired) = course.plan.expired() {
        line(&format!("Expired: {expired}."));
        line("");
    }
    if !named.is_empty() {
        line("## Not restored");
        line("");
        line("Some of them; `objects-*.jsonl` and `plan/left-*.jsonl` beside this page name all.");
        line("");
        for one in named {
            let key = one_line(&one.key, 300).replace('`', "'");
            let why = one_line(&format!("{} {}", one.error, one.why), 400);
            line(&format!("- `{key}`: {:?}: {}", one.outcome, why.trim()));
            if let Some(unproven) = &one.unproven {
                line(&format!("  {}", one_line(&unproven.advice(), 1600)));
            }
        }
        line("");
        line(&format!(
            "To try again what failed: start the restore machine with `{{\"plan\": \"{}\"}}`.",
            course.work.folder
        ));
    }
    page
}

/// What the owner is told at the end.
/// `named` are keys that were not restored, some of them.
pub fn message(course: &Course, execution: &str, named: &[Restored]) -> Message {
    let done = &course.done;
    let (word, outcome) = if done.is_complete() {
        ("restored", "stored")
    } else {
        ("RESTORE INCOMPLETE", "failed")
    };
    let bucket = &course.request.to.bucket;
    let subject_line = format!("s3-backup: {word}: {bucket}");
    let report = format!("s3://{}/{}", course.work.bucket, course.work.page());
    let mut text = format!(
        "{}\n\nWhat:      {} as of {}\nTo:        s3://{bucket}/{}\nReport:    {report}\nExecution: {execution}\n",
        verdict(done),
        course.request.what(),
        course.request.at,
        one_line(&course.request.to.prefix, 200),
    );
    for unproven in named
        .iter()
        .filter_map(|one| one.unproven.as_ref())
        .take(NAMED_MAX)
    {
        let _ = write!(
            text,
            "\nNOT PROVEN: {}\n",
            one_line(&unproven.advice(), 1600)
        );
    }
    Message {
        subject: subject(&subject_line),
        text,
        json: serde_json::json!({"restore": course, "execution": execution}).to_string(),
        outcome,
        // Each restore is told by itself.
        kind: "restore".to_owned(),
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Beside | Mode::InPlace => "left as it was",
        Mode::Overwrite => "covered where it differed",
        Mode::Rollback => "covered where it differed, hidden where it came later",
    }
}

#[cfg(test)]
mod tests;
