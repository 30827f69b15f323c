//! What Notify is told of an execution.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Execution;
use crate::breaker::Change;
use crate::evidence::Evidence;
use crate::policy::NotifyLevel;

/// Input of Notify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifyTask {
    /// The execution's input, untouched.
    pub event: Value,
    /// The execution that is told of.
    pub execution: Execution,
    /// What is told.
    #[serde(default)]
    pub notify: NotifyLevel,
    /// One entry a destination.
    pub outcomes: Vec<Outcome>,
}

/// What became of one destination: output of Record and of the failure path, read by Notify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Name of the destination; `*` before one was chosen.
    pub destination: String,
    /// `stored`, `gone`, `superseded`, `skipped`, `duplicate`, `failed` or `unparked`.
    pub outcome: String,
    /// Why there is no copy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Backup bucket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    /// Its region.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Key of the copy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Version id of the copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// How it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<crate::Cause>,
    /// The change of the destination's breaker that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Change>,
}
