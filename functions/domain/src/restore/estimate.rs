//! What a restore takes: requests, money, time. Estimates by list prices, stated as such.

use serde::{Deserialize, Serialize};

use super::course::Summary;
use super::passes;
use super::request::Tier;
use crate::limits::GIB;
use crate::plan::{MicroUsd, Tally};

// List prices of us-east-1 (the pricing pages of Amazon S3, AWS Step Functions and AWS Lambda).
const COPY_MICRO_USD: MicroUsd = 5;
/// Ten HEADs cost four millionths.
const TEN_HEADS_MICRO_USD: MicroUsd = 4;
const TRANSITION_MICRO_USD: MicroUsd = 25;
/// A run of RestoreBatch: 512 MB for ten seconds, taken high, and the request.
const BATCH_MICRO_USD: MicroUsd = 70;
const BETWEEN_REGIONS_MICRO_USD_A_GIB: MicroUsd = 20_000;
/// HEADs of an object that is restored: the copy; and the target before, where it was not empty. What
/// lies there after is shown by the answer to the copying itself.
const HEADS: u64 = 1;
/// Transitions of a line's child execution, and its start.
const TRANSITIONS_A_LINE: u64 = 2;
/// Objects that one RestoreBatch restores at once: each takes one call after another.
pub const OBJECTS_AT_ONCE: u64 = 16;
/// Objects a second of one RestoreBatch, taken low: [`OBJECTS_AT_ONCE`], two or three calls each.
const OBJECTS_A_SECOND: u64 = 80;
/// Children of the Map that run at once, as the definition says.
pub const LINES_AT_ONCE: u64 = 40;
/// Pace at which one server-side copy proceeds, taken low: 100 MB a second.
const BYTES_A_SECOND: u64 = 100_000_000;
const COPIES_AT_ONCE: u64 = 16;

/// An estimate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Requests to S3.
    pub requests: u64,
    /// Transitions of Step Functions.
    pub transitions: u64,
    /// Millionths of a dollar, archives and traffic included.
    pub micro_usd: MicroUsd,
    /// Seconds of copying, archives not included.
    pub seconds: u64,
    /// Hours until archives can be read, at most; 0 where there are none.
    pub archive_hours_max: u32,
}

/// What the price depends on beside the plan.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether backup and target lie in different regions.
    pub between_regions: bool,
    /// How archives are brought back.
    pub tier: Tier,
    /// Of the archived ones, those in DEEP_ARCHIVE; the rest is in GLACIER.
    pub deep: Tally,
}

/// Estimates a plan.
pub fn estimate(plan: &Summary, terms: &Terms) -> Estimate {
    let objects = plan.copy.objects;
    let glacier = Tally {
        objects: plan.archived.objects.saturating_sub(terms.deep.objects),
        bytes: plan.archived.bytes.saturating_sub(terms.deep.bytes),
    };
    let hours = hours(glacier, terms);
    let passes = passes::estimated(terms.tier, hours);
    // Each look at an archive is a run for each line that waits, and a HEAD for each of its copies.
    let looks = passes * plan.lines.min(plan.archived.objects);
    let heads = objects * (HEADS + u64::from(!plan.target_empty))
        + passes * plan.archived.objects
        + plan.hide;
    let runs = plan.lines + looks;
    let transitions = runs * TRANSITIONS_A_LINE + 10;
    let mut micro_usd = (objects + plan.hide) * COPY_MICRO_USD
        + (heads * TEN_HEADS_MICRO_USD).div_ceil(10)
        + transitions * TRANSITION_MICRO_USD
        + runs * BATCH_MICRO_USD;
    if terms.between_regions {
        micro_usd += gib(plan.copy.bytes, BETWEEN_REGIONS_MICRO_USD_A_GIB);
    }
    micro_usd += retrieval(glacier, terms.tier, false) + retrieval(terms.deep, terms.tier, true);
    let at_once = LINES_AT_ONCE.min(plan.lines.max(1));
    let by_objects = objects / (OBJECTS_A_SECOND * at_once);
    let by_bytes = plan.copy.bytes / (BYTES_A_SECOND * COPIES_AT_ONCE * at_once);
    Estimate {
        requests: heads + objects + plan.hide,
        transitions,
        micro_usd,
        seconds: by_objects.max(by_bytes).max(5),
        archive_hours_max: hours,
    }
}

