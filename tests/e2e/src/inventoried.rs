//! S3 Inventory reports as S3 delivers them, which the local stack does not: made of what a bucket
//! shows, or of rows that are made up.

use std::io::Write as _;
use std::sync::OnceLock;

use backup_domain::inventory::manifest::md5_of;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{Proxy, World};

/// Bucket that reports are delivered to.
pub const INVENTORIES: &str = "inventories";

/// Columns of a report of all versions.
pub const SCHEMA: &str =
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";

/// What stays as it is in a key of a row, and the space, which becomes `+`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

/// Rows and a manifest, which a test may spoil before they are delivered.
#[derive(Debug, Clone)]
pub struct Report {
    /// The folder of the dated folders.
    pub folder: String,
    /// `manifest.json`.
    pub manifest: Value,
    /// Data files: key, bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A row of a version that is not there.
pub fn made_up(bucket: &str, key: &str) -> String {
    row([
        bucket,
        &encoded(key),
        "made-up",
        "true",
        "false",
        "1",
        "2026-01-01T00:00:00.000Z",
        "d41d8cd98f00b204e9800998ecf8427e",
        "STANDARD",
    ])
}

fn encoded(key: &str) -> String {
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}

fn row(fields: [&str; 9]) -> String {
    fields.map(|field| format!("\"{field}\"")).join(",")
}

impl Report {
    /// Of these rows, in files of so many.
    pub fn of(name: &str, bucket: &str, created: Timestamp, rows: &[String], file: usize) -> Self {
        let folder = format!("{name}/all/");
        let files = rows.chunks(file.max(1)).enumerate();
        let files = files.map(|(number, rows)| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all((rows.join("\n") + "\n").as_bytes())
                .expect("it packs");
            let key = format!("{folder}data/{number}.csv.gz");
            (key, gzip.finish().expect("it packs"))
        });
        // S3 gives files random names: their order says nothing.
        let files: Vec<_> = files.rev().collect();
        let listed: Vec<_> = files
            .iter()
            .map(|(key, bytes)| {
                json!({"key": key, "size": bytes.len(), "MD5checksum": md5_of(bytes)})
            })
            .collect();
        let manifest = json!({
            "sourceBucket": bucket,
            "destinationBucket": format!("arn:aws:s3:::{INVENTORIES}"),
            "version": "2016-11-30",
            "creationTimestamp": created.as_millisecond().to_string(),
            "fileFormat": "CSV",
            "fileSchema": SCHEMA,
            "files": listed,
        });
        Self {
            folder,
            manifest,
            files,
        }
    }
}

impl World {
    /// The one of this process whose AuditSlice has so little time that a call can take longer.
    pub fn auditing_in_a_hurry() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let world = Self::start_auditing(Proxy::start().expect("a proxy"));
            let seconds = json!({"Timeout": crate::hurry::TIMEOUT_SECONDS});
            world.set_configuration("AuditSlice", &seconds);
            world
        })
    }

    /// What a bucket shows under a prefix, as rows.
    pub fn rows(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let text = self.listed(bucket, prefix);
        let listing = roxmltree::Document::parse(&text).expect("XML");
        let entries = listing.descendants().filter(|it| {
            let name = it.tag_name().name();
            name == "Version" || name == "DeleteMarker"
        });
        let mut rows: Vec<_> = entries
            .map(|entry| {
                let text = |name: &str| {
                    let mut children = entry.children();
                    let child = children.find(|it| it.tag_name().name() == name);
                    child.and_then(|it| it.text()).unwrap_or_default()
                };
                let marker = entry.tag_name().name() == "DeleteMarker";
                let fields = [
                    bucket,
                    &encoded(text("Key")),
                    text("VersionId"),
                    text("IsLatest"),
                    if marker { "true" } else { "false" },
                    text("Size"),
                    text("LastModified"),
                    text("ETag").trim_matches('"'),
                    text("StorageClass"),
                ];
                (text("Key").to_owned(), row(fields))
            })
            .collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Writes a report as S3 does, the checksum last; returns what an audit is told.
    pub fn deliver(&self, report: &Report) -> String {
        let put = |key: &str, bytes: &[u8]| {
            let put = self.cloud.put_object(INVENTORIES, key, bytes, &[]);
            put.expect("it is delivered");
        };
        for (key, bytes) in &report.files {
            put(key, bytes);
        }
        let manifest = report.manifest.to_string();
        let dated = format!("{}2026-11-06T21-32Z/manifest", report.folder);
        put(&format!("{dated}.json"), manifest.as_bytes());
        let checksum = md5_of(manifest.as_bytes());
        put(&format!("{dated}.checksum"), checksum.as_bytes());
        format!("s3://{INVENTORIES}/{}", report.folder)
    }

    /// Delivers what source and backup show under a prefix now: what an audit is asked for.
    pub fn inventoried(&self, prefix: &str, file: usize) -> Value {
        let of = |side: &str, bucket: &str| {
            let name = format!("{side}/{prefix}").replace('/', "-");
            let rows = self.rows(bucket, prefix);
            self.deliver(&Report::of(&name, bucket, Timestamp::now(), &rows, file))
        };
        json!({
            "source": of("source", self.source()),
            "destinations": {"primary": of("primary", self.backup())},
        })
    }
}
