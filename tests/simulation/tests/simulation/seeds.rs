//! Whatever fails, when all is quiet every version is at the backup, proven, once and in order.

use std::collections::BTreeMap;

use backup_simulation::faults::{ALL, Counts};
use backup_simulation::run::{Plan, Report, at_once, run};

use crate::{complaint, run_all};

/// Seeds of every `cargo test`.
const SEEDS: u64 = 500;
/// Seeds on demand.
const MANY_SEEDS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// Prints what was run and visited; each kind of fault must have struck.
fn told(reports: &[(u64, Report)]) {
    let (mut faults, mut seen, mut statuses) = (Counts::new(), BTreeMap::new(), BTreeMap::new());
    let (mut calls, mut executions, mut versions, mut redriven, mut surplus) = (0, 0, 0, 0, 0);
    let failures: u64 = reports.iter().map(|(_, report)| report.failures).sum();
    let tagged: u64 = reports.iter().map(|(_, report)| report.tagged).sum();
    for (_, report) in reports {
        for (fault, count) in &report.faults {
            *faults.entry(*fault).or_default() += count;
        }
        for (what, count) in &report.seen {
            *seen.entry(*what).or_insert(0) += count;
        }
        for (status, count) in &report.statuses {
            *statuses.entry(status.clone()).or_insert(0) += count;
        }
        calls += report.calls;
        executions += report.executions;
        versions += report.versions;
        redriven += report.redriven;
        surplus += report.surplus;
    }
    println!(
        "{} seeds: {versions} versions, {executions} executions, {calls} calls, {redriven} redriven, {surplus} surplus, {failures} failures told, {tagged} retagged",
        reports.len()
    );
    println!("faults: {faults:?}\nvisited: {seen:?}\npoints: {statuses:?}");
    for fault in ALL {
        let count = faults.get(&fault).copied().unwrap_or_default();
        assert!(count > 0, "{fault:?} never struck");
    }
    for what in [
        "multipart copies",
        "uploads refused",
        "contents read",
        "conditions that failed",
        "owners asked for",
        "copies tagged as bad",
        "uploads aborted",
        "messages told",
        "restarts",
        "restarts that were there",
        "pages swept",
        "deletions mirrored",
        "tags changed",
    ] {
        assert!(seen.contains_key(what), "no {what}");
    }
    for status in ["stored", "gone", "superseded", "deleted"] {
        assert!(statuses.contains_key(status), "nothing was {status}");
    }
    assert!(redriven > 0 && surplus > 0 && failures > 0 && tagged > 0);
}

#[test]
fn every_version_is_backed_up_once_and_in_order_whatever_fails() {
    let reports = run_all(0..SEEDS, &Plan::default());
    told(&reports);
    let complaint = complaint(&reports);
    assert!(complaint.is_empty(), "{complaint}");
}

/// `SIMULATION_SEEDS=… SIMULATION_SEED=…` choose how many seeds, and from which on.
#[test]
#[ignore = "minutes: run it by name"]
fn ten_thousand_seeds() {
    let first = number("SIMULATION_SEED").unwrap_or(SEEDS);
    let count = number("SIMULATION_SEEDS").unwrap_or(MANY_SEEDS);
    let reports = run_all(first..first + count, &Plan::default());
    let complaint = complaint(&reports);
    assert!(complaint.is_empty(), "{complaint}");
    told(&reports);
}

/// The seed of `SIMULATION_SEED`, every call printed with `SIMULATION_TRACE`.
#[test]
#[ignore = "repeats a seed that failed"]
fn one_seed() {
    let report = run(&Plan {
        seed: number("SIMULATION_SEED").expect("SIMULATION_SEED says which"),
        traced: std::env::var_os("SIMULATION_TRACE").is_some(),
        ..Plan::default()
    });
    println!("{report:#?}");
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 11, 42] {
        let plan = Plan {
            seed,
            ..Plan::default()
        };
        assert_eq!(run(&plan), run(&plan), "seed {seed}");
    }
}

/// Two destinations, and a rule that tells everything.
#[test]
fn a_hundred_identical_events_at_once_make_one_copy_and_one_message() {
    let (report, told) = at_once(100);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    assert!(report.executions >= 100, "{report:?}");
    assert_eq!(report.statuses.get("stored"), Some(&2), "{report:?}");
    assert_eq!(
        (report.surplus, report.redriven, told),
        (0, 0, 1),
        "{report:?}"
    );
}
