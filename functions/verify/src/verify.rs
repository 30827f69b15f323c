//! What Verify does with one copy.

use backup_aws::prepare::{at_destination, copy_version, source_version};
use backup_aws::s3::head::{Found, Version, head};
use backup_aws::s3::{copy, read};
use backup_aws::{Clients, Deadline, ErrorName, Failure, S3};
use backup_domain::evidence::{Evidence, Facts, Mismatch, Weighed, compare_read, weigh};
use backup_domain::multipart::{ReadRange, Side, reading, sum_of};
use backup_domain::task::{Verified, VerifyTask};
use jiff::Timestamp;
use tracing::error;

/// Proves the copy, or passes on that there is none.
pub async fn verify(
    clients: &Clients,
    task: VerifyTask,
    deadline: Deadline,
) -> Result<Verified, Failure> {
    let (Some(version_id), Some(source)) = (&task.copied.version_id, &task.copied.source) else {
        return Ok(verified(None, vec![]));
    };
    let destination = &task.target.destination;
    let s3 = clients.s3(&destination.region);
    let version = copy_version(&task.target, Some(version_id));
    let Found::Object(found) = head(&s3, version)
        .await
        .map_err(|api| at_destination(&api, &task.target))?
    else {
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
            let sides = Sides {
                source,
                copy: &copy,
                ours,
                theirs,
            };
            match read(clients, &task, version, sides, deadline).await? {
                Read::Sums(ours, theirs) => compare_read(&ours, &theirs),
                Read::First(reading) => return Ok(verified(None, reading)),
            }
        }
        Err(mismatch) => Err(mismatch),
    };
    match proven {
        Ok(evidence) => Ok(verified(Some(evidence), vec![])),
        Err(mismatch) => Err(refuse(&s3, &task, version_id, mismatch).await),
    }
}

fn verified(evidence: Option<Evidence>, reading: Vec<ReadRange>) -> Verified {
    Verified {
        evidence,
        reading,
        at: Timestamp::now(),
    }
}

/// Both sides, with the CRC64NVME of those that need not be read.
struct Sides<'a> {
    source: &'a Facts,
    copy: &'a Facts,
    ours: Option<String>,
    theirs: Option<String>,
}

/// What reading leads to.
enum Read {
    /// CRC64NVME of source and copy.
    Sums(String, String),
    /// These ranges must be read first.
    First(Vec<ReadRange>),
}

/// Reads the sides without a usable checksum: at once, or by handing out ranges and taking their sums.
async fn read(
    clients: &Clients,
    task: &VerifyTask,
    copy: Version<'_>,
    sides: Sides<'_>,
    deadline: Deadline,
) -> Result<Read, Failure> {
    let bytes = sides.copy.size;
    if task.in_ranges && task.sums.is_empty() {
        let mut unread = Vec::new();
        if sides.ours.is_none() {
            unread.push((Side::Source, sides.source.etag.as_str()));
        }
        if sides.theirs.is_none() {
            unread.push((Side::Copy, sides.copy.etag.as_str()));
        }
        return Ok(match sides.ours.zip(sides.theirs) {
            Some((ours, theirs)) => Read::Sums(ours, theirs),
            None => Read::First(reading(bytes, &unread)),
        });
    }
    let summed = |side| Ok::<_, Failure>(sum_of(side, &task.sums)?.map(read::base64));
    let theirs = if let Some(sum) = sides.theirs.or(summed(Side::Copy)?) {
        sum
    } else {
        let s3 = clients.s3(&task.target.destination.region);
        read::crc64nvme(&s3, copy, bytes, &sides.copy.etag, deadline)
            .await
            .map_err(|api| at_destination(&api, &task.target))?
    };
    let ours = if let Some(sum) = sides.ours.or(summed(Side::Source)?) {
        sum
    } else {
        let s3 = clients.s3(&task.object.region);
        let version = source_version(&task.object);
        read::crc64nvme(&s3, version, bytes, &sides.source.etag, deadline)
            .await
            .map_err(|api| api.at_source(&task.object.bucket))?
    };
    Ok(Read::Sums(ours, theirs))
}

/// A copy that differs counts as none: it is tagged, never deleted.
async fn refuse(s3: &S3, task: &VerifyTask, version_id: &str, mismatch: Mismatch) -> Failure {
    let bucket = &task.target.destination.bucket;
    if let Err(api) = copy::tag_bad(s3, copy_version(&task.target, Some(version_id))).await {
        // The failure below stands either way; the tag only spares the next reader a comparison.
        error!(problem = %api.message, "the bad version could not be tagged");
    }
    let mut failure = Failure::from(mismatch);
    failure.message = format!("{} (version {version_id} in {bucket})", failure.message);
    failure
}
