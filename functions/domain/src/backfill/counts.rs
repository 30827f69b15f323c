//! What became of versions: one count for each version at each destination.

use serde::{Deserialize, Serialize};

use crate::plan::Tally;

/// How many ended how. Written whole for every line, so that a repeated line counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Copied and proven by this backfill.
    pub stored: Tally,
    /// In the backup already.
    pub already: u64,
    /// Not wanted by the policy, or not to be copied.
    pub skipped: u64,
    /// Deletions recorded.
    pub deletions: u64,
    /// No longer at the source.
    pub gone: u64,
    /// Overwritten since; the newer content has its own event.
    pub superseded: u64,
    /// Under way elsewhere: in parts on the backup machine, or by somebody else's execution.
    pub open: u64,
    /// Failed, recorded, parked.
    pub failed: u64,
    /// Not ended by any run of their line.
    pub left: u64,
}

impl Counts {
    /// Counts those of another.
    pub fn add(&mut self, other: &Self) {
        self.stored.objects += other.stored.objects;
        self.stored.bytes = self.stored.bytes.saturating_add(other.stored.bytes);
        self.already += other.already;
        self.skipped += other.skipped;
        self.deletions += other.deletions;
        self.gone += other.gone;
        self.superseded += other.superseded;
        self.open += other.open;
        self.failed += other.failed;
        self.left += other.left;
    }

    /// Counts what an execution's outcome says of one version at one destination.
    pub fn count(&mut self, outcome: &str, bytes: u64) {
        match outcome {
            "stored" => self.stored.add(bytes),
            "skipped" => self.skipped += 1,
            "gone" => self.gone += 1,
            "superseded" => self.superseded += 1,
            "deleted" | "recorded" => self.deletions += 1,
            "held" => self.open += 1,
            "failed" | "unparked" => self.failed += 1,
            _ => self.already += 1,
        }
    }

    /// All that have come to an end.
    pub const fn ended(&self) -> u64 {
        self.stored.objects
            + self.already
            + self.skipped
            + self.deletions
            + self.gone
            + self.superseded
            + self.failed
    }

    /// Whether nothing is missing from the backup.
    pub const fn is_whole(&self) -> bool {
        self.open == 0 && self.failed == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_once_and_counts_add_up() {
        let mut counts = Counts::default();
        let outcomes = [
            "stored",
            "duplicate",
            "settled",
            "skipped",
            "gone",
            "superseded",
            "deleted",
            "recorded",
            "failed",
            "unparked",
        ];
        for outcome in outcomes {
            counts.count(outcome, 7);
        }
        assert_eq!(counts.ended(), outcomes.len() as u64);
        assert_eq!(counts.stored.bytes, 7);
        let mut twice = counts;
        twice.add(&counts);
        assert_eq!(twice.ended(), 2 * counts.ended());
        assert!(!counts.is_whole() && Counts::default().is_whole());
        counts = Counts::default();
        counts.count("held", 1);
        assert!(!counts.is_whole() && counts.ended() == 0);
    }
}
