//! Seeds.

use backup_simulation::run::{Plan, run};

#[test]
fn one_seed() {
    let seed = std::env::var("SIMULATION_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let report = run(&Plan {
        seed,
        ..Plan::default()
    });
    println!("{report:#?}");
    assert!(report.violations.is_empty());
}
