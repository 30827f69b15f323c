//! What did not end in its line: in parts on the backup machine, by somebody else's execution, or
//! failed. The catalog says what has become of it.

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::course::Work;
use super::event::{Source, execution_of};
use super::known::is_of;
use super::report::{Failed, Open};
use crate::catalog::{RecoveryPoint, Status};

/// What of a slice did not end in its lines, and what has become of it since. One document, so that
/// whoever dies between two writes has lost no end of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Elsewhere {
    /// What the lines have noted; what is open or failed of it stands below.
    pub lines: Counts,
    /// What has ended well since.
    pub ended: Counts,
    /// What is under way.
    pub open: Vec<Open>,
    /// What failed and was not stored since.
    pub failed: Vec<Failed>,
}

impl Elsewhere {
    /// The counts of the slice.
    pub fn counts(&self) -> Counts {
        let mut counts = self.lines;
        counts.add(&self.ended);
        counts.open = self.open.len() as u64;
        counts.failed = self.failed.len() as u64;
        counts
    }
}

/// How an execution is that this run has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It runs, or Step Functions does not show it yet.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Dead {
        /// Name of the error.
        error: Option<String>,
        /// What it said.
        cause: Option<String>,
    },
}

/// What has become of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// It is under way.
    Open,
    /// The catalog does not tell: ask how the execution is that this run has started.
    Ask,
    /// It ended, as [`Counts::count`] knows it.
    Ended(&'static str),
    /// It failed.
    Failed(Box<Failed>),
}

/// What the points of its key say of a version that is under way. Those of before this run say nothing
/// of what this run has started: another destination may have no point yet, and a failure of an earlier
/// day is about to be mended.
pub fn now(
    open: &Open,
    points: &[RecoveryPoint],
    work: &Work,
    source: Source<'_>,
    machine: &str,
) -> Now {
    let own = of(open, points);
    if own.iter().any(|point| point.status == Status::Copying) {
        return Now::Open;
    }
    let name = execution_of(source, work, &open.key, &open.version);
    let execution = machine.replacen(":stateMachine:", ":execution:", 1);
    let arn = format!("{execution}:{name}");
    let is_mine = |point: &RecoveryPoint| crate::task::Execution::arn_of(&point.owner) == arn;
    let mine = own.iter().any(|point| is_mine(point));
    if open.started && !mine {
        return Now::Ask;
    }
    if let Some(point) = failed_since(&own, work) {
        return Now::Failed(Box::new(failed(open, point)));
    }
    if own.is_empty() {
        // Somebody else held it, and nothing says that it has ended.
        return Now::Open;
    }
    Now::Ended(if mine { "stored" } else { "duplicate" })
}

/// The same, where no point is of the execution that this run has started, and this is how that is.
pub fn by_execution(open: &Open, points: &[RecoveryPoint], work: &Work, started: &Started) -> Now {
    let own = of(open, points);
    match (started, failed_since(&own, work)) {
        (Started::Running, _) => Now::Open,
        (_, Some(point)) => Now::Failed(Box::new(failed(open, point))),
        // It wanted no lease, or found all of them done.
        (Started::Succeeded, None) if own.is_empty() => Now::Ended("skipped"),
        (Started::Succeeded, None) => Now::Ended("duplicate"),
        (Started::Dead { .. }, None) if own.iter().any(|it| is_since(it, work)) => {
            Now::Ended("duplicate")
        }
        (Started::Dead { error, cause }, None) => Now::Failed(Box::new(Failed {
            key: open.key.clone(),
            version_id: open.version.id.clone(),
            destination: "*".to_owned(),
            error: error.clone().unwrap_or_else(|| "unknown error".to_owned()),
            message: cause.clone().unwrap_or_default(),
            version: Some(open.version.clone()),
        })),
    }
}

/// Whether what failed has been stored since, by a redrive or a repair.
pub fn is_mended(failed: &Failed, points: &[RecoveryPoint]) -> bool {
    let is_own = |point: &&RecoveryPoint| match (&failed.version, &failed.version_id) {
        (Some(version), _) => is_of(point, version),
        (None, Some(id)) => point.object.version_id.as_ref() == Some(id),
        (None, None) => false,
    };
    let whole = failed.destination == "*";
    let is_there = |point: &&RecoveryPoint| whole || point.destination == failed.destination;
    let mut own = points.iter().filter(is_own).filter(is_there).peekable();
    let is_over = |point: &RecoveryPoint| !matches!(point.status, Status::Copying | Status::Failed);
    own.peek().is_some() && own.all(is_over)
}

fn failed_since<'p>(own: &[&'p RecoveryPoint], work: &Work) -> Option<&'p RecoveryPoint> {
    let mut own = own.iter().copied();
    own.find(|point| point.status == Status::Failed && is_since(point, work))
}

/// Whether a point ended in the time of the run.
fn is_since(point: &RecoveryPoint, work: &Work) -> bool {
    point.ended_at.is_some_and(|at| at >= work.begun)
}

fn of<'p>(open: &Open, points: &'p [RecoveryPoint]) -> Vec<&'p RecoveryPoint> {
    let own = points.iter().filter(|it| is_of(it, &open.version));
    own.collect()
}

fn failed(open: &Open, point: &RecoveryPoint) -> Failed {
    Failed {
        key: open.key.clone(),
        version_id: open.version.id.clone(),
        destination: point.destination.clone(),
        error: point
            .error
            .clone()
            .unwrap_or_else(|| "unknown error".to_owned()),
        message: point.message.clone().unwrap_or_default(),
        version: Some(open.version.clone()),
    }
}

#[cfg(test)]
mod tests;
