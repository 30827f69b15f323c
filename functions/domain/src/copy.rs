//! What a CopyObject request says, decided from the HEAD of the source and the destination.

use std::collections::BTreeMap;

use crate::error::{ErrorName, Named};
use crate::evidence::CRC64NVME;
use crate::evidence::Facts;
use crate::limits::COPY_OBJECT_BYTES_MAX;
use crate::policy::Archived;
use crate::task::{CopyOutcome, CopyTask};
use crate::{SourceObject, key, marker};

/// A source version as its HEAD shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headed {
    /// What evidence needs.
    pub facts: Facts,
    /// User metadata, raw, names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// User metadata that the header could not carry (`x-amz-missing-meta`).
    pub metadata_missing: bool,
    /// Content headers, raw.
    pub headers: ContentHeaders,
    /// Whether the content lies in an archive and is not restored.
    pub archived: bool,
}

/// The headers that REPLACE drops, so that they are sent along; `expires` as raw text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// Content-Type.
    pub content_type: Option<String>,
    /// Cache-Control.
    pub cache_control: Option<String>,
    /// Content-Disposition.
    pub content_disposition: Option<String>,
    /// Content-Encoding, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// Content-Language.
    pub content_language: Option<String>,
    /// Expires.
    pub expires: Option<String>,
    /// Website redirect, carried by neither directive.
    pub website_redirect: Option<String>,
}

/// One CopyObject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRequest {
    /// `x-amz-copy-source`, encoded.
    pub source: String,
    /// `x-amz-copy-source-if-match`, always: it costs nothing beside a version id.
    pub if_match: String,
    /// User metadata with the marker; `None`: COPY, without a marker.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Content headers, sent with REPLACE only.
    pub headers: ContentHeaders,
    /// Checksum to store with the copy: the source's own, else CRC64NVME.
    pub checksum: String,
}

impl CopyRequest {
    /// `Expires` to send: with COPY the source's own is kept.
    pub fn expires_sent(&self) -> Option<&str> {
        let replaced = self.metadata.is_some();
        self.headers.expires.as_deref().filter(|_| replaced)
    }
}

/// What the HEAD of the source leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Send this.
    Copy(Box<CopyRequest>),
    /// End here, with a reason.
    End(CopyOutcome, String),
}

/// Why a source version that exists cannot be copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// In an archive class.
    #[error("the object is in {class} and not restored, so it cannot be read")]
    Archived {
        /// Storage class.
        class: String,
    },
    /// Over what one CopyObject copies, though the event said less.
    #[error(
        "the event says {said} bytes, the object has {bytes}, and one CopyObject takes {COPY_OBJECT_BYTES_MAX} at most"
    )]
    TooLarge {
        /// Its size by the event.
        said: u64,
        /// Its size.
        bytes: u64,
    },
    /// The destination encrypts with less than the source does.
    #[error("the source is encrypted with {found}, destination {destination} names no KMS key")]
    WeakerEncryption {
        /// Encryption of the source.
        found: String,
        /// Name of the destination.
        destination: String,
    },
    /// The answer has no version id.
    #[error("bucket {bucket} gave the copy no version id: it keeps no versions")]
    Unversioned {
        /// Backup bucket.
        bucket: String,
    },
}

impl Named for CopyError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Archived { .. } => ErrorName::SourceArchived,
            Self::TooLarge { .. } => ErrorName::InvalidEvent,
            Self::WeakerEncryption { .. } => ErrorName::InvalidPolicy,
            Self::Unversioned { .. } => ErrorName::DestinationUnversioned,
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::WeakerEncryption { destination, .. } => format!(
                "with the default policy deploy with BackupKmsKeyArn, the key for the copies; in a policy of your own set kmsKey on destination {destination} and name the key in KmsKeyArns, or allowWeakerEncryption if that is meant; then s3-backup redrive"
            ),
            _ => self.name().advice().to_owned(),
        }
    }
}

