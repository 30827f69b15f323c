//! Which copy must lie on top at the backup, and what is missing to get there.
//!
//! Executions of one key race freely, so versions are copied in any order. The source is the
//! truth: when all is quiet, the backup's latest version is the copy of the newest version, in
//! source order, that is stored. Whoever has written to the backup or to the catalog reads
//! afterwards, acts, and reads again until there is nothing to do ([`settle`]). The last write of
//! all is thus followed by a read that sees the final state.
//!
//! A request that was cut off may take effect later, when nobody reads any more. Such a write is
//! *owed* a settling once it cannot land any longer ([`owed_after`]).

mod glance;
mod owed;
mod source;

use jiff::{SignedDuration, Timestamp};

use crate::catalog::Status;
use crate::error::{ErrorName, Named};
use crate::policy::Deletes;

pub use glance::{Mine, SourceLatest, settled_at_a_glance};
pub use owed::Left;
pub use source::{Listing, Point, Version, compare, newest};

/// Rounds of acting and reading again after which a caller gives up, see [`settle`].
///
/// A second round is needed only where another execution wrote meanwhile.
pub const ROUNDS_MAX: u32 = 8;

/// The latest version at the backup, as its HEAD shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupLatest<'a> {
    /// No version at all.
    Nothing,
    /// A delete marker.
    DeleteMarker,
    /// An object: a copy, or somebody else's.
    Object {
        /// Its version id.
        version_id: &'a str,
        /// Its marker, where it is one of this source bucket and prefix.
        marked: Option<Marked<'a>>,
    },
}

/// What a marker says of the source version, see [`crate::marker::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked<'a> {
    /// Version id at the source, `null` where it has none.
    pub version_id: &'a str,
    /// Sequencer of the event.
    pub sequencer: &'a str,
}

/// What one round of reads shows of one key at one destination.
///
/// Read in this order: the backup's latest, the points, the source. A copy that lies on top then
/// has its point, and a point its version at the source, unless that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View<'a> {
    /// The backup's latest version.
    pub backup: BackupLatest<'a>,
    /// The catalog's points of this key and destination, in any order.
    pub points: Vec<Point<'a>>,
    /// The source's versions.
    pub source: Listing<'a>,
    /// What the policy says of deletions.
    pub deletes: Deletes,
}

impl View<'_> {
    /// Whether this version, which the source has, can be put on top: it is stored, or was stored and
    /// its copies have expired since.
    fn is_ready(&self, version: &Version) -> bool {
        let mut points = self.points.iter();
        points.any(|point| point.was_stored() && point.version.is(version))
    }
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing: either all is right, or a copy that is newer still has its execution at work,
    /// which settles in its turn.
    Done,
    /// Copy this version on top, never with `If-Match`: it compares ETags, and contents repeat.
    Promote {
        /// The version that must be the latest.
        version: Version<'a>,
        /// Where to read it.
        from: From<'a>,
    },
    /// Put a delete marker on the backup (DeleteObject without a version id).
    MarkDeleted,
}

/// Where a promotion reads the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From<'a> {
    /// At the source, by its version id (by its ETag, where that is `null`).
    Source,
    /// At the backup, from the copy with this version id: the source no longer has it.
    Backup(&'a str),
}

/// The order was not settled within [`ROUNDS_MAX`] rounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the backup's latest version was still not the right one after {rounds} rounds")]
pub struct Unsettled {
    /// How many were tried.
    pub rounds: u32,
}

impl Named for Unsettled {
    fn name(&self) -> ErrorName {
        ErrorName::Unsettled
    }
}

/// Decides over one round of reads. The caller acts, reads again and asks again, `round` one
/// higher, until the answer is [`Step::Done`].
///
/// With `deletes: keep` the latest must be the copy of the newest stored version, whatever was
/// deleted at the source; the copy of the source's own latest version will do as well, though a
/// newer one that was removed for good is stored, since two HEADs cannot tell. With `mirror` it must be a delete marker when the source shows one or
/// nothing, else the copy of the newest stored version that the source still has; a delete marker
/// stays until the source's latest version is stored, since to bring an older one back would undo
/// the deletion. A copy counts only with a stored point: a bad one, and one whose execution
/// failed, are as none. No backup version is ever deleted.
///
/// # Limits
/// A copy is known by its recorded version id or by its marker. One whose answer was lost, and that
/// landed beside the recorded one, counts by its marker, though nobody verified it: to count
/// recorded ones alone would let two executions promote over each other's last promotion for ever.
///
/// # Errors
/// [`Unsettled`] when something is still missing in round [`ROUNDS_MAX`], counted from 0.
///
/// # Examples
/// ```
/// use backup_domain::catalog::Status;
/// use backup_domain::order::*;
/// use backup_domain::policy::Deletes;
///
/// let at = |second| jiff::Timestamp::from_second(second).expect("a time");
/// let version = |id, second| Version { id, etag: "e", modified: at(second) };
/// let stored = |version, sequencer, backup| Point {
///     version, sequencer, status: Status::Stored, backup: Some(backup), promotions: &[], bad: &[],
/// };
/// let (v1, v2) = (version("v1", 1), version("v2", 2));
/// let mut view = View {
///     // v1 was copied last:
///     backup: BackupLatest::Object {
///         version_id: "b2",
///         marked: Some(Marked { version_id: "v1", sequencer: "0A" }),
///     },
///     points: vec![stored(v1, "0A", "b2"), stored(v2, "0B", "b1")],
///     source: Listing { versions: vec![v2, v1], delete_marker: false },
///     deletes: Deletes::Keep,
/// };
/// assert_eq!(settle(&view, 0)?, Step::Promote { version: v2, from: From::Source });
///
/// // Now v2 is removed for good, and deletions are mirrored: v1 is the latest on both sides.
/// view.source.versions.remove(0);
/// view.deletes = Deletes::Mirror;
/// assert_eq!(settle(&view, 1)?, Step::Done);
/// # Ok::<(), Unsettled>(())
/// ```
pub fn settle<'a>(view: &View<'a>, round: u32) -> Result<Step<'a>, Unsettled> {
    let step = missing(view);
    if step != Step::Done && round >= ROUNDS_MAX {
        return Err(Unsettled { rounds: round });
    }
    Ok(step)
}

