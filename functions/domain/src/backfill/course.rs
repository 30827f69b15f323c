//! What passes between the states of the backfill machine: where it stands, in a few KB.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::counts::Counts;
use super::estimate::Estimate;
use super::ranges::Range;
use super::request::Request;
use crate::inventory::{self, Location};
use crate::plan::Tally;
use crate::task::Execution;

/// Version of the stored shapes: plan and progress.
pub const SHAPE: u32 = 1;
/// How often slices are gone through again for what was left.
pub const PASSES_MAX: u32 = 3;
/// How often what is under way elsewhere is looked for, before the report names it as such: with
/// [`wait_seconds`] two days.
pub const WAITS_MAX: u32 = 200;
/// After this the functions of an execution that was stopped are surely dead: their longest run, and a
/// little.
pub const DEAD_AFTER: SignedDuration =
    SignedDuration::from_secs(crate::limits::LAMBDA_SECONDS_MAX as i64 + 60);

/// Seconds until the next look at what is under way elsewhere.
pub const fn wait_seconds(waits: u32) -> u32 {
    let seconds = if waits < 8 { 5 << waits } else { 900 };
    if seconds < 900 { seconds } else { 900 }
}

/// Input of PlanBackfill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanTask {
    /// The execution's input, untouched.
    pub input: Value,
    /// What an earlier run of planning has come to.
    #[serde(default)]
    pub course: Option<Course>,
    /// Names the run.
    pub execution: Execution,
}

/// Input of FinishBackfill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishTask {
    /// Where the backfill stands.
    pub course: Course,
    /// Who ends it.
    pub execution: Execution,
}

/// Where a backfill stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// [`SHAPE`].
    pub shape: u32,
    /// What is done next.
    pub next: Next,
    /// Where plan, results and report are.
    pub work: Work,
    /// What was asked for.
    pub request: Request,
    /// Slices that are planned.
    pub slices: u32,
    /// The slice that is worked on, from 1.
    pub slice: u32,
    /// How often the slices have been gone through, from 1.
    pub pass: u32,
    /// Key of the slice's lines.
    pub lines: String,
    /// How long to wait, where that is next.
    pub wait_seconds: u32,
    /// How often what is under way elsewhere was waited for.
    pub waits: u32,
    /// What is planned.
    pub plan: Summary,
    /// What has become of it.
    #[serde(default)]
    pub done: Counts,
    /// Key of the report, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// What the machine does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Next {
    /// Plan on.
    Plan,
    /// Wait until the functions of a stopped execution are dead, then work on the slice.
    Pause,
    /// Work on the slice.
    Backfill,
    /// Wait for what is under way elsewhere, then count again.
    Wait,
    /// Count and report.
    Finish,
    /// Nothing more.
    End,
}

/// Whose work it is, and where its documents lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// Report bucket.
    pub bucket: String,
    /// Name of the run: that of the execution that began it.
    pub run: String,
    /// ARN of that execution.
    pub execution: String,
    /// When it began.
    pub begun: Timestamp,
}

impl Work {
    /// Folder of all documents of the run.
    pub fn folder(&self) -> String {
        folder(&self.run)
    }

    /// The lines of a slice.
    pub fn lines(&self, slice: u32) -> String {
        format!("{}plan/slice-{slice:05}.jsonl", self.folder())
    }

    /// How far planning has come: a [`Cursor`].
    pub fn cursor(&self) -> String {
        cursor_key(&self.run)
    }

    /// The whole plan: a [`Course`].
    pub fn plan(&self) -> String {
        plan_key(&self.run)
    }

    /// What did not end well of a line: a [`super::report::Rest`].
    pub fn rest(&self, slice: u32, line: u32) -> String {
        format!("{}rest/slice-{slice:05}/{line:05}.json", self.folder())
    }

    /// What of a slice did not end in its lines, and what has become of it: a
    /// [`super::elsewhere::Elsewhere`].
    pub fn elsewhere(&self, slice: u32) -> String {
        format!("{}rest/elsewhere-{slice:05}.json", self.folder())
    }

    /// What failed of a slice, one version and destination a line.
    pub fn failed(&self, slice: u32) -> String {
        format!("{}report/failed-{slice:05}.jsonl", self.folder())
    }

    /// The page for a reader.
    pub fn page(&self) -> String {
        format!("{}report/report.md", self.folder())
    }

    /// The same for a machine.
    pub fn report(&self) -> String {
        format!("{}report/report.json", self.folder())
    }
}

