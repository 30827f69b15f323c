//! The calls of a multipart copy: create, copy a part, list, complete, abort.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType, Part,
    ServerSideEncryption, StorageClass,
};
use backup_domain::copy::ContentHeaders;
use backup_domain::multipart::{ListedPart, ListedUpload, Upload};
use backup_domain::parts::{ByteRange, Segment};
use backup_domain::task::Target;
use backup_domain::{SourceObject, key};
use jiff::Timestamp;

use super::copy::{OnlySurelyNotDone, lock_mode, retain_until, set_expires};
use super::versions::listed_key;
use crate::ApiError;

/// Complete answers when the object is there, minutes after it was asked for a large one (Amazon S3
/// API Reference, "CompleteMultipartUpload"); below the function's own time-out.
const COMPLETE: Duration = Duration::from_mins(14);
/// Most parts in one answer of ListParts (Amazon S3 User Guide, "multipart upload limits").
const PARTS_A_PAGE: u64 = 1000;

/// What an upload is created with.
pub struct NewUpload<'a> {
    /// User metadata, the marker included.
    pub metadata: BTreeMap<String, String>,
    /// Content headers of the source.
    pub headers: &'a ContentHeaders,
    /// Tags of the source.
    pub tags: &'a BTreeMap<String, String>,
    /// Algorithm of the full-object checksum.
    pub algorithm: &'a str,
}

/// Creates an upload and returns its id. Only what surely did not happen is tried again here: a
/// second upload would be a stray.
///
/// # Errors
/// The answer of S3.
pub async fn create(
    client: &aws_sdk_s3::Client,
    target: &Target,
    new: NewUpload<'_>,
    now: Timestamp,
) -> Result<String, ApiError> {
    let destination = &target.destination;
    let (lock, headers) = (destination.object_lock.as_ref(), new.headers);
    let tagging = (!new.tags.is_empty()).then(|| tagging(new.tags));
    let expires = headers.expires.clone();
    let kms = destination.kms_key.as_ref();
    let answer = client
        .create_multipart_upload()
        .bucket(&destination.bucket)
        .key(&target.key)
        .set_expected_bucket_owner(destination.account.clone())
        .set_metadata(Some(new.metadata.into_iter().collect()))
        .set_content_type(headers.content_type.clone())
        .set_cache_control(headers.cache_control.clone())
        .set_content_disposition(headers.content_disposition.clone())
        .set_content_encoding(headers.content_encoding.clone())
        .set_content_language(headers.content_language.clone())
        .set_website_redirect_location(headers.website_redirect.clone())
        .set_tagging(tagging)
        .checksum_algorithm(ChecksumAlgorithm::from(new.algorithm))
        .checksum_type(ChecksumType::FullObject)
        .set_storage_class(destination.storage_class.as_deref().map(StorageClass::from))
        .set_server_side_encryption(kms.map(|_| ServerSideEncryption::AwsKms))
        .set_ssekms_key_id(kms.cloned())
        .set_object_lock_mode(lock.map(lock_mode))
        .set_object_lock_retain_until_date(lock.map(|lock| retain_until(lock, now)))
        .customize()
        .config_override(Config::builder().retry_classifier(OnlySurelyNotDone))
        .mutate_request(move |request| set_expires(request, expires.as_deref()))
        .send()
        .await
        .map_err(|error| ApiError::of("CreateMultipartUpload", &error))?;
    answer.upload_id.ok_or_else(|| ApiError {
        operation: "CreateMultipartUpload",
        message: "the answer names no upload".to_owned(),
        ..ApiError::default()
    })
}

/// The value of `x-amz-tagging`: a query string.
fn tagging(tags: &BTreeMap<String, String>) -> String {
    let encoded = |text: &str| key::encode(text).replace('/', "%2F");
    let pairs: Vec<_> = tags
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

/// Copies one part, by range, from exactly the source version. A part that is copied twice is there
/// once.
///
/// # Errors
/// The answer of S3; without a status when it did not come within `time`.
pub async fn copy_part(
    client: &aws_sdk_s3::Client,
    object: &SourceObject,
    target: &Target,
    upload_id: &str,
    part: (u64, ByteRange),
    source_etag: &str,
    time: Duration,
) -> Result<(), ApiError> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(time)
        .operation_timeout(time)
        .build();
    let source = key::copy_source(&object.bucket, &object.key, object.named_version());
    client
        .upload_part_copy()
        .bucket(&target.destination.bucket)
        .key(&target.key)
        .set_expected_bucket_owner(target.destination.account.clone())
        .set_expected_source_bucket_owner(object.owner().map(str::to_owned))
        .upload_id(upload_id)
        .part_number(i32::try_from(part.0).unwrap_or(i32::MAX))
        .copy_source(source)
        .copy_source_range(part.1.header())
        .copy_source_if_match(format!("\"{source_etag}\""))
        .customize()
        .config_override(Config::builder().timeout_config(timeouts))
        .send()
        .await
        .map(drop)
        .map_err(|error| ApiError::of("UploadPartCopy", &error))
}

