//! What AbortMultipart does with one upload.

use backup_aws::prepare::at_destination;
use backup_aws::s3::multipart;
use backup_aws::{Clients, Failure};
use backup_domain::multipart::{Aborted, FinishTask};

/// Aborts the upload, where one was begun.
pub async fn abort(clients: &Clients, task: FinishTask) -> Result<Aborted, Failure> {
    let Some(upload) = task.begun.as_ref().and_then(|begun| begun.upload.as_ref()) else {
        return Ok(Aborted { aborted: false });
    };
    let s3 = clients.s3(&task.target.destination.region);
    let aborted = multipart::abort(&s3, &task.target, &upload.id)
        .await
        .map_err(|api| at_destination(&api, &task.target))?;
    Ok(Aborted { aborted })
}
