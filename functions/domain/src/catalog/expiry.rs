//! What becomes of a recovery point when one of its copies expires.

use super::{BackupVersion, RecoveryPoint};

/// What an expiry leaves of a point that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Other copies: the recorded one, and the promotions beside it.
    Copies(BackupVersion, Vec<String>),
    /// None that is good: the point is expired.
    Nothing,
}

impl RecoveryPoint {
    /// What is left once the backup version `version_id` has expired; `None` where it is no good copy
    /// of a stored point, so that there is nothing to do: another's, a refused one, or one that was
    /// taken off before.
    pub fn without(&self, version_id: &str) -> Option<Left> {
        let (point, backup) = (self.in_order(), self.backup.as_ref()?);
        if !point.is_stored() || point.is_bad(version_id) || !point.has_copy(version_id) {
            return None;
        }
        let is_left = |id: &&String| *id != version_id;
        let mut promotions: Vec<_> = self.promotions.iter().filter(is_left).cloned().collect();
        if backup.version_id != version_id && !point.is_bad(&backup.version_id) {
            return Some(Left::Copies(backup.clone(), promotions));
        }
        let Some(newest) = promotions.iter().rposition(|id| !point.is_bad(id)) else {
            return Some(Left::Nothing);
        };
        let backup = BackupVersion {
            version_id: promotions.remove(newest),
            storage_class: None,
            ..backup.clone()
        };
        Some(Left::Copies(backup, promotions))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::compare::tests::stored_point;
    use crate::catalog::Status;

    fn point(promotions: &[&str], bad: &[&str]) -> RecoveryPoint {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        RecoveryPoint {
            promotions: owned(promotions),
            bad: owned(bad),
            ..stored_point("k")
        }
    }

    fn copies(left: Option<Left>) -> Option<Vec<String>> {
        match left? {
            Left::Copies(backup, promotions) => {
                Some([vec![backup.version_id], promotions].concat())
            }
            Left::Nothing => Some(vec![]),
        }
    }

    #[test]
    fn the_last_copy_that_expires_leaves_nothing_and_another_one_leaves_the_rest() {
        assert_eq!(point(&[], &[]).without("b1"), Some(Left::Nothing));
        let left = |point: &RecoveryPoint, id| copies(point.without(id));
        let promoted = point(&["p1", "p2"], &[]);
        assert_eq!(
            left(&promoted, "b1"),
            Some(vec!["p2".into(), "p1".into()]),
            "the last made is the last to expire"
        );
        assert_eq!(left(&promoted, "p1"), Some(vec!["b1".into(), "p2".into()]));
        // A refused copy is none to fall back on, and its own expiry changes nothing.
        let refused = point(&["p1"], &["p1"]);
        assert_eq!(left(&refused, "b1"), Some(vec![]));
        assert_eq!(left(&refused, "p1"), None);
    }

    #[test]
    fn what_is_no_copy_of_a_stored_point_changes_nothing() {
        assert_eq!(point(&[], &[]).without("unknown"), None);
        for status in [
            Status::Copying,
            Status::Failed,
            Status::Gone,
            Status::Expired,
        ] {
            let other = RecoveryPoint {
                status,
                ..point(&[], &[])
            };
            assert_eq!(other.without("b1"), None, "{status:?}");
        }
    }

    proptest! {
        /// In whatever order the copies expire, and however often each is told: nothing is left in
        /// the end, and what is offered meanwhile has not expired.
        #[test]
        fn expiries_in_any_order_and_doubled_leave_nothing(
            order in Just(vec!["b1", "p1", "p2", "p3", "b1", "p1", "p2", "p3"]).prop_shuffle(),
        ) {
            let mut point = point(&["p1", "p2", "p3"], &[]);
            let mut gone = Vec::new();
            for id in order {
                match point.without(id) {
                    Some(Left::Copies(backup, promotions)) => {
                        (point.backup, point.promotions) = (Some(backup), promotions);
                    }
                    Some(Left::Nothing) => point.status = Status::Expired,
                    None => {}
                }
                gone.push(id);
                if point.status == Status::Stored {
                    let offered = point.in_order().good_copy().expect("it is stored");
                    prop_assert!(!gone.contains(&offered));
                }
            }
            prop_assert_eq!(point.status, Status::Expired);
        }
    }
}
