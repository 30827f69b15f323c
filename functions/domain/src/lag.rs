//! How far the backup is behind: what is open, since when, and what share arrives in time.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::printable;
use crate::message::Message;

/// Within this time an object is to be backed up: the one that S3 Replication Time Control takes
/// (Amazon S3 User Guide, "Meeting compliance requirements with S3 Replication Time Control").
pub const IN_TIME: SignedDuration = SignedDuration::from_mins(15);
/// For how long the share in time is counted.
const COUNTED_HOURS: i64 = 24;
/// Outcome and kind of the message about what missed its time.
pub const MISSED: &str = "missed-15-minutes";
/// The same about what had missed it and has come to its end.
pub const ARRIVED: &str = "arrived-late";
/// Name under which what failed before a destination was chosen is measured.
pub const WHOLE: &str = "*";
/// Objects that a message names.
const EXAMPLES_MAX: usize = 10;

/// A version at a destination that is not safe there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Keys of its recovery point.
    pub pk: String,
    /// See `pk`.
    pub sk: String,
    /// Name of the destination.
    pub destination: String,
    /// Key at the source.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// When S3 told of it.
    pub since: Timestamp,
    /// Whether it failed, and nobody works on it.
    pub failed: bool,
}

impl Open {
    /// Whether its time is over.
    pub fn is_late(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) > IN_TIME
    }
}

/// How far one destination is behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lag {
    /// Versions that are being backed up.
    pub pending: u64,
    /// Their bytes.
    pub bytes_pending: u64,
    /// Versions whose backup failed.
    pub failed: u64,
    /// Versions of both that have missed their time.
    pub late: u64,
    /// When S3 told of the oldest of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Share that was stored in time of what was stored in the last day or is late by now, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_time_percent: Option<f64>,
}

impl Lag {
    /// One open version more.
    pub fn add(&mut self, open: &Open, now: Timestamp) {
        self.late += u64::from(open.is_late(now));
        if open.failed {
            self.failed += 1;
        } else {
            self.pending += 1;
            self.bytes_pending += open.bytes;
        }
        self.oldest = Some(
            self.oldest
                .map_or(open.since, |oldest| oldest.min(open.since)),
        );
    }

    /// Age of the oldest version that is not safe yet, in seconds.
    pub fn oldest_seconds(&self, now: Timestamp) -> u64 {
        let oldest = self
            .oldest
            .map(|oldest| now.duration_since(oldest).as_secs());
        u64::try_from(oldest.unwrap_or_default()).unwrap_or_default()
    }

    /// Metrics by name.
    #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
    pub fn metrics(&self, now: Timestamp) -> Vec<(&'static str, f64)> {
        let mut metrics = vec![
            ("OperationsPending", self.pending as f64),
            ("BytesPending", self.bytes_pending as f64),
            ("OperationsFailed", self.failed as f64),
            ("OldestSeconds", self.oldest_seconds(now) as f64),
        ];
        metrics.extend(self.in_time_percent.map(|share| ("InTimePercent", share)));
        metrics
    }
}

/// What ended within one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hour {
    /// Versions stored.
    pub stored: u64,
    /// Those of them that were stored in time.
    pub in_time: u64,
}

/// What is remembered from one measurement to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Marks {
    /// What ended until then is counted.
    pub counted: Timestamp,
    /// By destination and hour since 1970.
    pub hours: BTreeMap<String, BTreeMap<i64, Hour>>,
    /// The last measurement, for who asks in between.
    pub lags: BTreeMap<String, Lag>,
    /// Events that wait in the queue and have no point yet, where there is a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Where the next measurement looks on after what is late: this was the last that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<String>,
}

impl Marks {
    /// One stored version more.
    pub fn count(&mut self, destination: &str, since: Timestamp, stored_at: Timestamp) {
        let hours = self.hours.entry(destination.to_owned()).or_default();
        let hour = hours.entry(hour_of(stored_at)).or_default();
        hour.stored += 1;
        hour.in_time += u64::from(stored_at.duration_since(since) <= IN_TIME);
    }

    /// Forgets what is older than a day.
    pub fn forget(&mut self, now: Timestamp) {
        let oldest = hour_of(now) - COUNTED_HOURS;
        for hours in self.hours.values_mut() {
            hours.retain(|hour, _| *hour > oldest);
        }
        self.hours.retain(|_, hours| !hours.is_empty());
    }

    /// Share that was stored in time of what was stored in the last day and of the `late` that are not
    /// stored by now, in percent; `None` where there is neither.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 64 bits")]
    pub fn in_time_percent(&self, destination: &str, late: u64) -> Option<f64> {
        let hours = self.hours.get(destination).into_iter();
        let hours = hours.flat_map(BTreeMap::values);
        let (stored, in_time) = hours.fold((0, 0), |(stored, in_time), hour| {
            (stored + hour.stored, in_time + hour.in_time)
        });
        let all = stored + late;
        (all > 0).then(|| in_time as f64 * 100.0 / all as f64)
    }
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_second() / 3600
}

/// Something that was late, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// Name of the destination.
    pub destination: String,
    /// Key at the source.
    pub key: String,
    /// When S3 told of it.
    pub since: Timestamp,
    /// What became of it; empty while it is open.
    pub status: String,
}

