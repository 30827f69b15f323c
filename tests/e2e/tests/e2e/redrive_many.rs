//! More waits for a destination that is away than one run gets through: what can be done is done all the same.

use backup_e2e::World;
use serde_json::{Value, json};

use crate::redrive::park;

const HELD: usize = 80;
const RUNS_MAX: usize = 20;

/// Each run has three seconds, of which the messages may take the first; the others are of the index.
#[test]
fn what_is_held_back_keeps_nothing_else_from_being_started() {
    let (world, _alone) = World::redriven();
    let key = "two/held-00.txt";
    let first = world.upload(key, b"held", &[]);
    let points = world.points(key);
    let point = points
        .iter()
        .find(|it| it["destination"]["S"] == "second")
        .unwrap();
    let breaker = json!({
        "pk": {"S": "breaker"}, "sk": {"S": "second"}, "revision": {"N": "1"}, "failures": {"N": "10"},
        "since": {"S": "2026-01-01T00:00:00Z"}, "untold": {"BOOL": false}, "history": {"L": []},
        "opened": {"M": {"since": {"S": "2026-01-01T00:00:00Z"}, "retryAt": {"S": "2999-01-01T00:00:00Z"},
                         "failedProbes": {"N": "0"}}},
    });
    world.put_point(&breaker);
    for number in 0..HELD {
        let name = format!("held-{number:02}.txt");
        let renamed = |value: &Value| value.to_string().replace("held-00.txt", &name);
        let mut held: Value = serde_json::from_str(&renamed(point)).unwrap();
        held["status"] = json!({"S": "failed"});
        held["failedAt"] = json!({"S": "2026-01-01T00:00:00Z"});
        held["error"] = json!({"S": "BreakerOpen"});
        world.put_point(&held);
        let event: Value = serde_json::from_str(&world.input_of(&first.arn)).unwrap();
        park(world, &renamed(&event), "second", "0");
    }
    let behind = "plain/behind-what-is-held.txt";
    world.upload(behind, b"behind", &[]);
    world.make_failed(behind, 1);

    world.set_configuration("Redrive", &json!({"Timeout": 3}));
    let mut held = 0;
    // A run that its time ends behind the start cannot say that it has started it.
    let started = (0..RUNS_MAX).any(|_| {
        let redriven = world.redrive_all();
        held += redriven["held"].as_u64().unwrap_or_default();
        !world.redrives(behind).is_empty()
    });
    world.set_configuration("Redrive", &json!({"Timeout": 300}));
    world.forget_item(&breaker);
    assert!(started && held > 0, "{held} held");
    world.has_become(behind, "stored");
    assert_eq!(world.redrives(behind).len(), 1);
}
