//! What is broken on purpose is seen: the seeds would tell if the functions did the same.

use backup_simulation::faults::{ALL, Fault};
use backup_simulation::run::{Plan, run};
use backup_simulation::world::Mutant;

/// Seeds that each mutant gets; it must be seen in at least one, and the first ends the search.
const SEEDS: u64 = 400;

fn is_seen(mutant: Mutant, sign: &str, intensity: f64) {
    is_seen_without(mutant, sign, intensity, &[]);
}

fn is_seen_without(mutant: Mutant, sign: &str, intensity: f64, without: &[Fault]) {
    let seen = (0..SEEDS).any(|seed| {
        let report = run(&Plan {
            seed,
            mutant: Some(mutant),
            intensity: Some(intensity),
            without: without.to_vec(),
            ..Plan::default()
        });
        let mut violations = report.violations.iter();
        violations.any(|violation| violation.contains(sign))
    });
    assert!(seen, "{mutant:?} shows no {sign:?}");
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
    // Copies that come out wrong again and again fail for certain, and nothing else does.
    let without: Vec<_> = ALL
        .into_iter()
        .filter(|fault| *fault != Fault::Spoilt)
        .collect();
    is_seen_without(Mutant::ParksNothing, "is still failed", 30.0, &without);
}

#[test]
fn a_catalog_without_conditions_overwrites_what_is_stored() {
    is_seen(Mutant::IgnoresConditions, "was overwritten", 6.0);
}

#[test]
fn what_nobody_looks_after_stays_as_it_was() {
    let without: Vec<_> = ALL
        .into_iter()
        .filter(|fault| *fault != Fault::Stopped)
        .collect();
    is_seen_without(Mutant::WatchesNothing, "is still copying", 20.0, &without);
}

#[test]
fn a_deletion_that_is_not_mirrored_leaves_the_key_there() {
    is_seen(
        Mutant::MirrorsNothing,
        "is there: true, at the source: false",
        1.0,
    );
}

#[test]
fn an_order_that_is_never_mended_is_wrong() {
    is_seen(Mutant::PromotesNothing, "the latest of", 2.0);
}
