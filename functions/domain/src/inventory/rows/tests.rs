use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::inventory::manifest::md5_of;
use crate::inventory::manifest::tests::{ALL, document, parse};

/// What stays as it is in a key of a row, and the space, which becomes `+`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

fn encoded(key: &str) -> String {
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}

fn line(row: &Listed) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let size = if row.delete_marker {
        String::new()
    } else {
        row.size.to_string()
    };
    [
        "photos",
        &encoded(&row.key),
        row.version_id.as_deref().unwrap_or_default(),
        if row.latest { "true" } else { "false" },
        if row.delete_marker { "true" } else { "false" },
        &size,
        &row.modified.to_string(),
        &row.etag,
        &row.class,
        "false",
        row.checksum_algorithm.as_deref().unwrap_or_default(),
    ]
    .map(quoted)
    .join(",")
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).expect("packs");
    gzip.finish().expect("packs")
}

/// The manifest of one file, and the file.
fn report(schema: &str, bytes: &[u8]) -> (Manifest, DataFile) {
    let file = json!([{"key": "i/1.csv.gz", "size": bytes.len(), "MD5checksum": md5_of(bytes)}]);
    let manifest = parse(&document(schema, &file)).expect("a manifest");
    let file = manifest.files[0].clone();
    (manifest, file)
}

fn read_all<R: Read>(mut rows: Rows<R>) -> Result<Vec<Listed>, InventoryError> {
    let mut all = Vec::new();
    while let Some(row) = rows.next_row()? {
        all.push(row);
    }
    Ok(all)
}

fn read(schema: &str, bytes: &[u8]) -> Result<Vec<Listed>, InventoryError> {
    let (manifest, file) = report(schema, bytes);
    read_all(Rows::new(&manifest, &file, bytes))
}

fn row(key: &str) -> Listed {
    Listed {
        key: key.to_owned(),
        version_id: Some("v1".to_owned()),
        latest: true,
        size: 3,
        modified: "2026-11-06T21:32:00Z".parse().expect("an instant"),
        etag: "900150983cd24fb0d6963f7d28e17f72-2".to_owned(),
        class: "GLACIER".to_owned(),
        checksum_algorithm: Some("CRC64NVME".to_owned()),
        ..Listed::default()
    }
}

fn text(rows: &[Listed]) -> String {
    rows.iter().map(|row| line(row) + "\n").collect()
}

/// Never more than a byte at a time, as the worst of networks.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(1);
        self.0.read(&mut buffer[..wanted])
    }
}

fn a_row() -> impl Strategy<Value = Listed> {
    let key = prop_oneof![
        "[a +%/,\"\n\r\té🦀&<>41]{1,12}",
        Just("a b+%41//é🦀,\"\n".to_owned()),
        Just("é".repeat(512)),
        Just("%".repeat(1_024)),
        "\\PC{1,30}",
    ];
    let id = prop_oneof![Just("null".to_owned()), "[A-Za-z0-9_.]{32}"];
    (
        key,
        id,
        any::<(bool, bool, u32)>(),
        0_i64..4_000_000_000_000,
    )
        .prop_map(|(key, id, (latest, delete_marker, size), ms)| Listed {
            version_id: Some(id),
            latest,
            delete_marker,
            size: if delete_marker { 0 } else { u64::from(size) },
            modified: Timestamp::from_millisecond(ms).expect("an instant"),
            ..row(&key)
        })
}

proptest! {
    #[test]
    fn hostile_rows_come_back_as_they_were(rows in prop::collection::vec(a_row(), 0..20), from in 0_u64..25) {
        let bytes = packed(&text(&rows));
        let (manifest, file) = report(ALL, &bytes);
        let all = read_all(Rows::new(&manifest, &file, Trickle(&bytes)));
        prop_assert_eq!(all.as_ref(), Ok(&rows));
        let mut later = Rows::new(&manifest, &file, bytes.as_slice());
        later.skip(from).expect("a sound file");
        prop_assert_eq!(later.line(), from.min(rows.len() as u64));
        let rest = rows.get(usize::try_from(from).expect("small")..).unwrap_or_default();
        prop_assert_eq!(read_all(later), Ok(rest.to_vec()));
    }

    #[test]
    fn damage_never_passes_for_the_end(cut in 0_usize..400, flip in 0_usize..400) {
        let rows: Vec<_> = (0..40).map(|number| row(&format!("a/{number}"))).collect();
        let bytes = packed(&text(&rows));
        let (manifest, file) = report(ALL, &bytes);
        let short = &bytes[..cut.min(bytes.len() - 1)];
        let read = read_all(Rows::new(&manifest, &file, short));
        prop_assert!(matches!(read, Err(InventoryError::Damaged { .. } | InventoryError::Line { .. })), "{read:?}");
        let mut flipped = bytes.clone();
        let at = flip % bytes.len();
        flipped[at] ^= 0x10;
        let read = read_all(Rows::new(&manifest, &file, flipped.as_slice()));
        prop_assert!(matches!(read, Err(InventoryError::Damaged { .. } | InventoryError::Line { .. })), "{read:?}");
    }
}

