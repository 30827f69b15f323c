//! What a backfill takes: requests, money, time. Estimates by list prices, stated as such, and taken
//! as if nothing were in the backup yet.

use serde::{Deserialize, Serialize};

use super::course::Summary;
use super::line::SLICE_VERSIONS_MAX;
use super::prices::STANDARD;
use crate::catalog::DAY_SHARDS;
use crate::limits::{GIB, MIB};
use crate::plan::MicroUsd;

// List prices of us-east-1 in billionths of a dollar (the pricing pages of Amazon S3, AWS Step Functions,
// AWS Lambda and Amazon DynamoDB).
/// CopyObject, UploadPartCopy, and a page of a listing.
const WRITE: u64 = STANDARD.write;
const HEAD: u64 = STANDARD.get;
const TRANSITION: u64 = 25_000;
/// Four units for the two writes of a recovery point of 1 to 2 KB, which grows between them, less
/// one, and three for its indexes.
const POINT: u64 = 6 * 625;
/// A consistent read of the points of a key.
const QUERY: u64 = 125;
/// A run of BackfillBatch: 1 GB of arm64 for as long as its copies take, and the request.
const BATCH_SECOND: u64 = 13_334;
const BATCH: u64 = 200;
/// A GiB between regions.
pub const GIB_BETWEEN_REGIONS: u64 = 20_000_000;
/// What a version below newer ones owes until its key is settled: noted in an index, and taken back.
const OWED: u64 = 3 * 625;

/// HEADs of a copy: the source, the copy to prove it, and both sides' latest for the order.
pub const HEADS: u64 = 4;
/// Transitions of a line: its child execution, BackfillBatch.
const TRANSITIONS_A_LINE: u64 = 2;
/// Copies a second of one line, taken low: 16 at once, each some 300 ms.
pub const COPIES_A_SECOND: u64 = 50;
/// Pages of a listing a second: 16 at once, each 200 ms.
const PAGES_A_SECOND: u64 = 80;
/// Between two slices: the last lines of the one, counting, the first of the next.
const SLICE_SECONDS: u64 = 4;
/// Bytes a second of one CopyObject, taken low, and how many are at once in a line.
const BYTES_A_SECOND: u64 = 40 * MIB;
const AT_ONCE: u64 = 16;
/// Bytes a second that one function reads.
const READ_A_SECOND: u64 = 75 * MIB;
/// Copies a second to one destination that the catalog's index of what is open takes: two writes each,
/// 1,000 a second and partition (Amazon DynamoDB Developer Guide, "Best practices for designing and using
/// partition keys effectively").
pub const OPEN_A_SECOND: u64 = DAY_SHARDS * 1000 / 2;

/// What it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Estimate {
    /// Requests to S3.
    pub requests: u64,
    /// State transitions.
    pub transitions: u64,
    /// Millionths of a dollar.
    pub micro_usd: MicroUsd,
    /// From planning to the end.
    pub seconds: u64,
}

