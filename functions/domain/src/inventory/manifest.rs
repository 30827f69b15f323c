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
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::Named;

    /// What the manifests of the tests list, all versions of `photos`.
    pub const ALL: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, \
                           ETag, StorageClass, IsMultipartUploaded, ChecksumAlgorithm";

    pub fn at() -> Location {
        Location::parse("s3://reports/i/photos/all/2026-11-06T21-32Z/manifest.json")
            .expect("a place")
    }

    pub fn document(schema: &str, files: &Value) -> Value {
        json!({
            "sourceBucket": "photos",
            "destinationBucket": "arn:aws:s3:::reports",
            "version": "2016-11-30",
            "creationTimestamp": "1794000720000",
            "fileFormat": "CSV",
            "fileSchema": schema,
            "files": files,
        })
    }

    pub fn parse(document: &Value) -> Result<Manifest, InventoryError> {
        let text = document.to_string();
        Manifest::parse(&at(), text.as_bytes(), &md5_of(text.as_bytes()), "photos")
    }

    #[test]
    fn a_manifest_says_of_what_it_is_and_where_its_files_lie() {
        let file = json!([{"key": "i/photos/all/data/a b.csv.gz", "size": 12, "MD5checksum": "F11166069f1990abeb9c97ace9cdfabc"}]);
        let manifest = parse(&document(ALL, &file)).expect("a manifest");
        assert_eq!(manifest.created.as_second(), 1_794_000_720);
        assert_eq!(
            manifest.files[0].at.to_string(),
            "s3://reports/i/photos/all/data/a b.csv.gz"
        );
        assert_eq!(manifest.files[0].md5, "f11166069f1990abeb9c97ace9cdfabc");
        assert!(manifest.lists_versions() && manifest.check_versions().is_ok());
    }

    #[test]
    fn current_versions_alone_are_told_apart() {
        let schema = "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass";
        let manifest = parse(&document(schema, &json!([]))).expect("a manifest");
        assert!(!manifest.lists_versions());
        let refused = manifest.check_versions().expect_err("no versions");
        assert!(refused.advice().contains("all versions"));
    }

    #[test]
    fn each_wrong_manifest_is_refused_by_name() {
        let with = |name: &str, value: Value| {
            let mut document = document(ALL, &json!([]));
            document[name] = value;
            parse(&document).expect_err(name)
        };
        let orc = with("fileFormat", json!("ORC"));
        assert!(matches!(&orc, InventoryError::Format { format, .. } if format == "ORC"));
        assert!(orc.advice().contains("CSV"));
        let parquet = with("fileFormat", json!("Parquet"));
        assert!(matches!(parquet, InventoryError::Format { .. }));
        let foreign = with("sourceBucket", json!("other"));
        assert!(matches!(&foreign, InventoryError::Foreign { found, .. } if found == "other"));
        for (name, value) in [
            ("version", json!("2030-01-01")),
            ("creationTimestamp", json!("yesterday")),
            ("creationTimestamp", json!([])),
            ("files", json!({})),
            ("files", json!([{"key": "a"}])),
            (
                "files",
                json!([{"key": "a", "size": -1, "MD5checksum": ""}]),
            ),
            ("fileSchema", json!(7)),
        ] {
            let refused = with(name, value);
            assert!(
                matches!(refused, InventoryError::NotManifest { .. }),
                "{name}"
            );
        }
        for column in [
            "Bucket",
            "Key",
            "Size",
            "LastModifiedDate",
            "ETag",
            "StorageClass",
            "IsLatest",
            "IsDeleteMarker",
            "VersionId",
        ] {
            let schema = ALL.split(", ").filter(|it| *it != column);
            let schema = schema.collect::<Vec<_>>().join(", ");
            let refused = with("fileSchema", json!(schema));
            assert!(
                matches!(&refused, InventoryError::NoColumn { column: it, .. } if it.as_str() == column),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_is_no_json_or_another_document_is_no_manifest() {
        for text in [
            "",
            "[]",
            "{}",
            "<html>",
            "\u{0}",
            r#"{"sourceBucket":"photos"}"#,
        ] {
            let refused =
                Manifest::parse(&at(), text.as_bytes(), &md5_of(text.as_bytes()), "photos");
            assert!(
                matches!(refused, Err(InventoryError::NotManifest { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_manifest_that_was_changed_is_damaged() {
        let text = document(ALL, &json!([])).to_string();
        let refused = Manifest::parse(&at(), text.as_bytes(), &md5_of(b"another"), "photos");
        assert!(matches!(refused, Err(InventoryError::Damaged { .. })));
        let spaced = format!("{}\n", md5_of(text.as_bytes()).to_uppercase());
        assert!(Manifest::parse(&at(), text.as_bytes(), &spaced, "photos").is_ok());
    }
}