fn gib(bytes: u64, micro_usd: MicroUsd) -> MicroUsd {
    let exact = u128::from(bytes) * u128::from(micro_usd) / u128::from(GIB);
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// Requests and bytes of bringing archives back (Amazon S3 pricing, "Requests & data retrievals").
fn retrieval(archived: Tally, tier: Tier, deep: bool) -> MicroUsd {
    let (request, a_gib) = match (deep, tier) {
        (_, Tier::Leave) | (false, Tier::Bulk) => (0, 0),
        (false, Tier::Standard) => (50, 10_000),
        (true, Tier::Bulk) => (25, 2_500),
        (true, Tier::Standard) => (100, 20_000),
    };
    archived.objects * request + gib(archived.bytes, a_gib)
}

/// Amazon S3 User Guide, "Archive retrieval options".
fn hours(glacier: Tally, terms: &Terms) -> u32 {
    let (of_glacier, of_deep) = match terms.tier {
        Tier::Standard => (5, 12),
        Tier::Bulk => (12, 48),
        Tier::Leave => (0, 0),
    };
    match (terms.deep.objects, glacier.objects) {
        (0, 0) => 0,
        (0, _) => of_glacier,
        _ => of_deep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::usd;

    const HERE: Terms = Terms {
        between_regions: false,
        tier: Tier::Bulk,
        deep: Tally {
            objects: 0,
            bytes: 0,
        },
    };

    fn plan(objects: u64, bytes: u64) -> Summary {
        Summary {
            copy: Tally { objects, bytes },
            lines: objects.div_ceil(100),
            target_empty: true,
            ..Summary::default()
        }
    }

    #[test]
    fn a_million_objects_cost_what_the_price_list_says() {
        let mut plan = plan(1_000_000, 0);
        let found = estimate(&plan, &HERE);
        assert_eq!(found.requests, 2_000_000);
        assert_eq!(found.transitions, 20_010);
        // $5 of copies, $0.40 of HEADs, $0.50 of transitions, $0.70 of runs.
        assert_eq!(usd(found.micro_usd), "$6.60");
        plan.target_empty = false;
        let found = estimate(&plan, &HERE);
        assert_eq!(
            (found.requests, usd(found.micro_usd).as_str()),
            (3_000_000, "$7.00")
        );
    }

    #[test]
    fn a_hundred_million_objects_take_a_working_day() {
        let found = estimate(&plan(100_000_000, 0), &HERE);
        assert_eq!(found.requests, 200_000_000);
        assert_eq!(found.transitions, 2_000_010);
        assert_eq!(
            (usd(found.micro_usd).as_str(), found.seconds),
            ("$660.00", 31_250)
        );
    }

    #[test]
    fn traffic_and_archives_come_on_top() {
        let mut some = plan(1000, 100 * GIB);
        let near = estimate(&some, &HERE);
        let far = estimate(
            &some,
            &Terms {
                between_regions: true,
                ..HERE
            },
        );
        assert_eq!(far.micro_usd - near.micro_usd, 2_000_000);
        some.archived = some.copy;
        let deep = Terms {
            deep: some.copy,
            tier: Tier::Standard,
            ..HERE
        };
        let cold = estimate(&some, &deep);
        // Every half hour for half a day: a HEAD of each, two transitions and a run of each of ten lines.
        let looks = 24 * (1000 * 4 / 10 + 10 * (2 * 25 + 70));
        let retrieval = 1000 * 100 + 100 * 20_000;
        assert_eq!(cold.micro_usd - near.micro_usd, retrieval + looks);
        assert_eq!(cold.transitions - near.transitions, 24 * 10 * 2);
        assert_eq!(cold.archive_hours_max, 12);
        let bulk = estimate(&some, &HERE);
        let looks = 12 * (1000 * 4 / 10 + 10 * (2 * 25 + 70));
        assert_eq!(
            (bulk.micro_usd, bulk.archive_hours_max),
            (near.micro_usd + looks, 12)
        );
    }

    #[test]
    fn nothing_costs_next_to_nothing() {
        assert_eq!(
            usd(estimate(&Summary::default(), &HERE).micro_usd),
            "less than $0.01"
        );
    }
}
