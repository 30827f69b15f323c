//! Reading content: CRC64NVME over parallel ranges, in bounded memory.

use crc_fast::{CrcAlgorithm, Digest, checksum_combine};
use tokio::task::JoinSet;

use super::head::Version;
use crate::ApiError;

/// One ranged GET.
const RANGE_BYTES: u64 = 16 * 1024 * 1024;
/// Ranges under way at once; each holds one chunk of its body, never the whole.
const RANGES_AT_ONCE: usize = 8;

/// One byte range, `first` to `first + bytes - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    bytes: u64,
}

fn ranges(size: u64) -> Vec<Range> {
    (0..size.div_ceil(RANGE_BYTES))
        .map(|index| {
            let first = index * RANGE_BYTES;
            Range {
                first,
                bytes: RANGE_BYTES.min(size - first),
            }
        })
        .collect()
}

/// The CRC64NVME of a version's content, base64 as S3 writes it.
///
/// # Errors
/// The answer of S3; a body that ends early is an error without a status.
pub async fn crc64nvme(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
    size: u64,
    etag: &str,
) -> Result<String, ApiError> {
    let all = ranges(size);
    let mut parts = vec![0_u64; all.len()];
    let mut running = JoinSet::new();
    let mut next = all.iter().enumerate();
    loop {
        while running.len() < RANGES_AT_ONCE {
            let Some((index, range)) = next.next() else {
                break;
            };
            let request = client
                .get_object()
                .bucket(version.bucket)
                .key(version.key)
                .set_version_id(version.version_id.map(str::to_owned))
                .set_expected_bucket_owner(version.owner.map(str::to_owned))
                .if_match(format!("\"{etag}\""))
                .range(format!(
                    "bytes={}-{}",
                    range.first,
                    range.first + range.bytes - 1
                ));
            let bytes = range.bytes;
            running.spawn(async move { (index, read_range(request, bytes).await) });
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        let (index, sum) =
            done.map_err(|problem| broken(format!("a reading task ended: {problem}")))?;
        parts[index] = sum?;
    }
    let crc = CrcAlgorithm::Crc64Nvme;
    let empty = crc_fast::checksum(crc, b"");
    let sum = all.iter().zip(parts).fold(empty, |sum, (range, part)| {
        checksum_combine(crc, sum, part, range.bytes)
    });
    Ok(base64(sum))
}

async fn read_range(
    request: aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder,
    bytes: u64,
) -> Result<u64, ApiError> {
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

fn base64(sum: u64) -> String {
    aws_smithy_types::base64::encode(sum.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_tile_any_size() {
        for size in [
            0,
            1,
            RANGE_BYTES - 1,
            RANGE_BYTES,
            RANGE_BYTES + 1,
            5 * 1024 * 1024 * 1024,
        ] {
            let mut next = 0;
            for range in ranges(size) {
                assert_eq!(range.first, next);
                assert!(range.bytes > 0 && range.bytes <= RANGE_BYTES);
                next += range.bytes;
            }
            assert_eq!(next, size);
        }
    }

    #[test]
    fn the_check_value_is_the_published_one() {
        assert_eq!(
            base64(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, b"123456789")),
            base64(0xae8b_1486_0a79_9888)
        );
    }
}
