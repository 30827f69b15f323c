//! Who may back up one version to one destination: the lease that Filter takes in the catalog.

use jiff::Timestamp;

use crate::catalog::{RecoveryPoint, Status};
use crate::object::SourceObject;
use crate::task::Machine;

/// What the catalog holds of the version, when a first conditional write was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its status.
    pub status: Status,
    /// Owner of the lease.
    pub owner: String,
    /// What the owner runs on.
    pub machine: Machine,
    /// When the lease ends.
    pub until: Timestamp,
    /// Executions that have tried.
    pub attempts: u32,
}

impl From<&RecoveryPoint> for Held {
    fn from(point: &RecoveryPoint) -> Self {
        Self {
            status: point.status,
            owner: point.owner.clone(),
            machine: point.machine,
            until: point.until,
            attempts: point.attempts,
        }
    }
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Take it, on condition that nothing changed meanwhile.
    TakeOver,
    /// Done before: this event is a duplicate, which settles where [`crate::order::must_settle`]
    /// says so, since the execution that stored it may have died before it could.
    Done(Status),
    /// A live lease of a Standard execution: ask whether it still runs; if not, take over, else see
    /// [`must_come_again`].
    AskOwner,
    /// A live lease of an EXPRESS execution, which cannot be asked: see [`must_come_again`].
    Held,
}

/// How long a lease lasts, in seconds.
///
/// Behind the machine's time-out and the longest time-out of a function, so that the holder of an
/// expired lease cannot be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseSeconds {
    /// On the Standard machine.
    pub standard: i64,
    /// On the EXPRESS machine.
    pub express: i64,
}

impl LeaseSeconds {
    /// On this machine.
    pub const fn on(self, machine: Machine) -> i64 {
        match machine {
            Machine::Standard => self.standard,
            Machine::Express => self.express,
        }
    }
}

/// Whether the event of an execution that runs on `machine` must come again, since somebody else
/// holds a live lease.
///
/// An EXPRESS execution answers for its message: acknowledged while another one is at work, the
/// message would be gone if that one dies. A Standard execution has no message. It may leave the work
/// to the holder: a Standard holder ends it or is watched; an EXPRESS holder has a message of its own
/// that comes again until the version is stored, and once its lease has expired the sweep looks after
/// it.
pub fn must_come_again(machine: Machine) -> bool {
    machine == Machine::Express
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
        | Status::Expired
        | Status::Skipped => Claim::Done(held.status),
        Status::Failed => Claim::TakeOver,
        Status::Copying => {
            let named = held.owner == owner || redriven_owner == Some(held.owner.as_str());
            if named || held.until <= now {
                Claim::TakeOver
            } else {
                match held.machine {
                    Machine::Standard => Claim::AskOwner,
                    Machine::Express => Claim::Held,
                }
            }
        }
    }
}

/// Whether this end says that a version was not there: a listing that shows it refutes that, and it
/// is to be backed up after all.
pub const fn is_refutable(status: Status) -> bool {
    matches!(status, Status::Gone | Status::Superseded)
}

/// Whether a version that ended as gone or superseded is opened again, since the source shows it now
/// under its own id, or under none with its ETag: `modified` is the last-modified that was found there.
///
/// What is without an id of its own is overwritten in place, and contents repeat: what was written
/// after `object`'s event is another version, with an event of its own.
pub fn is_back(object: &SourceObject, modified: Option<Timestamp>) -> bool {
    let Some(modified) = modified else {
        return false;
    };
    let latest = object.event_at.as_second() + CLOCKS_DIFFER_SECONDS;
    object.pinned_version().is_some() || modified.as_second() <= latest
}

/// An event may be stamped a little before the object that it tells of.
const CLOCKS_DIFFER_SECONDS: i64 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixtures::object;

    #[test]
    fn what_was_gone_is_opened_again_where_the_source_shows_it_and_no_later_write_of_the_same_content()
     {
        for (id, after, back) in [
            (Some("v1"), 3600, true),
            (Some("null"), -3600, true),
            (Some("null"), 1, true),
            (Some("null"), 3600, false),
            (None, 3600, false),
            (None, 0, true),
        ] {
            let object = object("k", id);
            let modified = object.event_at + jiff::SignedDuration::from_secs(after);
            assert_eq!(is_back(&object, Some(modified)), back, "{id:?} {after}");
            assert!(!is_back(&object, None));
        }
        for (status, refutable) in [
            (Status::Gone, true),
            (Status::Superseded, true),
            (Status::Stored, false),
            (Status::Skipped, false),
            (Status::Deleted, false),
            (Status::Expired, false),
        ] {
            assert_eq!(is_refutable(status), refutable, "{status:?}");
        }
    }

    fn held(status: Status, until: &str) -> Held {
        Held {
            status,
            owner: "other".into(),
            machine: Machine::Standard,
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
            Status::Expired,
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

    #[test]
    fn an_express_owner_is_never_asked_and_taken_over_when_its_lease_has_expired() {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
        let on_express = |status, until| Held {
            machine: Machine::Express,
            ..held(status, until)
        };
        let (past, future) = ("2026-10-31T00:00:00Z", "2026-11-02T00:00:00Z");
        for (status, until, redriven, expected) in [
            (Status::Copying, future, None, Claim::Held),
            (Status::Copying, past, None, Claim::TakeOver),
            (Status::Copying, future, Some("other"), Claim::TakeOver),
            (Status::Failed, future, None, Claim::TakeOver),
            (Status::Stored, future, None, Claim::Done(Status::Stored)),
        ] {
            let held = on_express(status, until);
            assert_eq!(claim(&held, "me", redriven, now), expected, "{held:?}");
        }
        let held = on_express(Status::Copying, future);
        assert_eq!(claim(&held, "other", None, now), Claim::TakeOver);
    }

    #[test]
    fn only_an_execution_with_a_message_sends_its_event_again() {
        assert!(must_come_again(Machine::Express) && !must_come_again(Machine::Standard));
    }
}
