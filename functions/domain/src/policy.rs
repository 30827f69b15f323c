//! The policy: which objects are backed up, where to, and how.

mod check;
mod remarks;
mod rule;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lifecycle::Lifecycle;

pub use check::{PolicyError, parse};
pub use remarks::remarks;
pub use rule::{Choice, Facts, Known};

/// The whole document. Unknown fields are refused at every level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Format of the document: 1.
    pub version: u32,
    /// Where copies go, by name.
    pub destinations: BTreeMap<String, Destination>,
    /// In order: the first match wins, no match means skipped.
    pub rules: Vec<Rule>,
}

/// One place that copies go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// Backup bucket, versioned.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Account that owns it; absent means the source's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Put before every key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Storage class of the copies; absent means STANDARD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// KMS key of the copies (SSE-KMS); absent means the bucket's default encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Retention of the copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
    /// What the bucket's lifecycle does with the copies. It is said here, not done: S3 goes by the
    /// bucket's own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Lets copies of SSE-KMS objects lie under weaker encryption than SSE-KMS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_weaker_encryption: bool,
}

/// Object Lock retention of a copy, counted from the moment of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectLock {
    /// GOVERNANCE can be lifted by those with a special permission, COMPLIANCE by nobody.
    pub mode: LockMode,
    /// Days of retention, from 1 to [`crate::limits::LOCK_DAYS_MAX`].
    pub days: u32,
    /// That COMPLIANCE is meant, which is refused without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
}

/// Modes of Object Lock (Amazon S3 User Guide, "Object Lock retention modes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LockMode {
    /// Can be lifted with `s3:BypassGovernanceRetention`.
    Governance,
    /// Cannot be lifted before its end.
    Compliance,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Its name, unique; reasons and recovery points cite it.
    pub name: String,
    /// What it applies to; empty means everything.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// Names of destinations; empty means: skip what matches.
    pub destinations: Vec<String>,
    /// Which evidence is asked for.
    #[serde(default)]
    pub verify: Verify,
    /// What happens to objects in an archive class that is not restored.
    #[serde(default)]
    pub archived: Archived,
    /// Whether annotations go along.
    #[serde(default)]
    pub annotations: Annotations,
    /// What a deletion at the source does to the backup.
    #[serde(default)]
    pub deletes: Deletes,
    /// What is told.
    #[serde(default)]
    pub notify: NotifyLevel,
}

/// Conditions of a rule; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Match {
    /// Globs on the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyGlobs>,
    /// Limits of the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeLimits>,
    /// One of these storage classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage_classes: Vec<String>,
    /// All of these tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Globs on the content type, one of which must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content_types: Vec<String>,
}

/// `*` stays within a `/` segment, `**` crosses them, `?` is one character, `[ab]` and `{a,b}` are choices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyGlobs {
    /// One of these must match; empty means all keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// None of these may match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// Both ends are part of the range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SizeLimits {
    /// Smallest size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
    /// Largest size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// Which evidence a rule asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// The weakest evidence that still proves the copy: stored checksums, ETags, else reading.
    #[default]
    Stored,
    /// The copy's bytes are read always.
    Read,
    /// The copy's bytes are read for this share of the objects, 0 to 1, chosen by their names.
    Sample(f64),
}

/// What happens to an archived source object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archived {
    /// A failure, with advice.
    #[default]
    Fail,
    /// Skipped, with a reason.
    Skip,
}

/// Whether the annotations that an object has when it is copied go along. Each is a billed PUT and
/// asks for rights of its own; later changes raise no event on EventBridge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Annotations {
    /// They stay behind.
    #[default]
    Exclude,
    /// They are carried.
    Carry,
}

/// What a deletion at the source does to the backup. No backup version is ever deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deletes {
    /// It is recorded in the catalog; the backup is left as it is.
    #[default]
    Keep,
    /// The backup's latest becomes a delete marker exactly when the source shows no object.
    Mirror,
}

/// What is told of the executions under a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyLevel {
    /// Failures only.
    #[default]
    Failures,
    /// Successes too.
    All,
    /// Nothing; failures stay in the catalog, the queue and the metrics.
    None,
}
