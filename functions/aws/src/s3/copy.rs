//! CopyObject: one server-side copy of one version.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::copy_object::CopyObjectError;
use aws_sdk_s3::operation::copy_object::builders::CopyObjectFluentBuilder;
use aws_sdk_s3::types::{
    AnnotationDirective, ChecksumAlgorithm, MetadataDirective, ObjectLockMode,
    ServerSideEncryption, StorageClass, Tag, Tagging, TaggingDirective,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::DateTime;
use backup_domain::copy::CopyRequest;
use backup_domain::policy::{Annotations, LockMode, ObjectLock};
use backup_domain::task::CopyTask;
use jiff::Timestamp;

use crate::ApiError;

/// A CopyObject of 5 GiB answers when it is done; below the function's own time-out.
const COPY: Duration = Duration::from_mins(14);

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
    send(build(client, task, request, now), request).await
}

/// As [`copy`], where nothing is there but perhaps a delete marker.
///
/// # Errors
/// The answer of S3; 412 when something is there.
pub async fn copy_to_nothing(
    client: &aws_sdk_s3::Client,
    task: &CopyTask,
    request: &CopyRequest,
    now: Timestamp,
) -> Result<Option<String>, ApiError> {
    let builder = build(client, task, request, now).if_none_match("*");
    send(builder, request).await
}

async fn send(
    builder: CopyObjectFluentBuilder,
    request: &CopyRequest,
) -> Result<Option<String>, ApiError> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(COPY)
        .operation_timeout(COPY)
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
        Ok(output) => Ok(output.version_id().map(str::to_owned)),
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
