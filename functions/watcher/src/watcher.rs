//! What the watcher does with one "Step Functions Execution Status Change".

use backup_aws::dead::Closing;
use backup_aws::executions::{State, describe};
use backup_aws::{Failure, StepFunctions};
use backup_domain::watch::{Known, StatusChange};
use serde::Serialize;
use tracing::info;

/// The function's clients and settings.
pub struct Watcher {
    pub executions: StepFunctions,
    pub closing: Closing,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub struct Watched {
    closed: bool,
}

impl Watcher {
    /// Closes the execution, unless it told everything itself, runs again, or is closed already. One
    /// that says that it told is not asked: an outage fails more a second than Step Functions answers
    /// for.
    pub async fn watch(&self, change: StatusChange) -> Result<Watched, Failure> {
        let told_at = change.detail.told_at();
        let arn = change.detail.execution_arn;
        if let Some(at) = told_at {
            let catalog = &self.closing.catalog;
            catalog.note_told(&arn, at, catalog.now()).await?;
            return Ok(Watched { closed: false });
        }
        let closed = match describe(&self.executions, &arn).await? {
            State::Dead(dead) => match dead.known() {
                Known::Silent | Known::Unparked | Known::Untold => {
                    self.closing.close(&dead).await?
                }
                Known::Told | Known::Owed => false,
            },
            State::Running | State::Succeeded | State::Unknown => false,
        };
        info!(execution = %arn, closed, "watched");
        Ok(Watched { closed })
    }
}
