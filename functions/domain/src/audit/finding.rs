//! What an audit can find, and what it comes to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::ErrorName;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $weight:ident $advice:literal,)*) => {
        /// The closed list of differences; `docs/audit.md` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Kind {
            /// All of them, in the order of the report.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As reports name it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it says of the backup.
            pub const fn weight(self) -> Weight {
                match self { $(Self::$name => Weight::$weight,)* }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

kinds! {
    /// A version that the policy wants at the destination has neither recovery point nor copy.
    Missing "missing" Behind "audit with --repair, which starts its backup",
    /// A recovery point was being copied for longer than that can take.
    Stuck "stuck" Behind "the sweep takes it up; if it stays, read the execution that owns it",
    /// A recovery point failed.
    Failed "failed" Behind "mend what its error names, then redrive, or audit with --repair",
    /// A copy is proven, but the order of the key was not settled.
    Unsettled "unsettled" Behind "the sweep settles it; if it stays, look for something else that writes to the backup bucket",
    /// The backup's latest version is not the copy of the newest stored version.
    WrongLatest "wrong-latest" Behind "audit with --repair, which settles the order",
    /// A copy lies there and says whose it is, but no recovery point proves it.
    CopyWithoutPoint "copy-without-point" Behind "audit with --repair: it is copied and proven anew, while the source has it",
    /// Source and copy carry different tags.
    TagsDiffer "tags-differ" Behind "put the tags on the source once more: its event makes the copy follow",
    /// Source and copy carry different annotations, and the rule carries them.
    AnnotationsDiffer "annotations-differ" Behind "upload the object again: annotations raise no event that a copy could follow",
    /// A recovery point tells of a copy that is not there.
    PointWithoutCopy "point-without-copy" Damaged "find out who or which lifecycle rule removed the copy; delete the point from the catalog and audit with --repair while the source has the version",
    /// The copy has another size than its recovery point says.
    SizeDiffers "size-differs" Damaged "tag that backup version s3-backup=bad, delete the point from the catalog, then audit with --repair",
    /// The copy's checksum is not its source's, or not the proven one.
    ChecksumDiffers "checksum-differs" Damaged "tag that backup version s3-backup=bad, delete the point from the catalog, then audit with --repair",
    /// The copy of a recovery point is not there, and its bucket's lifecycle may have expired it.
    Expired "expired" Note "audit with --repair, which notes it in the catalog: the event that says so was lost",
    /// Neither a copy of this backup nor of another: somebody else wrote it.
    Extra "extra" Note "find out who else writes to the backup bucket",
    /// A second, identical copy of a version that has a proven one.
    Surplus "surplus" Note "nothing: it costs its storage alone",
    /// A copy that verification refused, or whose execution failed; it counts as none.
    BadVersion "bad-version" Note "nothing: it counts as no copy, and may expire by a lifecycle rule",
    /// A multipart upload that nobody works on any more.
    StrayUpload "stray-upload" Note "nothing where the bucket's lifecycle aborts incomplete uploads; else abort it",
}

/// What a finding says of the backup, the lighter first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Worth knowing; everything is safe.
    Note,
    /// Something is not, or not wholly, in the backup.
    Behind,
    /// Something that was proven is not so any more.
    Damaged,
}

/// One difference; one line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Source bucket; the backup bucket where no source is known.
    pub bucket: String,
    /// Key at the source, raw; at the backup where no source is known.
    pub key: String,
    /// What it is.
    pub finding: Kind,
    /// Name of the destination.
    pub destination: String,
    /// Version id at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its size in bytes, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its ETag without quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When the source stored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<Timestamp>,
    /// Sequencer of its event, where a recovery point knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// Version id at the backup, or id of the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_version_id: Option<String>,
    /// In one line, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What an audit comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything that should be in the backup is there, as far as the level looks.
    Whole,
    /// Something is not there yet, or not wholly.
    Behind,
    /// Something that was proven is lost or differs.
    Damaged,
    /// The audit came to no end.
    Unfinished,
}

impl Verdict {
    /// Of a weight; notes alone leave a backup whole.
    pub const fn of(weight: Option<Weight>) -> Self {
        match weight {
            None | Some(Weight::Note) => Self::Whole,
            Some(Weight::Behind) => Self::Behind,
            Some(Weight::Damaged) => Self::Damaged,
        }
    }

    /// As reports name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Behind => "behind",
            Self::Damaged => "damaged",
            Self::Unfinished => "unfinished",
        }
    }

    /// Exit code of the command: 0 whole, 1 behind, 6 damaged, 7 unfinished. Those between are the
    /// command's own.
    ///
    /// ```
    /// use backup_domain::audit::Verdict;
    /// assert_eq!(Verdict::Whole.exit_code(), 0);
    /// assert!(Verdict::Damaged.exit_code() > Verdict::Behind.exit_code());
    /// ```
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::Behind => 1,
            Self::Damaged => 6,
            Self::Unfinished => 7,
        }
    }
}

/// Why an audit cannot be begun, or not gone on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// What was asked for contradicts itself.
    #[error("the audit cannot be understood: {problem}")]
    Request {
        /// What is wrong with it.
        problem: String,
    },
    /// A listing that does not come in the order of its keys cannot be compared.
    #[error("the listing of {bucket} gives {later:?} after {earlier:?}: its keys are not in order")]
    Disorder {
        /// The bucket that was listed.
        bucket: String,
        /// Key that came first.
        earlier: String,
        /// Key that came behind it.
        later: String,
    },
    /// An item of the catalog has a shape that this release does not know.
    #[error("the recovery point {pk} {sk} has shape {shape}, this release reads shape {known}")]
    Shape {
        /// Partition key.
        pk: String,
        /// Sort key.
        sk: String,
        /// Its shape.
        shape: u32,
        /// What can be read.
        known: u32,
    },
}

impl crate::Named for AuditError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Request { .. } => ErrorName::InvalidEvent,
            Self::Disorder { .. } | Self::Shape { .. } => ErrorName::DestinationUnavailable,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Request { .. } => "see docs/audit.md for what an audit can be asked",
            Self::Disorder { .. } => {
                "audits need listings in the order of keys, as general purpose buckets give them"
            }
            Self::Shape { .. } => "deploy the release that wrote it, or a newer one",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_one_word_in_kebab_case_and_has_advice() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let name = kind.as_str();
            assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'));
            assert_eq!(serde_json::json!(kind), name);
            assert!(!kind.advice().is_empty());
        }
    }

    #[test]
    fn notes_leave_a_backup_whole() {
        assert_eq!(Verdict::of(None), Verdict::Whole);
        assert_eq!(Verdict::of(Some(Weight::Note)), Verdict::Whole);
        assert_eq!(Verdict::of(Some(Weight::Behind)), Verdict::Behind);
        assert_eq!(Verdict::of(Some(Weight::Damaged)), Verdict::Damaged);
    }
}
