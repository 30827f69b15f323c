//! What has become of a version that a backfill has left to others: the catalog says, or the execution
//! that was started for it.

use backup_domain::backfill::course::Work;
use backup_domain::backfill::elsewhere::{self, Now, Started, by_execution};
use backup_domain::backfill::event::{Source, execution_of};
use backup_domain::backfill::report::Open;
use backup_domain::catalog::partition_key;

use crate::catalog::Catalog;
use crate::executions::{self, State};
use crate::{Failure, StepFunctions};

/// Whom to ask.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Recovery points.
    pub catalog: &'a Catalog,
    /// Executions.
    pub executions: &'a StepFunctions,
    /// ARN of the backup machine.
    pub machine: &'a str,
    /// Where the version is.
    pub source: Source<'a>,
}

/// How it stands with a version; never [`Now::Ask`].
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
pub async fn now(asked: Asked<'_>, work: &Work, open: &Open) -> Result<Now, Failure> {
    let Asked {
        catalog,
        machine,
        source,
        ..
    } = asked;
    let pk = partition_key(source.bucket, &open.key);
    let points = catalog.points_of_key(&pk).await?;
    let now = elsewhere::now(open, &points, work, source, machine);
    if now != Now::Ask {
        return Ok(now);
    }
    let name = execution_of(source, work, &open.key, &open.version);
    let arn = executions::arn_of(machine, &name);
    let started = match executions::describe(asked.executions, &arn).await? {
        // It was started a moment ago, and is not shown yet.
        State::Running | State::Unknown => Started::Running,
        State::Succeeded => Started::Succeeded,
        State::Dead(dead) => Started::Dead {
            error: dead.error,
            cause: dead.cause,
        },
    };
    // It may have come to its end between the two.
    let points = catalog.points_of_key(&pk).await?;
    Ok(match elsewhere::now(open, &points, work, source, machine) {
        Now::Ask => by_execution(open, &points, work, &started),
        now => now,
    })
}
