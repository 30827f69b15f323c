//! Checksums as they are stored: of source and copy, and of the evidence in the catalog.

use crate::catalog::RecoveryPoint;
use crate::evidence::{Facts, Kind as Proof, weigh};

use super::compare::Entry;

/// Whether the listing alone shows that the recorded copy is not what was proven: the evidence is the
/// MD5 that both ETags were. Says how they differ.
pub fn etag_differs(point: &RecoveryPoint, copy: &Entry) -> Option<String> {
    let evidence = point.evidence.as_ref()?;
    let recorded = point.backup.as_ref()?.version_id == copy.id;
    let differs = recorded && evidence.kind == Proof::Etag && evidence.value != copy.etag;
    differs.then(|| {
        format!(
            "the copy's ETag is {}, {} was proven",
            copy.etag, evidence.value
        )
    })
}

/// Whether stored checksums show a difference: of the copy against its source, where that is still
/// there, and against what was proven. Says how they differ.
pub fn stored_differ(
    point: &RecoveryPoint,
    source: Option<&Facts>,
    copy: &Facts,
) -> Option<String> {
    let between = source.and_then(|source| weigh(source, copy, false).err());
    if let Some(mismatch) = between {
        return Some(mismatch.to_string());
    }
    let proven = point.evidence.iter().map(|it| (&it.algorithm, &it.value));
    for (algorithm, value) in proven.chain(&point.checksums) {
        if let Some(other) = copy
            .checksums
            .get(algorithm)
            .filter(|other| *other != value)
        {
            return Some(format!(
                "the copy's {algorithm} is {other}, {value} was proven"
            ));
        }
    }
    None
}

/// The CRC64NVME that the bytes of a copy must have, where any side tells it.
pub fn expected_crc<'a>(
    point: &'a RecoveryPoint,
    source: Option<&'a Facts>,
    copy: &'a Facts,
) -> Option<&'a str> {
    use crate::evidence::CRC64NVME;
    let evidence = point
        .evidence
        .as_ref()
        .filter(|it| it.algorithm == CRC64NVME);
    let proven = evidence.map(|it| it.value.as_str());
    let sides = [source, Some(copy)].into_iter().flatten();
    let stored = sides.filter_map(|side| side.checksums.get(CRC64NVME));
    proven
        .or_else(|| point.checksums.get(CRC64NVME).map(String::as_str))
        .or_else(|| stored.map(String::as_str).next())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evidence::{CRC64NVME, Evidence};

    fn facts(checksums: &[(&str, &str)]) -> Facts {
        let checksums = checksums.iter();
        Facts {
            size: 5,
            etag: "e-2".into(),
            checksums: checksums
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            ..Facts::default()
        }
    }

    fn proven(algorithm: &str, value: &str) -> RecoveryPoint {
        let mut point = super::super::compare::tests::stored_point("k");
        point.evidence = Some(Evidence {
            kind: Proof::Stored,
            algorithm: algorithm.to_owned(),
            value: value.to_owned(),
        });
        point
    }

    #[test]
    fn a_copy_is_held_against_its_source_and_against_what_was_proven() {
        let point = proven("SHA256", "right");
        let (right, wrong) = (facts(&[("SHA256", "right")]), facts(&[("SHA256", "wrong")]));
        assert_eq!(stored_differ(&point, Some(&right), &right), None);
        assert!(stored_differ(&point, Some(&right), &wrong).is_some());
        // The source is gone: the catalog still knows what it was.
        assert!(stored_differ(&point, None, &wrong).is_some());
        assert_eq!(stored_differ(&point, None, &facts(&[])), None);
    }

    #[test]
    fn bytes_are_held_against_the_strongest_sum_that_is_known() {
        let (ours, theirs) = (facts(&[(CRC64NVME, "s")]), facts(&[(CRC64NVME, "c")]));
        let none = facts(&[]);
        let by_crc = proven(CRC64NVME, "p");
        let by_other = proven("SHA256", "x");
        assert_eq!(expected_crc(&by_crc, Some(&ours), &theirs), Some("p"));
        assert_eq!(expected_crc(&by_other, Some(&ours), &theirs), Some("s"));
        assert_eq!(expected_crc(&by_other, None, &theirs), Some("c"));
        assert_eq!(expected_crc(&by_other, Some(&none), &none), None);
    }
}
