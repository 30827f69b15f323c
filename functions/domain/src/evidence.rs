//! Whether a copy is proven, and by what: the weakest evidence that still proves it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorName, Named};

/// The algorithm that reading computes, and that combines over ranges.
pub const CRC64NVME: &str = "CRC64NVME";

/// How a copy was proven. *Stored* and *read* stay told apart everywhere: S3 may carry a stored
/// checksum over to a copy without computing it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What kind it is.
    pub kind: Kind,
    /// Algorithm that was compared: `CRC64NVME`, `SHA256`, `MD5`, …
    pub algorithm: String,
    /// The value that both sides have, as S3 writes it.
    pub value: String,
}

/// Kinds of evidence, the weaker first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The same full-object checksum is stored on both sides.
    Stored,
    /// Both ETags are MD5 of the content, and equal.
    Etag,
    /// Content was read and its CRC64NVME compared.
    Read,
}

/// What a HEAD shows of one side, as far as evidence needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Size in bytes.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Server-side encryption as the header names it; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Full-object checksums by algorithm (`CRC64NVME`), base64 as S3 gives them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
    /// Storage class.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub storage_class: String,
}

/// What to do about a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weighed {
    /// It is proven.
    Proven(Evidence),
    /// Content must be read; a side with a usable stored CRC64NVME need not be.
    Read {
        /// Stored CRC64NVME of the source, base64; `None`: read the source.
        source: Option<String>,
        /// Stored CRC64NVME of the copy, base64; `None`: read the copy.
        copy: Option<String>,
    },
}

/// The copy is not what its source is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the copy's {what} is {copy}, the source's is {source_value}")]
pub struct Mismatch {
    /// What differs: `size`, or an algorithm.
    pub what: String,
    /// Value at the source.
    pub source_value: String,
    /// Value at the destination.
    pub copy: String,
}

impl Named for Mismatch {
    fn name(&self) -> ErrorName {
        ErrorName::ChecksumMismatch
    }
}

/// Weighs what both HEADs show; `read` demands that the copy's bytes are read whatever they show.
///
/// # Errors
/// [`Mismatch`] when the sizes differ, or a checksum that both sides have.
pub fn weigh(source: &Facts, copy: &Facts, read: bool) -> Result<Weighed, Mismatch> {
    if source.size != copy.size {
        return Err(mismatch(
            "size",
            &source.size.to_string(),
            &copy.size.to_string(),
        ));
    }
    for (algorithm, value) in &source.checksums {
        if let Some(other) = copy.checksums.get(algorithm) {
            if value != other {
                return Err(mismatch(algorithm, value, other));
            }
            if !read {
                return Ok(Weighed::Proven(evidence(Kind::Stored, algorithm, value)));
            }
        }
    }
    if let Some((ours, theirs)) = md5(source).zip(md5(copy)) {
        if ours != theirs {
            return Err(mismatch("MD5", ours, theirs));
        }
        if !read {
            return Ok(Weighed::Proven(evidence(Kind::Etag, "MD5", ours)));
        }
    }
    let stored = |facts: &Facts| facts.checksums.get(CRC64NVME).cloned();
    Ok(Weighed::Read {
        source: stored(source),
        copy: if read { None } else { stored(copy) },
    })
}

/// Compares the CRC64NVME of both sides after reading what had to be read.
///
/// # Errors
/// [`Mismatch`] when they differ.
pub fn compare_read(source: &str, copy: &str) -> Result<Evidence, Mismatch> {
    if source == copy {
        Ok(evidence(Kind::Read, CRC64NVME, source))
    } else {
        Err(mismatch(CRC64NVME, source, copy))
    }
}

/// Whether a copy is proven by what the event of its source tells, where the source itself is gone:
/// the ETag of the event is the MD5 of the copy. That of a source whose ETag is no MD5 never is.
pub fn is_of_event(copy: &Facts, object: &crate::SourceObject) -> bool {
    copy.size == object.size && md5(copy) == Some(object.etag.as_str())
}

/// Whether this object is in the share of a rule that is read: by its name, so that a retry agrees.
pub fn is_sampled(share: f64, object: &crate::SourceObject) -> bool {
    let name = format!("{}/{}#{}", object.bucket, object.key, object.version_key());
    let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, name.as_bytes());
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 64 bits")]
    let place = hash as f64 / u64::MAX as f64;
    place < share
}

