//! Reading the bytes of copies, and of sources where no sum is known. Large ones go on in the next
//! stretch where they stopped.

use std::sync::Arc;

use backup_aws::at_once::each;
use backup_aws::s3::head::Version;
use backup_aws::s3::read::{Progress, base64, read_on};
use backup_aws::{ApiError, Deadline, Failure};
use backup_domain::audit::finding::Finding;
use backup_domain::audit::progress::Reading;
use backup_domain::parts::ByteRange;
use backup_domain::policy::Destination;

use crate::audit::{Audit, Work};
use crate::context::Context;

/// Copies that are read at once, each by several ranges.
const AT_ONCE: usize = 4;

/// How one reading ended.
enum Read {
    /// It goes on.
    On(Reading),
    /// It is over: what was found, and bytes read.
    Over(Option<Finding>, u64),
}

impl Audit {
    /// Reads what waits, as far as the time goes.
    pub async fn read(&self, work: &mut Work, deadline: Deadline) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut work.progress.reading);
        let destinations = work.policy.destinations.clone();
        let done = each(waiting, AT_ONCE, |reading| {
            let context = Arc::clone(&self.context);
            let destination = destinations.get(&reading.finding.destination).cloned();
            async move {
                match destination {
                    Some(destination) if !deadline.is_near() => {
                        one(&context, &destination, reading, deadline).await
                    }
                    Some(_) => Ok(Read::On(reading)),
                    // Taken out of the policy meanwhile.
                    None => Ok(Read::Over(None, 0)),
                }
            }
        })
        .await;
        for read in done {
            match read? {
                Read::On(reading) => work.progress.reading.push(reading),
                Read::Over(finding, bytes) => {
                    work.progress.totals.read += 1;
                    work.progress.totals.read_bytes += bytes;
                    if let Some(finding) = finding {
                        work.find(&finding);
                    }
                }
            }
        }
        Ok(())
    }
}

async fn one(
    context: &Context,
    destination: &Destination,
    mut reading: Reading,
    deadline: Deadline,
) -> Result<Read, Failure> {
    let finding = &reading.finding;
    let copy = Version {
        bucket: &destination.bucket,
        key: &reading.copy_key,
        version_id: finding.backup_version_id.as_deref(),
        owner: destination.account.as_deref(),
    };
    let s3 = context.clients.s3(&destination.region);
    let at_copy = |api: ApiError| api.at_destination(&destination.bucket, &destination.region);
    let etag = &reading.copy_etag;
    match stretch(&s3, copy, etag, reading.bytes, reading.copy, deadline).await {
        Ok(to) => reading.copy = to,
        Err(api) if is_gone(&api) => return Ok(Read::Over(None, 0)),
        Err(api) => return Err(at_copy(api)),
    }
    if reading.expected.is_none() {
        let id = reading.finding.version_id.as_deref().unwrap_or_default();
        let version = context.source_version(&reading.finding.key, id);
        let (s3, from) = (context.source_s3(), reading.source);
        let etag = reading.finding.etag.as_deref().unwrap_or_default();
        match stretch(&s3, version, etag, reading.bytes, from, deadline).await {
            Ok(to) => reading.source = to,
            Err(api) if is_gone(&api) => return Ok(Read::Over(None, reading.copy.0)),
            Err(api) => return Err(api.at_source(&context.source)),
        }
    }
    let source_left = reading.expected.is_none() && reading.source.0 < reading.bytes;
    if source_left || reading.copy.0 < reading.bytes {
        return Ok(Read::On(reading));
    }
    let bytes = reading.copy.0 + reading.source.0;
    let read = base64(reading.copy.1);
    let expected = reading.expected.unwrap_or_else(|| base64(reading.source.1));
    let differs = (read != expected).then(|| Finding {
        detail: format!("the copy's bytes have CRC64NVME {read}, {expected} was expected"),
        ..reading.finding
    });
    Ok(Read::Over(differs, bytes))
}

/// Reads on; hands back how far it came.
async fn stretch(
    s3: &backup_aws::S3,
    version: Version<'_>,
    etag: &str,
    bytes: u64,
    (read, sum): (u64, u64),
    deadline: Deadline,
) -> Result<(u64, u64), ApiError> {
    if read >= bytes {
        return Ok((read, sum));
    }
    let range = ByteRange { first: 0, bytes };
    let to = read_on(s3, version, etag, range, Progress { read, sum }, deadline).await?;
    Ok((to.read, to.sum))
}

/// Removed, or overwritten in place, since it was listed: the next audit sees what is there then.
fn is_gone(api: &ApiError) -> bool {
    api.is_missing() || api.status == Some(412)
}
