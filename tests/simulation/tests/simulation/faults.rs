//! Seeds that failed once, each under the name of what was wrong.

use backup_simulation::faults::{ALL, Fault};
use backup_simulation::run::{Plan, run};

/// Seeds with some kinds of faults alone, often.
fn holds(only: &[Fault], intensity: f64, seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let report = run(&Plan {
            seed,
            intensity: Some(intensity),
            without: ALL
                .into_iter()
                .filter(|fault| !only.contains(fault))
                .collect(),
            ..Plan::default()
        });
        let violations = report.violations;
        assert!(violations.is_empty(), "seed {seed}: {violations:?}");
    }
}

/// A try of BeginMultipart that had noted its upload and then died left it behind: the retry took
/// the note for the work of somebody else.
#[test]
fn an_upload_noted_by_a_try_that_died_is_not_left_behind() {
    holds(&[Fault::Killed], 10.0, 15..25);
}
