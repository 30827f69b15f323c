//! S3 in memory: buckets, versions, delete markers, uploads. What a request does, without the wire.

use std::collections::BTreeMap;

use crate::content::Content;

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// Every version is kept.
    Enabled,
    /// New ones overwrite the `null` version.
    Suspended,
    /// Never was on: answers name no version at all.
    Off,
}

/// One version, or delete marker, of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id, `null` where the bucket keeps none.
    pub id: String,
    /// `None`: a delete marker.
    pub content: Option<Content>,
    /// Without quotes.
    pub etag: String,
    /// When it was stored; what S3 tells of it has whole seconds.
    pub modified_ms: i64,
    /// Whether a full-object CRC64NVME is stored with it.
    pub checksummed: bool,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// Headers that come back as they were given.
    pub headers: BTreeMap<String, String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

/// What a version is made with.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// The bytes.
    pub content: Content,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// Content headers.
    pub headers: BTreeMap<String, String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Whether a full-object checksum is stored.
    pub checksummed: bool,
    /// Parts it was uploaded in; 0 for a PUT.
    pub parts: usize,
}

/// A multipart upload under way.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Key.
    pub key: String,
    /// All but the content.
    pub new: New,
    /// Parts by number.
    pub parts: BTreeMap<u64, Content>,
    /// When it began.
    pub initiated_ms: i64,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Versions by key, the oldest first.
    pub keys: BTreeMap<String, Vec<Version>>,
    /// Uploads by id.
    pub uploads: BTreeMap<String, Upload>,
}

/// All buckets.
#[derive(Debug, Clone, Default)]
pub struct S3 {
    /// By name.
    pub buckets: BTreeMap<String, Bucket>,
    ids: u64,
}

impl S3 {
    /// Adds an empty bucket.
    pub fn create(&mut self, name: &str, versioning: Versioning) {
        let bucket = Bucket {
            versioning,
            keys: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        self.buckets.insert(name.to_owned(), bucket);
    }

    /// A bucket that must be there.
    pub fn bucket(&mut self, name: &str) -> &mut Bucket {
        self.buckets
            .get_mut(name)
            .unwrap_or_else(|| panic!("no bucket {name}"))
    }

    /// A fresh id.
    pub fn id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}{:06}", self.ids)
    }

    fn version_id(&mut self, bucket: &str) -> String {
        match self.bucket(bucket).versioning {
            Versioning::Enabled => self.id("v"),
            Versioning::Suspended | Versioning::Off => "null".to_owned(),
        }
    }

    /// Stores a version on top.
    pub fn put(&mut self, bucket: &str, key: &str, new: New, now_ms: i64) -> Version {
        let etag = match new.parts {
            0 => new.content.digest(),
            parts => format!("{}-{parts}", new.content.digest()),
        };
        let version = Version {
            id: self.version_id(bucket),
            etag,
            content: Some(new.content),
            modified_ms: now_ms,
            checksummed: new.checksummed,
            metadata: new.metadata,
            headers: new.headers,
            tags: new.tags,
        };
        self.place(bucket, key, version.clone());
        version
    }

    fn place(&mut self, bucket: &str, key: &str, version: Version) {
        let versions = self.bucket(bucket).keys.entry(key.to_owned()).or_default();
        if version.id == "null" {
            versions.retain(|other| other.id != "null");
        }
        versions.push(version);
    }

    /// DeleteObject: a marker, the whole of an unversioned object, or a version for good. The
    /// marker's id comes back, where one was made.
    pub fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
        now_ms: i64,
    ) -> Option<String> {
        if let Some(id) = id {
            let versions = self.bucket(bucket).keys.get_mut(key)?;
            versions.retain(|version| version.id != id);
            return None;
        }
        if self.bucket(bucket).versioning == Versioning::Off {
            self.bucket(bucket).keys.remove(key);
            return None;
        }
        let id = self.version_id(bucket);
        let marker = Version {
            id: id.clone(),
            content: None,
            etag: String::new(),
            modified_ms: now_ms,
            checksummed: false,
            metadata: BTreeMap::new(),
            headers: BTreeMap::new(),
            tags: Vec::new(),
        };
        self.place(bucket, key, marker);
        Some(id)
    }

    /// A version by id, else the latest, delete markers included.
    pub fn find(&self, bucket: &str, key: &str, id: Option<&str>) -> Option<&Version> {
        let versions = self.buckets.get(bucket)?.keys.get(key)?;
        match id {
            Some(id) => versions.iter().find(|version| version.id == id),
            None => versions.last(),
        }
    }
}
