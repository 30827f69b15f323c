//! How much of an execution's history a restore takes, and how often it may look at archives.
//!
//! An execution has 25,000 events; the one that would be too much fails it outside of every Catch,
//! without a report and without a word (AWS Step Functions Developer Guide, "Service quotas").

use super::request::Tier;

/// Events that a restore spends; the rest of an execution's 25,000 is for tries that are repeated.
pub const EVENTS_MAX: u32 = 22_000;
/// Events of planning a slice: those of a task and of a choice.
pub const EVENTS_A_PLAN: u32 = 7;
/// Events of restoring and counting a slice, and of a wait before it: of a Map, a task, a choice, a wait.
pub const EVENTS_A_SLICE: u32 = 16;
/// How often the slices are gone through at most.
pub const PASSES_MAX: u32 = 60;

/// Whether so many slices, each gone through once, fit into an execution that has had some events.
pub const fn fits(spent: u32, slices: u32) -> bool {
    spent.saturating_add(slices.saturating_mul(EVENTS_A_SLICE)) <= EVENTS_MAX
}

/// Seconds between two looks at copies that are brought back from an archive in hours.
pub const fn wait_seconds(tier: Tier) -> u32 {
    match tier {
        Tier::Standard => 1800,
        Tier::Bulk | Tier::Leave => 3600,
    }
}

/// Hours within which any archive answers (Amazon S3 User Guide, "Archive retrieval options").
const fn hours_max(tier: Tier) -> u32 {
    match tier {
        Tier::Standard => 12,
        Tier::Bulk | Tier::Leave => 48,
    }
}

/// Where an execution stands that waits for archives.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Events that it has had.
    pub spent: u32,
    /// The pass that has ended, from 1.
    pub pass: u32,
    /// Seconds that it has waited.
    pub waited: u32,
    /// Slices in which something waits.
    pub slices: u32,
}

/// Seconds until the next pass: the usual step, or a longer one where the events that are left would
/// not last until everything has come. `None` where no further pass fits: then the restore ends
/// incomplete, and its plan goes on.
pub fn next_wait(tier: Tier, at: Waiting) -> Option<u32> {
    let pass = at.slices.saturating_mul(EVENTS_A_SLICE).max(1);
    let left = EVENTS_MAX.saturating_sub(at.spent) / pass;
    let passes = left.min(PASSES_MAX.saturating_sub(at.pass));
    if passes == 0 {
        return None;
    }
    let rest = (hours_max(tier) * 3600).saturating_sub(at.waited);
    Some(wait_seconds(tier).max(rest.div_ceil(passes)))
}

/// Passes that a plan with archives of so many hours is estimated at.
pub fn estimated(tier: Tier, hours: u32) -> u64 {
    u64::from((hours * 3600).div_ceil(wait_seconds(tier)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through all passes, nothing ever coming back; says events, passes and seconds.
    fn until_the_end(tier: Tier, slices: u32) -> (u32, u32, u32) {
        let mut at = Waiting {
            spent: slices * (EVENTS_A_PLAN + EVENTS_A_SLICE),
            pass: 1,
            waited: 0,
            slices,
        };
        while let Some(wait) = next_wait(tier, at) {
            at.spent += slices * EVENTS_A_SLICE;
            at.pass += 1;
            at.waited += wait;
        }
        (at.spent, at.pass, at.waited)
    }

    #[test]
    fn few_slices_are_looked_at_every_hour_and_many_seldom_and_all_for_as_long_as_archives_take() {
        assert_eq!(until_the_end(Tier::Bulk, 1).1, PASSES_MAX);
        for slices in [1, 2, 20, 28, 50, 100, 300, 450] {
            for (tier, hours) in [(Tier::Bulk, 48), (Tier::Standard, 12)] {
                let (events, passes, waited) = until_the_end(tier, slices);
                assert!(events <= EVENTS_MAX, "{slices}: {events}");
                assert!(waited >= hours * 3600, "{slices}: {waited} in {passes}");
            }
        }
    }

    #[test]
    fn where_no_further_pass_fits_it_ends_by_itself() {
        assert_eq!(until_the_end(Tier::Bulk, 900), (900 * 23, 1, 0));
        assert!(fits(0, 1375) && !fits(0, 1376));
        assert!(fits(956 * EVENTS_A_PLAN, 956) && !fits(957 * EVENTS_A_PLAN, 957));
    }
}
