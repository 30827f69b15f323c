//! Source order: which of two versions of one key is the newer one.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::Marked;
use crate::catalog::Status;
use crate::object::NULL_VERSION;
use crate::sequencer;

/// One version of the key at the source.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// Version id, `null` where the source keeps no versions.
    pub id: &'a str,
    /// ETag without quotes: tells one `null` version from the next.
    pub etag: &'a str,
    /// Last-modified. Compared in whole seconds, since a HEAD gives no more than those.
    pub modified: Timestamp,
}

impl Version<'_> {
    /// Whether both are the same version. A `null` version is overwritten in place: content and
    /// second tell it from its successors.
    pub fn is(&self, other: &Version) -> bool {
        self.id == other.id
            && (self.id != NULL_VERSION
                || (self.etag == other.etag
                    && self.modified.as_second() == other.modified.as_second()))
    }
}

/// The same version, see [`Version::is`].
impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Version<'_> {}

/// The key's versions at the source, the newest first, without its delete markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<'a> {
    /// As ListObjectVersions gives them. A source without versioning has one, of id `null`.
    pub versions: Vec<Version<'a>>,
    /// Whether a delete marker is the latest.
    pub delete_marker: bool,
}

impl<'a> Listing<'a> {
    /// What a plain GET finds.
    pub fn latest(&self) -> Option<Version<'a>> {
        self.versions
            .first()
            .copied()
            .filter(|_| !self.delete_marker)
    }

    /// Whether this version is still there.
    pub fn has(&self, version: &Version) -> bool {
        self.place(version).is_some()
    }

    fn place(&self, version: &Version) -> Option<usize> {
        self.versions.iter().position(|listed| listed.is(version))
    }
}

/// What the catalog knows of one version at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point<'a> {
    /// The version.
    pub version: Version<'a>,
    /// Sequencer of its event.
    pub sequencer: &'a str,
    /// Status.
    pub status: Status,
    /// Version id of the recorded copy.
    pub backup: Option<&'a str>,
    /// Version ids of its promotions.
    pub promotions: &'a [String],
    /// Version ids of copies that verification refused.
    pub bad: &'a [String],
}

impl<'a> Point<'a> {
    /// Whether it has a proven copy.
    pub fn is_stored(&self) -> bool {
        matches!(self.status, Status::Stored | Status::Unsettled)
    }

    /// Whether it has, or had until it expired.
    pub fn was_stored(&self) -> bool {
        self.is_stored() || self.status == Status::Expired
    }

    /// Whether this backup version was refused.
    pub fn is_bad(&self, version_id: &str) -> bool {
        self.bad.iter().any(|bad| bad == version_id)
    }

    /// Whether this backup version is recorded as a copy of it.
    pub fn has_copy(&self, version_id: &str) -> bool {
        self.backup == Some(version_id)
            || self.promotions.iter().any(|id| id == version_id)
            || self.is_bad(version_id)
    }

    /// A copy to read, the last made first, since it is the last to expire; none that was refused.
    pub fn good_copy(&self) -> Option<&'a str> {
        let promoted = self.promotions.iter().rev().map(String::as_str);
        promoted.chain(self.backup).find(|id| !self.is_bad(id))
    }

    /// Whether a marker means this version. Versions without ids are told apart by their events.
    pub fn is_of(&self, marked: &Marked) -> bool {
        self.version.id == marked.version_id
            && (self.version.id != NULL_VERSION
                || sequencer::compare(self.sequencer, marked.sequencer).is_eq())
    }
}

/// Source order of two versions: `Greater` when `left` is the newer one.
///
/// Where both are still listed at the source, the listing decides. Else last-modified, in whole
/// seconds; within one second a listed `null` version follows all that it has overwritten, then
/// the sequencers decide, and the version ids at last, so that the order is always the same.
///
/// Last-modified comes first because it is what S3 itself goes by: for a multipart upload both are
/// of the moment it began (Amazon S3 User Guide, "Uploading and copying objects using multipart
/// upload in Amazon S3").
pub fn compare(left: &Point, right: &Point, listing: &Listing) -> Ordering {
    let places = (listing.place(&left.version), listing.place(&right.version));
    if let (Some(left), Some(right)) = places {
        return right.cmp(&left);
    }
    let overwritten = left.version.id == NULL_VERSION && right.version.id == NULL_VERSION;
    let listed = if overwritten {
        places.0.is_some().cmp(&places.1.is_some())
    } else {
        Ordering::Equal
    };
    let seconds = |point: &Point| point.version.modified.as_second();
    seconds(left)
        .cmp(&seconds(right))
        .then(listed)
        .then_with(|| sequencer::compare(left.sequencer, right.sequencer))
        .then_with(|| left.version.id.cmp(right.version.id))
        .then_with(|| left.version.etag.cmp(right.version.etag))
}

/// The newest of some points.
///
/// The listed ones are compared among themselves, the others among themselves, and then the two
/// winners: a listing that contradicts the sequencers can thus not make the order run in a circle.
pub fn newest<'p, 'a: 'p>(
    points: impl Iterator<Item = &'p Point<'a>>,
    listing: &Listing,
) -> Option<&'p Point<'a>> {
    let (listed, removed): (Vec<_>, Vec<_>) = points.partition(|point| listing.has(&point.version));
    let newest_of = |some: Vec<&'p Point<'a>>| {
        some.into_iter()
            .max_by(|left, right| compare(left, right, listing))
    };
    newest_of(listed)
        .into_iter()
        .chain(newest_of(removed))
        .max_by(|left, right| compare(left, right, listing))
}
