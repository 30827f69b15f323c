//! The fast path: two HEADs that show that nothing is to do, which is nearly always.

use super::{BackupLatest, Point, Version};

/// The latest version at the source, as its HEAD shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceLatest<'a> {
    /// An object; id `null` where the answer names no version.
    Version(Version<'a>),
    /// Nothing: 404, with or without `x-amz-delete-marker`.
    Deleted,
}

/// Whose settling it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mine<'a> {
    /// A version's, with its point as it is in the catalog now.
    Version(Point<'a>),
    /// A deletion's, under `deletes: mirror`.
    Deletion,
}

/// Whether two HEADs, the source's first, show that nothing is to do.
///
/// They do when the source's latest is this very version and the backup's latest is a good copy of
/// it; for a mirrored deletion, when there is no object on either side. Else read on, and
/// [`settle`](super::settle).
///
/// A copy without a marker (see [`crate::marker::with`]) is known by its recorded version id.
pub fn settled_at_a_glance(mine: &Mine, source: &SourceLatest, backup: &BackupLatest) -> bool {
    match (mine, source, backup) {
        (
            Mine::Version(point),
            SourceLatest::Version(latest),
            BackupLatest::Object { version_id, marked },
        ) => {
            let copy = point.has_copy(version_id) || marked.is_some_and(|mark| point.is_of(&mark));
            point.is_stored() && latest.is(&point.version) && copy && !point.is_bad(version_id)
        }
        (
            Mine::Deletion,
            SourceLatest::Deleted,
            BackupLatest::Nothing | BackupLatest::DeleteMarker,
        ) => true,
        _ => false,
    }
}
