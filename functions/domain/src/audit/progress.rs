//! How far an audit has come: what one invocation hands to the next, as a document beside the report.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::request::Request;
use super::tally::Tally;
use super::totals::Totals;
use crate::catalog::RecoveryPoint;
use crate::inventory::{Location, Manifest, Place};

/// Version of the stored shape.
pub const SHAPE: u32 = 1;

/// What is looked at, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Keys after this one, of all listings.
    Listings {
        /// The last key that is done; empty at the beginning.
        after: String,
    },
    /// Unfinished multipart uploads.
    Uploads {
        /// Which destination, by its place.
        destination: usize,
        /// Key and id of the last upload that is done.
        after: Option<(String, String)>,
    },
    /// All recovery points, for their sums.
    Catalog {
        /// Where the table goes on.
        from: Option<BTreeMap<String, String>>,
    },
    /// The recovery points of keys that no listing has shown.
    Unlisted {
        /// Where the table goes on.
        from: Option<BTreeMap<String, String>>,
        /// The last key that is done.
        last: Option<String>,
    },
    /// Nothing more.
    Done,
}

/// A copy whose bytes are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// What is found where it differs: names source and copy.
    pub finding: Finding,
    /// Key of the copy.
    pub copy_key: String,
    /// Its ETag.
    pub copy_etag: String,
    /// Its size.
    pub bytes: u64,
    /// CRC64NVME that it must have, base64; where none is known the source is read too.
    pub expected: Option<String>,
    /// How far the copy is read: bytes and sum.
    pub copy: (u64, u64),
    /// How far the source is read.
    pub source: (u64, u64),
}

/// An S3 Inventory report that is read instead of listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventoried {
    /// Destination whose bucket it lists; the source has none.
    pub destination: Option<String>,
    /// Its manifest.
    pub at: Location,
    /// MD5 of the manifest, in hex.
    pub md5: String,
    /// When S3 began to look through the bucket.
    pub created: Timestamp,
    /// Where reading goes on; rows of keys that are done may come again.
    pub place: Place,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// [`SHAPE`].
    pub shape: u32,
    /// Its name: that of the execution that began it.
    pub run: String,
    /// ARN of the execution that works on it, or did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// What was asked for.
    pub request: Request,
    /// When it began.
    pub begun: Timestamp,
    /// Versions of this moment and later may be under way, or too young for an inventory.
    pub due_before: Timestamp,
    /// The inventories that are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inventories: Vec<Inventoried>,
    /// What comes next.
    pub stage: Stage,
    /// Parts of the report that are written, numbered from 1.
    pub parts: u32,
    /// What has been counted.
    pub totals: Totals,
    /// Points met by way of the listings.
    pub met: Tally,
    /// Points met in the catalog.
    pub there: Tally,
    /// Copies that wait to be read.
    pub reading: Vec<Reading>,
}

impl Progress {
    /// A beginning.
    pub fn new(run: String, request: Request, now: Timestamp) -> Self {
        Self {
            shape: SHAPE,
            run,
            execution: None,
            due_before: now.saturating_sub(request.grace()).unwrap_or_default(),
            request,
            begun: now,
            inventories: vec![],
            stage: Stage::Listings {
                after: String::new(),
            },
            parts: 0,
            totals: Totals::default(),
            met: Tally::default(),
            there: Tally::default(),
            reading: vec![],
        }
    }

    /// Whether the execution of this name works on it, or did last.
    pub fn is_of(&self, name: &str) -> bool {
        let execution = self.execution.as_deref();
        execution.is_none_or(|arn| arn.rsplit(':').next() == Some(name))
    }

    /// Reads a destination's versions, or the source's, from a report. What was written within the
    /// grace period before it began, or since, is left to a later audit.
    pub fn read_from(&mut self, destination: Option<&str>, manifest: &Manifest) {
        let grace = self.request.grace();
        let due = manifest.created.saturating_sub(grace).unwrap_or_default();
        self.due_before = self.due_before.min(due);
        self.inventories.push(Inventoried {
            destination: destination.map(str::to_owned),
            at: manifest.at.clone(),
            md5: manifest.md5.clone(),
            created: manifest.created,
            place: Place::default(),
        });
    }

    /// Whether there is nothing left to do.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done && self.reading.is_empty()
    }
}

/// Whether a recovery point counts in the sums: not one that came or changed while the audit ran.
pub fn is_summed(point: &RecoveryPoint, lease: SignedDuration, due_before: Timestamp) -> bool {
    let taken = point.until.saturating_sub(lease).unwrap_or_default();
    point.ended_at.unwrap_or(taken) < due_before
}

/// Where the documents of a run lie.
pub fn folder(run: &str) -> String {
    format!("audits/{run}/")
}

/// Key of the document of its progress.
pub fn progress_key(run: &str) -> String {
    format!("{}progress.json", folder(run))
}

/// Key of a part of the findings.
pub fn part_key(run: &str, part: u32) -> String {
    format!("{}findings/{part:06}.jsonl", folder(run))
}

/// Key of the page for people.
pub fn page_key(run: &str) -> String {
    format!("{}report.md", folder(run))
}

/// Key of the same for machines.
pub fn summary_key(run: &str) -> String {
    format!("{}report.json", folder(run))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inventory::manifest::tests::{ALL, document, parse};

    /// Whichever is the oldest counts, for all sides; one that is younger than the audit moves nothing.
    #[test]
    fn what_is_younger_than_an_inventory_is_not_due() {
        let second = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let made = |at: &str| {
            let mut document = document(ALL, &json!([]));
            document["creationTimestamp"] = json!(second(at).as_millisecond().to_string());
            parse(&document).expect("a manifest")
        };
        let now = second("2026-11-25T12:00:00Z");
        let mut progress = Progress::new("run".into(), Request::default(), now);
        progress.read_from(None, &made("2026-11-25T13:00:00Z"));
        assert_eq!(progress.due_before, second("2026-11-25T11:45:00Z"));
        progress.read_from(Some("primary"), &made("2026-11-23T01:00:00Z"));
        assert_eq!(progress.due_before, second("2026-11-23T00:45:00Z"));
        progress.read_from(Some("second"), &made("2026-11-24T01:00:00Z"));
        assert_eq!(progress.due_before, second("2026-11-23T00:45:00Z"));
        let kept = serde_json::to_string(&progress).expect("serialises");
        assert_eq!(serde_json::from_str::<Progress>(&kept).ok(), Some(progress));
    }
}