fn missing<'a>(view: &View<'a>) -> Step<'a> {
    let hidden = !matches!(view.backup, BackupLatest::Object { .. });
    if view.deletes == Deletes::Mirror {
        match view.source.latest() {
            None if hidden => return Step::Done,
            None => return Step::MarkDeleted,
            Some(latest) if hidden && !view.is_ready(&latest) => return Step::Done,
            Some(_) => {}
        }
    }
    let Some(target) = target(view) else {
        return Step::Done;
    };
    if let Some(top) = on_top(view) {
        let newer = compare(top, target, &view.source).is_gt();
        let at_work = newer && top.status == Status::Copying;
        let current = top.is_stored() && view.source.latest() == Some(top.version);
        if top.version.is(&target.version) || current || at_work {
            return Step::Done;
        }
    }
    let from = match target.good_copy() {
        Some(copy) if !view.source.has(&target.version) => From::Backup(copy),
        _ => From::Source,
    };
    Step::Promote {
        version: target.version,
        from,
    }
}

/// The version whose copy must be the latest, and therefore never expires; `None` where a mirrored
/// deletion must be, or nothing is stored.
pub fn must_be_latest<'a>(view: &View<'a>) -> Option<Version<'a>> {
    let deleted = view.deletes == Deletes::Mirror && view.source.latest().is_none();
    let target = target(view).filter(|_| !deleted);
    target.map(|point| point.version)
}

/// The point whose copy must be the latest.
fn target<'v, 'a>(view: &'v View<'a>) -> Option<&'v Point<'a>> {
    // An undelete may bring back what was deleted for so long that its copies have expired.
    let ready = |point: &&Point| {
        point.is_stored() && point.good_copy().is_some()
            || point.was_stored() && view.source.has(&point.version)
    };
    let listed = |point: &&Point| view.source.has(&point.version);
    let stored = || view.points.iter().filter(ready);
    match view.deletes {
        Deletes::Keep => newest(stored(), &view.source),
        // Where nothing that the source has is stored, what it had last is still better than nothing.
        Deletes::Mirror => {
            newest(stored().filter(listed), &view.source).or_else(|| newest(stored(), &view.source))
        }
    }
}

/// The point whose copy is the latest, unless that copy is known to be bad.
fn on_top<'v, 'a>(view: &'v View<'a>) -> Option<&'v Point<'a>> {
    let BackupLatest::Object { version_id, marked } = view.backup else {
        return None;
    };
    view.points
        .iter()
        .find(|point| point.has_copy(version_id) || marked.is_some_and(|mark| point.is_of(&mark)))
        .filter(|point| !point.is_bad(version_id))
}

/// The copy on top that is to be recorded before a settling ends: a promotion whose answer was lost, of
/// a version whose other copies have all expired. Its point would stay `expired` though it has a copy.
pub fn unrecorded<'a>(view: &View<'a>) -> Option<(Version<'a>, &'a str)> {
    let BackupLatest::Object { version_id, .. } = view.backup else {
        return None;
    };
    let top = on_top(view)?;
    let lost = top.status == Status::Expired && !top.has_copy(version_id);
    // Only what the source still has can be proven.
    let lost = lost && view.source.has(&top.version);
    lost.then_some((top.version, version_id))
}

/// Whether an execution owes the key a settling before it ends, whatever its own status says.
///
/// True for what is stored, and for every end of an execution that may have left a copy behind:
/// it failed, or an earlier try was cut off before it was gone or superseded.
pub fn must_settle(status: Status, may_have_copied: bool) -> bool {
    match status {
        Status::Stored | Status::Unsettled | Status::Deleted | Status::Expired => true,
        Status::Failed | Status::Gone | Status::Superseded | Status::Skipped => may_have_copied,
        Status::Copying => false,
    }
}

/// When a write to the backup may be taken for ended, landed or not: the moment from which the
/// key is to be settled once more.
///
/// `sent` is when the write was sent, or the latest moment it can have been. Every promotion and
/// every delete marker notes it in the catalog *before* it is sent, and every copy whose earlier
/// try was cut off, since a Lambda that dies cannot note it any more.
pub fn owed_after(sent: Timestamp) -> Timestamp {
    sent.saturating_add(IN_FLIGHT_MAX).unwrap_or(Timestamp::MAX)
}

/// Longest time for which a request whose sender is gone is taken to be still at work: the longest
/// run of a Lambda, and as much again (AWS Lambda Developer Guide, "Lambda quotas": 15 minutes).
pub const IN_FLIGHT_MAX: SignedDuration = SignedDuration::from_mins(30);

#[cfg(test)]
mod tests;
