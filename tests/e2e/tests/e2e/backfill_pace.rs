//! The pace of a backfill against that of `rclone sync`, on the same objects in the same run; on demand.
//! `OBJECTS` says how many, 20,000 where it says nothing:
//!
//! ```console
//! $ OBJECTS=3000 cargo test -p backup-e2e --test e2e -- --ignored --nocapture backfill_keeps_pace
//! ```

use std::time::Instant;

use backup_e2e::World;
use backup_e2e::backfilling::done;
use serde_json::json;

use crate::restore_pace::{counted, rclone_sync, told};

#[test]
#[ignore = "on demand: 20,000 objects, see the first lines of the file"]
fn a_backfill_keeps_pace_with_rclone() {
    let objects = std::env::var("OBJECTS").map_or(20_000, |text| text.parse().unwrap());
    let world = World::with_parameters(&[("SweepMinutes", "60"), ("AuditSchedule", "")]);
    world.deliver_uploads(false);
    world.lay_many("pace/", objects);
    for again in [false, true] {
        let before = counted(&world, "BackfillBatchFunction");
        let begun = Instant::now();
        let execution = world.begin_backfill(&json!({"prefix": "pace/"}));
        assert_eq!(world.long_wait(&execution), "SUCCEEDED");
        let took = begun.elapsed();
        let counts = done(&world, &world.finish(&execution));
        let found = if again {
            &counts["already"]
        } else {
            &counts["stored"]["objects"]
        };
        assert_eq!(*found, objects, "{counts}");
        let mut calls = counted(&world, "BackfillBatchFunction");
        for (operation, count) in &mut calls {
            *count -= before.get(operation).copied().unwrap_or_default();
        }
        let what = if again { "backfill again" } else { "backfill" };
        told(what, objects, took, &calls);
        println!("planning: {:?}", counted(&world, "PlanBackfillFunction"));
    }
    world.cloud.create_bucket("paced").unwrap();
    let took = rclone_sync(&world, world.source(), "pace", "paced/rclone");
    told("rclone sync", objects, took, &counted(&world, "rclone/"));
    let copies = world.contents(world.backup(), "pace/").len();
    assert_eq!(copies, world.contents("paced", "rclone/").len());
}
