//! What Verify does with one copy.

use backup_aws::s3::head::{Found, Version, head};
use backup_aws::s3::{copy, read};
use backup_aws::{ApiError, Clients, ErrorName, Failure, S3};
use backup_domain::evidence::{Evidence, Facts, Mismatch, Weighed, compare_read, weigh};
use backup_domain::task::{Verified, VerifyTask};
use jiff::Timestamp;
use tracing::error;

/// Proves the copy, or passes on that there is none.
pub async fn verify(clients: &Clients, task: VerifyTask) -> Result<Verified, Failure> {
    let (Some(version_id), Some(source)) = (&task.copied.version_id, &task.copied.source) else {
        return Ok(Verified {
            evidence: None,
            at: Timestamp::now(),
        });
    };
    let destination = &task.target.destination;
    let s3 = clients.s3(&destination.region);
    let at_destination =
        |api: ApiError| api.at_destination(&destination.bucket, &destination.region);
    let version = Version {
        bucket: &destination.bucket,
        key: &task.target.key,
        version_id: Some(version_id),
        owner: destination.account.as_deref(),
    };
    let Found::Object(found) = head(&s3, version).await.map_err(at_destination)? else {
        return Err(Failure::new(
            ErrorName::DestinationUnavailable,
            format!(
                "version {version_id} of the copy is not in {}",
                destination.bucket
            ),
        ));
    };
    let copy = found.headed.facts;
    let proven = match weigh(source, &copy, task.target.read) {
        Ok(Weighed::Proven(evidence)) => Ok(evidence),
        Ok(Weighed::Read {
            source: ours,
            copy: theirs,
        }) => {
            let theirs = match theirs {
                Some(stored) => stored,
                None => read::crc64nvme(&s3, version, copy.size, &copy.etag)
                    .await
                    .map_err(at_destination)?,
            };
            let ours = match ours {
                Some(stored) => stored,
                None => read_source(clients, &task, source).await?,
            };
            compare_read(&ours, &theirs)
        }
        Err(mismatch) => Err(mismatch),
    };
    match proven {
        Ok(evidence) => Ok(done(evidence)),
        Err(mismatch) => Err(refuse(&s3, &task, version_id, mismatch).await),
    }
}

fn done(evidence: Evidence) -> Verified {
    Verified {
        evidence: Some(evidence),
        at: Timestamp::now(),
    }
}

async fn read_source(
    clients: &Clients,
    task: &VerifyTask,
    facts: &Facts,
) -> Result<String, Failure> {
    let object = &task.object;
    let s3 = clients.s3(&object.region);
    let version = Version {
        bucket: &object.bucket,
        key: &object.key,
        version_id: object.pinned_version(),
        owner: Some(&object.account),
    };
    read::crc64nvme(&s3, version, facts.size, &facts.etag)
        .await
        .map_err(|api| api.at_source(&object.bucket))
}

/// A copy that differs counts as none: it is tagged, never deleted.
async fn refuse(s3: &S3, task: &VerifyTask, version_id: &str, mismatch: Mismatch) -> Failure {
    let bucket = &task.target.destination.bucket;
    if let Err(api) = copy::tag_bad(s3, bucket, &task.target.key, version_id).await {
        // The failure below stands either way; the tag only spares the next reader a comparison.
        error!(problem = %api.message, "the bad version could not be tagged");
    }
    let mut failure = Failure::from(mismatch);
    failure.message = format!("{} (version {version_id} in {bucket})", failure.message);
    failure
}
