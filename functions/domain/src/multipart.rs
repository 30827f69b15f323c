//! A multipart copy: what passes between its states, and what is left to do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SourceObject;
use crate::copy::{CopyRequest, Headed};
use crate::crc::Combined;
use crate::error::{ErrorName, Named};
use crate::evidence::{CRC64NVME, Facts};
use crate::limits::MAP_ITERATIONS_MAX;
use crate::parts::{ByteRange, PartPlan, Segment, plan_reading};
use crate::task::{Copied, CopyOutcome, Target};

/// Algorithms whose checksums of parts make one of the whole object (Amazon S3 User Guide,
/// "Checking object integrity": full object checksums for multipart uploads).
const FULL_OBJECT: [&str; 3] = [CRC64NVME, "CRC32C", "CRC32"];

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Upload id.
    pub id: String,
    /// How the object is cut.
    #[serde(flatten)]
    pub plan: PartPlan,
    /// Algorithm of its full-object checksum.
    pub algorithm: String,
    /// Whether the copy will carry the marker.
    pub marked: bool,
}

/// Output of BeginMultipart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// Set where there is nothing to upload: gone, skipped, or copied by an earlier try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Copied>,
    /// The upload, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// The source as its HEAD showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Facts>,
    /// Last-modified of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whether an earlier try may have been cut off, its copy landing later.
    #[serde(default)]
    pub cut_off: bool,
    /// Whether it tries if a destination is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
    /// What is worth a remark in the recovery point.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// One iteration of MapParts each; at most 40.
    pub segments: Vec<Segment>,
}

/// Input of CopyParts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyPartsTask {
    /// The source version.
    pub object: SourceObject,
    /// Where it goes.
    pub target: Target,
    /// What BeginMultipart said.
    pub begun: Begun,
    /// The parts to copy.
    pub segment: Segment,
}

/// Output of CopyParts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopiedParts {
    /// `copied`, or what became of the source meanwhile.
    pub outcome: CopyOutcome,
    /// Parts that this call copied.
    pub copied: u64,
    /// Parts that an earlier call had copied.
    pub found: u64,
}

/// Input of CompleteMultipart and, without its last fields, of AbortMultipart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishTask {
    /// The source version.
    pub object: SourceObject,
    /// Where it goes.
    pub target: Target,
    /// What BeginMultipart said; absent where it failed itself.
    #[serde(default)]
    pub begun: Option<Begun>,
    /// What CopyParts said of each segment.
    #[serde(default)]
    pub segments: Vec<CopiedParts>,
    /// Copies that verification refused; never adopted.
    #[serde(default)]
    pub rejected: Vec<String>,
}

/// Output of AbortMultipart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aborted {
    /// Whether there was an upload to abort.
    pub aborted: bool,
}

/// The sides of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The source version.
    Source,
    /// Its copy.
    Copy,
}

/// A range of one side: to be read, being read, or read.
///
/// The sum is text, since numbers in a state machine are floating point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadRange {
    /// Which side.
    pub side: Side,
    /// ETag of that side, without quotes: every GET is guarded by it.
    pub etag: String,
    /// Its bytes.
    #[serde(flatten)]
    pub range: ByteRange,
    /// How many of them have been read, from the first on.
    #[serde(default)]
    pub read: u64,
    /// CRC64NVME of those, in hexadecimal; empty before the first byte.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sum: String,
}

/// Input of ReadRange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadRangeTask {
    /// The source version.
    pub object: SourceObject,
    /// Where its copy is.
    pub target: Target,
    /// What was copied.
    pub copied: Copied,
    /// What to read.
    pub range: ReadRange,
}

/// A part that an upload holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number, from 1.
    pub number: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its ETag, with quotes as S3 gives it.
    pub etag: String,
    /// Its checksum in the upload's algorithm; a server may keep none.
    pub checksum: Option<String>,
}

/// Why an upload cannot be completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// It is not there, and no copy of this version either.
    #[error("upload {id} is not there, and no copy came of it")]
    Vanished {
        /// Upload id.
        id: String,
    },
    /// Parts are missing, or not of the size they were planned with.
    #[error("upload {id} lacks part {part} of {parts}")]
    Incomplete {
        /// Upload id.
        id: String,
        /// Number of the first such part.
        part: u64,
        /// How many there should be.
        parts: u64,
    },
    /// A sum is missing or unreadable after all ranges were read.
    #[error("the sum of the bytes from {first} on cannot be read")]
    Unread {
        /// Offset of the range.
        first: u64,
    },
}

impl Named for UploadError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Vanished { .. } | Self::Incomplete { .. } => ErrorName::UploadVanished,
            Self::Unread { .. } => ErrorName::DestinationUnavailable,
        }
    }
}

/// The algorithm of the copy's full-object checksum: the source's own where parts can make it, else
/// CRC64NVME.
pub fn algorithm(facts: &Facts) -> &'static str {
    FULL_OBJECT
        .into_iter()
        .find(|name| facts.checksums.contains_key(*name))
        .unwrap_or(CRC64NVME)
}

