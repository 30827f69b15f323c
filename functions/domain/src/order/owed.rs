//! What is owed by what failed: a settling, once nothing that was sent can land any more.

use jiff::Timestamp;

use super::owed_after;
use crate::task::{Copied, FailureTask};

/// What a failed execution has, or may have, left at the backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// A copy that was never proven, or an order that was to be settled.
    pub known: bool,
    /// A write whose answer nobody has: it may land later.
    pub may_land: bool,
}

impl Left {
    /// What a failure has left. `sent_nothing` is what it says itself, see
    /// [`crate::error::sent_nothing`].
    pub fn of(task: &FailureTask, sent_nothing: bool) -> Self {
        let copy = task
            .copied
            .as_ref()
            .and_then(|copied| copied.version_id.as_deref());
        // Refused by verification, so that the failure is of the copy made once more.
        let refused = copy.is_some_and(|copy| task.rejected.iter().any(|id| id == copy));
        let settles = |it: &crate::task::Target| it.settle_only.is_some();
        Self {
            known: copy.is_some()
                || !task.rejected.is_empty()
                || task.target.as_ref().is_some_and(settles),
            may_land: match &task.copied {
                Some(Copied { cut_off, .. }) if !refused => *cut_off,
                _ => !sent_nothing,
            },
        }
    }

    /// From when on the key is to be settled: `before` is what its point owes already, and the later
    /// moment wins. `None` where nothing was left.
    ///
    /// ```
    /// use backup_domain::order::{IN_FLIGHT_MAX, Left};
    /// let now = jiff::Timestamp::from_second(1_000).expect("a time");
    /// assert_eq!(Left::default().owes(None, now), None);
    /// let both = Left { known: true, may_land: true };
    /// assert_eq!(both.owes(None, now), Some(now + IN_FLIGHT_MAX));
    /// ```
    pub fn owes(self, before: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let known = self.known.then_some(now);
        let landing = self.may_land.then(|| owed_after(now));
        before.max(known).max(landing)
    }
}
