//! How far an audit has come: what one invocation hands to the next, as a document beside the report.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::request::Request;
use super::tally::Tally;
use super::totals::Totals;
use crate::catalog::RecoveryPoint;

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

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// [`SHAPE`].
    pub shape: u32,
    /// Its name: that of the execution that began it.
    pub run: String,
    /// What was asked for.
    pub request: Request,
    /// When it began.
    pub begun: Timestamp,
    /// Versions of this moment and later may be under way.
    pub due_before: Timestamp,
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
            due_before: now.saturating_sub(request.grace()).unwrap_or_default(),
            request,
            begun: now,
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
