//! What passes between the states of the restore machine: where it stands, in a few KB.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::estimate::Estimate;
use super::line::Copy;
use super::moment::is_archive;
use super::report::{Counts, Left};
use super::request::Request;
use crate::error::one_line;
use crate::plan::Tally;
use crate::policy::Annotations;
use crate::task::Execution;

/// What is left out of a plan is named this often in its summary; the list beside it names all.
pub const NAMED_MAX: usize = 10;
/// Bytes of a reason in the summary, which passes from state to state.
const WHY_BYTES_MAX: usize = 200;

/// Input of PlanRestore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanTask {
    /// The execution's input, untouched.
    pub input: Value,
    /// What an earlier slice of planning has come to.
    #[serde(default)]
    pub course: Option<Course>,
    /// Names the folder of the plan.
    pub execution: Execution,
}

/// Input of FinishRestore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishTask {
    /// Where the restore stands; absent where a drill came to no end.
    #[serde(default)]
    pub course: Option<Course>,
    /// What the machine caught of such a drill.
    #[serde(default)]
    pub failure: Option<Value>,
    /// Its input, untouched.
    #[serde(default)]
    pub input: Value,
    /// Who ends it.
    pub execution: Execution,
}

/// Where a restore stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// What is done next.
    pub next: Next,
    /// Where plan, results and report are.
    pub work: Work,
    /// What was asked for.
    pub request: Request,
    /// Whether annotations are brought back.
    #[serde(default)]
    pub annotations: Annotations,
    /// Where planning goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// Slices that are planned.
    pub slices: u32,
    /// The slice that is restored, from 1.
    pub slice: u32,
    /// How often the slices have been gone through, from 1: once, and again while archives are awaited.
    pub pass: u32,
    /// Key of the slice's lines.
    pub lines: String,
    /// How long to wait, where that is next.
    pub wait_seconds: u32,
    /// How long this execution has waited.
    #[serde(default)]
    pub waited_seconds: u32,
    /// Events of its history that this execution has spent, about.
    #[serde(default)]
    pub events: u32,
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
    /// Plan another slice.
    Plan,
    /// Restore the slice.
    Restore,
    /// Wait for archives, then restore the slice.
    Wait,
    /// Count and report.
    Finish,
    /// Nothing more.
    End,
}

/// A folder of the report bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// Bucket.
    pub bucket: String,
    /// Ends in `/`.
    pub folder: String,
}

impl Work {
    /// The lines of a slice.
    pub fn lines(&self, slice: u32) -> String {
        format!("{}plan/slice-{slice:05}.jsonl", self.folder)
    }

    /// Those lines of a slice that another pass has something to do with.
    pub fn open_lines(&self, slice: u32) -> String {
        format!("{}plan/open-{slice:05}.jsonl", self.folder)
    }

    /// What a run of planning leaves out, and why; `keys` are looked at by its end.
    pub fn left(&self, keys: u64) -> String {
        format!("{}plan/left-{keys:012}.jsonl", self.folder)
    }

    /// The whole plan: a [`Course`].
    pub fn plan(&self) -> String {
        format!("{}plan/plan.json", self.folder)
    }

    /// The execution that works in this folder, or was the last to do so.
    pub fn run(&self) -> String {
        format!("{}run.json", self.folder)
    }

    /// Results of a line.
    pub fn results(&self, slice: u32, line: u32) -> String {
        format!("{}{line:05}.json", self.results_of(slice))
    }

    /// Results of a slice.
    pub fn results_of(&self, slice: u32) -> String {
        format!("{}slice-{slice:05}/", self.results_of_all())
    }

    /// Results of all slices, one object a line.
    pub fn results_of_all(&self) -> String {
        format!("{}results/", self.folder)
    }

    /// Uploads of large objects of a line that are under way.
    pub fn uploads(&self, slice: u32, line: u32) -> String {
        format!("{}uploads/slice-{slice:05}/{line:05}.json", self.folder)
    }

    /// Counts of every slice.
    pub fn progress(&self) -> String {
        format!("{}report/progress.json", self.folder)
    }

    /// One line an object, of a slice.
    pub fn objects(&self, slice: u32) -> String {
        format!("{}report/objects-{slice:05}.jsonl", self.folder)
    }

    /// The page for a reader.
    pub fn page(&self) -> String {
        format!("{}report/report.md", self.folder)
    }

    /// The same for a machine.
    pub fn report(&self) -> String {
        format!("{}report/report.json", self.folder)
    }
}

/// Where a listing goes on: behind the last key whose points or versions are all seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// Partition key in the catalog, or key in the backup bucket.
    pub key: String,
    /// Sort key in the catalog, empty in a bucket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sort: String,
}

/// What a drill has seen of the catalog, to tell by how large the whole is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Keys.
    pub keys: u64,
    /// Their points together.
    pub points: u64,
}

impl Seen {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a plan comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Keys of which the backup knows something.
    pub keys: u64,
    /// To copy.
    pub copy: Tally,
    /// Of these, in an archive class: to be brought back first.
    pub archived: Tally,
    /// Of the archived ones, those in DEEP_ARCHIVE.
    #[serde(default)]
    pub deep: Tally,
    /// Destinations that have copies of any version of these keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub destinations: BTreeSet<String>,
    /// Regions that they lie in.
    #[serde(default)]
    pub regions: BTreeSet<String>,
    /// Of these, over what is there.
    pub covered: u64,
    /// There already, with the very content.
    pub same: u64,
    /// To hide behind delete markers.
    pub hide: u64,
    /// Deleted by then, or not written yet: nothing to do.
    pub absent: u64,
    /// Left, since what is there differs.
    pub conflicts: u64,
    /// The right version has no copy.
    pub missing: u64,
    /// The key would be too long at the target.
    #[serde(default)]
    pub too_long: u64,
    /// Some of what is left or missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Left>,
    /// The first version that is known of all these keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Timestamp>,
    /// From this moment on nothing that was the latest version of any of these keys has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_from: Option<Timestamp>,
    /// Lines of the plan.
    pub lines: u64,
    /// Whether the target was empty under the prefix when planning began: then nothing is asked of it.
    pub target_empty: bool,
    /// Requests, money and time.
    #[serde(default)]
    pub estimate: Estimate,
    /// Points of the catalog that the candidates of a drill have together, and how many these are.
    #[serde(default, skip_serializing_if = "Seen::is_nothing")]
    pub seen: Seen,
    /// What this plan cannot know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

impl Summary {
    /// Counts a copy to restore.
    pub fn count(&mut self, copy: &Copy) {
        self.copy.add(copy.size);
        let class = copy.storage_class.as_deref().unwrap_or_default();
        if is_archive(class) {
            self.archived.add(copy.size);
        }
        if class == "DEEP_ARCHIVE" {
            self.deep.add(copy.size);
        }
        if !self.regions.contains(&copy.region) {
            self.regions.insert(copy.region.clone());
        }
    }

    /// In one line, where copies have expired that this moment needs: which moments need none.
    pub fn expired(&self) -> Option<String> {
        let whole = self.whole_from.filter(|_| self.missing > 0)?;
        Some(if whole == Timestamp::MAX {
            "copies that every moment needs".to_owned()
        } else {
            format!("copies that this moment needs, and none that {whole} or a later one needs")
        })
    }

    /// Names something that is left out.
    pub fn name(&mut self, left: &Left) {
        if self.named.len() < NAMED_MAX {
            let why = one_line(&left.why, WHY_BYTES_MAX);
            self.named.push(Left {
                why,
                ..left.clone()
            });
        }
    }
}
