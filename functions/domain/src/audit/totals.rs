//! Counts of an audit: small, whatever it has seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Kind, Verdict, Weight};

/// Findings of each kind that the readable report shows.
const SAMPLES_MAX: usize = 10;

/// What is not yet due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// Versions.
    pub versions: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was stored at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

impl Pending {
    /// One version more.
    pub fn add(&mut self, bytes: u64, since: Timestamp) {
        self.add_all(Self {
            versions: 1,
            bytes,
            oldest: Some(since),
        });
    }

    /// Others more.
    pub fn add_all(&mut self, other: Self) {
        self.versions += other.versions;
        self.bytes += other.bytes;
        self.oldest = match (self.oldest, other.oldest) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }
}

/// Counts of one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// Versions at the source that the policy wants here.
    pub wanted: u64,
    /// Their bytes.
    pub wanted_bytes: u64,
    /// Versions that the backup bucket lists.
    pub copies: u64,
    /// Recovery points whose copy is there.
    pub safe: u64,
    /// Their bytes.
    pub safe_bytes: u64,
    /// What is not yet due.
    pub pending: Pending,
    /// Findings by kind.
    pub findings: BTreeMap<Kind, u64>,
    /// Versions and bytes that are not in the backup though due, and when the oldest was stored.
    pub behind: Pending,
}

impl Destination {
    /// Those of some keys more.
    pub fn add(&mut self, other: &Self) {
        self.wanted += other.wanted;
        self.wanted_bytes += other.wanted_bytes;
        self.copies += other.copies;
        self.safe += other.safe;
        self.safe_bytes += other.safe_bytes;
        self.pending.add_all(other.pending);
        self.behind.add_all(other.behind);
        for (kind, count) in &other.findings {
            *self.findings.entry(*kind).or_default() += count;
        }
    }
}

/// Counts of an audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Keys that any listing shows.
    pub keys: u64,
    /// Versions at the source.
    pub versions: u64,
    /// Recovery points of the destinations that are compared.
    pub points: u64,
    /// Versions whose bytes were read.
    pub read: u64,
    /// Bytes that were read, on either side.
    pub read_bytes: u64,
    /// Copies that were to be read and lie in an archive class.
    pub archived: u64,
    /// By destination.
    pub destinations: BTreeMap<String, Destination>,
    /// The first findings of each kind.
    pub samples: BTreeMap<Kind, Vec<Finding>>,
}

impl Totals {
    /// One finding more.
    pub fn add(&mut self, finding: &Finding) {
        let kind = finding.finding;
        let own = self
            .destinations
            .entry(finding.destination.clone())
            .or_default();
        *own.findings.entry(kind).or_default() += 1;
        // What has no copy at all: a rival's word for it is "pending replication".
        if matches!(kind, Kind::Missing | Kind::Failed | Kind::Stuck) {
            own.behind.add_all(Pending {
                versions: 1,
                bytes: finding.size.unwrap_or_default(),
                oldest: finding.last_modified,
            });
        }
        let samples = self.samples.entry(kind).or_default();
        if samples.len() < SAMPLES_MAX {
            samples.push(finding.clone());
        }
    }

    /// How many findings of a kind there are.
    pub fn count(&self, kind: Kind) -> u64 {
        let own = self.destinations.values();
        own.filter_map(|it| it.findings.get(&kind)).sum()
    }

    /// The heaviest finding.
    pub fn weight(&self) -> Option<Weight> {
        let kinds = Kind::ALL.iter().filter(|kind| self.count(**kind) > 0);
        kinds.map(|kind| kind.weight()).max()
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(self.weight())
    }
}
