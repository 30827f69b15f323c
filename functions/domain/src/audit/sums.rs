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