/// Seconds within which even the smallest copy is answered: S3 answers small requests in 100 to 200 ms as
/// a rule (Amazon S3 User Guide, "Performance guidelines for Amazon S3"), a busy one after a few seconds.
const SECONDS_MIN: u64 = 30;
/// The longest that a copy may take: a function runs for 15 minutes at most.
const SECONDS_MAX: u64 = 840;

/// How long one CopyObject of so many bytes may take, in seconds: what does not answer by then is not
/// there. It grows with the size, at the pace that 5 GiB, the most it copies, need to be done within 14
/// minutes: 6.1 MiB/s.
///
/// ```
/// use backup_domain::copy::seconds_max;
/// assert_eq!((seconds_max(0), seconds_max(64 << 20)), (30, 40));
/// assert_eq!(seconds_max(5 << 30), 840);
/// ```
pub const fn seconds_max(bytes: u64) -> u64 {
    let seconds = SECONDS_MIN + bytes.saturating_mul(SECONDS_MAX) / COPY_OBJECT_BYTES_MAX;
    if seconds < SECONDS_MAX {
        seconds
    } else {
        SECONDS_MAX
    }
}

/// Decides over a source version that was headed, for one CopyObject.
///
/// # Errors
/// [`CopyError`] when it exists but cannot be copied to this destination.
pub fn plan_single(task: &CopyTask, headed: &Headed) -> Result<Plan, CopyError> {
    let planned = plan(task, headed)?;
    if matches!(planned, Plan::Copy(_)) && headed.facts.size > COPY_OBJECT_BYTES_MAX {
        return Err(CopyError::TooLarge {
            said: task.object.size,
            bytes: headed.facts.size,
        });
    }
    Ok(planned)
}

/// Decides over a source version that was headed, whatever its size.
///
/// # Errors
/// [`CopyError`] when it exists but cannot be copied to this destination.
pub fn plan(task: &CopyTask, headed: &Headed) -> Result<Plan, CopyError> {
    let (object, target) = (&task.object, &task.target);
    if marker::is_copy(&headed.metadata) {
        return Ok(Plan::End(
            CopyOutcome::Skipped,
            "it is itself a copy that a backup made".to_owned(),
        ));
    }
    if object.pinned_version().is_none() && headed.facts.etag != object.etag {
        return Ok(Plan::End(
            CopyOutcome::Superseded,
            "it was overwritten; the newer content has its own event".to_owned(),
        ));
    }
    if headed.archived {
        let class = headed.facts.storage_class.clone();
        return match target.archived {
            Archived::Skip => Ok(Plan::End(
                CopyOutcome::Skipped,
                format!("it is in {class} and not restored"),
            )),
            Archived::Fail => Err(CopyError::Archived { class }),
        };
    }
    let kms = headed
        .facts
        .encryption
        .as_ref()
        .filter(|name| name.starts_with("aws:kms"));
    if let Some(found) = kms.filter(|_| {
        target.destination.kms_key.is_none() && !target.destination.allow_weaker_encryption
    }) {
        return Err(CopyError::WeakerEncryption {
            found: found.clone(),
            destination: target.name.clone(),
        });
    }
    Ok(Plan::Copy(Box::new(request(
        object,
        &target.destination.prefix,
        headed,
    ))))
}

fn request(object: &SourceObject, prefix: &str, headed: &Headed) -> CopyRequest {
    let metadata = if headed.metadata_missing {
        None
    } else {
        marker::with(&headed.metadata, object, prefix)
    };
    CopyRequest {
        source: key::copy_source(&object.bucket, &object.key, object.named_version()),
        if_match: headed.facts.etag.clone(),
        metadata,
        headers: headed.headers.clone(),
        checksum: checksum(headed),
    }
}

