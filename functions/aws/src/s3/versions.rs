//! Finding a version: the one an event means, and a copy that an earlier try made.

use backup_domain::task::Target;
use backup_domain::{SourceObject, key, marker};
use jiff::Timestamp;

use super::head::{Found, Head, Version, head};
use crate::ApiError;

/// One version in a listing of a key.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Version id.
    pub id: String,
    /// Size in bytes.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Last-modified.
    pub modified: Timestamp,
}

/// What a listing of one key shows.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// Its versions, the newest first, without delete markers.
    pub versions: Vec<Listed>,
    /// Whether a delete marker is the latest.
    pub marker_is_latest: bool,
}

/// All versions of exactly one key.
///
/// # Errors
/// The answer of S3.
pub async fn list(
    client: &aws_sdk_s3::Client,
    bucket: &str,
    object_key: &str,
    owner: Option<&str>,
) -> Result<Versions, ApiError> {
    let mut found = Versions::default();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = client
            .list_object_versions()
            .bucket(bucket)
            .prefix(object_key)
            .encoding_type(aws_sdk_s3::types::EncodingType::Url)
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .set_key_marker(key_marker)
            .set_version_id_marker(id_marker)
            .send()
            .await
            .map_err(|error| ApiError::of("ListObjectVersions", &error))?;
        // The answer says whether it did as it was asked.
        let encoded = page.encoding_type().is_some();
        let keys: Vec<_> = page
            .versions()
            .iter()
            .map(|version| listed_key(version.key().unwrap_or_default(), encoded))
            .collect();
        for (version, name) in page.versions().iter().zip(&keys) {
            if name.as_deref() == Some(object_key) {
                found.versions.extend(listed(version));
            }
        }
        found.marker_is_latest |= page.delete_markers().iter().any(|marker| {
            let name = listed_key(marker.key().unwrap_or_default(), encoded);
            name.as_deref() == Some(object_key) && marker.is_latest() == Some(true)
        });
        // Longer keys follow the key itself: once they come, nothing more is of interest.
        let passed = keys.iter().flatten().any(|name| name != object_key);
        if passed || page.is_truncated() != Some(true) {
            return Ok(found);
        }
        key_marker = page
            .next_key_marker()
            .and_then(|marker| listed_key(marker, encoded));
        id_marker = page.next_version_id_marker().map(str::to_owned);
    }
}

/// Listings write a space as `+` and a plus as `%2B`.
pub(super) fn listed_key(key: &str, encoded: bool) -> Option<String> {
    if encoded {
        key::decode(&key.replace('+', " "))
    } else {
        Some(key.to_owned())
    }
}

fn listed(version: &aws_sdk_s3::types::ObjectVersion) -> Option<Listed> {
    let modified = version.last_modified()?;
    Some(Listed {
        id: version.version_id()?.to_owned(),
        size: u64::try_from(version.size()?).ok()?,
        etag: version.e_tag()?.trim_matches('"').to_owned(),
        modified: Timestamp::new(
            modified.secs(),
            i32::try_from(modified.subsec_nanos()).ok()?,
        )
        .ok()?,
    })
}

/// Completes an object whose event names no version, or `null`: one of a bucket without (or with
/// suspended) versioning, or one written before versioning was on.
///
/// The version `null` is taken where the event names it and its ETag is the event's. Else the latest
/// is, when that has the ETag. Else, and where versions exist after all, the version with that ETag and
/// size that was stored nearest to the event's time, be it `null`. An object that is found nowhere is
/// left as it is: Copy then says whether it is gone or superseded.
///
/// # Errors
/// The answer of S3.
pub async fn locate(
    client: &aws_sdk_s3::Client,
    object: &mut SourceObject,
) -> Result<Option<Head>, ApiError> {
    let Some(name) = object.version_id.take() else {
        return by_content(client, object).await;
    };
    let named = Version {
        bucket: &object.bucket,
        key: &object.key,
        version_id: Some(&name),
        owner: Some(&object.account),
    };
    let found = head(client, named).await?;
    if let Found::Object(found) = found
        && found.headed.facts.etag == object.etag
    {
        object.version_id = Some(name);
        object.last_modified = found.last_modified;
        return Ok(Some(*found));
    }
    let found = by_content(client, object).await?;
    if object.last_modified.is_none() {
        object.version_id = Some(name);
    }
    Ok(found)
}

