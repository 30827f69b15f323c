//! What CompleteMultipart does with one upload.

use backup_aws::prepare::{at_destination, source_version, versioned};
use backup_aws::s3::annotations::{Uncarried, carry};
use backup_aws::s3::{multipart, versions};
use backup_aws::{ApiError, Clients, ErrorName, Failure, S3};
use backup_domain::evidence::Facts;
use backup_domain::multipart::{
    FinishTask, ListedPart, Upload, UploadError, check_parts, expected_checksum, interrupted,
};
use backup_domain::policy::Annotations;
use backup_domain::task::{Copied, CopyOutcome};
use jiff::Timestamp;
use tracing::info;

/// Completes the upload, or passes on what became of the source meanwhile.
pub async fn complete(clients: &Clients, task: FinishTask) -> Result<Copied, Failure> {
    let Some(begun) = &task.begun else {
        return Err(Failure::new(
            ErrorName::InvalidEvent,
            "there is no upload to complete",
        ));
    };
    if let Some(ended) = &begun.ended {
        return Ok(ended.clone());
    }
    let (Some(upload), Some(source)) = (&begun.upload, &begun.source) else {
        return Err(Failure::new(
            ErrorName::InvalidEvent,
            "there is no upload to complete",
        ));
    };
    let s3 = clients.s3(&task.target.destination.region);
    if let Some(outcome) = interrupted(&task.segments) {
        abort(&s3, &task, upload).await?;
        let reason = if outcome == CopyOutcome::Gone {
            "it was deleted while it was copied"
        } else {
            "it was overwritten while it was copied"
        };
        let facts = Some(source.clone());
        return Ok(Copied {
            cut_off: begun.cut_off,
            probe: begun.probe,
            ..Copied::ended(outcome, reason, facts, Timestamp::now())
        });
    }
    let (version_id, adopted) = make(&s3, &task, upload, source).await?;
    if task.target.annotations == Annotations::Carry {
        annotate(clients, &s3, &task, &version_id).await?;
    }
    Ok(Copied {
        adopted,
        modified: begun.modified,
        cut_off: begun.cut_off,
        probe: begun.probe,
        reason: begun.remark.clone(),
        ..Copied::made(source.clone(), version_id, upload.marked, Timestamp::now())
    })
}

/// The version id of the copy, and whether an earlier try had made it.
async fn make(
    s3: &S3,
    task: &FinishTask,
    upload: &Upload,
    source: &Facts,
) -> Result<(String, bool), Failure> {
    let listed = match multipart::list_parts(s3, &task.target, upload, upload.plan.all()).await {
        Ok(listed) => listed,
        Err(api) if api.code == "NoSuchUpload" => return adopt(s3, task, upload, source).await,
        Err(api) => return Err(at_destination(&api, &task.target)),
    };
    check_parts(upload, &listed)?;
    match finish(s3, task, upload, source, listed).await {
        Ok(version_id) => Ok((versioned(version_id, &task.target)?, false)),
        Err(api) if api.code == "NoSuchUpload" => adopt(s3, task, upload, source).await,
        Err(api) if api.code == "BadDigest" => {
            // Its parts are not to be trusted: the next try must not go on with them.
            abort(s3, task, upload).await?;
            Err(Failure::new(ErrorName::ChecksumMismatch, api.message))
        }
        Err(api) => Err(at_destination(&api, &task.target)),
    }
}

async fn finish(
    s3: &S3,
    task: &FinishTask,
    upload: &Upload,
    source: &Facts,
    listed: Vec<ListedPart>,
) -> Result<Option<String>, ApiError> {
    let checksum = expected_checksum(upload, source, &listed);
    multipart::complete(s3, &task.target, upload, listed, checksum).await
}

/// An upload that is not there may have been completed by a try whose answer was lost.
async fn adopt(
    s3: &S3,
    task: &FinishTask,
    upload: &Upload,
    source: &Facts,
) -> Result<(String, bool), Failure> {
    let own = versions::find_own_copy(s3, &task.object, &task.target, &task.rejected, source.size)
        .await
        .map_err(|api| at_destination(&api, &task.target))?;
    let Some(version_id) = own.filter(|_| upload.marked) else {
        let id = upload.id.clone();
        return Err(UploadError::Vanished { id }.into());
    };
    info!(backup_version_id = %version_id, "adopted the copy of an earlier try");
    Ok((version_id, true))
}

async fn abort(s3: &S3, task: &FinishTask, upload: &Upload) -> Result<(), Failure> {
    multipart::abort(s3, &task.target, &upload.id)
        .await
        .map(drop)
        .map_err(|api| at_destination(&api, &task.target))
}

async fn annotate(
    clients: &Clients,
    s3: &S3,
    task: &FinishTask,
    version_id: &str,
) -> Result<(), Failure> {
    let source = clients.s3(&task.object.region);
    let version = source_version(&task.object);
    match carry(&source, version, s3, &task.target, Some(version_id)).await {
        Ok(carried) => {
            info!(carried, "annotations");
            Ok(())
        }
        Err(Uncarried::Source(api)) => Err(api.at_source(&task.object.bucket)),
        Err(Uncarried::Copy(api)) => Err(at_destination(&api, &task.target)),
    }
}