/// Tells of objects that missed their time; `None` for none.
pub fn missed(late: &[Late], now: Timestamp) -> Option<Message> {
    compose(late, now, MISSED)
}

/// Tells of objects that had missed their time and have come to an end; `None` for none.
pub fn arrived(late: &[Late], now: Timestamp) -> Option<Message> {
    compose(late, now, ARRIVED)
}

/// What a message or a digest of this kind says of its objects.
pub fn said(kind: &str) -> Option<&'static str> {
    match kind {
        MISSED => Some("not backed up within 15 minutes"),
        ARRIVED => Some("late, and at an end since"),
        _ => None,
    }
}

fn compose(late: &[Late], now: Timestamp, outcome: &'static str) -> Option<Message> {
    if late.is_empty() {
        return None;
    }
    let (count, what) = (late.len(), said(outcome).unwrap_or(outcome));
    let objects = if count == 1 { "object" } else { "objects" };
    let subject = format!("s3-backup: {count} {objects} {what}");
    let mut text = format!("{count} {objects} {what}:\n\n");
    for one in late.iter().take(EXAMPLES_MAX) {
        let age = now.duration_since(one.since).as_secs() / 60;
        let (key, destination) = (printable(&one.key), &one.destination);
        let status = if one.status.is_empty() {
            "open"
        } else {
            &one.status
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{key} at {destination}: {status}, told {age} minutes ago"
        );
    }
    if count > EXAMPLES_MAX {
        let _ = writeln!(text, "and {} more", count - EXAMPLES_MAX);
    }
    let examples = late.iter().take(EXAMPLES_MAX);
    let examples: Vec<_> = examples
        .map(|it| json!({"key": it.key, "destination": it.destination, "since": it.since, "status": it.status}))
        .collect();
    Some(Message {
        subject,
        text,
        json: json!({"count": count, "outcome": outcome, "examples": examples}).to_string(),
        outcome,
        kind: outcome.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a time")
    }

    fn open(bytes: u64, since: Timestamp, failed: bool) -> Open {
        Open {
            pk: "source/k".into(),
            sk: "primary#v".into(),
            destination: "primary".into(),
            key: "k".into(),
            bytes,
            since,
            failed,
        }
    }

    #[test]
    fn open_versions_are_counted_with_their_bytes_and_the_oldest_of_all() {
        let mut lag = Lag::default();
        assert_eq!(lag.oldest_seconds(at(100)), 0);
        for one in [
            open(5, at(90), false),
            open(7, at(80), false),
            open(9, at(10), true),
        ] {
            lag.add(&one, at(100));
        }
        assert_eq!((lag.pending, lag.bytes_pending, lag.failed), (2, 12, 1));
        assert_eq!(lag.late, 2);
        assert_eq!(lag.oldest_seconds(at(100)), 90 * 60);
    }

    #[test]
    fn fifteen_minutes_are_in_time_and_a_second_more_is_not() {
        let one = open(1, at(0), false);
        assert!(!one.is_late(at(15)));
        assert!(one.is_late(at(15) + SignedDuration::from_secs(1)));
        let mut marks = Marks::default();
        marks.count("p", at(0), at(15));
        assert_eq!(marks.in_time_percent("p", 0), Some(100.0));
        marks.count("p", at(0), at(16));
        assert_eq!(marks.in_time_percent("p", 0), Some(50.0));
        assert_eq!(marks.in_time_percent("q", 0), None);
    }

    #[test]
    fn what_is_late_and_not_stored_is_no_share_in_time() {
        let mut marks = Marks::default();
        for _ in 0..10 {
            marks.count("p", at(0), at(1));
        }
        // 990 failed, or are pending and late.
        assert_eq!(marks.in_time_percent("p", 990), Some(1.0));
        assert_eq!(marks.in_time_percent("nothing-stored", 3), Some(0.0));
    }

    #[test]
    fn the_share_is_that_of_the_last_day() {
        let mut marks = Marks::default();
        marks.count("p", at(0), at(30));
        marks.count("p", at(60 * 23), at(60 * 23));
        assert_eq!(marks.in_time_percent("p", 0), Some(50.0));
        marks.forget(at(60 * 24));
        assert_eq!(marks.in_time_percent("p", 0), Some(100.0));
        marks.forget(at(60 * 72));
        assert_eq!(marks.in_time_percent("p", 0), None);
    }

    #[test]
    fn a_message_says_how_many_and_which() {
        assert_eq!(missed(&[], at(0)), None);
        let late: Vec<_> = (0..12)
            .map(|number| Late {
                destination: "primary".into(),
                key: format!("k\n{number}"),
                since: at(0),
                status: String::new(),
            })
            .collect();
        let one = missed(&late[..1], at(20)).expect("a message");
        assert_eq!(
            one.subject,
            "s3-backup: 1 object not backed up within 15 minutes"
        );
        let message = missed(&late, at(20)).expect("a message");
        assert_eq!(
            message.subject,
            "s3-backup: 12 objects not backed up within 15 minutes"
        );
        assert!(
            message.text.contains("told 20 minutes ago") && message.text.contains("and 2 more")
        );
        assert_eq!(
            message.text.lines().count(),
            2 + EXAMPLES_MAX + 1,
            "{}",
            message.text
        );
        assert_eq!(
            arrived(&late, at(20)).expect("a message").outcome,
            "arrived-late"
        );
    }
}