/// What a CopyObject of a backup version on top of its own key says: everything as it is there, the
/// marker included.
pub fn again(copy: &SourceObject, headed: &Headed) -> CopyRequest {
    CopyRequest {
        source: key::copy_source(&copy.bucket, &copy.key, copy.pinned_version()),
        if_match: headed.facts.etag.clone(),
        metadata: (!headed.metadata_missing).then(|| headed.metadata.clone()),
        headers: headed.headers.clone(),
        checksum: checksum(headed),
    }
}

fn checksum(headed: &Headed) -> String {
    let own = headed.facts.checksums.keys().next();
    own.cloned().unwrap_or_else(|| CRC64NVME.to_owned())
}

/// Drops `aws-chunked`, which described the upload and not the object.
pub fn content_encoding(header: &str) -> Option<String> {
    let kept: Vec<_> = header
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixtures::{object, target};

    fn task(version_id: Option<&str>) -> CopyTask {
        CopyTask::of(object("a b", version_id), target())
    }

    fn headed() -> Headed {
        let facts = Facts {
            size: 5,
            etag: object("", None).etag,
            ..Facts::default()
        };
        Headed {
            facts,
            ..Headed::default()
        }
    }

    #[test]
    fn a_copy_is_pinned_guarded_and_marked() {
        let Ok(Plan::Copy(request)) = plan(&task(Some("v1")), &headed()) else {
            panic!("must copy")
        };
        assert_eq!(request.source, "source/a%20b?versionId=v1");
        assert_eq!(request.if_match, object("", None).etag);
        assert!(
            request
                .metadata
                .is_some_and(|metadata| marker::is_copy(&metadata))
        );
        assert_eq!(request.checksum, CRC64NVME);
    }

    #[test]
    fn an_overwritten_object_without_versions_is_superseded() {
        let mut other = headed();
        other.facts.etag = "other".into();
        assert!(matches!(
            plan(&task(None), &other),
            Ok(Plan::End(CopyOutcome::Superseded, _))
        ));
        assert!(matches!(plan(&task(Some("v1")), &other), Ok(Plan::Copy(_))));
    }

    #[test]
    fn what_cannot_be_copied_has_a_name() {
        let archived = Headed {
            archived: true,
            ..headed()
        };
        assert_eq!(
            plan(&task(None), &archived).expect_err("archived").name(),
            ErrorName::SourceArchived
        );
        let mut skipping = task(None);
        skipping.target.archived = Archived::Skip;
        assert!(matches!(
            plan(&skipping, &archived),
            Ok(Plan::End(CopyOutcome::Skipped, _))
        ));
        let mut sized = headed();
        sized.facts.size = COPY_OBJECT_BYTES_MAX;
        assert!(plan_single(&task(None), &sized).is_ok());
        sized.facts.size += 1;
        assert_eq!(
            plan_single(&task(None), &sized).expect_err("large").name(),
            ErrorName::InvalidEvent
        );
        assert!(plan(&task(None), &sized).is_ok(), "in parts");
        let mut kms = headed();
        kms.facts.encryption = Some("aws:kms".into());
        assert_eq!(
            plan(&task(None), &kms).expect_err("weaker").name(),
            ErrorName::InvalidPolicy
        );
        let mut loops = headed();
        loops.metadata = marker::of(&object("k", None), "");
        assert!(matches!(
            plan(&task(None), &loops),
            Ok(Plan::End(CopyOutcome::Skipped, _))
        ));
    }

    #[test]
    fn metadata_that_leaves_no_room_is_copied_without_a_marker() {
        let missing = Headed {
            metadata_missing: true,
            ..headed()
        };
        let Ok(Plan::Copy(request)) = plan(&task(None), &missing) else {
            panic!("must copy")
        };
        assert_eq!(request.metadata, None);
    }

    #[test]
    fn aws_chunked_is_dropped() {
        assert_eq!(content_encoding("aws-chunked"), None);
        assert_eq!(
            content_encoding("gzip, aws-chunked").as_deref(),
            Some("gzip")
        );
    }
}
