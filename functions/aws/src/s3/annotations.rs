//! Annotations of an object: named documents beside its content, up to 1,000 of 1 MiB each (Amazon S3
//! User Guide, "S3 object annotations"). CopyObject carries them by a directive, a multipart copy
//! does not.

use aws_sdk_s3::primitives::AggregatedBytes;
use backup_domain::task::Target;

use super::head::Version;
use crate::ApiError;

/// Why annotations were not carried, and which side it was.
pub enum Uncarried {
    /// Reading those of the source failed.
    Source(ApiError),
    /// Writing one to the copy failed.
    Copy(ApiError),
}

/// Puts the annotations of a source version on its copy, one PUT each; doing it twice is once. A copy
/// without a version id is the latest of its key.
///
/// # Errors
/// The answer of the side that refused.
pub async fn carry(
    source: &aws_sdk_s3::Client,
    version: Version<'_>,
    destination: &aws_sdk_s3::Client,
    target: &Target,
    copy_version_id: Option<&str>,
) -> Result<usize, Uncarried> {
    let mut carried = 0;
    let mut pages = source
        .list_object_annotations()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| Uncarried::Source(ApiError::of("ListObjectAnnotations", &error)))?;
        for entry in page.annotations() {
            let name = entry.annotation_name();
            let bytes = read(source, version, name)
                .await
                .map_err(Uncarried::Source)?;
            destination
                .put_object_annotation()
                .bucket(&target.destination.bucket)
                .key(&target.key)
                .set_version_id(copy_version_id.map(str::to_owned))
                .set_expected_bucket_owner(target.destination.account.clone())
                .annotation_name(name)
                .annotation_payload(bytes.into())
                .send()
                .await
                .map_err(|error| Uncarried::Copy(ApiError::of("PutObjectAnnotation", &error)))?;
            carried += 1;
        }
    }
    Ok(carried)
}

/// The names of a version's annotations with sums of what they say, in the order of the names.
///
/// # Errors
/// The answer of S3.
pub async fn digest(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
) -> Result<Vec<String>, ApiError> {
    let mut found = Vec::new();
    let mut pages = client
        .list_object_annotations()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| ApiError::of("ListObjectAnnotations", &error))?;
        for entry in page.annotations() {
            let name = entry.annotation_name();
            let bytes = read(client, version, name).await?;
            let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes);
            found.push(format!("{name} {sum:016x}"));
        }
    }
    found.sort();
    Ok(found)
}

async fn read(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
    name: &str,
) -> Result<Vec<u8>, ApiError> {
    let answer = client
        .get_object_annotation()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .annotation_name(name)
        .send()
        .await
        .map_err(|error| ApiError::of("GetObjectAnnotation", &error))?;
    let body = answer.annotation_payload.collect().await;
    body.map(AggregatedBytes::to_vec)
        .map_err(|problem| ApiError {
            operation: "GetObjectAnnotation",
            message: format!("the body broke off: {problem}"),
            ..ApiError::default()
        })
}