/// An ETag is the MD5 of the content for single-part objects without KMS or customer keys
/// (Amazon S3 API Reference, "Object": ETag).
fn md5(facts: &Facts) -> Option<&str> {
    let plain = facts
        .encryption
        .as_deref()
        .is_none_or(|name| name == "AES256");
    let digest = facts.etag.len() == 32 && facts.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    (plain && digest).then_some(facts.etag.as_str())
}

fn evidence(kind: Kind, algorithm: &str, value: &str) -> Evidence {
    Evidence {
        kind,
        algorithm: algorithm.to_owned(),
        value: value.to_owned(),
    }
}

fn mismatch(what: &str, source: &str, copy: &str) -> Mismatch {
    Mismatch {
        what: what.to_owned(),
        source_value: source.to_owned(),
        copy: copy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "b1946ac92492d2347c6235b4d2611184";

    fn facts(etag: &str, checksums: &[(&str, &str)]) -> Facts {
        Facts {
            size: 5,
            etag: etag.into(),
            checksums: checksums
                .iter()
                .map(|(a, v)| ((*a).to_owned(), (*v).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_copy_of_what_is_gone_is_proven_by_the_md5_of_its_event_alone() {
        let mut object = crate::task::fixtures::object("k", Some("v1"));
        object.etag = MD5.into();
        assert!(is_of_event(&facts(MD5, &[]), &object));
        let mut encrypted = facts(MD5, &[]);
        encrypted.encryption = Some("aws:kms".into());
        assert!(!is_of_event(&encrypted, &object));
        object.size += 1;
        assert!(!is_of_event(&facts(MD5, &[]), &object));
        object.size -= 1;
        object.etag = format!("{MD5}-2");
        assert!(!is_of_event(&facts(&object.etag, &[]), &object));
    }

    #[test]
    fn a_checksum_on_both_sides_proves_before_any_etag() {
        let (source, copy) = (
            facts("x-2", &[("SHA256", "s")]),
            facts("y-3", &[("SHA256", "s")]),
        );
        let Ok(Weighed::Proven(found)) = weigh(&source, &copy, false) else {
            panic!("must be proven")
        };
        assert_eq!(
            (found.kind, found.algorithm.as_str()),
            (Kind::Stored, "SHA256")
        );
    }

    #[test]
    fn equal_md5_etags_prove_unless_reading_is_demanded_or_kms_made_them() {
        let side = facts(MD5, &[]);
        assert!(matches!(
            weigh(&side, &side, false),
            Ok(Weighed::Proven(Evidence {
                kind: Kind::Etag,
                ..
            }))
        ));
        assert_eq!(
            weigh(&side, &side, true),
            Ok(Weighed::Read {
                source: None,
                copy: None
            })
        );
        let kms = Facts {
            encryption: Some("aws:kms".into()),
            ..facts(MD5, &[])
        };
        assert_eq!(
            weigh(&kms, &kms, false),
            Ok(Weighed::Read {
                source: None,
                copy: None
            })
        );
    }

    #[test]
    fn a_multipart_etag_is_no_evidence_and_a_stored_crc_spares_reading_that_side() {
        let (source, copy) = (facts("abc-3", &[(CRC64NVME, "c")]), facts(MD5, &[]));
        assert_eq!(
            weigh(&source, &copy, false),
            Ok(Weighed::Read {
                source: Some("c".into()),
                copy: None
            })
        );
    }

    #[test]
    fn any_difference_is_a_mismatch_by_name() {
        let short = Facts {
            size: 4,
            ..facts(MD5, &[])
        };
        for (source, copy) in [
            (facts(MD5, &[]), short),
            (
                facts(MD5, &[]),
                facts("00000000000000000000000000000000", &[]),
            ),
            (
                facts("a-1", &[(CRC64NVME, "c")]),
                facts("a-1", &[(CRC64NVME, "d")]),
            ),
        ] {
            assert_eq!(
                weigh(&source, &copy, false).expect_err("differs").name(),
                ErrorName::ChecksumMismatch
            );
            assert!(weigh(&source, &copy, true).is_err());
        }
        assert!(compare_read("a", "b").is_err());
    }

    #[test]
    fn sampling_is_repeatable_and_keeps_its_bounds() {
        let object = crate::task::fixtures::object("k", Some("v"));
        assert!(is_sampled(1.0, &object) && !is_sampled(0.0, &object));
        assert_eq!(is_sampled(0.5, &object), is_sampled(0.5, &object));
    }
}
