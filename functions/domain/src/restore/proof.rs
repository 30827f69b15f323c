//! Whether what lies at the target is what the backup has: by what HEADs show.

use crate::evidence::{Evidence, Facts, Mismatch, Weighed, weigh};

/// What two HEADs say of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alike {
    /// The same content, by this.
    Yes(Evidence),
    /// Not the same content.
    No,
    /// Of one size, without anything to compare: only reading tells. Holds the CRC64NVME of either
    /// side that need not be read, the backup's first.
    Unknown(Option<String>, Option<String>),
}

/// Compares a backup's copy with what is there.
pub fn alike(backup: &Facts, there: &Facts) -> Alike {
    match weigh(backup, there, false) {
        Ok(Weighed::Proven(evidence)) => Alike::Yes(evidence),
        Ok(Weighed::Read { source, copy }) => Alike::Unknown(source, copy),
        Err(_) => Alike::No,
    }
}

/// Compares what the catalog knows of a copy with what is there, before the copy itself is asked:
/// `None` where they have nothing in common but the size.
pub fn alike_by_catalog(size: u64, evidence: Option<&Evidence>, there: &Facts) -> Option<bool> {
    if size != there.size {
        return Some(false);
    }
    let evidence = evidence?;
    shown(there, &evidence.algorithm).map(|value| value == evidence.value)
}

/// Holds what the backup's copy shows now against what it was proven by when it was stored.
///
/// # Errors
/// [`Mismatch`], named `ChecksumMismatch`: the copy is not what was backed up.
pub fn still_good(evidence: Option<&Evidence>, backup: &Facts) -> Result<(), Mismatch> {
    let Some(evidence) = evidence else {
        return Ok(());
    };
    match shown(backup, &evidence.algorithm) {
        Some(now) if now != evidence.value => Err(Mismatch {
            what: evidence.algorithm.clone(),
            source_value: evidence.value.clone(),
            copy: now.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The value of an algorithm, an ETag that is an MD5 among them.
fn shown<'f>(facts: &'f Facts, algorithm: &str) -> Option<&'f str> {
    let plain = facts.encryption.as_deref().is_none_or(|it| it == "AES256");
    let is_md5 = plain && facts.etag.len() == 32 && !facts.etag.contains('-');
    if algorithm == "MD5" && is_md5 {
        return Some(&facts.etag);
    }
    facts.checksums.get(algorithm).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evidence::Kind;

    fn facts(etag: &str, checksum: Option<&str>) -> Facts {
        let checksums = checksum.map(|it| ("CRC64NVME".to_owned(), it.to_owned()));
        Facts {
            size: 5,
            etag: etag.to_owned(),
            checksums: checksums.into_iter().collect::<BTreeMap<_, _>>(),
            ..Facts::default()
        }
    }

    fn evidence(algorithm: &str, value: &str) -> Evidence {
        Evidence {
            kind: Kind::Stored,
            algorithm: algorithm.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn contents_are_alike_by_what_both_sides_show_and_never_by_size_alone() {
        let md5 = "b1946ac92492d2347c6235b4d2611184";
        assert!(matches!(
            alike(&facts(md5, None), &facts(md5, None)),
            Alike::Yes(_)
        ));
        assert!(matches!(
            alike(&facts("x-2", Some("a")), &facts("y-3", Some("a"))),
            Alike::Yes(_)
        ));
        assert_eq!(
            alike(&facts("x-2", Some("a")), &facts("y-3", Some("b"))),
            Alike::No
        );
        let unknown = alike(&facts("x-2", Some("a")), &facts("y-3", None));
        assert_eq!(unknown, Alike::Unknown(Some("a".to_owned()), None));
    }

    #[test]
    fn the_catalog_alone_says_alike_only_where_it_can() {
        let (md5, crc) = (
            "b1946ac92492d2347c6235b4d2611184",
            evidence("CRC64NVME", "a"),
        );
        let there = facts(md5, Some("a"));
        assert_eq!(alike_by_catalog(5, Some(&crc), &there), Some(true));
        assert_eq!(
            alike_by_catalog(5, Some(&evidence("MD5", md5)), &there),
            Some(true)
        );
        assert_eq!(
            alike_by_catalog(5, Some(&evidence("CRC64NVME", "b")), &there),
            Some(false)
        );
        assert_eq!(alike_by_catalog(6, Some(&crc), &there), Some(false));
        assert_eq!(
            alike_by_catalog(5, Some(&evidence("SHA256", "s")), &there),
            None
        );
        assert_eq!(alike_by_catalog(5, None, &there), None);
    }

    #[test]
    fn a_copy_that_is_no_longer_what_was_stored_is_a_mismatch() {
        let now = facts("x-2", Some("b"));
        assert!(still_good(Some(&evidence("CRC64NVME", "a")), &now).is_err());
        assert!(still_good(Some(&evidence("CRC64NVME", "b")), &now).is_ok());
        assert!(still_good(Some(&evidence("SHA256", "s")), &now).is_ok());
        assert!(still_good(None, &now).is_ok());
    }
}