/// The parts of a segment that an upload holds, in order and each once, in whatever way a server lists them:
/// CompleteMultipartUpload takes ascending numbers alone (Amazon S3 API Reference, "InvalidPartOrder").
///
/// # Errors
/// The answer of S3; code `NoSuchUpload` when there is no such upload.
pub async fn list_parts(
    client: &aws_sdk_s3::Client,
    target: &Target,
    upload: &Upload,
    segment: Segment,
) -> Result<Vec<ListedPart>, ApiError> {
    let mut found = BTreeMap::new();
    let mut marker = segment.first_part - 1;
    loop {
        let wanted = (segment.last_part - marker).clamp(1, PARTS_A_PAGE);
        let page = client
            .list_parts()
            .bucket(&target.destination.bucket)
            .key(&target.key)
            .set_expected_bucket_owner(target.destination.account.clone())
            .upload_id(&upload.id)
            .part_number_marker(marker.to_string())
            .max_parts(i32::try_from(wanted).unwrap_or(1000))
            .send()
            .await
            .map_err(|error| ApiError::of("ListParts", &error))?;
        found.extend(
            page.parts()
                .iter()
                .filter_map(|part| listed(part, &upload.algorithm))
                .filter(|part| part.number <= segment.last_part)
                .map(|part| (part.number, part)),
        );
        let next = page
            .next_part_number_marker()
            .and_then(|it| it.parse().ok());
        match next {
            Some(next) if page.is_truncated() == Some(true) && next < segment.last_part => {
                marker = next;
            }
            _ => return Ok(found.into_values().collect()),
        }
    }
}

fn listed(part: &Part, algorithm: &str) -> Option<ListedPart> {
    let checksum = match algorithm {
        "CRC32" => part.checksum_crc32(),
        "CRC32C" => part.checksum_crc32_c(),
        _ => part.checksum_crc64_nvme(),
    };
    Some(ListedPart {
        number: u64::try_from(part.part_number()?).ok()?,
        bytes: u64::try_from(part.size()?).ok()?,
        etag: part.e_tag()?.to_owned(),
        checksum: checksum.map(str::to_owned),
    })
}

/// Makes the object of its parts and returns its version id, `None` where the bucket gave none.
///
/// `checksum` is the source's full-object checksum: S3 then refuses a copy that differs.
///
/// # Errors
/// The answer of S3.
pub async fn complete(
    client: &aws_sdk_s3::Client,
    target: &Target,
    upload: &Upload,
    parts: Vec<ListedPart>,
    checksum: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let builder = completion(client, target, upload, parts, checksum);
    finish(builder).await
}

/// As [`complete`], where nothing is there but perhaps a delete marker.
///
/// # Errors
/// The answer of S3; 412 when something is there, 409 `ConditionalRequestConflict` when something was
/// written meanwhile (Amazon S3 API Reference, "CompleteMultipartUpload").
pub async fn complete_of_nothing(
    client: &aws_sdk_s3::Client,
    target: &Target,
    upload: &Upload,
    parts: Vec<ListedPart>,
    checksum: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let builder = completion(client, target, upload, parts, checksum);
    finish(builder.if_none_match("*")).await
}

