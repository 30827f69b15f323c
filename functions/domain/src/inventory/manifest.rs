//! The manifest of a report: of which bucket, how old, which files, which columns.

use jiff::Timestamp;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::Value;

use super::{InventoryError, Location};

/// The one version of manifests that AWS describes.
const VERSION: &str = "2016-11-30";

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        /// A column of the data files that is read; others are passed over.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Column { $($(#[$doc])* $name,)* }

        impl Column {
            const ALL: &[Self] = &[$(Self::$name,)*];

            /// As `fileSchema` calls it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

columns! {
    /// Bucket that is listed.
    Bucket "Bucket",
    /// Key, URL-encoded.
    Key "Key",
    /// Version id; only where all versions are listed.
    VersionId "VersionId",
    /// Whether a plain GET finds it; as `VersionId`.
    IsLatest "IsLatest",
    /// Whether it is a delete marker; as `VersionId`.
    IsDeleteMarker "IsDeleteMarker",
    /// Size in bytes.
    Size "Size",
    /// Last-modified.
    LastModifiedDate "LastModifiedDate",
    /// ETag without quotes.
    ETag "ETag",
    /// Storage class.
    StorageClass "StorageClass",
    /// Algorithm of the stored checksum; optional.
    ChecksumAlgorithm "ChecksumAlgorithm",
}

impl Column {
    /// What to do where it is missing.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::VersionId | Self::IsLatest | Self::IsDeleteMarker => {
                "let the inventory include all versions; the next one comes within a day or a week"
            }
            _ => {
                "add the optional fields Size, LastModifiedDate, ETag and StorageClass to the inventory; the next one comes within a day or a week"
            }
        }
    }
}

/// Where the columns stand in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// Fields of a row.
    pub fields: usize,
    by_column: Vec<Option<usize>>,
}

impl Places {
    /// Which field of a row holds a column, if any.
    pub fn of(&self, column: Column) -> Option<usize> {
        self.by_column.get(column as usize).copied().flatten()
    }
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its bucket and key.
    pub at: Location,
    /// Its size in bytes, compressed.
    pub bytes: u64,
    /// Its MD5, in lower-case hex.
    pub md5: String,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Where it lies.
    pub at: Location,
    /// Its own MD5, in lower-case hex: another one at the same place is another report.
    pub md5: String,
    /// The bucket that is listed.
    pub bucket: String,
    /// When S3 began to look through it.
    pub created: Timestamp,
    /// The files, in the order of the manifest.
    pub files: Vec<DataFile>,
    pub(super) places: Places,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    source_bucket: String,
    destination_bucket: String,
    version: String,
    creation_timestamp: Value,
    file_format: String,
    file_schema: String,
    files: Vec<RawFile>,
}

#[derive(Deserialize)]
struct RawFile {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

/// The MD5 of a document, in lower-case hex as S3 writes it.
pub fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

pub(super) fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Manifest {
    /// Reads the manifest at `at` and what `manifest.checksum` beside it says, for a report of
    /// `bucket`.
    ///
    /// # Errors
    /// [`InventoryError`]: `Damaged` where the checksum is another's, then `NotManifest`, `Foreign`,
    /// `Format` and `NoColumn`, in this order.
    pub fn parse(
        at: &Location,
        bytes: &[u8],
        checksum: &str,
        bucket: &str,
    ) -> Result<Self, InventoryError> {
        let md5 = md5_of(bytes);
        if !checksum.trim().eq_ignore_ascii_case(&md5) {
            let problem = format!(
                "its MD5 is {md5}, manifest.checksum says {}",
                checksum.trim()
            );
            let at = at.clone();
            return Err(InventoryError::Damaged { at, problem });
        }
        let not = |problem: String| InventoryError::NotManifest {
            at: at.clone(),
            problem,
        };
        let raw: Raw = serde_json::from_slice(bytes).map_err(|problem| not(problem.to_string()))?;
        if raw.version != VERSION {
            return Err(not(format!("version {}, not {VERSION}", raw.version)));
        }
        let created = instant(&raw.creation_timestamp)
            .ok_or_else(|| not(format!("no instant: {}", raw.creation_timestamp)))?;
        let found = bucket_name(&raw.source_bucket);
        if found != bucket {
            return Err(InventoryError::Foreign {
                at: at.clone(),
                found: found.to_owned(),
                wanted: bucket.to_owned(),
            });
        }
        if raw.file_format != "CSV" {
            return Err(InventoryError::Format {
                at: at.clone(),
                format: raw.file_format,
            });
        }
        let data_bucket = bucket_name(&raw.destination_bucket);
        let files = raw.files.into_iter().map(|file| DataFile {
            at: Location {
                bucket: data_bucket.to_owned(),
                key: file.key,
            },
            bytes: file.size,
            md5: file.md5.to_ascii_lowercase(),
        });
        Ok(Self {
            at: at.clone(),
            md5,
            bucket: found.to_owned(),
            created,
            files: files.collect(),
            places: places(at, &raw.file_schema)?,
        })
    }

    /// Whether it lists old versions and delete markers too; else the current versions alone, without
    /// their ids.
    pub fn lists_versions(&self) -> bool {
        self.places.of(Column::VersionId).is_some()
    }

    /// # Errors
    /// [`InventoryError::NoColumn`] where the current versions alone are listed.
    pub fn check_versions(&self) -> Result<(), InventoryError> {
        if self.lists_versions() {
            return Ok(());
        }
        Err(InventoryError::NoColumn {
            at: self.at.clone(),
            column: Column::VersionId,
        })
    }
}

/// Bucket of a name or an ARN.
fn bucket_name(text: &str) -> &str {
    text.rsplit(":::").next().unwrap_or(text)
}

/// Milliseconds since 1970, as text or as a number.
fn instant(value: &Value) -> Option<Timestamp> {
    let ms = match value {
        Value::String(text) => text.parse().ok()?,
        other => other.as_i64()?,
    };
    Timestamp::from_millisecond(ms).ok()
}

fn places(at: &Location, schema: &str) -> Result<Places, InventoryError> {
    let names: Vec<_> = schema.split(',').map(str::trim).collect();
    let place = |column: &Column| names.iter().position(|name| *name == column.as_str());
    let places = Places {
        fields: names.len(),
        by_column: Column::ALL.iter().map(place).collect(),
    };
    let versions = [Column::VersionId, Column::IsLatest, Column::IsDeleteMarker];
    let some = versions.iter().any(|it| places.of(*it).is_some());
    let needed = [
        Column::Bucket,
        Column::Key,
        Column::Size,
        Column::LastModifiedDate,
        Column::ETag,
        Column::StorageClass,
    ];
    let needed = needed.iter().chain(versions.iter().filter(|_| some));
    match needed.copied().find(|it| places.of(*it).is_none()) {
        None => Ok(places),
        Some(column) => Err(InventoryError::NoColumn {
            at: at.clone(),
            column,
        }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
