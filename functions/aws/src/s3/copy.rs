//! CopyObject: one server-side copy of one version.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::copy_object::builders::CopyObjectFluentBuilder;
use aws_sdk_s3::operation::copy_object::{CopyObjectError, CopyObjectOutput};
use aws_sdk_s3::types::{
    AnnotationDirective, ChecksumAlgorithm, CopyObjectResult, MetadataDirective, ObjectLockMode,
    ServerSideEncryption, StorageClass, Tag, Tagging, TaggingDirective,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::DateTime;
use backup_domain::copy::{CopyRequest, seconds_max};
use backup_domain::evidence::Facts;
use backup_domain::policy::{Annotations, LockMode, ObjectLock};
use backup_domain::task::CopyTask;
use jiff::Timestamp;

use super::head::full_object;
use crate::ApiError;

/// Tag of a copy that verification refused.
pub const BAD: (&str, &str) = ("s3-backup", "bad");

/// Retries only what surely did not happen: S3 turned it away for its pace. After a time-out, a
/// reset or a 500 the copy may exist, and a second one would be surplus.
#[derive(Debug)]
pub(super) struct OnlySurelyNotDone;

impl ClassifyRetry for OnlySurelyNotDone {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context
            .response()
            .map(|response| response.status().as_u16())
        {
            Some(429 | 503) => RetryAction::throttling_error(),
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "only what surely did not happen"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::http_status_code_classifier())
    }
}

/// What the answer to a copying request shows of what it has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// Version id, `None` where the bucket gave none.
    pub version_id: Option<String>,
    /// What evidence needs, but for size and storage class, which no such answer shows. Empty after
    /// CompleteMultipartUpload.
    pub facts: Facts,
}

impl Made {
    fn of(output: &CopyObjectOutput) -> Self {
        let result = output.copy_object_result();
        let etag = result.and_then(CopyObjectResult::e_tag).unwrap_or_default();
        let checksums = result.map(checksums).unwrap_or_default();
        Self {
            version_id: output.version_id().map(str::to_owned),
            facts: Facts {
                etag: etag.trim_matches('"').to_owned(),
                encryption: output
                    .server_side_encryption()
                    .map(|encryption| encryption.as_str().to_owned()),
                checksums,
                ..Facts::default()
            },
        }
    }
}

/// Full-object checksums alone, as of a HEAD.
fn checksums(result: &CopyObjectResult) -> BTreeMap<String, String> {
    let named = [
        ("CRC64NVME", result.checksum_crc64_nvme()),
        ("CRC32", result.checksum_crc32()),
        ("CRC32C", result.checksum_crc32_c()),
        ("SHA1", result.checksum_sha1()),
        ("SHA256", result.checksum_sha256()),
    ];
    full_object(result.checksum_type(), named)
}

/// Sends one CopyObject and returns the version id of the copy, `None` where the bucket gave none.
///
/// # Errors
/// The answer of S3.
pub async fn copy(
    client: &aws_sdk_s3::Client,
    task: &CopyTask,
    request: &CopyRequest,
    now: Timestamp,
) -> Result<Option<String>, ApiError> {
    let made = make(client, task, request, now).await;
    made.map(|made| made.version_id)
}

/// As [`copy`], with all that the answer shows.
///
/// # Errors
/// The answer of S3.
pub async fn make(
    client: &aws_sdk_s3::Client,
    task: &CopyTask,
    request: &CopyRequest,
    now: Timestamp,
) -> Result<Made, ApiError> {
    send(build(client, task, request, now), task, request).await
}

/// As [`make`], where nothing is there but perhaps a delete marker.
///
/// # Errors
/// The answer of S3; 412 when something is there.
pub async fn make_of_nothing(
    client: &aws_sdk_s3::Client,
    task: &CopyTask,
    request: &CopyRequest,
    now: Timestamp,
) -> Result<Made, ApiError> {
    let builder = build(client, task, request, now).if_none_match("*");
    send(builder, task, request).await
}

async fn send(
    builder: CopyObjectFluentBuilder,
    task: &CopyTask,
    request: &CopyRequest,
) -> Result<Made, ApiError> {
    // It answers when it is done.
    let time = Duration::from_secs(seconds_max(task.object.size));
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(time)
        .operation_timeout(time)
        .build();
    let config = Config::builder()
        .timeout_config(timeouts)
        .retry_classifier(OnlySurelyNotDone);
    let expires = request.expires_sent().map(str::to_owned);
    let answer = builder
        .customize()
        .config_override(config)
        .mutate_request(move |request| set_expires(request, expires.as_deref()))
        .send()
        .await;
    match answer {
        Ok(output) => Ok(Made::of(&output)),
        Err(error) => Err(api_error(&error)),
    }
}

fn api_error(error: &SdkError<CopyObjectError>) -> ApiError {
    ApiError::of("CopyObject", error)
}

