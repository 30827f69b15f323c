//! What ReadRange does with one range.

use backup_aws::prepare::{at_destination, copy_version, source_version, unavailable};
use backup_aws::s3::read::{Progress, read_on};
use backup_aws::{Clients, Deadline, ErrorName, Failure};
use backup_domain::multipart::{ReadRange, ReadRangeTask, Side};

/// Reads on; what is left is for the next turn.
pub async fn read(
    clients: &Clients,
    task: ReadRangeTask,
    deadline: Deadline,
) -> Result<ReadRange, Failure> {
    let from = start(&task.range)?;
    let (object, target) = (&task.object, &task.target);
    let (range, etag) = (task.range.range, task.range.etag.as_str());
    let read = match task.range.side {
        Side::Source => {
            let s3 = clients.s3(&object.region);
            read_on(&s3, source_version(object), etag, range, from, deadline)
                .await
                .map_err(|api| api.at_source(&object.bucket))
        }
        Side::Copy => {
            let s3 = clients.s3(&target.destination.region);
            let version = copy_version(target, task.copied.version_id.as_deref());
            read_on(&s3, version, etag, range, from, deadline)
                .await
                .map_err(|api| at_destination(&api, target))
        }
    }?;
    if read.read == from.read && from.read < range.bytes {
        return Err(unavailable(format!(
            "no byte of the range from {} on could be read in time",
            range.first
        )));
    }
    Ok(ReadRange {
        read: read.read,
        sum: format!("{:016x}", read.sum),
        ..task.range
    })
}

fn start(range: &ReadRange) -> Result<Progress, Failure> {
    if range.sum.is_empty() {
        return Ok(Progress::default());
    }
    u64::from_str_radix(&range.sum, 16)
        .map(|sum| Progress {
            read: range.read,
            sum,
        })
        .map_err(|_| {
            let message = format!("{:?} is no sum to go on from", range.sum);
            Failure::new(ErrorName::InvalidEvent, message)
        })
}
