//! Reading content: CRC64NVME over parallel ranged GETs, in bounded memory.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use backup_domain::crc::{Combined, of_nothing};
use backup_domain::parts::ByteRange;
use crc_fast::{CrcAlgorithm, Digest};
use tokio::task::JoinSet;

use super::head::Version;
use crate::{ApiError, Deadline};

/// One ranged GET.
const GET_BYTES: u64 = 16 * 1024 * 1024;
/// GETs under way at once; each holds one chunk of its body, never the whole.
const GETS_AT_ONCE: usize = 8;

/// How far reading has come, from the first byte of its range on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub read: u64,
    /// Their CRC64NVME.
    pub sum: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            read: 0,
            sum: of_nothing(),
        }
    }
}

/// Where one GET begins and ends, by its number within what is left of `range`.
fn get_range(range: ByteRange, from: Progress, number: u64) -> Option<ByteRange> {
    let offset = from.read + number * GET_BYTES;
    let left = range.bytes.checked_sub(offset).filter(|left| *left > 0)?;
    Some(ByteRange {
        first: range.first + offset,
        bytes: left.min(GET_BYTES),
    })
}

/// Reads a range of a version on from `from`, until its end or until the deadline is near.
///
/// # Errors
/// The answer of S3; a body that ends early is an error without a status. Near the deadline what
/// was read until then is worth more than the error of a slow GET, and is handed back instead.
pub async fn read_on(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
    etag: &str,
    range: ByteRange,
    from: Progress,
    deadline: Deadline,
) -> Result<Progress, ApiError> {
    let mut running = JoinSet::new();
    let mut waiting: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let (mut next, mut appended) = (0, 0);
    let mut progress = from;
    let mut combined = Combined::from_sum(from.sum);
    let mut failed = None;
    loop {
        while running.len() < GETS_AT_ONCE && failed.is_none() && !deadline.is_near() {
            let Some(bytes) = get_range(range, from, next) else {
                break;
            };
            let request = get(client, version, etag, bytes);
            let number = next;
            running.spawn(async move { (number, bytes.bytes, sum_of(request, bytes.bytes).await) });
            next += 1;
        }
        // A GET that is slower than the time that is left must not take along what the others read;
        // those that run are ended with the set.
        let Ok(Some(done)) = tokio::time::timeout(deadline.left(), running.join_next()).await
        else {
            break;
        };
        let (number, bytes, sum) =
            done.map_err(|problem| broken(format!("a reading task ended: {problem}")))?;
        match sum {
            Ok(sum) => drop(waiting.insert(number, (sum, bytes))),
            Err(api) => failed = failed.or(Some(api)),
        }
        while let Some((sum, bytes)) = waiting.remove(&appended) {
            combined.push(sum, bytes);
            progress.read += bytes;
            appended += 1;
        }
    }
    progress.sum = combined.sum();
    match failed {
        Some(api) if progress.read == from.read || !deadline.is_near() => Err(api),
        _ => Ok(progress),
    }
}

/// The CRC64NVME of a version's content, base64 as S3 writes it.
///
/// # Errors
/// As [`read_on`]; also when the deadline comes before the end.
pub async fn crc64nvme(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
    bytes: u64,
    etag: &str,
    deadline: Deadline,
) -> Result<String, ApiError> {
    let whole = ByteRange { first: 0, bytes };
    let start = Progress::default();
    let progress = read_on(client, version, etag, whole, start, deadline).await?;
    if progress.read < bytes {
        let read = progress.read;
        return Err(broken(format!(
            "{read} of {bytes} bytes were read when the time was over"
        )));
    }
    Ok(base64(progress.sum))
}

/// A sum as S3 writes it.
pub fn base64(sum: u64) -> String {
    aws_smithy_types::base64::encode(sum.to_be_bytes())
}

fn get(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
    etag: &str,
    range: ByteRange,
) -> GetObjectFluentBuilder {
    client
        .get_object()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .if_match(format!("\"{etag}\""))
        .range(range.header())
}

/// Tries a body that broke off once more: the SDK itself repeats only what fails before the body.
async fn sum_of(request: GetObjectFluentBuilder, bytes: u64) -> Result<u64, ApiError> {
    match read_range(request.clone(), bytes).await {
        Err(api) if api.status.is_none() => read_range(request, bytes).await,
        answer => answer,
    }
}

async fn read_range(request: GetObjectFluentBuilder, bytes: u64) -> Result<u64, ApiError> {
    let mut body = request
        .send()
        .await
        .map_err(|error| ApiError::of("GetObject", &error))?
        .body;
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    let mut seen = 0_u64;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|problem| broken(format!("the body broke off: {problem}")))?;
        seen += chunk.len() as u64;
        digest.update(&chunk);
    }
    if seen != bytes {
        return Err(broken(format!(
            "the body has {seen} bytes, {bytes} were asked for"
        )));
    }
    Ok(digest.finalize())
}

fn broken(message: String) -> ApiError {
    ApiError {
        operation: "GetObject",
        message,
        ..ApiError::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gets_tile_what_is_left_of_a_range() {
        for (bytes, read) in [
            (0, 0),
            (1, 0),
            (GET_BYTES - 1, 0),
            (GET_BYTES, 0),
            (GET_BYTES + 1, 0),
            (5 * GET_BYTES, GET_BYTES),
            (5 * 1024 * 1024 * 1024, 16),
        ] {
            let range = ByteRange { first: 7, bytes };
            let from = Progress { read, sum: 0 };
            let mut next = range.first + read;
            for number in 0.. {
                let Some(get) = get_range(range, from, number) else {
                    break;
                };
                assert_eq!(get.first, next);
                assert!(get.bytes > 0 && get.bytes <= GET_BYTES);
                next += get.bytes;
            }
            assert_eq!(next, range.first + bytes);
        }
    }
}
