//! Whether a copy that is not there can have expired by the bucket's lifecycle.
//!
//! S3 counts from the moment the next version of the key was written, rounds up to the next midnight
//! UTC, and works when it comes to it (Amazon S3 User Guide, "Lifecycle configuration elements").

use jiff::Timestamp;

use super::KeyView;
use super::order::as_settled;
use crate::catalog::RecoveryPoint;
use crate::order::must_be_latest;
use crate::policy::Deletes;

const DAY_SECONDS: i64 = 86_400;

/// Whether no copy of a stored point need be there any more: it became noncurrent long enough ago,
/// with enough newer versions above it. The copy that must be the latest never expires.
pub fn may_have_expired(view: &KeyView<'_>, point: &RecoveryPoint) -> bool {
    let Some((lifecycle, days)) = view
        .lifecycle
        .and_then(|it| Some((it, it.noncurrent_days?)))
    else {
        return false;
    };
    let version = point.object.in_order();
    if must_be_latest(&as_settled(view)).is_some_and(|latest| latest.is(&version)) {
        return false;
    }
    let Some(written) = written(point) else {
        return false;
    };
    let kept = lifecycle.newer_noncurrent_versions.unwrap_or_default();
    let listed = view.copies.iter().map(|copy| copy.modified);
    let above = listed.clone().filter(|at| *at > written).count();
    // The latest one, and those that the lifecycle keeps below it.
    if kept > 0 && above <= kept as usize {
        return false;
    }
    // What was above it may have expired too: then its point tells when that was.
    let mirrored =
        |other: &RecoveryPoint| other.object.deletion.is_none() || view.deletes == Deletes::Mirror;
    let others = view
        .points
        .iter()
        .filter(|it| it.sk != point.sk && mirrored(it));
    let later = listed.chain(others.filter_map(self::written));
    let Some(noncurrent) = later.filter(|at| *at > written).min() else {
        return false;
    };
    expires(noncurrent, days) <= view.now
}

/// When S3 may expire what is noncurrent since then: never earlier.
fn expires(noncurrent: Timestamp, days: u32) -> Timestamp {
    let over = noncurrent.as_second() + i64::from(days) * DAY_SECONDS;
    let midnights = over / DAY_SECONDS + i64::from(over % DAY_SECONDS > 0);
    Timestamp::from_second(midnights * DAY_SECONDS).unwrap_or(Timestamp::MAX)
}

/// When its copy was written to the backup, or its delete marker.
fn written(point: &RecoveryPoint) -> Option<Timestamp> {
    point.copied_at.or(point.verified_at).or(point.ended_at)
}
