//! From which moment on a key can be restored, where some of its copies have expired.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::entries;
use crate::catalog::{RecoveryPoint, Status};

/// The first moment from which on nothing that has expired was the latest version of the key;
/// `None` where nothing has. [`Timestamp::MAX`] where the key still is what has expired.
///
/// Never too early: where a later version was removed for good, the moments until the next one that
/// was not count as lost too.
pub fn whole_from(points: &[RecoveryPoint]) -> Option<Timestamp> {
    let has_expired = |point: &RecoveryPoint| point.status == Status::Expired;
    if !points.iter().any(has_expired) {
        return None;
    }
    let key = |point: &RecoveryPoint| point.object.version_key();
    let offered: BTreeSet<_> = points
        .iter()
        .filter(|point| point.in_order().is_stored())
        .map(key)
        .collect();
    let lost: BTreeSet<_> = points
        .iter()
        .filter(|it| has_expired(it))
        .map(key)
        .collect();
    // One entry a version, however many destinations have a point of it.
    let mut seen = BTreeSet::new();
    let mut all = entries(points);
    all.retain(|entry| seen.insert(key(entry.point)));
    let (mut entries, removals): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|entry| entry.id().is_some());
    entries.sort_by(|left, right| right.compare(left));
    let (mut next, mut whole): (Option<i64>, Option<Timestamp>) = (None, None);
    for entry in entries {
        let removed = removals.iter().filter(|removal| removal.removes(&entry));
        let removal = removed.map(|removal| removal.second).min();
        let key = key(entry.point);
        if lost.contains(&key) && !offered.contains(&key) {
            let until = next.into_iter().chain(removal).min();
            let until = until.and_then(|second| Timestamp::from_second(second).ok());
            whole = whole.max(Some(until.unwrap_or(Timestamp::MAX)));
        }
        if removal.is_none() {
            next = Some(next.map_or(entry.second, |next| next.min(entry.second)));
        }
    }
    whole
}
