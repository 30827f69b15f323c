//! The functions and the state machine, run by seed against an AWS in memory that fails.
//!
//! A failing seed prints the command that repeats it; `SIMULATION_TRACE=1` prints every call of it.

mod faults;
mod mutants;
mod rules;
mod seeds;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use backup_simulation::run::{Plan, Report, run};

/// Runs many seeds, on all cores; what each came to, by seed.
fn run_all(seeds: std::ops::Range<u64>, plan: &Plan) -> Vec<(u64, Report)> {
    let next = AtomicU64::new(seeds.start);
    let reports = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let report = run(&Plan {
                        seed,
                        ..plan.clone()
                    });
                    reports.lock().expect("no panic").push((seed, report));
                }
            });
        }
    });
    let mut reports = reports.into_inner().expect("no panic");
    reports.sort_by_key(|(seed, _)| *seed);
    reports
}

/// What is wrong, and how to see it again.
fn complaint(reports: &[(u64, Report)]) -> String {
    let wrong = reports
        .iter()
        .filter(|(_, report)| !report.violations.is_empty());
    let lines = wrong.map(|(seed, report)| {
        format!(
            "{}\n  repeat: SIMULATION_SEED={seed} SIMULATION_TRACE=1 cargo test -p backup-simulation one_seed -- --ignored --nocapture\n",
            report.violations.join("\n")
        )
    });
    lines.collect()
}
