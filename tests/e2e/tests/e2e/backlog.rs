//! How long it takes to clear what was parked while a destination was away. On demand:
//!
//! ```console
//! $ BACKLOG=1000 cargo test -p backup-e2e --test e2e -- --ignored --nocapture backlog
//! ```

use std::time::Instant;

use backup_e2e::World;
use backup_e2e::burst::key_of;
use backup_e2e::world::wait;
use serde_json::json;

use crate::breaker::{BELIEVED, cool_down, open, world};
use crate::burst::{WAVE, ratio};

#[test]
#[ignore = "on demand: minutes, see the first lines of the file"]
fn a_backlog_of_parked_backups_is_cleared() {
    let given = std::env::var("BACKLOG").ok();
    let count: usize = given.map_or(1000, |text| text.parse().unwrap());
    let (world, _alone) = world();
    world.forget_failures();
    open(world, "backlog");
    std::thread::sleep(BELIEVED);
    let prefix = "two/backlog/";
    let queue = world.outputs["DeadLetterQueueUrl"].clone();
    let parked_before = world.queue_length(&queue)[0];
    for first in (0..count).step_by(WAVE) {
        let until = count.min(first + WAVE);
        world.upload_burst(prefix, first..until);
        wait("all are parked", || match world.queue_length(&queue)[0] {
            parked if parked >= parked_before + until as u64 => Ok(()),
            parked => Err(format!("{parked} of {until}")),
        });
    }

    world.proxy.mend();
    cool_down(world);
    let before = counted(world);
    let begun = Instant::now();
    let mut runs = 0;
    loop {
        let redriven = world.redrive_all();
        assert!(redriven["errorType"].is_null(), "{redriven}");
        runs += 1;
        world.is_quiet();
        if (&redriven["started"], &redriven["left"]) == (&json!(0), &json!(0)) {
            break;
        }
    }
    let took = begun.elapsed();
    assert_eq!(world.queue_length(&queue), [0, 0]);
    for number in 0..count {
        let key = key_of(prefix, number);
        let copies = world.versions(world.backup(), &format!("second/{key}"));
        assert_eq!(copies.len(), 1, "{key}");
    }
    let calls = counted(world) - before;
    println!(
        "{count} parked backups cleared in {took:.1?}, {runs} runs of the redrive, {:.2} of its calls each",
        ratio(calls, count)
    );
}

/// Calls of the redrive so far.
fn counted(world: &World) -> usize {
    world.proxy.calls("RedriveFunction").len()
}