/// The user metadata of the upload. Unlike a CopyObject it cannot take over what is not sent.
pub fn metadata(request: &CopyRequest, headed: &Headed) -> BTreeMap<String, String> {
    request
        .metadata
        .clone()
        .unwrap_or_else(|| headed.metadata.clone())
}

/// What is worth a remark: metadata that S3 keeps to itself cannot be sent along.
pub fn remark(headed: &Headed) -> String {
    if headed.metadata_missing {
        "user metadata that no header can hold is not carried over by a multipart copy".to_owned()
    } else {
        String::new()
    }
}

/// Whether an unfinished upload can be gone on with: it was cut for an object of this size.
pub fn can_resume(upload: &Upload, facts: &Facts, algorithm: &str) -> bool {
    upload.plan.object_bytes == facts.size && upload.algorithm == algorithm
}

/// The parts of a segment that the upload does not hold yet, each with its bytes.
///
/// A part of another size than planned is copied again.
pub fn missing(plan: &PartPlan, segment: Segment, listed: &[ListedPart]) -> Vec<(u64, ByteRange)> {
    let held: BTreeMap<u64, u64> = listed
        .iter()
        .map(|part| (part.number, part.bytes))
        .collect();
    (segment.first_part..=segment.last_part)
        .filter_map(|part| Some((part, plan.range(part)?)))
        .filter(|(part, range)| held.get(part) != Some(&range.bytes))
        .collect()
}

/// Checks that the upload holds every part, each of its planned size.
///
/// # Errors
/// [`UploadError::Incomplete`] with the first part that does not.
pub fn check_parts(upload: &Upload, listed: &[ListedPart]) -> Result<(), UploadError> {
    match missing(&upload.plan, upload.plan.all(), listed).first() {
        None => Ok(()),
        Some((part, _)) => Err(UploadError::Incomplete {
            id: upload.id.clone(),
            part: *part,
            parts: upload.plan.parts(),
        }),
    }
}

/// The source's checksum to send with Complete, so that S3 refuses a wrong copy before it exists.
///
/// Only where the parts have checksums of that algorithm: without them there is nothing that the
/// server could compare it with.
pub fn expected_checksum<'a>(
    upload: &Upload,
    source: &'a Facts,
    listed: &[ListedPart],
) -> Option<&'a str> {
    let comparable = listed.iter().all(|part| part.checksum.is_some());
    let value = source.checksums.get(&upload.algorithm)?;
    comparable.then_some(value.as_str())
}

/// What became of the source while its parts were copied, where that is not `copied`.
pub fn interrupted(segments: &[CopiedParts]) -> Option<CopyOutcome> {
    segments
        .iter()
        .map(|segment| segment.outcome)
        .find(|outcome| *outcome != CopyOutcome::Copied)
}

/// Hands out the ranges to read of the sides that must be read, each with its ETag; at most 40 in all.
pub fn reading(bytes: u64, sides: &[(Side, &str)]) -> Vec<ReadRange> {
    let share = MAP_ITERATIONS_MAX / sides.len().max(1) as u64;
    sides
        .iter()
        .flat_map(|(side, etag)| {
            plan_reading(bytes, share)
                .into_iter()
                .map(|range| ReadRange {
                    side: *side,
                    etag: (*etag).to_owned(),
                    range,
                    read: 0,
                    sum: String::new(),
                })
        })
        .collect()
}

/// The CRC64NVME of one side from the sums of its ranges; `None` where none of it was read.
///
/// # Errors
/// [`UploadError::Unread`] when a range was not read to its end.
pub fn sum_of(side: Side, ranges: &[ReadRange]) -> Result<Option<u64>, UploadError> {
    let mut mine: Vec<_> = ranges.iter().filter(|range| range.side == side).collect();
    mine.sort_by_key(|range| range.range.first);
    if mine.is_empty() {
        return Ok(None);
    }
    let mut combined = Combined::default();
    for read in mine {
        let unread = || UploadError::Unread {
            first: read.range.first,
        };
        if read.read != read.range.bytes {
            return Err(unread());
        }
        let sum = u64::from_str_radix(&read.sum, 16).map_err(|_| unread())?;
        combined.push(sum, read.range.bytes);
    }
    Ok(Some(combined.sum()))
}

/// An upload found in a listing of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUpload {
    /// Upload id.
    pub id: String,
    /// When it was begun.
    pub initiated_at: Timestamp,
}

/// Uploads that an earlier try began and never learnt the id of: begun since the event, and noted
/// by no recovery point of the key.
///
/// One that a neighbour has begun this very moment and not noted yet may be among them; it begins
/// again (`UploadVanished`), nothing is lost.
pub fn strays<'a>(
    listed: &'a [ListedUpload],
    noted: &[String],
    event_at: Timestamp,
) -> impl Iterator<Item = &'a ListedUpload> {
    let noted = noted.to_vec();
    // Clocks differ: a minute is slack enough.
    let since = event_at.as_second() - 60;
    listed.iter().filter(move |upload| {
        upload.initiated_at.as_second() >= since && !noted.contains(&upload.id)
    })
}

#[cfg(test)]
mod tests;