#[test]
fn a_report_of_current_versions_has_no_ids() {
    let schema = "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass";
    let rows = "\"photos\",\"a+b%2B\",\"3\",\"2026-11-06T21:32:00.000Z\",\"e\",\"\"\n";
    let read = read(schema, &packed(rows)).expect("a row");
    let expected = Listed {
        version_id: None,
        etag: "e".to_owned(),
        class: "STANDARD".to_owned(),
        checksum_algorithm: None,
        ..row("a b+")
    };
    assert_eq!(read.first(), Some(&expected));
    assert_eq!(expected.into_entry().1.id, "null");
}

#[test]
fn a_version_without_an_id_is_the_null_version() {
    let rows = [Listed {
        version_id: Some(String::new()),
        ..row("a")
    }];
    let read = read(ALL, &packed(&text(&rows))).expect("a row");
    assert_eq!(read[0].version_id.as_deref(), Some("null"));
}

#[test]
fn a_row_that_cannot_be_understood_is_named_with_its_line() {
    let good = line(&row("a"));
    for bad in [
        good.rsplit_once(',').expect("fields").0.to_owned(),
        format!("{good},\"more\""),
        good.replace("photos", "other"),
        good.replace("\"true\"", "\"yes\""),
        good.replace("\"3\"", "\"three\""),
        good.replace("\"3\"", "\"-3\""),
        good.replace("\"3\"", "\"\""),
        good.replace("2026-11-06", "06.11.2026"),
        good.replace("\"a\"", "\"%FF\""),
        good.replace("\"a\"", "\"\""),
    ] {
        let read = read(ALL, &packed(&format!("{good}\n{bad}\n{good}\n")));
        assert!(
            matches!(&read, Err(InventoryError::Line { line: 2, .. })),
            "{bad}: {read:?}"
        );
    }
}

#[test]
fn what_is_no_gzip_is_damaged_and_no_utf8_is_a_bad_line() {
    for bytes in [&b""[..], b"\"photos\",\"a\"\n", b"\x1f\x8b"] {
        let read = read(ALL, bytes);
        assert!(
            matches!(read, Err(InventoryError::Damaged { .. })),
            "{read:?}"
        );
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"\"photos\",\"\xff\"\n").expect("packs");
    let read = read(ALL, &gzip.finish().expect("packs"));
    assert!(
        matches!(read, Err(InventoryError::Line { line: 1, .. })),
        "{read:?}"
    );
}

#[test]
fn a_sound_file_that_the_manifest_does_not_mean_is_damaged() {
    let (one, other) = (packed(&text(&[row("a")])), packed(&text(&[row("b")])));
    let (manifest, file) = report(ALL, &one);
    let read = read_all(Rows::new(&manifest, &file, other.as_slice()));
    assert!(
        matches!(read, Err(InventoryError::Damaged { .. })),
        "{read:?}"
    );
    let twice = [one.as_slice(), one.as_slice()].concat();
    let read = read_all(Rows::new(&manifest, &file, twice.as_slice()));
    assert!(
        matches!(read, Err(InventoryError::Damaged { .. })),
        "{read:?}"
    );
}

#[test]
fn files_of_several_members_are_one() {
    let both = [packed(&text(&[row("a")])), packed(&text(&[row("b")]))].concat();
    assert_eq!(read(ALL, &both), Ok(vec![row("a"), row("b")]));
}

/// A body that fails half-way, not one that ends there.
struct Breaks<'a>(&'a [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the connection was reset")),
            read => Ok(read),
        }
    }
}

#[test]
fn a_body_that_breaks_off_may_be_tried_again() {
    let bytes = packed(&text(&[row("a"), row("b")]));
    let (manifest, file) = report(ALL, &bytes);
    let read = read_all(Rows::new(
        &manifest,
        &file,
        Breaks(&bytes[..bytes.len() / 2]),
    ));
    assert!(
        matches!(&read, Err(InventoryError::BrokeOff { problem, .. }) if problem.contains("reset")),
        "{read:?}"
    );
}
