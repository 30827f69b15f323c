//! One key at one destination: what the listings and the catalog say of it, against each other.

mod copies;
mod expiry;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Kind};
use super::totals::Pending;
use crate::catalog::{RecoveryPoint, Status};
use crate::lifecycle::Lifecycle;
use crate::limits::MIB;
use crate::object::NULL_VERSION;
use crate::order::Version;
use crate::policy::Deletes;
use crate::sequencer;

/// Slowest pace, in bytes a second, at which a copy counts as alive: a whole object of 1 GiB may
/// take a minute and a half beyond [`COPYING_MAX`].
const PACE: u64 = 12 * MIB;
/// Longest a copy may take whatever its size: retries and waits of throttled calls included.
const COPYING_MAX: SignedDuration = SignedDuration::from_hours(1);

/// A version or delete marker of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Version id, `null` where the bucket keeps none.
    pub id: String,
    /// Size in bytes.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Last-modified.
    pub modified: Timestamp,
    /// Storage class.
    pub class: String,
    /// Whether a plain GET finds it.
    pub latest: bool,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
}

impl Entry {
    /// As the order of versions sees it.
    pub fn in_order(&self) -> Version<'_> {
        Version {
            id: if self.id.is_empty() {
                NULL_VERSION
            } else {
                &self.id
            },
            etag: &self.etag,
            modified: self.modified,
        }
    }
}

/// What a HEAD shows of a backup version that no recovery point knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stray {
    /// It carries no marker.
    Foreign,
    /// It carries the marker of another bucket's or prefix's backup.
    Other,
    /// It carries ours.
    Ours {
        /// Version id at the source.
        version_id: String,
        /// Sequencer of the event.
        sequencer: String,
        /// Whether it is tagged as bad.
        bad: bool,
    },
    /// It is gone by now.
    Gone,
}

/// All that is known of a key at a destination.
#[derive(Debug, Clone, Copy)]
pub struct KeyView<'a> {
    /// Source bucket.
    pub bucket: &'a str,
    /// Key at the source.
    pub key: &'a str,
    /// Name of the destination.
    pub destination: &'a str,
    /// Versions and delete markers at the source, the newest first.
    pub source: &'a [Entry],
    /// For each of them whether the policy wants it here.
    pub wanted: &'a [bool],
    /// Versions and delete markers at the backup, the newest first.
    pub copies: &'a [Entry],
    /// The catalog's points of this key and destination, deletions among them.
    pub points: &'a [RecoveryPoint],
    /// What the HEADs of [`unexplained`] copies show, by version id.
    pub strays: &'a BTreeMap<String, Stray>,
    /// What the rule says of deletions.
    pub deletes: Deletes,
    /// What the bucket's lifecycle is said to do.
    pub lifecycle: Option<&'a Lifecycle>,
    /// What is younger may still be under way.
    pub due_before: Timestamp,
    /// The moment of the audit.
    pub now: Timestamp,
    /// How long a lease is given for.
    pub lease: SignedDuration,
}

/// What comes of comparing one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The differences.
    pub findings: Vec<Finding>,
    /// What is not yet due.
    pub pending: Pending,
    /// Recovery points with a copy that is there: index of the point, index of the copy.
    pub held: Vec<(usize, usize)>,
}

/// The versions at the backup that no recovery point knows and that are old enough to be known: a
/// HEAD says whose they are.
pub fn unexplained<'a>(
    copies: &'a [Entry],
    points: &[RecoveryPoint],
    due_before: Timestamp,
) -> Vec<&'a str> {
    let known: BTreeSet<&str> = points.iter().flat_map(copies_of).collect();
    copies
        .iter()
        .filter(|copy| !copy.delete_marker && copy.modified < due_before)
        .map(|copy| copy.id.as_str())
        .filter(|id| !known.contains(id))
        .collect()
}

/// Version ids of all copies that a point has recorded, the bad ones too.
fn copies_of(point: &RecoveryPoint) -> impl Iterator<Item = &str> {
    let recorded = point.backup.iter().map(|copy| copy.version_id.as_str());
    let more = point.promotions.iter().chain(&point.bad);
    recorded.chain(more.map(String::as_str))
}

/// Compares one key at one destination.
pub fn compare(view: &KeyView<'_>) -> Compared {
    let mut compared = Compared::default();
    let mut whole = true;
    for (at, point) in view.points.iter().enumerate() {
        whole &= of_point(view, at, point, &mut compared);
    }
    for (entry, wanted) in view.source.iter().zip(view.wanted) {
        if *wanted && !entry.delete_marker {
            of_version(view, entry, &mut compared);
        }
    }
    copies::of_copies(view, &mut compared);
    let unproven = |finding: &Finding| finding.finding == Kind::CopyWithoutPoint;
    let quiet = compared.pending.versions == 0 && order::is_quiet(view);
    if whole && quiet && !compared.findings.iter().any(unproven) {
        order::of_order(view, &mut compared);
    }
    compared
}

