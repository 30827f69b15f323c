//! What EventBridge says of an execution that ended.

use jiff::Timestamp;
use serde::Deserialize;

use crate::error::ErrorName;

/// A "Step Functions Execution Status Change", as far as it is read: it may be late, so the execution
/// is asked itself (AWS Step Functions Developer Guide, "Automating Step Functions event delivery with
/// EventBridge").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StatusChange {
    /// What changed.
    pub detail: StatusChangeDetail,
}

/// See [`StatusChange`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChangeDetail {
    /// ARN of the execution.
    pub execution_arn: String,
    /// How it ended then.
    #[serde(default)]
    pub status: Option<String>,
    /// Its error then, where it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default)]
    pub stop_date: Option<i64>,
}

impl StatusChangeDetail {
    /// When it ended, where it ended by telling everything itself. Whatever becomes of the execution
    /// later, this end needs nobody, and nobody need ask for it.
    pub fn told_at(&self) -> Option<Timestamp> {
        let told = self.status.as_deref() == Some("FAILED")
            && self.error.as_deref() == Some(ErrorName::BackupFailed.as_str());
        let at = self.stop_date.filter(|_| told)?;
        Timestamp::from_millisecond(at).ok()
    }
}
