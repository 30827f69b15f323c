//! What passes between the states: ids, sizes and facts, never content or lists that grow.

mod execution;
mod outcome;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::evidence::{Evidence, Facts};
use crate::limits::{COPY_OBJECT_BYTES_MAX, MIB};
use crate::multipart::{ReadRange, Upload};
use crate::object::SourceObject;
use crate::policy::{Annotations, Archived, Deletes, Destination, NotifyLevel};

pub use execution::{Execution, Machine};
pub use outcome::{NotifyTask, Outcome};

/// Input of Filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterTask {
    /// The execution's input, untouched.
    pub event: Value,
    /// Who would hold the lease.
    pub execution: Execution,
    /// What it runs on.
    #[serde(default)]
    pub machine: Machine,
}

/// What Filter decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What Plan does next.
    pub action: Action,
    /// `backed-up` while there is work, else the outcome of the execution: `skipped`, `duplicate`,
    /// `recorded`, or `held` as below.
    pub outcome: String,
    /// Why there is nothing to do; always there, since an absent field fails a JSONata expression.
    pub reason: String,
    /// Whether another execution is at work on some destination, and this one's event is to come
    /// again, see [`crate::lease::must_come_again`]. Always there, as `reason`.
    #[serde(default)]
    pub held: bool,
    /// The object, where it is to be copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<SourceObject>,
    /// Name of the rule that applies.
    pub rule: String,
    /// What is told.
    pub notify: NotifyLevel,
    /// Where it goes: at most as many as the policy names, each under a lease.
    pub targets: Vec<Target>,
}

impl Action {
    /// How an object of this size is copied, with parts from `multipart_mib` MiB on.
    ///
    /// ```
    /// use backup_domain::task::Action;
    /// assert_eq!(Action::for_size((1 << 30) - 1, 1024), Action::Small);
    /// assert_eq!(Action::for_size(1 << 30, 1024), Action::Large);
    /// ```
    pub const fn for_size(bytes: u64, multipart_mib: u64) -> Self {
        // What one CopyObject cannot take goes in parts whatever the setting.
        if bytes < multipart_mib.saturating_mul(MIB) && bytes <= COPY_OBJECT_BYTES_MAX {
            Self::Small
        } else {
            Self::Large
        }
    }
}

/// What Plan does with a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// One CopyObject per target.
    Small,
    /// A multipart copy per target.
    Large,
    /// Nothing: skipped, or a duplicate.
    Nothing,
}

/// One destination of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Name of the destination.
    pub name: String,
    /// The destination as the policy has it.
    pub destination: Destination,
    /// Key of the copy.
    pub key: String,
    /// Whether the copy's bytes are to be read whatever stored evidence there is.
    pub read: bool,
    /// What an archived source means.
    pub archived: Archived,
    /// Whether annotations go along.
    #[serde(default)]
    pub annotations: Annotations,
    /// What a deletion at the source does here.
    #[serde(default)]
    pub deletes: Deletes,
    /// Set where nothing is to be copied for its own sake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_only: Option<SettleOnly>,
    /// Rule that chose it.
    pub rule: String,
    /// How many executions have tried, this one included.
    pub attempts: u32,
    /// The multipart upload that an earlier execution left unfinished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// Version ids of copies that earlier executions left unproven; never adopted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<String>,
    /// What earlier executions left owed, see [`crate::order::owed_after`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_after: Option<Timestamp>,
}

/// A target whose order alone is to be settled: a duplicate of something stored, a deletion, or what
/// is owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleOnly {
    /// `owedAfter` of the point as it was seen before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_after: Option<Timestamp>,
    /// The copies follow the source's tags; their order is left as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tags: bool,
}

/// Input of Copy and of BeginMultipart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyTask {
    /// The source version.
    pub object: SourceObject,
    /// Where it goes.
    pub target: Target,
    /// Which try of this state it is, from 0.
    #[serde(default)]
    pub retry: u32,
    /// Copies that verification refused; never adopted.
    #[serde(default)]
    pub rejected: Vec<String>,
    /// How often this execution has begun a multipart upload before.
    #[serde(default)]
    pub begun: u32,
    /// The upload that it began.
    #[serde(default)]
    pub upload: Option<Upload>,
    /// Whose lease it is.
    #[serde(default)]
    pub execution: Option<Execution>,
}

