//! HeadObject: what one side is, for the copy and for the evidence.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ArchiveStatus, ChecksumMode, ChecksumType, StorageClass};
use backup_domain::copy::{ContentHeaders, Headed, content_encoding};
use backup_domain::evidence::Facts;
use jiff::Timestamp;

use crate::ApiError;

/// What a HEAD needs: a version of a key, in a bucket that belongs to an account.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// Bucket.
    pub bucket: &'a str,
    /// Key, raw.
    pub key: &'a str,
    /// Version id; absent means the latest.
    pub version_id: Option<&'a str>,
    /// Account that must own the bucket; absent means unchecked.
    pub owner: Option<&'a str>,
}

/// An object that is there.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// What the copy and the evidence need.
    pub headed: Headed,
    /// Version id; absent for unversioned buckets.
    pub version_id: Option<String>,
    /// Last-modified, in whole seconds.
    pub last_modified: Option<Timestamp>,
    /// Whether a readable copy of what lies in an archive is under way.
    pub is_asked_for: bool,
}

/// What a HEAD finds.
#[derive(Debug, Clone)]
pub enum Found {
    /// The object.
    Object(Box<Head>),
    /// Nothing: no such key or version, or a delete marker.
    Nothing,
}

/// Heads a version, with its checksums.
///
/// # Errors
/// The answer of S3, for the caller to name: it knows which side it asked.
pub async fn head(client: &aws_sdk_s3::Client, version: Version<'_>) -> Result<Found, ApiError> {
    let request = client
        .head_object()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .checksum_mode(ChecksumMode::Enabled);
    match request.send().await {
        Ok(output) => Ok(Found::Object(Box::new(read(&output)))),
        Err(error) => match ApiError::of("HeadObject", &error) {
            // 405 is a delete marker asked for by its version id.
            api if api.is_missing() || api.status == Some(405) => Ok(Found::Nothing),
            api => Err(api),
        },
    }
}

fn read(output: &HeadObjectOutput) -> Head {
    let class = output
        .storage_class()
        .map_or("STANDARD", StorageClass::as_str);
    let facts = Facts {
        size: output
            .content_length()
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or_default(),
        etag: output
            .e_tag()
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned(),
        encryption: output
            .server_side_encryption()
            .map(|encryption| encryption.as_str().to_owned()),
        checksums: checksums(output),
        storage_class: class.to_owned(),
    };
    let headers = ContentHeaders {
        content_type: output.content_type().map(str::to_owned),
        cache_control: output.cache_control().map(str::to_owned),
        content_disposition: output.content_disposition().map(str::to_owned),
        content_encoding: output.content_encoding().and_then(content_encoding),
        content_language: output.content_language().map(str::to_owned),
        expires: output.expires_string().map(str::to_owned),
        website_redirect: output.website_redirect_location().map(str::to_owned),
    };
    let metadata = output
        .metadata()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Head {
        headed: Headed {
            facts,
            metadata,
            metadata_missing: output.missing_meta().is_some_and(|missing| missing > 0),
            headers,
            archived: is_archived(output, class),
        },
        version_id: output.version_id().map(str::to_owned),
        last_modified: output
            .last_modified()
            .and_then(|time| Timestamp::from_second(time.secs()).ok()),
        is_asked_for: output
            .restore()
            .is_some_and(|restore| restore.contains("ongoing-request=\"true\"")),
    }
}

/// Archived and not restored; `x-amz-restore: ongoing-request="false"` means that a restored copy is there.
fn is_archived(output: &HeadObjectOutput, class: &str) -> bool {
    let archive = matches!(class, "GLACIER" | "DEEP_ARCHIVE")
        || matches!(
            output.archive_status(),
            Some(ArchiveStatus::ArchiveAccess | ArchiveStatus::DeepArchiveAccess)
        );
    archive
        && !output
            .restore()
            .is_some_and(|restore| restore.contains("ongoing-request=\"false\""))
}

/// Full-object checksums only: a composite one depends on the part size and compares with nothing.
fn checksums(output: &HeadObjectOutput) -> BTreeMap<String, String> {
    let named = [
        ("CRC64NVME", output.checksum_crc64_nvme()),
        ("CRC32", output.checksum_crc32()),
        ("CRC32C", output.checksum_crc32_c()),
        ("SHA1", output.checksum_sha1()),
        ("SHA256", output.checksum_sha256()),
        ("SHA512", output.checksum_sha512()),
        ("MD5", output.checksum_md5()),
        ("XXHASH64", output.checksum_xxhash64()),
        ("XXHASH3", output.checksum_xxhash3()),
        ("XXHASH128", output.checksum_xxhash128()),
    ];
    full_object(output.checksum_type(), named)
}

/// Of checksums as an answer names them, those of the whole object.
pub(super) fn full_object<'a>(
    kind: Option<&ChecksumType>,
    named: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> BTreeMap<String, String> {
    if kind == Some(&ChecksumType::Composite) {
        return BTreeMap::new();
    }
    let there = named.into_iter().filter_map(|(name, value)| {
        // A composite value ends in the number of its parts, whatever the type header says.
        let value = value.filter(|value| !value.contains('-'))?;
        Some((name.to_owned(), value.to_owned()))
    });
    there.collect()
}

/// The tags of a version.
///
/// # Errors
/// The answer of S3.
pub async fn tags(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let answer = client
        .get_object_tagging()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .send()
        .await
        .map_err(|error| ApiError::of("GetObjectTagging", &error))?;
    Ok(answer
        .tag_set()
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect())
}
