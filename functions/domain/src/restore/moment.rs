//! Point in time: what a key was at a moment, by what the catalog knows of it.

mod whole;

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::catalog::{RecoveryPoint, Status};
use crate::event::Deletion;
use crate::object::{NULL_VERSION, SourceObject};
use crate::sequencer;

pub use whole::whole_from;

/// What a key was at a moment.
#[derive(Debug, Clone, PartialEq)]
pub enum AtMoment<'p> {
    /// It had no version yet.
    NotYet,
    /// It was deleted.
    Deleted,
    /// This version was the latest, and has a proven copy.
    Offered {
        /// Its point, where several destinations have one: the one to restore from.
        point: &'p RecoveryPoint,
        /// Version id of the copy.
        copy: &'p str,
    },
    /// This version was the latest, and has no copy. An older one would be a lie.
    Missing {
        /// Its point.
        point: &'p RecoveryPoint,
        /// Why there is none.
        why: String,
    },
}

/// What was done to a key by one of its points.
enum Deed<'p> {
    /// This version became the latest.
    Wrote,
    /// The key was hidden or, without versions, removed.
    Hid,
    /// This version was removed for good.
    Removed(&'p str),
    /// The version without an id of its own, or the delete marker in its place, was removed for good.
    RemovedNull,
}

struct Entry<'p> {
    point: &'p RecoveryPoint,
    second: i64,
    deed: Deed<'p>,
}

impl<'p> Entry<'p> {
    fn of(point: &'p RecoveryPoint) -> Self {
        let object = &point.object;
        let at = object.last_modified.unwrap_or(object.event_at);
        let (at, deed) = match &object.deletion {
            None => (at, Deed::Wrote),
            Some(deletion) => (object.event_at, deed(object, deletion)),
        };
        Self {
            point,
            second: at.as_second(),
            deed,
        }
    }

    fn sequencer(&self) -> &'p str {
        &self.point.object.sequencer
    }

    /// Id of the version or delete marker that it put on top; of one that removed something, none.
    fn id(&self) -> Option<&'p str> {
        let id = self.point.object.version_id.as_deref();
        match self.deed {
            Deed::Wrote | Deed::Hid => Some(id.unwrap_or(NULL_VERSION)),
            Deed::Removed(_) | Deed::RemovedNull => None,
        }
    }

    /// Whether it removed for good what `other` had put on top. There is one `null` at a time: what
    /// it had overwritten before does not come back.
    fn removes(&self, other: &Self) -> bool {
        match self.deed {
            Deed::Wrote | Deed::Hid => false,
            Deed::Removed(id) => other.id() == Some(id),
            Deed::RemovedNull => other.id() == Some(NULL_VERSION) && self.compare(other).is_gt(),
        }
    }

    /// Source order, see [`crate::order::compare`]: without a listing of the source.
    fn compare(&self, other: &Self) -> Ordering {
        let object = |entry: &Self| &entry.point.object;
        self.second
            .cmp(&other.second)
            .then_with(|| sequencer::compare(self.sequencer(), other.sequencer()))
            .then_with(|| object(self).version_id.cmp(&object(other).version_id))
            .then_with(|| object(self).etag.cmp(&object(other).etag))
    }
}

/// A delete marker's point is keyed by its version id, any other deletion by its sequencer, see
/// [`crate::event::DeletedEvent::deletion_key`].
///
/// # Limits
/// Of a point that a release before this kind was kept has written, the removal of the `null` version
/// by name looks like a delete marker that took its place, and counts as one.
fn deed<'p>(object: &'p SourceObject, deletion: &str) -> Deed<'p> {
    match object.version_id.as_deref() {
        Some(id) if id != NULL_VERSION && id != deletion => Deed::Removed(id),
        Some(id) if id != NULL_VERSION => Deed::Hid,
        _ if object.deletion_type == Some(Deletion::Permanent) => Deed::RemovedNull,
        _ => Deed::Hid,
    }
}

/// Most seconds between the stamp of a deletion, which EventBridge gives, and that of a write beside
/// it, which S3 gives, within which their sequencers are believed.
const STAMPS_DIFFER_SECONDS: i64 = 10;