async fn by_content(
    client: &aws_sdk_s3::Client,
    object: &mut SourceObject,
) -> Result<Option<Head>, ApiError> {
    let version = Version {
        bucket: &object.bucket,
        key: &object.key,
        version_id: None,
        owner: Some(&object.account),
    };
    let latest = match head(client, version).await? {
        Found::Object(found) => Some(*found),
        Found::Nothing => None,
    };
    let versioned = latest.as_ref().is_none_or(|head| head.version_id.is_some());
    let same = latest
        .as_ref()
        .is_some_and(|head| head.headed.facts.etag == object.etag);
    if same && !versioned {
        object.last_modified = latest.as_ref().and_then(|head| head.last_modified);
        return Ok(latest);
    }
    if !versioned {
        return Ok(None);
    }
    let listing = list(client, &object.bucket, &object.key, Some(&object.account)).await;
    let versions = match listing {
        // The HEAD did find this content: a listing only tells equal contents apart.
        Err(problem) if same => {
            tracing::warn!(problem = %problem.message, "no listing; the latest version is taken");
            Vec::new()
        }
        listing => listing?.versions,
    };
    let nearest = versions
        .into_iter()
        .filter(|listed| listed.etag == object.etag && listed.size == object.size)
        .min_by_key(|listed| {
            listed
                .modified
                .duration_since(object.event_at)
                .unsigned_abs()
        });
    let Some(listed) = nearest else {
        // The listing may lag behind or spell the key otherwise; the HEAD did find this content.
        let Some(head) = latest.filter(|_| same) else {
            return Ok(None);
        };
        object.version_id.clone_from(&head.version_id);
        object.last_modified = head.last_modified;
        return Ok(Some(head));
    };
    object.version_id = Some(listed.id.clone());
    object.last_modified = Some(listed.modified);
    Ok(latest.filter(|head| head.version_id.as_deref() == Some(listed.id.as_str())))
}

/// Looks for a copy of exactly this source version that an earlier try made and whose answer was
/// lost: the latest first, then those of the same size since the event.
///
/// # Errors
/// The answer of S3.
pub async fn find_own_copy(
    client: &aws_sdk_s3::Client,
    object: &SourceObject,
    target: &Target,
    rejected: &[String],
    size: u64,
) -> Result<Option<String>, ApiError> {
    let (bucket, owner) = (
        target.destination.bucket.as_str(),
        target.destination.account.as_deref(),
    );
    let latest = Version {
        bucket,
        key: &target.key,
        version_id: None,
        owner,
    };
    let adopt = |found: Head| {
        let id = found.version_id?;
        let mine = marker::is_mine(&found.headed.metadata, object, &target.destination.prefix);
        (mine && found.headed.facts.size == size && !rejected.contains(&id)).then_some(id)
    };
    if let Found::Object(found) = head(client, latest).await?
        && let Some(id) = adopt(*found)
    {
        return Ok(Some(id));
    }
    for listed in list(client, bucket, &target.key, owner).await?.versions {
        // Whole seconds at the source, and clocks that differ: a minute is slack enough.
        let early = listed.modified.duration_since(object.event_at).as_secs() < -60;
        if listed.size != size || early {
            continue;
        }
        let candidate = Version {
            version_id: Some(&listed.id),
            ..latest
        };
        if let Found::Object(candidate) = head(client, candidate).await?
            && let Some(id) = adopt(*candidate)
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