/// Folder of a run.
pub fn folder(run: &str) -> String {
    format!("backfills/{run}/")
}

/// Key of the whole plan of a run.
pub fn plan_key(run: &str) -> String {
    format!("{}plan/plan.json", folder(run))
}

/// Key of the document that says how far planning has come.
pub fn cursor_key(run: &str) -> String {
    format!("{}plan/cursor.json", folder(run))
}

/// How far planning has come: written behind each slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The course, its counts up to here.
    pub course: Course,
    /// What is not yet listed.
    #[serde(default)]
    pub ranges: Vec<Range>,
    /// How far the inventory is read, where one is gone by.
    #[serde(default)]
    pub inventory: Option<ReadTo>,
}

impl Cursor {
    /// What is planned on for `course`, as its execution has it: a run that was shown as a plan, and is
    /// carried out before its planning has ended, is a plan no more.
    #[must_use]
    pub fn of(mut self, course: &Course) -> Self {
        self.course.request.dry_run = course.request.dry_run;
        self
    }
}

/// How far an inventory is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadTo {
    /// The manifest that is gone by to the end, though a newer one may come.
    pub manifest: Location,
    /// Its MD5: another one at its place is another report.
    pub md5: String,
    /// What is planned already.
    pub cursor: inventory::Cursor,
}

/// What a plan comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Keys that are listed.
    pub keys: u64,
    /// Versions of these, without delete markers, and their bytes.
    pub versions: Tally,
    /// Delete markers.
    pub markers: u64,
    /// Versions that no rule wants.
    pub skipped: u64,
    /// Versions of which only a HEAD can say whether a rule wants them; counted as wanted once.
    pub unsure: u64,
    /// Copies to make at most: a version counts for each of its destinations.
    pub copies: Tally,
    /// Of these, versions below newer ones: their order is looked at by a listing.
    pub older: u64,
    /// Copies in parts, and their bytes; not among the others.
    pub large: Tally,
    /// Parts of these.
    pub parts: u64,
    /// Transitions of these.
    pub large_transitions: u64,
    /// Bytes that go to another region.
    pub far_bytes: u64,
    /// What the copies take more than at STANDARD, in billionths of a dollar.
    #[serde(default)]
    pub dearer_nano_usd: u64,
    /// Copies that the policy has read to prove them.
    #[serde(default)]
    pub read: Tally,
    /// What reading them takes, in billionths of a dollar.
    #[serde(default)]
    pub read_nano_usd: u64,
    /// Copies that are read where no checksum is stored: only a HEAD can tell. Not estimated.
    #[serde(default)]
    pub may_read: Tally,
    /// Versions in an archive class, which cannot be read without being brought back.
    pub archived: u64,
    /// Lines of the plan.
    pub lines: u64,
    /// Requests that planning took.
    pub requests: u64,
    /// Lines that are worked on at once.
    pub at_once: u64,
    /// When S3 began the inventory that is gone by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory_begun: Option<Timestamp>,
    /// Requests, money and time.
    #[serde(default)]
    pub estimate: Estimate,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backfill::request::Versions;

    fn course(dry_run: bool) -> Course {
        Course {
            shape: SHAPE,
            next: Next::Pause,
            work: Work {
                bucket: "reports".into(),
                run: "run".into(),
                execution: "arn".into(),
                begun: Timestamp::UNIX_EPOCH,
            },
            request: Request {
                versions: Versions::All,
                dry_run,
                ..Request::default()
            },
            slices: 0,
            slice: 0,
            pass: 1,
            lines: String::new(),
            wait_seconds: 0,
            waits: 0,
            plan: Summary::default(),
            done: Counts::default(),
            report: None,
        }
    }

    #[test]
    fn a_plan_that_is_carried_out_before_it_has_ended_is_a_plan_no_more() {
        let shown = Cursor {
            course: course(true),
            ranges: vec![],
            inventory: None,
        };
        let resumed = shown.clone().of(&course(false));
        assert!(!resumed.course.request.dry_run);
        assert!(shown.of(&course(true)).course.request.dry_run);
    }

    #[test]
    fn waits_grow_to_a_quarter_of_an_hour_and_last_two_days() {
        let all: Vec<_> = (0..WAITS_MAX).map(wait_seconds).collect();
        assert_eq!(all[..3], [5, 10, 20]);
        assert!(all.windows(2).all(|two| two[0] <= two[1]));
        let hours = all.iter().sum::<u32>() / 3600;
        assert!((47..=50).contains(&hours), "{hours} hours");
    }
}