/// What the points say was done, in no order.
///
/// A write is known by its last-modified, a live deletion only by the time of its event: where that
/// contradicts the sequencers of what happened within a few seconds, it is put between what came
/// before and after it. What a listing told has the listing's time, and stays.
fn entries(points: &[RecoveryPoint]) -> Vec<Entry<'_>> {
    let all = points.iter().map(Entry::of);
    let (mut told, mut placed): (Vec<_>, Vec<_>) =
        all.partition(|entry| !entry.point.object.is_untold());
    if told.iter().all(|entry| matches!(entry.deed, Deed::Wrote)) {
        placed.extend(told);
        return placed;
    }
    told.sort_by(|left, right| sequencer::compare(left.sequencer(), right.sequencer()));
    let is_write = |entry: &Entry<'_>| matches!(entry.deed, Deed::Wrote);
    let stamps: Vec<_> = told
        .iter()
        .map(|entry| (entry.second, is_write(entry)))
        .collect();
    // No deletion later than the next write, then none earlier than what came before it.
    let mut next = None;
    for (place, (second, is_write)) in stamps.iter().enumerate().rev() {
        if *is_write {
            next = Some(next.map_or(*second, |next: i64| next.min(*second)));
        } else if let Some(next) = next.filter(|next| is_near(*second, *next)) {
            told[place].second = next;
        }
    }
    let mut last = None;
    for (entry, (_, is_write)) in told.iter_mut().zip(&stamps) {
        if !is_write && let Some(last) = last.filter(|last| is_near(*last, entry.second)) {
            entry.second = last;
        }
        last = Some(last.map_or(entry.second, |last: i64| last.max(entry.second)));
    }
    placed.extend(told);
    placed
}

/// Whether `late` is later than `early`, and by no more than stamps differ.
fn is_near(late: i64, early: i64) -> bool {
    (1..=STAMPS_DIFFER_SECONDS).contains(&(late - early))
}

/// What a key was at the end of the second of `at`, by all of its points, of every destination.
///
/// The newest in source order of what was there: versions and delete markers that were written and
/// not removed for good by then. Where several destinations have a copy, `destination` goes first,
/// then classes that can be read at once.
pub fn at_moment<'p>(
    points: &'p [RecoveryPoint],
    at: Timestamp,
    destination: Option<&str>,
) -> AtMoment<'p> {
    let mut entries = entries(points);
    entries.retain(|entry| entry.second <= at.as_second());
    let is_removed = |entry: &&Entry| entries.iter().any(|other| other.removes(entry));
    let latest = entries
        .iter()
        .filter(|entry| entry.id().is_some() && !is_removed(entry))
        .max_by(|left, right| left.compare(right));
    let Some(latest) = latest else {
        return if entries.is_empty() {
            AtMoment::NotYet
        } else {
            AtMoment::Deleted
        };
    };
    match latest.deed {
        Deed::Wrote => copy_of(points, latest.point, destination),
        Deed::Hid | Deed::Removed(_) | Deed::RemovedNull => AtMoment::Deleted,
    }
}

/// Whether a backup has ever heard of a version of the key: a deletion alone says nothing of it, since
/// it is recorded wherever a rule may take the key.
pub fn is_backed_up(points: &[RecoveryPoint]) -> bool {
    points.iter().any(|point| point.object.deletion.is_none())
}

/// When the first version of some points was written.
pub fn earliest(points: &[RecoveryPoint]) -> Option<Timestamp> {
    let versions = points
        .iter()
        .filter(|point| point.object.deletion.is_none());
    let seconds = versions.map(|point| Entry::of(point).second);
    seconds
        .min()
        .and_then(|second| Timestamp::from_second(second).ok())
}

fn copy_of<'p>(
    points: &'p [RecoveryPoint],
    version: &'p RecoveryPoint,
    destination: Option<&str>,
) -> AtMoment<'p> {
    let same = |point: &&RecoveryPoint| point.object.version_key() == version.object.version_key();
    let stored = points.iter().filter(same).filter_map(|point| {
        let copy = point.in_order().good_copy()?;
        (point.in_order().is_stored() && point.backup.is_some()).then_some((point, copy))
    });
    let best = stored.min_by_key(|(point, _)| {
        let class = point
            .backup
            .as_ref()
            .and_then(|it| it.storage_class.as_deref());
        let wished = destination == Some(point.destination.as_str());
        (!wished, class.is_some_and(is_archive), &point.destination)
    });
    if let Some((point, copy)) = best {
        return AtMoment::Offered { point, copy };
    }
    // That its copy has expired says more than that another destination never had one.
    let expired = |point: &&RecoveryPoint| point.status == Status::Expired;
    let point = points.iter().filter(same).find(expired).unwrap_or(version);
    AtMoment::Missing {
        point,
        why: why(point),
    }
}

/// Whether copies of this class must be brought back before they can be read.
pub fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "DEEP_ARCHIVE")
}

fn why(point: &RecoveryPoint) -> String {
    let said = point.message.as_deref().or(point.error.as_deref());
    let status = match point.status {
        Status::Stored | Status::Unsettled => "its copies were refused by verification",
        Status::Copying => "it is still being copied",
        Status::Gone => "it was removed before it could be copied",
        Status::Superseded => "it was overwritten before it could be copied",
        Status::Skipped => "it was not to be copied",
        Status::Deleted | Status::Failed => "its backup failed",
        Status::Expired => {
            let on = point.expired_at.map(|at| format!(" on {at}"));
            return format!("its copy expired{}", on.unwrap_or_default());
        }
    };
    match said {
        Some(said) => format!("{status}: {said}"),
        None => status.to_owned(),
    }
}

#[cfg(test)]
pub mod tests;