/// What a point says of itself, and whether its copy is there; `false` where the order cannot be
/// judged by it.
fn of_point(view: &KeyView<'_>, at: usize, point: &RecoveryPoint, compared: &mut Compared) -> bool {
    let found = |kind, detail: String| of_point_as(point, kind, detail);
    match point.status {
        Status::Copying if is_stuck(view, point) => {
            let owner = crate::task::Execution::arn_of(&point.owner);
            let detail = format!("{owner} has held it since {}", taken_at(view, point));
            compared.findings.push(found(Kind::Stuck, detail));
        }
        Status::Copying => {
            let since = point.object.last_modified.unwrap_or(point.object.event_at);
            compared.pending.add(point.object.size, since);
        }
        Status::Failed => {
            let error = point.error.as_deref().unwrap_or("unknown error");
            let message = point.message.as_deref().unwrap_or_default();
            let detail = format!("{error}: {message}");
            compared.findings.push(found(Kind::Failed, detail));
        }
        Status::Unsettled if is_due(view, point) => {
            let detail = point.message.clone().unwrap_or_default();
            compared.findings.push(found(Kind::Unsettled, detail));
        }
        _ => {}
    }
    if !matches!(point.status, Status::Stored | Status::Unsettled)
        || point.object.deletion.is_some()
    {
        return true;
    }
    let bad: BTreeSet<&str> = point.bad.iter().map(String::as_str).collect();
    let good: BTreeSet<&str> = copies_of(point).filter(|id| !bad.contains(id)).collect();
    let mut there = false;
    for (copy, entry) in view.copies.iter().enumerate() {
        if entry.delete_marker || !good.contains(entry.id.as_str()) {
            continue;
        }
        there = true;
        compared.held.push((at, copy));
        let mut differs = |kind, detail| {
            let mut finding = found(kind, detail);
            finding.backup_version_id = Some(entry.id.clone());
            compared.findings.push(finding);
        };
        if entry.size != point.object.size {
            let (copy, source) = (entry.size, point.object.size);
            differs(Kind::SizeDiffers, format!("{copy} bytes for {source}"));
        } else if let Some(detail) = super::sums::etag_differs(point, entry) {
            differs(Kind::ChecksumDiffers, detail);
        }
    }
    if there || !is_due(view, point) {
        return there;
    }
    if expiry::may_have_expired(view, point) {
        for id in good {
            let detail = format!("version {id} is gone, as the bucket's lifecycle may have it");
            let mut finding = found(Kind::Expired, detail);
            finding.backup_version_id = Some(id.to_owned());
            compared.findings.push(finding);
        }
        return true;
    }
    let ids = good.into_iter().collect::<Vec<_>>().join(", ");
    let detail = format!("none of these versions is listed: {ids}");
    compared
        .findings
        .push(found(Kind::PointWithoutCopy, detail));
    false
}

/// A finding about the version of a point.
pub fn of_point_as(point: &RecoveryPoint, finding: Kind, detail: String) -> Finding {
    let object = &point.object;
    Finding {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        finding,
        destination: point.destination.clone(),
        version_id: object.version_id.clone(),
        size: Some(object.size),
        etag: Some(object.etag.clone()),
        // Most events name a version id, and nobody has asked for more of a version that failed.
        last_modified: object.last_modified.or(Some(object.event_at)),
        sequencer: Some(object.sequencer.clone()),
        backup_version_id: point.backup.as_ref().map(|copy| copy.version_id.clone()),
        detail,
    }
}

/// A version that the policy wants here, and that no point answers for.
fn of_version(view: &KeyView<'_>, entry: &Entry, compared: &mut Compared) {
    let version = entry.in_order();
    let mut own = view
        .points
        .iter()
        .filter(|point| point.object.deletion.is_none() && point.object.in_order().is(&version));
    // Gone and superseded say that there was nothing to copy: yet there it is.
    let answers =
        |point: &RecoveryPoint| !matches!(point.status, Status::Gone | Status::Superseded);
    if own.any(answers) {
        return;
    }
    if entry.modified >= view.due_before {
        return compared.pending.add(entry.size, entry.modified);
    }
    let copied = view.copies.iter().any(|copy| {
        let mark = copies::mark_of(view, copy);
        mark.is_some_and(|mark| copies::is_copy_of(view, copy, mark, entry))
    });
    // Then the copy itself is the finding.
    if !copied {
        let finding = of_entry(view, entry, Kind::Missing, String::new());
        compared.findings.push(finding);
    }
}

fn of_entry(view: &KeyView<'_>, entry: &Entry, finding: Kind, detail: String) -> Finding {
    Finding {
        bucket: view.bucket.to_owned(),
        key: view.key.to_owned(),
        finding,
        destination: view.destination.to_owned(),
        version_id: Some(entry.id.clone()),
        size: Some(entry.size),
        etag: Some(entry.etag.clone()),
        last_modified: Some(entry.modified),
        sequencer: of_rank(view, entry),
        backup_version_id: None,
        detail,
    }
}

/// What orders it among those of its second, where it is not the first of them: the event that a repair
/// makes has it.
fn of_rank(view: &KeyView<'_>, entry: &Entry) -> Option<String> {
    let mut listed = view.source.iter();
    listed.find(|other| other.id == entry.id)?;
    let rank = sequencer::rank(entry.modified, listed.map(|older| older.modified));
    (rank > 0).then(|| sequencer::of_second(entry.modified, rank))
}

fn is_due(view: &KeyView<'_>, point: &RecoveryPoint) -> bool {
    point.ended_at.is_none_or(|at| at < view.due_before)
}

fn taken_at(view: &KeyView<'_>, point: &RecoveryPoint) -> Timestamp {
    point.until.saturating_sub(view.lease).unwrap_or_default()
}

/// Whether a lease has run out, or has been held longer than a copy of that size can take. Leases of
/// Express executions are short, and run out by themselves.
fn is_stuck(view: &KeyView<'_>, point: &RecoveryPoint) -> bool {
    let seconds = i64::try_from(point.object.size / PACE).unwrap_or(i64::MAX);
    let longest = COPYING_MAX.saturating_add(SignedDuration::from_secs(seconds));
    let late = taken_at(view, point)
        .saturating_add(longest)
        .unwrap_or(Timestamp::MAX);
    let express = point.owner.contains(":express:");
    point.until <= view.now || !express && late <= view.now
}

#[cfg(test)]
pub(crate) mod tests;
