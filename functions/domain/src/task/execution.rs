//! Who works: an execution, and the machine that it runs on.

use serde::{Deserialize, Serialize};

/// Who holds a lease: one execution, by its id and the moment it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// ARN of the execution.
    pub id: String,
    /// When it started.
    pub start_time: String,
}

impl Execution {
    /// The owner as the catalog stores it.
    pub fn owner(&self) -> String {
        format!("{}@{}", self.id, self.start_time)
    }

    /// The execution's ARN in an owner that the catalog stores.
    pub fn arn_of(owner: &str) -> &str {
        owner.rsplit_once('@').map_or(owner, |(arn, _)| arn)
    }
}

/// Kind of the machine that an execution runs on (AWS Step Functions Developer Guide, "Choosing
/// workflow type").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Machine {
    /// Up to a year; can be asked how it is, and its end raises an event.
    #[default]
    Standard,
    /// Up to five minutes; nobody can ask how it is. Who started it waits for its answer.
    Express,
}

impl Machine {
    /// Whether this is the usual one.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}
