//! What an operator chooses: some of what failed to be started again, or to be taken off.

use backup_e2e::World;
use serde_json::{Value, json};

/// A filtered redrive starts all that it is asked for, also where one key has failed in several versions.
#[test]
fn every_failed_version_of_a_key_is_redriven_in_one_run() {
    let (world, _alone) = World::redriven();
    let key = "plain/two-versions.txt";
    for content in [b"one", b"two"] {
        world.upload(key, content, &[]);
    }
    let points = world.points(key);
    assert_eq!(points.len(), 2, "{points:?}");
    for mut point in points {
        point["status"] = json!({"S": "failed"});
        point["failedAt"] = json!({"S": "2026-01-01T00:00:00Z"});
        point["error"] = json!({"S": "AccessDenied"});
        world.put_point(&point);
    }
    let redriven = world.redrive(&json!({"key": key}));
    assert_eq!(redriven["started"], 2, "{redriven}");
    world.is_quiet();
    for point in world.points(key) {
        assert_eq!(point["status"]["S"], "stored", "{point}");
    }
}

/// What an operator wants no more is taken off with its message; it is counted and started no more.
#[test]
fn what_is_dismissed_is_recorded_and_neither_counted_nor_started() {
    let (world, _alone) = World::redriven();
    let (unwanted, other) = ("plain/unwanted/a.txt", "plain/wanted.txt");
    for key in [unwanted, other] {
        world.upload_refused(key, key);
    }
    world.send(
        &json!(["unwanted/", "no event"]).to_string(),
        &[("destinations", "*")],
    );
    let unasked = world.s3_backup(&["redrive", "--dismiss"]);
    assert_eq!(unasked.status.code(), Some(2), "nobody was there to agree");
    let arguments = [
        "redrive",
        "--dismiss",
        "--yes",
        "--prefix",
        "plain/unwanted/",
    ];
    let dismissed = world.s3_backup(&arguments);
    let said = String::from_utf8_lossy(&dismissed.stdout);
    assert!(said.contains("1 dismissed"), "{said}");
    let status = || -> Value {
        let status = world.s3_backup(&["status", "--json"]);
        serde_json::from_slice(&status.stdout).unwrap()
    };
    let now = status();
    assert_eq!(
        (&now["failed"], &now["exhausted"], &now["parked"]),
        (&json!(1), &json!(0), &json!(2)),
        "{now}"
    );
    let point = world.points(unwanted).remove(0);
    assert!(
        point["dismissed"]["S"].is_string() && point["failedAt"].is_null(),
        "{point}"
    );
    let redriven = world.redrive_all();
    // The other backup, and the event that nobody understands.
    assert_eq!(redriven["started"], 2, "{redriven}");
    world.has_become(other, "stored");
    assert_eq!(
        world.has_become(unwanted, "failed")["status"]["S"],
        "failed"
    );
    world.is_quiet();
    let dismissed = world.s3_backup(&["redrive", "--dismiss", "--yes"]);
    assert_eq!(dismissed.status.code(), Some(0), "{dismissed:?}");
    let now = status();
    let none = (&json!(0), &json!(0), &json!(0));
    assert_eq!(
        (&now["failed"], &now["exhausted"], &now["parked"]),
        none,
        "{now}"
    );
}
