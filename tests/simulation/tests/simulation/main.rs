//! Seeds.

use backup_simulation::run::{Plan, run};

#[test]
fn many() {
    let from = std::env::var("SIMULATION_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    let n = std::env::var("SIMULATION_SEEDS").map_or(20, |seed| seed.parse().expect("a number"));
    let start = std::time::Instant::now();
    for seed in from..from + n {
        let t = std::time::Instant::now();
        let report = run(&Plan {
            seed,
            traced: std::env::var_os("SIMULATION_TRACE").is_some(),
            ..Plan::default()
        });
        println!(
            "{seed} {:?} calls {} ex {} v {} surplus {} red {} {:?}",
            t.elapsed(),
            report.calls,
            report.executions,
            report.versions,
            report.surplus,
            report.redriven,
            report.statuses
        );
        for v in report.violations {
            println!("   VIOLATION {v}");
        }
    }
    println!("{:?}", start.elapsed());
}