fn build(
    client: &aws_sdk_s3::Client,
    task: &CopyTask,
    request: &CopyRequest,
    now: Timestamp,
) -> CopyObjectFluentBuilder {
    let destination = &task.target.destination;
    let lock = destination.object_lock.as_ref();
    let builder = client
        .copy_object()
        .bucket(&destination.bucket)
        .key(&task.target.key)
        .copy_source(&request.source)
        .copy_source_if_match(format!("\"{}\"", request.if_match))
        .set_expected_source_bucket_owner(task.object.owner().map(str::to_owned))
        .set_expected_bucket_owner(destination.account.clone())
        .tagging_directive(TaggingDirective::Copy)
        // Each annotation is a billed PUT and needs a right of its own.
        .annotation_directive(if task.target.annotations == Annotations::Carry {
            AnnotationDirective::Copy
        } else {
            AnnotationDirective::Exclude
        })
        .checksum_algorithm(ChecksumAlgorithm::from(request.checksum.as_str()))
        .set_storage_class(destination.storage_class.as_deref().map(StorageClass::from))
        .set_server_side_encryption(
            destination
                .kms_key
                .as_ref()
                .map(|_| ServerSideEncryption::AwsKms),
        )
        .set_ssekms_key_id(destination.kms_key.clone())
        .set_object_lock_mode(lock.map(lock_mode))
        .set_object_lock_retain_until_date(lock.map(|lock| retain_until(lock, now)))
        .set_website_redirect_location(request.headers.website_redirect.clone());
    with_metadata(builder, request)
}

/// REPLACE drops every content header and all user metadata, so they are sent along as they were.
fn with_metadata(
    builder: CopyObjectFluentBuilder,
    request: &CopyRequest,
) -> CopyObjectFluentBuilder {
    let Some(metadata) = &request.metadata else {
        return builder.metadata_directive(MetadataDirective::Copy);
    };
    let headers = &request.headers;
    builder
        .metadata_directive(MetadataDirective::Replace)
        .set_metadata(Some(metadata.clone().into_iter().collect()))
        .set_content_type(headers.content_type.clone())
        .set_cache_control(headers.cache_control.clone())
        .set_content_disposition(headers.content_disposition.clone())
        .set_content_encoding(headers.content_encoding.clone())
        .set_content_language(headers.content_language.clone())
}

/// Sends `Expires` as the source has it, which need not be a date; the SDK itself sends dates only.
pub(super) fn set_expires(request: &mut HttpRequest, raw: Option<&str>) {
    if let Some(raw) = raw
        && let Err(problem) = request.headers_mut().try_insert("expires", raw.to_owned())
    {
        // S3 sent it in a header, so a header can hold it.
        tracing::error!(%problem, "the Expires header of the source cannot be sent");
    }
}

pub(super) fn lock_mode(lock: &ObjectLock) -> ObjectLockMode {
    match lock.mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    }
}

pub(super) fn retain_until(lock: &ObjectLock, now: Timestamp) -> DateTime {
    DateTime::from_secs(now.as_second() + i64::from(lock.days) * 86_400)
}

/// Tags a version as bad, beside the tags it has.
///
/// # Errors
/// The answer of S3.
pub async fn tag_bad(
    client: &aws_sdk_s3::Client,
    version: super::head::Version<'_>,
) -> Result<(), ApiError> {
    let tags = client
        .get_object_tagging()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .send()
        .await;
    let mut tags = tags
        .map_err(|error| ApiError::of("GetObjectTagging", &error))?
        .tag_set;
    tags.retain(|tag| tag.key() != BAD.0);
    // Ten tags are the most an object takes (Amazon S3 User Guide, "Object tagging").
    tags.truncate(9);
    let mut tags: BTreeMap<_, _> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    tags.insert(BAD.0.to_owned(), BAD.1.to_owned());
    put_tags(client, version, &tags).await
}

/// Gives a version exactly these tags.
///
/// # Errors
/// The answer of S3.
pub async fn put_tags(
    client: &aws_sdk_s3::Client,
    version: super::head::Version<'_>,
    tags: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let mut set = Vec::new();
    for (key, value) in tags {
        set.extend(Tag::builder().key(key).value(value).build().ok());
    }
    let tagging = Tagging::builder().set_tag_set(Some(set)).build();
    let tagging = tagging.map_err(|problem| ApiError {
        operation: "PutObjectTagging",
        message: problem.to_string(),
        ..ApiError::default()
    })?;
    client
        .put_object_tagging()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .tagging(tagging)
        .send()
        .await
        .map(drop)
        .map_err(|error| ApiError::of("PutObjectTagging", &error))
}

/// Reads one byte: whether the source is readable when a copy was refused.
///
/// # Errors
/// The answer of S3.
pub async fn can_read(
    client: &aws_sdk_s3::Client,
    version: super::head::Version<'_>,
) -> Result<(), ApiError> {
    let answer = client
        .get_object()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .range("bytes=0-0")
        .send()
        .await;
    match answer.map_err(|error| ApiError::of("GetObject", &error)) {
        Ok(_) => Ok(()),
        // An empty object has no first byte, and is readable.
        Err(api) if api.status == Some(416) => Ok(()),
        Err(api) => Err(api),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::ChecksumType;

    use super::*;

    fn made(result: CopyObjectResult) -> Made {
        let output = CopyObjectOutput::builder().version_id("v");
        Made::of(&output.copy_object_result(result).build())
    }

    #[test]
    fn an_answer_shows_etag_and_full_object_checksums_and_no_composite_one() {
        let result = CopyObjectResult::builder()
            .e_tag("\"b1946ac92492d2347c6235b4d2611184\"")
            .checksum_crc64_nvme("full")
            .checksum_sha256("parts-2");
        let whole = made(
            result
                .clone()
                .checksum_type(ChecksumType::FullObject)
                .build(),
        );
        assert_eq!(whole.version_id.as_deref(), Some("v"));
        assert_eq!(whole.facts.etag, "b1946ac92492d2347c6235b4d2611184");
        let shown: Vec<_> = whole.facts.checksums.into_iter().collect();
        assert_eq!(shown, [("CRC64NVME".to_owned(), "full".to_owned())]);
        let composite = made(result.checksum_type(ChecksumType::Composite).build());
        assert!(composite.facts.checksums.is_empty());
    }
}
