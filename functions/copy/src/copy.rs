//! What Copy does with one version and one destination.

use backup_aws::breakers::Breakers;
use backup_aws::prepare::{Prepared, name_refusal, prepare, source_changed, versioned};
use backup_aws::s3::copy as request;
use backup_aws::{Clients, Failure};
use backup_domain::copy::plan_single;
use backup_domain::task::{Copied, CopyTask};
use jiff::Timestamp;

/// Copies, or says why there is nothing to copy; neither while the destination's breaker is open.
pub async fn copy(
    clients: &Clients,
    breakers: &Breakers,
    task: CopyTask,
) -> Result<Copied, Failure> {
    let probe = breakers.admit(&task.target, task.execution.as_ref());
    let probe = probe.await?;
    let copied = tried(clients, task).await?;
    Ok(Copied { probe, ..copied })
}

async fn tried(clients: &Clients, mut task: CopyTask) -> Result<Copied, Failure> {
    let ready = match prepare(clients, &mut task, plan_single).await? {
        Prepared::Ended(copied) => return Ok(*copied),
        Prepared::Ready(ready) => ready,
    };
    let facts = ready.headed.facts;
    let answer = request::copy(&ready.destination, &task, &ready.request, Timestamp::now()).await;
    match answer {
        Ok(version_id) => Ok(Copied {
            modified: task.object.last_modified,
            cut_off: task.may_be_done(),
            ..Copied::made(
                facts,
                versioned(version_id, &task.target)?,
                ready.request.metadata.is_some(),
                Timestamp::now(),
            )
        }),
        Err(api) => match source_changed(&api) {
            Some((outcome, reason)) => Ok(Copied {
                cut_off: task.may_be_done(),
                ..Copied::ended(outcome, reason, Some(facts), Timestamp::now())
            }),
            None => Err(name_refusal(&ready.source, &task.object, &task.target, &api).await),
        },
    }
}
