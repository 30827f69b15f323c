//! Who may back up one version to one destination: the lease that Filter takes in the catalog.

use jiff::Timestamp;

use crate::catalog::Status;

/// What the catalog holds of the version, when a first conditional write was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its status.
    pub status: Status,
    /// Owner of the lease.
    pub owner: String,
    /// When the lease ends.
    pub until: Timestamp,
    /// Executions that have tried.
    pub attempts: u32,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Take it, on condition that nothing changed meanwhile.
    TakeOver,
    /// Done before: this event is a duplicate, which settles where [`crate::order::must_settle`]
    /// says so, since the execution that stored it may have died before it could.
    Done(Status),
    /// A live lease: ask whether its owner still runs; if not, take over, else it is a duplicate.
    AskOwner,
}

/// Decides over what `held` shows.
///
/// `until` lies behind the machine's time-out plus the longest Lambda time-out, so the holder of an
/// expired lease cannot be alive.
pub fn claim(held: &Held, owner: &str, redriven_owner: Option<&str>, now: Timestamp) -> Claim {
    match held.status {
        Status::Stored
        | Status::Unsettled
        | Status::Gone
        | Status::Superseded
        | Status::Deleted
        | Status::Skipped => Claim::Done(held.status),
        Status::Failed => Claim::TakeOver,
        Status::Copying => {
            let named = held.owner == owner || redriven_owner == Some(held.owner.as_str());
            if named || held.until <= now {
                Claim::TakeOver
            } else {
                Claim::AskOwner
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(status: Status, until: &str) -> Held {
        Held {
            status,
            owner: "other".into(),
            until: until.parse().expect("a time"),
            attempts: 1,
        }
    }

    #[test]
    fn every_status_has_its_claim() {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
        let (past, future) = ("2026-10-31T00:00:00Z", "2026-11-02T00:00:00Z");
        for done in [
            Status::Stored,
            Status::Unsettled,
            Status::Gone,
            Status::Superseded,
            Status::Skipped,
        ] {
            assert_eq!(
                claim(&held(done, past), "me", Some("other"), now),
                Claim::Done(done)
            );
        }
        assert_eq!(
            claim(&held(Status::Failed, future), "me", None, now),
            Claim::TakeOver
        );
        assert_eq!(
            claim(&held(Status::Copying, past), "me", None, now),
            Claim::TakeOver
        );
        assert_eq!(
            claim(&held(Status::Copying, future), "me", None, now),
            Claim::AskOwner
        );
        assert_eq!(
            claim(&held(Status::Copying, future), "other", None, now),
            Claim::TakeOver
        );
        assert_eq!(
            claim(&held(Status::Copying, future), "me", Some("other"), now),
            Claim::TakeOver
        );
        assert_eq!(
            claim(&held(Status::Copying, future), "me", Some("third"), now),
            Claim::AskOwner
        );
    }
}