fn completion(
    client: &aws_sdk_s3::Client,
    target: &Target,
    upload: &Upload,
    parts: Vec<ListedPart>,
    checksum: Option<&str>,
) -> CompleteMultipartUploadFluentBuilder {
    let value = |name: &str| {
        checksum
            .filter(|_| upload.algorithm == name)
            .map(str::to_owned)
    };
    let with_checksums = parts.iter().all(|part| part.checksum.is_some());
    let parts = parts
        .into_iter()
        .map(|part| completed(part, &upload.algorithm));
    client
        .complete_multipart_upload()
        .bucket(&target.destination.bucket)
        .key(&target.key)
        .set_expected_bucket_owner(target.destination.account.clone())
        .upload_id(&upload.id)
        .multipart_upload(
            CompletedMultipartUpload::builder()
                .set_parts(Some(parts.collect()))
                .build(),
        )
        .set_checksum_crc64_nvme(value("CRC64NVME"))
        .set_checksum_crc32(value("CRC32"))
        .set_checksum_crc32_c(value("CRC32C"))
        .set_checksum_type(with_checksums.then_some(ChecksumType::FullObject))
        .mpu_object_size(i64::try_from(upload.plan.object_bytes).unwrap_or(i64::MAX))
}

async fn finish(builder: CompleteMultipartUploadFluentBuilder) -> Result<Option<String>, ApiError> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(COMPLETE)
        .operation_timeout(COMPLETE)
        .build();
    let answer = builder
        .customize()
        .config_override(
            Config::builder()
                .timeout_config(timeouts)
                .retry_classifier(OnlySurelyNotDone),
        )
        .send()
        .await
        .map_err(|error| ApiError::of("CompleteMultipartUpload", &error))?;
    Ok(answer.version_id().map(str::to_owned))
}

fn completed(part: ListedPart, algorithm: &str) -> CompletedPart {
    let builder = CompletedPart::builder()
        .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
        .e_tag(part.etag);
    let builder = match algorithm {
        "CRC32" => builder.set_checksum_crc32(part.checksum),
        "CRC32C" => builder.set_checksum_crc32_c(part.checksum),
        _ => builder.set_checksum_crc64_nvme(part.checksum),
    };
    builder.build()
}

/// Aborts an upload and makes sure of it: a part that was under way may arrive after the abort
/// (Amazon S3 API Reference, "AbortMultipartUpload"). Says whether there was one.
///
/// # Errors
/// The answer of S3.
pub async fn abort(
    client: &aws_sdk_s3::Client,
    target: &Target,
    upload_id: &str,
) -> Result<bool, ApiError> {
    let mut aborted = false;
    // Each round ends an upload that a late part had brought back; more than a few never follow.
    for _ in 0..3 {
        let answer = client
            .abort_multipart_upload()
            .bucket(&target.destination.bucket)
            .key(&target.key)
            .set_expected_bucket_owner(target.destination.account.clone())
            .upload_id(upload_id)
            .send()
            .await;
        match answer.map_err(|error| ApiError::of("AbortMultipartUpload", &error)) {
            Ok(_) => aborted = true,
            Err(api) if api.code == "NoSuchUpload" => return Ok(aborted),
            Err(api) => return Err(api),
        }
    }
    Ok(aborted)
}

/// The uploads under way to exactly one key.
///
/// # Errors
/// The answer of S3.
pub async fn list_uploads(
    client: &aws_sdk_s3::Client,
    target: &Target,
) -> Result<Vec<ListedUpload>, ApiError> {
    let mut found = Vec::new();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = client
            .list_multipart_uploads()
            .bucket(&target.destination.bucket)
            .prefix(&target.key)
            .encoding_type(EncodingType::Url)
            .set_expected_bucket_owner(target.destination.account.clone())
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker)
            .send()
            .await
            .map_err(|error| ApiError::of("ListMultipartUploads", &error))?;
        let encoded = page.encoding_type().is_some();
        for upload in page.uploads() {
            let name = listed_key(upload.key().unwrap_or_default(), encoded);
            let initiated = upload
                .initiated()
                .and_then(|time| Timestamp::from_second(time.secs()).ok());
            if name.as_deref() == Some(&target.key)
                && let (Some(id), Some(initiated_at)) = (upload.upload_id(), initiated)
            {
                let id = id.to_owned();
                found.push(ListedUpload { id, initiated_at });
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(found);
        }
        key_marker = page
            .next_key_marker()
            .and_then(|marker| listed_key(marker, encoded));
        id_marker = page.next_upload_id_marker().map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_sent_as_a_query_string() {
        let tags = BTreeMap::from([
            ("a b".to_owned(), "c&d=e/f".to_owned()),
            ("plus+".to_owned(), "é".to_owned()),
        ]);
        assert_eq!(tagging(&tags), "a%20b=c%26d%3De%2Ff&plus%2B=%C3%A9");
    }
}
