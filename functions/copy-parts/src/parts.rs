//! What CopyParts does with one segment.

use backup_aws::prepare::{at_destination, name_refusal, source_changed, unavailable};
use backup_aws::s3::{multipart, parts};
use backup_aws::{ApiError, Clients, Deadline, ErrorName, Failure};
use backup_domain::multipart::{CopiedParts, CopyPartsTask, Upload, UploadError, missing};
use backup_domain::task::CopyOutcome;
use tracing::info;

/// Copies what the upload lacks of the segment.
pub async fn copy_parts(
    clients: &Clients,
    task: CopyPartsTask,
    deadline: Deadline,
) -> Result<CopiedParts, Failure> {
    let (Some(upload), Some(source)) = (&task.begun.upload, &task.begun.source) else {
        return Err(Failure::new(
            ErrorName::InvalidEvent,
            "there is no upload to copy parts to",
        ));
    };
    let s3 = clients.s3(&task.target.destination.region);
    let listed = multipart::list_parts(&s3, &task.target, upload, task.segment)
        .await
        .map_err(|api| {
            vanished(&api, upload).unwrap_or_else(|| at_destination(&api, &task.target))
        })?;
    let missing = missing(&upload.plan, task.segment, &listed);
    let found = task.segment.last_part - task.segment.first_part + 1 - missing.len() as u64;
    let ran = parts::run(
        &s3,
        &task.object,
        &task.target,
        upload,
        &source.etag,
        missing,
        deadline,
    )
    .await;
    info!(copied = ran.copied, found, left = ran.left, "parts");
    if let Some((part, api)) = &ran.failed {
        if let Some((outcome, _)) = source_changed(api) {
            return Ok(CopiedParts {
                outcome,
                copied: ran.copied,
                found,
            });
        }
        // A call that the deadline cut short says nothing about the destination.
        if !(api.status.is_none() && deadline.is_near() && ran.copied > 0) {
            return Err(failed(clients, &task, upload, *part, api).await);
        }
    }
    if ran.left == 0 && ran.failed.is_none() {
        return Ok(CopiedParts {
            outcome: CopyOutcome::Copied,
            copied: ran.copied,
            found,
        });
    }
    let message = format!(
        "{} parts of the segment are copied, {} are left when the time is over",
        ran.copied + found,
        ran.left.max(1),
    );
    if ran.copied > 0 {
        Err(Failure::new(ErrorName::OutOfTime, message))
    } else {
        Err(unavailable(message))
    }
}

fn vanished(api: &ApiError, upload: &Upload) -> Option<Failure> {
    (api.code == "NoSuchUpload").then(|| {
        let id = upload.id.clone();
        UploadError::Vanished { id }.into()
    })
}

async fn failed(
    clients: &Clients,
    task: &CopyPartsTask,
    upload: &Upload,
    part: u64,
    api: &ApiError,
) -> Failure {
    if let Some(vanished) = vanished(api, upload) {
        return vanished;
    }
    let source = clients.s3(&task.object.region);
    let mut failure = name_refusal(&source, &task.object, &task.target, api).await;
    failure.message = format!("part {part}: {}", failure.message);
    failure
}
