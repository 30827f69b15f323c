//! Seeds that failed once, each under the name of what was wrong.

use backup_simulation::run::{Plan, run};

fn holds(seed: u64) {
    let report = run(&Plan {
        seed,
        ..Plan::default()
    });
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}
