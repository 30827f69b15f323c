//! What Copy does with one version and one destination.

use backup_aws::breakers::Breakers;
use backup_aws::prepare::{Prepared, name_refusal, prepare, source_changed, versioned};
use backup_aws::s3::copy as request;
use backup_aws::{ApiError, Clients, Failure};
use backup_domain::copy::plan_single;
use backup_domain::task::{Copied, CopyTask};
use jiff::Timestamp;

/// Copies, or says why there is nothing to copy; neither while the destination's breaker is open.
pub async fn copy(
    clients: &Clients,
    breakers: &Breakers,
    task: CopyTask,
) -> Result<Copied, Failure> {
    let mut sent = task.cut_off();
    let copied = admitted(clients, breakers, task, &mut sent).await;
    copied.map_err(|failure| Failure {
        sent_nothing: !sent,
        ..failure
    })
}

async fn admitted(
    clients: &Clients,
    breakers: &Breakers,
    task: CopyTask,
    sent: &mut bool,
) -> Result<Copied, Failure> {
    let probe = breakers.admit(&task.target, task.execution.as_ref());
    let probe = probe.await?;
    let destination = task.target.name.clone();
    let copied = tried(clients, task, sent).await?;
    if copied.version_id.is_some() {
        breakers.reached(&destination).await;
    }
    Ok(Copied { probe, ..copied })
}

async fn tried(clients: &Clients, mut task: CopyTask, sent: &mut bool) -> Result<Copied, Failure> {
    let cut_off = task.cut_off();
    let ready = match prepare(clients, &mut task, plan_single).await? {
        Prepared::Ended(copied) => return Ok(*copied),
        Prepared::Ready(ready) => ready,
    };
    let facts = ready.headed.facts;
    let answer = request::copy(&ready.destination, &task, &ready.request, Timestamp::now()).await;
    *sent |= !answer.as_ref().is_err_and(ApiError::is_refused);
    match answer {
        Ok(version_id) => Ok(Copied {
            modified: task.object.last_modified,
            cut_off,
            ..Copied::made(
                facts,
                versioned(version_id, &task.target)?,
                ready.request.metadata.is_some(),
                Timestamp::now(),
            )
        }),
        Err(api) => match source_changed(&api) {
            Some((outcome, reason)) => Ok(Copied {
                cut_off,
                ..Copied::ended(outcome, reason, Some(facts), Timestamp::now())
            }),
            None => Err(name_refusal(&ready.source, &task.object, &task.target, &api).await),
        },
    }
}
