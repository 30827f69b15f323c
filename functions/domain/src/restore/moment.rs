//! Point in time: what a key was at a moment, by what the catalog knows of it.

mod whole;

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::catalog::{RecoveryPoint, Status};
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

    /// Id of the version or delete marker that it put on top.
    fn id(&self) -> Option<&'p str> {
        let id = self.point.object.version_id.as_deref();
        id.filter(|id| *id != NULL_VERSION && !matches!(self.deed, Deed::Removed(_)))
    }

    /// Source order, see [`crate::order::compare`]: without a listing of the source.
    fn compare(&self, other: &Self) -> Ordering {
        let object = |entry: &Self| &entry.point.object;
        self.second
            .cmp(&other.second)
            .then_with(|| sequencer::compare(&object(self).sequencer, &object(other).sequencer))
            .then_with(|| object(self).version_id.cmp(&object(other).version_id))
            .then_with(|| object(self).etag.cmp(&object(other).etag))
    }
}

/// A delete marker's point is keyed by its version id, any other deletion by its sequencer, see
/// [`crate::event::DeletedEvent::deletion_key`].
///
/// # Limits
/// Where versioning is suspended, the removal of the `null` version by name looks like a delete
/// marker that took its place, and counts as one.
fn deed<'p>(object: &'p SourceObject, deletion: &str) -> Deed<'p> {
    match object.version_id.as_deref() {
        Some(id) if id != NULL_VERSION && id != deletion => Deed::Removed(id),
        _ => Deed::Hid,
    }
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
    let entries: Vec<_> = points
        .iter()
        .map(Entry::of)
        .filter(|entry| entry.second <= at.as_second())
        .collect();
    let is_removed = |entry: &&Entry| {
        entries
            .iter()
            .any(|other| matches!(other.deed, Deed::Removed(id) if Some(id) == entry.id()))
    };
    let latest = entries
        .iter()
        .filter(|entry| !matches!(entry.deed, Deed::Removed(_)))
        .filter(|entry| !is_removed(entry))
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
        Deed::Hid | Deed::Removed(_) => AtMoment::Deleted,
    }
}

/// When the first of some points was written.
pub fn earliest(points: &[RecoveryPoint]) -> Option<Timestamp> {
    let seconds = points.iter().map(|point| Entry::of(point).second);
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
