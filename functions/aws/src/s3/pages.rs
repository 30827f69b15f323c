//! Listings of whole buckets, page by page, in the order of their keys.

use aws_sdk_s3::operation::list_object_versions::builders::ListObjectVersionsFluentBuilder;
use aws_sdk_s3::types::EncodingType;
use aws_smithy_types::DateTime;
use backup_domain::audit::Entry;
use jiff::Timestamp;

use super::versions::listed_key;
use crate::{ApiError, S3};

/// What is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// S3 in the bucket's region.
    pub client: S3,
    /// The bucket.
    pub bucket: String,
    /// Keys that begin so.
    pub prefix: String,
    /// Account that must own the bucket; absent means unchecked.
    pub owner: Option<String>,
}

/// Where a listing of versions goes on: after a key, or within its versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct From {
    /// Key.
    pub key: String,
    /// Version id; absent means behind the key's last one.
    pub version_id: Option<String>,
}

/// A page of a listing, and where the next one begins; `None` at the end.
#[derive(Debug, Clone)]
pub struct Page<T, F> {
    /// Keys, raw, in order, with what lies there.
    pub entries: Vec<(String, T)>,
    /// Where it goes on.
    pub next: Option<F>,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its id.
    pub id: String,
    /// When it was begun.
    pub initiated: Timestamp,
}

impl Listed {
    /// A page of versions and delete markers, 1,000 at most. Works on buckets that keep no versions
    /// too: their objects have version `null`.
    ///
    /// # Errors
    /// The answer of S3.
    pub async fn versions(&self, from: Option<From>) -> Result<Page<Entry, From>, ApiError> {
        let (key, version_id) = from.map_or((None, None), |from| (Some(from.key), from.version_id));
        let page = self
            .request()
            .set_key_marker(key)
            .set_version_id_marker(version_id)
            .send()
            .await
            .map_err(|error| ApiError::of("ListObjectVersions", &error))?;
        let encoded = page.encoding_type().is_some();
        let versions = page.versions().iter().map(|it| {
            let entry = Entry {
                id: it.version_id().unwrap_or("null").to_owned(),
                size: it
                    .size()
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or_default(),
                etag: it.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                modified: instant(it.last_modified()),
                class: it
                    .storage_class()
                    .map_or("STANDARD", |class| class.as_str())
                    .to_owned(),
                latest: it.is_latest() == Some(true),
                delete_marker: false,
            };
            (listed_key(it.key().unwrap_or_default(), encoded), entry)
        });
        let markers = page.delete_markers().iter().map(|it| {
            let entry = Entry {
                id: it.version_id().unwrap_or("null").to_owned(),
                modified: instant(it.last_modified()),
                latest: it.is_latest() == Some(true),
                delete_marker: true,
                ..Entry::default()
            };
            (listed_key(it.key().unwrap_or_default(), encoded), entry)
        });
        let mut entries = Vec::new();
        for (key, entry) in versions.chain(markers) {
            entries.push((key.ok_or_else(|| self.unreadable())?, entry));
        }
        // Both lists are in the order of their keys; the newest first within one.
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let next = page
            .next_key_marker()
            .filter(|_| page.is_truncated() == Some(true));
        let next = next.map(|key| {
            Ok(From {
                key: listed_key(key, encoded).ok_or_else(|| self.unreadable())?,
                version_id: page.next_version_id_marker().map(str::to_owned),
            })
        });
        Ok(Page {
            entries,
            next: next.transpose()?,
        })
    }

    /// The first key behind `after` that has a version or a delete marker.
    ///
    /// # Errors
    /// The answer of S3.
    pub async fn first_key(&self, after: &str) -> Result<Option<String>, ApiError> {
        let page = self
            .request()
            .key_marker(after)
            .max_keys(1)
            .send()
            .await
            .map_err(|error| ApiError::of("ListObjectVersions", &error))?;
        let encoded = page.encoding_type().is_some();
        let versions = page.versions().iter().map(|it| it.key());
        let markers = page.delete_markers().iter().map(|it| it.key());
        let keys = versions.chain(markers);
        let keys = keys.map(|key| listed_key(key.unwrap_or_default(), encoded));
        let keys: Option<Vec<_>> = keys.collect();
        let keys = keys.ok_or_else(|| self.unreadable())?;
        Ok(keys.into_iter().min())
    }

    /// A page of unfinished multipart uploads, behind one of them: its key and id.
    ///
    /// # Errors
    /// The answer of S3.
    pub async fn uploads(
        &self,
        from: Option<(String, String)>,
    ) -> Result<Page<Unfinished, (String, String)>, ApiError> {
        let (key, id) = from.unzip();
        let page = self
            .client
            .list_multipart_uploads()
            .bucket(&self.bucket)
            .prefix(&self.prefix)
            .encoding_type(EncodingType::Url)
            .set_expected_bucket_owner(self.owner.clone())
            .set_key_marker(key)
            .set_upload_id_marker(id)
            .send()
            .await
            .map_err(|error| ApiError::of("ListMultipartUploads", &error))?;
        let encoded = page.encoding_type().is_some();
        let mut entries = Vec::new();
        for upload in page.uploads() {
            let key = listed_key(upload.key().unwrap_or_default(), encoded);
            let unfinished = Unfinished {
                id: upload.upload_id().unwrap_or_default().to_owned(),
                initiated: instant(upload.initiated()),
            };
            entries.push((key.ok_or_else(|| self.unreadable())?, unfinished));
        }
        let next = match (page.next_key_marker(), page.next_upload_id_marker()) {
            (Some(key), id) if page.is_truncated() == Some(true) => {
                let key = listed_key(key, encoded).ok_or_else(|| self.unreadable())?;
                Some((key, id.unwrap_or_default().to_owned()))
            }
            _ => None,
        };
        Ok(Page { entries, next })
    }

    fn request(&self) -> ListObjectVersionsFluentBuilder {
        let request = self.client.list_object_versions();
        request
            .bucket(&self.bucket)
            .prefix(&self.prefix)
            .encoding_type(EncodingType::Url)
            .set_expected_bucket_owner(self.owner.clone())
    }

    fn unreadable(&self) -> ApiError {
        ApiError {
            operation: "ListObjectVersions",
            message: format!("a key in {} is no UTF-8", self.bucket),
            ..ApiError::default()
        }
    }
}

fn instant(date: Option<&DateTime>) -> Timestamp {
    date.and_then(|date| Timestamp::from_nanosecond(date.as_nanos()).ok())
        .unwrap_or_default()
}