/// Estimates a plan. What is in the backup already costs a read of the catalog for each key, and
/// nothing else.
pub fn estimate(plan: &Summary) -> Estimate {
    let small = plan.copies.objects;
    let large_heads = plan.large.objects * HEADS;
    let heads = small * HEADS + large_heads;
    let writes = small + plan.parts + 2 * plan.large.objects + plan.requests;
    let transitions = plan.lines * TRANSITIONS_A_LINE + plan.large_transitions + 12;
    let read_seconds = plan.read.bytes / READ_A_SECOND;
    let batch_seconds = small.div_ceil(COPIES_A_SECOND) + read_seconds;
    let nano = writes * WRITE
        + heads * HEAD
        + transitions * TRANSITION
        + (small + plan.large.objects + plan.markers) * POINT
        + plan.keys * QUERY
        + plan.older * OWED
        + batch_seconds * BATCH_SECOND
        + plan.lines * BATCH;
    let far = u128::from(plan.far_bytes) * u128::from(GIB_BETWEEN_REGIONS) / u128::from(GIB);
    let nano =
        u128::from(nano) + far + u128::from(plan.dearer_nano_usd) + u128::from(plan.read_nano_usd);
    let at_once = plan.at_once.min(plan.lines.max(1)).max(1);
    let by_objects = small / (COPIES_A_SECOND * at_once).min(OPEN_A_SECOND);
    let bytes = plan.copies.bytes.saturating_add(plan.large.bytes);
    let by_bytes = bytes / (BYTES_A_SECOND * AT_ONCE * at_once) + read_seconds / at_once;
    let between = small / SLICE_VERSIONS_MAX as u64 * SLICE_SECONDS;
    Estimate {
        requests: heads + writes,
        transitions,
        micro_usd: u64::try_from(nano / 1000).unwrap_or(u64::MAX),
        seconds: (plan.requests / PAGES_A_SECOND + between + by_objects.max(by_bytes)).max(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Tally;
    use crate::plan::usd;

    /// Small objects with one version each, to one destination of the same region.
    fn plan(objects: u64, at_once: u64) -> Summary {
        let all = Tally {
            objects,
            bytes: objects * 10_000,
        };
        Summary {
            keys: objects,
            versions: all,
            copies: all,
            lines: objects.div_ceil(100),
            requests: objects.div_ceil(1000),
            at_once,
            ..Summary::default()
        }
    }

    #[test]
    fn a_million_objects_cost_what_the_price_list_says() {
        let found = estimate(&plan(1_000_000, 40));
        assert_eq!(found.requests, 5_001_000);
        assert_eq!(found.transitions, 20_012);
        // $5.01 of copies and listing, $1.60 of HEADs, $3.88 of catalog, $0.50 of transitions, $0.27
        // of runs.
        assert_eq!(usd(found.micro_usd), "$11.24");
    }

    #[test]
    fn a_hundred_million_objects_on_paper() {
        let found = estimate(&plan(100_000_000, 40));
        assert_eq!(found.requests, 500_100_000);
        assert_eq!(found.transitions, 2_000_012);
        assert_eq!(usd(found.micro_usd), "$1124.86");
        // Listing, 400 slices, copying: 1,892 a second over all, where AWS Backup is said to do 1,210.
        assert_eq!(found.seconds, 1250 + 1600 + 50_000);
        assert!(100_000_000 / found.seconds > 1210);
        // As many lines as a table on demand takes by default, three units an object.
        let fast = estimate(&plan(100_000_000, 266));
        assert_eq!(fast.micro_usd, found.micro_usd);
        assert_eq!(fast.seconds, 1250 + 1600 + 7518);
        // More lines than the index of what is open takes are no faster.
        let fastest = estimate(&plan(100_000_000, 320));
        assert_eq!(fastest.seconds, 1250 + 1600 + 6250);
        assert_eq!(estimate(&plan(100_000_000, 5000)), fastest);
    }

    #[test]
    fn versions_below_newer_ones_and_other_regions_cost_more() {
        let near = plan(1000, 40);
        let mut older = near.clone();
        older.older = 500;
        let more = estimate(&older).micro_usd - estimate(&near).micro_usd;
        // Three units of the index of what is owed: 1.875 millionths each.
        assert!((937..=938).contains(&more), "{more}");
        let far = Summary {
            far_bytes: 100 * GIB,
            ..near.clone()
        };
        assert_eq!(
            estimate(&far).micro_usd - estimate(&near).micro_usd,
            2_000_000
        );
    }

    #[test]
    fn what_is_read_and_a_colder_class_are_in_it() {
        let near = plan(1_000_000, 40);
        let cold = Summary {
            dearer_nano_usd: 45_000 * 1_000_000,
            read: near.copies,
            read_nano_usd: 400 * 1_000_000,
            ..near.clone()
        };
        let more = estimate(&cold).micro_usd - estimate(&near).micro_usd;
        // $45.00 of COPY, $0.40 of GETs, and 127 seconds of reading.
        assert_eq!(more, 45_401_693);
    }

    #[test]
    fn nothing_costs_next_to_nothing() {
        assert_eq!(
            usd(estimate(&Summary::default()).micro_usd),
            "less than $0.01"
        );
    }
}
