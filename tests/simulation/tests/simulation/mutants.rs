//! What is broken on purpose is seen: the seeds would tell if the functions did the same.

use backup_simulation::run::{Plan, run};
use backup_simulation::world::Mutant;

/// Seeds that each mutant gets; it must be seen in at least one.
const SEEDS: std::ops::Range<u64> = 0..24;

fn is_seen(mutant: Mutant, sign: &str, intensity: f64) {
    let plan = Plan {
        mutant: Some(mutant),
        intensity: Some(intensity),
        ..Plan::default()
    };
    let reports = run_all(SEEDS, &plan);
    let mut violations = reports.iter().flat_map(|(_, report)| &report.violations);
    let seen = violations.any(|violation| violation.contains(sign));
    assert!(
        seen,
        "{mutant:?} shows no {sign:?} in {SEEDS:?}: {reports:#?}"
    );
}

#[test]
fn a_copy_that_ignores_the_marker_makes_too_many() {
    is_seen(Mutant::IgnoresMarker, "copies or uploads too many", 6.0);
}

#[test]
fn a_copy_recorded_before_it_is_verified_differs() {
    is_seen(Mutant::RecordsUnverified, "differs", 6.0);
}

#[test]
fn a_failure_that_is_not_parked_stays_failed() {
    is_seen(Mutant::ParksNothing, "is still failed", 30.0);
}

#[test]
fn a_catalog_without_conditions_overwrites_what_is_stored() {
    is_seen(Mutant::IgnoresConditions, "was overwritten", 6.0);
}

#[test]
fn an_order_that_is_never_mended_is_wrong() {
    is_seen(Mutant::PromotesNothing, "the latest of", 2.0);
}
