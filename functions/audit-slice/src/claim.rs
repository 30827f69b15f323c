//! One run of an audit is worked on by one execution.

use backup_aws::Failure;
use backup_aws::executions::{self, State};
use backup_domain::audit::finding::AuditError;
use backup_domain::backfill::course::DEAD_AFTER;
use backup_domain::watch::Ended;
use jiff::Timestamp;

use crate::context::Context;

impl Context {
    /// Whether the execution that worked on a run before has let go of it.
    ///
    /// # Errors
    /// `InvalidEvent` while it runs, and while a function of one that was stopped may still write.
    pub async fn let_go(&self, run: &str, before: &str) -> Result<(), Failure> {
        let refused = |problem: String| Err(AuditError::Request { problem }.into());
        match executions::describe(&self.executions, before).await? {
            State::Running => refused(format!("run {run} is worked on by {before}")),
            State::Dead(dead) if dead.ended != Ended::Failed => {
                let stopped = executions::stopped_at(&self.executions, before).await?;
                let until = stopped.saturating_add(DEAD_AFTER).unwrap_or(stopped);
                if until <= Timestamp::now() {
                    return Ok(());
                }
                refused(format!(
                    "run {run} was stopped: its function may write until {until}, go on with it then"
                ))
            }
            State::Dead(_) | State::Succeeded | State::Unknown => Ok(()),
        }
    }
}