impl CopyTask {
    /// A first try.
    pub fn of(object: SourceObject, target: Target) -> Self {
        Self {
            object,
            target,
            retry: 0,
            rejected: vec![],
            begun: 0,
            upload: None,
            execution: None,
        }
    }

    /// Whether an earlier try, of this execution or of one before, may have copied already, its answer
    /// lost.
    pub fn may_be_done(&self) -> bool {
        self.cut_off() || self.target.attempts > 1
    }

    /// Whether a copy of an earlier try of this execution may land yet. What executions before have
    /// left is owed by the target itself.
    pub fn cut_off(&self) -> bool {
        self.retry > 0 || self.begun > 0 || !self.rejected.is_empty()
    }
}

/// Output of Copy.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of one copy, none of which implies another"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// What became of it.
    pub outcome: CopyOutcome,
    /// Why it was not copied, where it was not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The source as its HEAD showed it; absent where it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Facts>,
    /// Version id of the copy; present for `copied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Whether the copy carries the marker.
    #[serde(default)]
    pub marked: bool,
    /// Whether an earlier try had made it.
    #[serde(default)]
    pub adopted: bool,
    /// Last-modified of the source, where it was headed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whether an earlier try of this execution may have been cut off, its copy landing later.
    #[serde(default)]
    pub cut_off: bool,
    /// Whether it tries if a destination is back, see [`crate::breaker`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
    /// When Copy ended.
    pub at: Timestamp,
}

impl Copied {
    /// There is a copy of this version id.
    pub fn made(source: Facts, version_id: String, marked: bool, at: Timestamp) -> Self {
        Self {
            outcome: CopyOutcome::Copied,
            reason: String::new(),
            source: Some(source),
            version_id: Some(version_id),
            marked,
            adopted: false,
            modified: None,
            cut_off: false,
            probe: false,
            at,
        }
    }

    /// There is none, for this reason.
    pub fn ended(outcome: CopyOutcome, reason: &str, source: Option<Facts>, at: Timestamp) -> Self {
        Self {
            outcome,
            reason: reason.to_owned(),
            source,
            version_id: None,
            marked: false,
            adopted: false,
            modified: None,
            cut_off: false,
            probe: false,
            at,
        }
    }
}

/// What became of a source version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyOutcome {
    /// There is a copy.
    Copied,
    /// The version or key no longer exists.
    Gone,
    /// An unversioned source was overwritten; the newer content has its own event.
    Superseded,
    /// Not to be copied: a backup's own copy, or archived under a rule that skips those.
    Skipped,
    /// Nothing to copy: the order alone is to be settled.
    Settle,
}

/// Input of Verify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyTask {
    /// The source version.
    pub object: SourceObject,
    /// Where its copy is.
    pub target: Target,
    /// What Copy said.
    pub copied: Copied,
    /// Whether what must be read is handed out in ranges instead of being read at once.
    #[serde(default)]
    pub in_ranges: bool,
    /// Sums of the ranges that were read.
    #[serde(default)]
    pub sums: Vec<ReadRange>,
}

/// Output of Verify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// How the copy was proven; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What must be read first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reading: Vec<ReadRange>,
    /// When it was.
    pub at: Timestamp,
}

/// Input of Record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordTask {
    /// The source version.
    pub object: SourceObject,
    /// Where its copy is.
    pub target: Target,
    /// What Copy said.
    pub copied: Copied,
    /// What Verify said.
    pub verified: Verified,
    /// Copies that verification refused.
    #[serde(default)]
    pub rejected: Vec<String>,
    /// Whose lease it is.
    pub execution: Execution,
    /// Set where whoever asks settles the order of the key later, for several versions at once: what is
    /// stored owes it until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles_later: Option<Timestamp>,
}

/// Input of RecordFailure. Without object and target the event itself failed, before any
/// destination was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureTask {
    /// The execution's input, untouched.
    pub event: Value,
    /// Whose lease it is.
    pub execution: Execution,
    /// What the state machine caught: `Error` and `Cause`.
    pub error_output: Value,
    /// The source version.
    #[serde(default)]
    pub object: Option<SourceObject>,
    /// Where its copy was to go.
    #[serde(default)]
    pub target: Option<Target>,
    /// What was copied before it failed.
    #[serde(default)]
    pub copied: Option<Copied>,
    /// Copies that verification refused.
    #[serde(default)]
    pub rejected: Vec<String>,
}

#[cfg(test)]
pub(crate) mod fixtures;

#[cfg(test)]
mod tests;
