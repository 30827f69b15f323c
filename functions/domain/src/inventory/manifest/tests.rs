use serde_json::json;

use super::*;
use crate::Named;

/// What the manifests of the tests list, all versions of `photos`.
pub const ALL: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, \
                       ETag, StorageClass, IsMultipartUploaded, ChecksumAlgorithm";

pub fn at() -> Location {
    Location::parse("s3://reports/i/photos/all/2026-11-06T21-32Z/manifest.json").expect("a place")
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
        let refused = Manifest::parse(&at(), text.as_bytes(), &md5_of(text.as_bytes()), "photos");
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
