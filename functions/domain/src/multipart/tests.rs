use proptest::prelude::*;

use super::*;
use crate::limits::MIB;
use crate::parts::plan_parts;

fn upload(bytes: u64) -> Upload {
    Upload {
        id: "u".into(),
        plan: plan_parts(bytes, 5 * MIB).expect("a plan"),
        algorithm: CRC64NVME.into(),
        marked: true,
    }
}

fn listed(upload: &Upload, numbers: impl IntoIterator<Item = u64>) -> Vec<ListedPart> {
    numbers
        .into_iter()
        .map(|number| ListedPart {
            number,
            bytes: upload.plan.range(number).expect("a part").bytes,
            etag: format!("\"{number}\""),
            checksum: Some("c".into()),
        })
        .collect()
}

fn facts(bytes: u64, algorithm: &str) -> Facts {
    Facts {
        size: bytes,
        checksums: BTreeMap::from([(algorithm.to_owned(), "whole".to_owned())]),
        ..Facts::default()
    }
}

proptest! {
    #[test]
    fn a_segment_that_is_resumed_copies_exactly_what_is_missing(
        parts in 1_u64..60, held in prop::collection::btree_set(1_u64..60, 0..60),
    ) {
        let upload = upload(parts * 5 * MIB - 1);
        let held: Vec<_> = held.into_iter().filter(|part| *part <= parts).collect();
        let listed = listed(&upload, held.clone());
        let all = Segment { first_part: 1, last_part: parts };
        let missing: Vec<_> = missing(&upload.plan, all, &listed).iter().map(|(part, _)| *part).collect();
        let expected: Vec<_> = (1..=parts).filter(|part| !held.contains(part)).collect();
        prop_assert_eq!(check_parts(&upload, &listed).is_ok(), missing.is_empty());
        prop_assert_eq!(missing, expected);
    }

    #[test]
    fn ranges_read_apart_give_the_sum_of_the_whole(content in prop::collection::vec(any::<u8>(), 1..400)) {
        let sum = |bytes: &[u8]| crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes);
        let middle = content.len() / 2;
        let read = |first: usize, bytes: &[u8]| ReadRange {
            side: Side::Copy,
            etag: "e".into(),
            range: ByteRange { first: first as u64, bytes: bytes.len() as u64 },
            read: bytes.len() as u64,
            sum: format!("{:016x}", sum(bytes)),
        };
        // Iterations of a Map end in any order.
        let ranges = [read(middle, &content[middle..]), read(0, &content[..middle])];
        prop_assert_eq!(sum_of(Side::Copy, &ranges), Ok(Some(sum(&content))));
        prop_assert_eq!(sum_of(Side::Source, &ranges), Ok(None));
    }
}

#[test]
fn a_part_of_another_size_is_copied_again() {
    let upload = upload(12 * MIB);
    let mut parts = listed(&upload, 1..=3);
    parts[1].bytes -= 1;
    assert_eq!(
        check_parts(&upload, &parts),
        Err(UploadError::Incomplete {
            id: "u".into(),
            part: 2,
            parts: 3
        })
    );
}

#[test]
fn the_checksum_of_the_whole_is_sent_only_where_parts_have_theirs() {
    let upload = upload(12 * MIB);
    let mut parts = listed(&upload, 1..=3);
    let source = facts(12 * MIB, CRC64NVME);
    assert_eq!(expected_checksum(&upload, &source, &parts), Some("whole"));
    assert_eq!(
        expected_checksum(&upload, &facts(12 * MIB, "SHA256"), &parts),
        None
    );
    parts[0].checksum = None;
    assert_eq!(expected_checksum(&upload, &source, &parts), None);
}

#[test]
fn an_upload_is_resumed_only_for_the_same_object_and_algorithm() {
    let upload = upload(12 * MIB);
    let same = facts(12 * MIB, CRC64NVME);
    assert!(can_resume(&upload, &same, algorithm(&same)));
    assert!(!can_resume(&upload, &facts(13 * MIB, CRC64NVME), CRC64NVME));
    let crc32 = facts(12 * MIB, "CRC32");
    assert!(!can_resume(&upload, &crc32, algorithm(&crc32)));
    assert_eq!(algorithm(&facts(1, "SHA256")), CRC64NVME);
}

#[test]
fn strays_are_those_since_the_event_that_nobody_noted() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let listed = [
        ("old", "2026-11-01T00:00:00Z"),
        ("noted", "2026-11-01T01:00:01Z"),
        ("stray", "2026-11-01T01:00:02Z"),
    ]
    .map(|(id, initiated)| ListedUpload {
        id: id.into(),
        initiated_at: at(initiated),
    });
    let found: Vec<_> = strays(&listed, &["noted".to_owned()], at("2026-11-01T01:00:00Z"))
        .map(|upload| upload.id.as_str())
        .collect();
    assert_eq!(found, ["stray"]);
}

#[test]
fn both_sides_together_are_read_in_at_most_forty_ranges() {
    let both = reading(
        crate::limits::OBJECT_BYTES_MAX,
        &[(Side::Source, "s"), (Side::Copy, "c")],
    );
    assert_eq!(both.len() as u64, MAP_ITERATIONS_MAX);
    let one = reading(1, &[(Side::Source, "s")]);
    assert_eq!(one.len(), 1);
    let mut half = one;
    half[0].sum = "0".into();
    assert!(sum_of(Side::Source, &half).is_err(), "not read to its end");
    half[0].read = 1;
    half[0].sum = "no number".into();
    assert!(sum_of(Side::Source, &half).is_err());
}

#[test]
fn what_passes_between_states_reads_back_as_written() {
    let range = &reading(7, &[(Side::Copy, "e")])[0];
    let json = serde_json::to_value(range).expect("serialises");
    assert_eq!(
        json,
        serde_json::json!({"side": "copy", "etag": "e", "first": 0, "bytes": 7, "read": 0})
    );
    assert_eq!(
        serde_json::from_value::<ReadRange>(json).as_ref().ok(),
        Some(range)
    );
    let json = serde_json::to_value(upload(12 * MIB)).expect("serialises");
    assert_eq!(
        serde_json::from_value::<Upload>(json).ok(),
        Some(upload(12 * MIB))
    );
}
