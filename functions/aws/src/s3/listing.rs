//! Listings of many keys: what a backup bucket holds, and whether a target is empty.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{BucketVersioningStatus, EncodingType};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::versions::listed_key;
use crate::ApiError;

/// One version or delete marker of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Version id.
    pub version_id: String,
    /// When it was written.
    pub modified: Timestamp,
    /// Whether it is a delete marker.
    pub is_marker: bool,
    /// Whether it lies on top.
    pub latest: bool,
}

/// A page of keys with all of their versions.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// By key.
    pub keys: Vec<(String, Vec<Entry>)>,
    /// The last of these keys, where more follow.
    pub next: Option<String>,
}

/// A page of the keys that begin with `prefix`, behind `after`, each with all of its versions. `owner`
/// is the account that must own the bucket, where that is known.
///
/// # Errors
/// The answer of S3.
pub async fn versions(
    client: &aws_sdk_s3::Client,
    bucket: &str,
    owner: Option<&str>,
    prefix: &str,
    after: Option<&str>,
) -> Result<Page, ApiError> {
    let mut found = BTreeMap::<String, Vec<Entry>>::new();
    let (mut key_marker, mut id_marker) = (after.map(str::to_owned), None);
    loop {
        let page = client
            .list_object_versions()
            .bucket(bucket)
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
            .set_key_marker(key_marker)
            .set_version_id_marker(id_marker)
            .send()
            .await
            .map_err(|error| ApiError::of("ListObjectVersions", &error))?;
        let encoded = page.encoding_type().is_some();
        let versions = page.versions().iter().map(|it| {
            let entry = entry(it.version_id(), it.last_modified(), false, it.is_latest());
            (it.key(), entry)
        });
        let markers = page.delete_markers().iter().map(|it| {
            let entry = entry(it.version_id(), it.last_modified(), true, it.is_latest());
            (it.key(), entry)
        });
        for (key, entry) in versions.chain(markers) {
            let key = listed_key(key.unwrap_or_default(), encoded);
            if let (Some(key), Some(entry)) = (key, entry) {
                found.entry(key).or_default().push(entry);
            }
        }
        if page.is_truncated() != Some(true) {
            let keys = found.into_iter().collect();
            return Ok(Page { keys, next: None });
        }
        if found.len() > 1 {
            // The last key may go on: it is listed again with the next page.
            found.pop_last();
            let next = found.last_key_value().map(|(key, _)| key.clone());
            let keys = found.into_iter().collect();
            return Ok(Page { keys, next });
        }
        key_marker = page
            .next_key_marker()
            .and_then(|marker| listed_key(marker, encoded));
        id_marker = page.next_version_id_marker().map(str::to_owned);
    }
}

fn entry(
    id: Option<&str>,
    modified: Option<&DateTime>,
    is_marker: bool,
    latest: Option<bool>,
) -> Option<Entry> {
    let modified = modified?;
    let nanos = i32::try_from(modified.subsec_nanos()).ok()?;
    Some(Entry {
        version_id: id?.to_owned(),
        modified: Timestamp::new(modified.secs(), nanos).ok()?,
        is_marker,
        latest: latest == Some(true),
    })
}

/// Whether a bucket shows no object under a prefix; delete markers show nothing. `owner` is the
/// account that must own it, where that is known.
///
/// # Errors
/// The answer of S3.
pub async fn is_empty(
    client: &aws_sdk_s3::Client,
    bucket: &str,
    owner: Option<&str>,
    prefix: &str,
) -> Result<bool, ApiError> {
    let answer = client
        .list_objects_v2()
        .bucket(bucket)
        .set_expected_bucket_owner(owner.map(str::to_owned))
        .prefix(prefix)
        .max_keys(1)
        .send()
        .await
        .map_err(|error| ApiError::of("ListObjectsV2", &error))?;
    Ok(answer.contents().is_empty())
}

/// Whether a bucket keeps versions.
///
/// # Errors
/// The answer of S3.
pub async fn keeps_versions(
    client: &aws_sdk_s3::Client,
    bucket: &str,
    owner: Option<&str>,
) -> Result<bool, ApiError> {
    let answer = client
        .get_bucket_versioning()
        .bucket(bucket)
        .set_expected_bucket_owner(owner.map(str::to_owned))
        .send()
        .await
        .map_err(|error| ApiError::of("GetBucketVersioning", &error))?;
    Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
}
