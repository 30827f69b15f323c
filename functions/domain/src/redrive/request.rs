//! What is asked of a redrive.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The clock that starts runs is not exact.
const EARLY: SignedDuration = SignedDuration::from_mins(2);

/// Input of the function; its rule sends `{"byTheClock": true}`. Unknown fields are refused: a misspelt filter would
/// redrive everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Request {
    /// Only objects whose key begins so.
    pub prefix: Option<String>,
    /// Only the object of exactly this key.
    pub key: Option<String>,
    /// Only what failed at this destination.
    pub destination: Option<String>,
    /// Executions to start, at most.
    pub limit: Option<u32>,
    /// Whether what was given up is started too.
    pub force: bool,
    /// Nothing is started: what failed is taken off, an operator wants it no more.
    pub dismiss: bool,
    /// Whether the run is one of the clock's, which does nothing before it is due.
    pub by_the_clock: bool,
}

/// Whether a run of the clock's is due: `RedriveMinutes` after the last one began, and at once where
/// that was cut short or never came to its end.
///
/// ```
/// use backup_domain::redrive::is_due;
/// use jiff::{SignedDuration, Timestamp};
/// let (hour, now) = (SignedDuration::from_hours(1), Timestamp::from_second(7200).unwrap());
/// let at = |second| Timestamp::from_second(second).unwrap();
/// assert!(is_due((at(3600), false), hour, now) && !is_due((at(6900), false), hour, now));
/// assert!(is_due((at(6900), true), hour, now));
/// ```
pub fn is_due((begun, is_more): (Timestamp, bool), every: SignedDuration, now: Timestamp) -> bool {
    is_more || now.duration_since(begun) >= every - EARLY
}

impl Request {
    /// Whether a part of what failed is asked for.
    pub fn is_filtered(&self) -> bool {
        self.prefix.is_some() || self.key.is_some() || self.destination.is_some()
    }

    /// Whether an object is asked for, by the partition key of its points.
    pub fn wants_object(&self, pk: &str) -> bool {
        // A bucket's name holds no slash.
        let key = pk.split_once('/').map(|(_, key)| key);
        let key = key.unwrap_or_default();
        let prefix = self.prefix.as_deref().unwrap_or_default();
        key.starts_with(prefix) && self.key.as_deref().is_none_or(|it| it == key)
    }

    /// Whether a destination is asked for; `*` stands for all.
    pub fn wants_destination(&self, name: &str) -> bool {
        let wanted = self.destination.as_deref();
        wanted.is_none_or(|wanted| wanted == name || name == "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_field_is_refused() {
        for wrong in [r#"{"perfix": "a/"}"#, r#"{"limit": -1}"#, r#"{"force": 1}"#] {
            assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
        }
        let all: Request = serde_json::from_str("{}").expect("the rule's input");
        assert_eq!(all, Request::default());
        assert!(!all.is_filtered() && all.wants_object("b/k") && all.wants_destination("d"));
    }

    #[test]
    fn filters_go_by_the_key_without_its_bucket() {
        let of = |text: &str| serde_json::from_str::<Request>(text).expect("a request");
        let prefix = of(r#"{"prefix": "a/"}"#);
        assert!(prefix.wants_object("b/a/x") && !prefix.wants_object("a/x"));
        let key = of(r#"{"key": "a/x"}"#);
        assert!(key.wants_object("b/a/x") && !key.wants_object("b/a/x/y"));
        assert!(!key.wants_object("unreadable"));
        let destination = of(r#"{"destination": "cold"}"#);
        assert!(destination.wants_destination("cold") && destination.wants_destination("*"));
        assert!(!destination.wants_destination("primary"));
    }
}
