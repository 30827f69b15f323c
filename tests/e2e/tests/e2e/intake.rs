//! The queued way in: whatever the intake is answered, whatever becomes of it, nothing is lost and
//! nothing is doubled.

use backup_domain::intake::RUNS_MAX;
use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::allowed::{asked, check, step};

const SYNC: &str = "StartSyncExecution";

fn put(world: &World, key: &str, body: &[u8]) {
    let put = world.objects.put_object(world.source(), key, body, &[]);
    put.unwrap();
}

/// One recovery point, one copy of this content, and no message left.
fn is_whole(world: &World, key: &str, body: &[u8]) -> Value {
    let point = world.has_become(key, "stored");
    assert_eq!(world.copy_of(key).body, body, "{key}");
    assert_eq!(world.versions(world.backup(), key).len(), 1, "{key}");
    point
}

#[test]
fn an_upload_is_backed_up_through_the_queue() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/queued.txt";
    put(world, key, b"queued");
    let point = is_whole(world, key, b"queued");
    let machine = &world.outputs["ExpressStateMachineArn"];
    let name = machine.rsplit(':').next().unwrap();
    assert!(point["owner"]["S"].as_str().unwrap().contains(name));
    world.drained();
    assert_eq!(world.starts(key), (1, 0));
    // What waits has no recovery point: the lag counts it by the queue.
    let lag = world.invoke("ReportLag", &json!({}));
    assert!(lag["waiting"].is_u64(), "{lag}");
}

/// The whole table of answers that leave the message where it is, each once: the second run meets
/// what the first has done, if it has run at all.
#[test]
fn a_message_comes_again_after_every_answer_that_is_no_end() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let cases = [
        ("throttled", Fault::Status(429)),
        ("refused", Fault::Status(400)),
        ("broken", Fault::Status(500)),
        ("unavailable", Fault::Status(503)),
        ("lost", Fault::LoseAnswer),
        ("cut-off", Fault::Truncate),
        ("dropped", Fault::StallMs(200)),
        ("failed", Fault::Replace("SUCCEEDED", "FAILED")),
        ("timed-out", Fault::Replace("SUCCEEDED", "TIMED_OUT")),
        ("aborted", Fault::Replace("SUCCEEDED", "ABORTED")),
        ("new", Fault::Replace("SUCCEEDED", "SUSPENDED")),
        ("no-output", Fault::Replace("\"output\"", "\"other\"")),
        ("strange", Fault::Replace("backed-up", "backed-down")),
    ];
    let keys = cases.map(|(name, fault)| {
        let key = format!("plain/answer-{name}.txt");
        world.proxy.fail(SYNC, &key, fault, 1);
        put(world, &key, name.as_bytes());
        (key, name)
    });
    for (key, name) in keys {
        is_whole(world, &key, name.as_bytes());
        wait(&format!("{key} comes again"), || match world.starts(&key) {
            (2, 0) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        assert!(world.parked(&key).is_empty(), "{key}");
    }
    world.drained();
}

#[test]
fn a_backup_that_failed_is_parked_once_and_its_message_goes() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "half/queued.txt";
    put(world, key, b"half");
    let parked = wait("it is parked", || {
        let parked = world.parked(key);
        parked.first().cloned().ok_or_else(|| "not yet".to_owned())
    });
    let attributes = &parked["MessageAttributes"];
    assert_eq!(attributes["destinations"]["StringValue"], "nowhere");
    world.drained();
    assert_eq!(world.starts(key), (1, 0));
    assert_eq!(world.parked(key).len(), 1);
    assert_eq!(world.told(key).len(), 1);
    assert_eq!(world.copy_of(key).body, b"half", "the other destination");
}

/// What no run brings to an end is handed on to the Standard machine, whose executions are watched.
#[test]
fn what_no_run_brings_to_an_end_is_handed_on_to_the_standard_machine() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/never-ends.txt";
    let failed = Fault::Replace("SUCCEEDED", "FAILED");
    world.proxy.fail(SYNC, key, failed, 99);
    put(world, key, b"never");
    wait("it is handed on", || match world.starts(key) {
        (runs, 1) if runs == RUNS_MAX as usize => Ok(()),
        other => Err(format!("{other:?}")),
    });
    is_whole(world, key, b"never");
    world.drained();
    assert!(world.parked(key).is_empty());
}

/// 503s without end: the run itself records and parks it, and its message goes.
#[test]
fn a_destination_that_only_asks_for_patience_is_recorded_by_a_queued_run() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/only-503.txt";
    let busy = Fault::Error(503, "SlowDown");
    world.proxy.fail("CopyObject", key, busy, 1000);
    put(world, key, b"busy");
    let point = world.has_become(key, "failed");
    assert_eq!(point["error"]["S"], "Throttled", "{point}");
    let parked = wait("it is parked", || {
        let parked = world.parked(key);
        parked.first().cloned().ok_or_else(|| "not yet".to_owned())
    });
    let attributes = &parked["MessageAttributes"];
    assert_eq!(attributes["error"]["StringValue"], "Throttled");
    world.drained();
    assert_eq!(world.starts(key), (1, 0));
}

/// What is no event, and no JSON either, is refused by Filter: recorded, parked and told, with a history.
#[test]
fn what_is_no_event_is_parked_as_an_invalid_event() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for body in [
        "{\"queued\":\"no event\"}",
        "[\"queued, no event\"]",
        "this text is no JSON {",
    ] {
        world.enqueue(body);
        let parked = wait("it is parked", || {
            let parked = world.parked(body);
            parked.first().cloned().ok_or_else(|| "not yet".to_owned())
        });
        let attributes = &parked["MessageAttributes"];
        assert_eq!(attributes["error"]["StringValue"], "InvalidEvent", "{body}");
        assert_eq!(world.parked(body).len(), 1, "{body}");
    }
    world.drained();
}

/// Held beyond its time-out, the intake is killed with its whole batch; what it had started runs on.
#[test]
fn an_intake_that_is_killed_loses_and_doubles_nothing() {
    let world = World::queued();
    let _alone = world
        .policy
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    world.drained();
    world.set_visibility(8);
    world.set_configuration("Intake", &json!({"Timeout": 4}));
    let lost = "plain/killed-before.txt";
    world.proxy.fail(SYNC, lost, Fault::StallMs(6000), 1);
    let held = "plain/killed-while-it-runs.txt";
    world.proxy.fail("CopyObject", held, Fault::HoldMs(6000), 1);
    for key in [lost, held] {
        put(world, key, key.as_bytes());
    }
    for key in [lost, held] {
        is_whole(world, key, key.as_bytes());
    }
    world.set_configuration("Intake", &json!({"Timeout": 320}));
    world.set_visibility(1920);
    world.drained();
    for key in [lost, held] {
        assert!(world.starts(key).0 >= 2, "{key}: {:?}", world.starts(key));
        is_whole(world, key, key.as_bytes());
        assert!(world.parked(key).is_empty());
    }
}

#[test]
fn large_objects_and_events_without_a_size_run_on_the_standard_machine() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/queued-large.bin";
    let body = vec![7; 8 << 20];
    // Started, and not told so: the name of the next try is taken.
    world
        .proxy
        .fail("StartExecution", key, Fault::LoseAnswer, 1);
    put(world, key, &body);
    let point = is_whole(world, key, &body);
    assert!(point.get("machine").is_none(), "{point}");
    world.drained();
    let arn = point["owner"]["S"].as_str().unwrap().split('@').next();
    let ended = world.finish(arn.unwrap());
    assert!(ended.arn.contains(":intake-"), "{ended:?}");
    let event = world.input_of(&ended.arn);
    // It comes once more, as EventBridge may send it: its name is taken.
    let before = world.starts(key);
    world.enqueue(&event);
    wait("it is started again", || {
        let after = world.starts(key);
        if after > before {
            Ok(())
        } else {
            Err(format!("{after:?}"))
        }
    });
    world.drained();
    // A deletion as S3 tells it: without a size, which the local stack puts there.
    let mut deleted: Value = serde_json::from_str(&event).unwrap();
    deleted["id"] = json!("deletion of a queued object");
    deleted["detail-type"] = json!("Object Deleted");
    deleted["detail"]["deletion-type"] = json!("Permanently Deleted");
    let object = deleted["detail"]["object"].as_object_mut().unwrap();
    object.remove("size");
    object.remove("etag");
    world.enqueue(&deleted.to_string());
    wait("the deletion is recorded", || {
        let points = world.points(key);
        let deleted = points.iter().any(|it| it["status"]["S"] == "deleted");
        if deleted {
            Ok(())
        } else {
            Err(format!("{points:?}"))
        }
    });
    world.drained();
    assert_eq!(world.starts(key).0, 0);
    assert!(world.parked(key).is_empty());
}

#[test]
fn the_intake_may_do_what_it_does_and_nothing_more() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for (key, body) in [
        ("plain/intake-allowed.txt", vec![1]),
        ("plain/intake-allowed.bin", vec![1; 8 << 20]),
    ] {
        world.proxy.fail(SYNC, key, Fault::Status(500), 1);
        put(world, key, &body);
        is_whole(world, key, &body);
    }
    world.drained();
    let function = world.function("Intake");
    let grants = world.grants(&function);
    check(world, step(&function), &grants, &asked(world)[&function]);
    // Beside what it does without a queue, see `lag`.
    world.invoke("ReportLag", &json!({}));
    let lag = world.function("ReportLag");
    let (grants, mut counted) = (world.grants(&lag), asked(world)[&lag].clone());
    counted.retain(|it| it.action.starts_with("sqs:"));
    for one in &counted {
        assert!(grants.iter().any(|it| it.allows(one)), "{one:?}");
    }
    assert!(!counted.is_empty());
    world.is_tabled("ReportLag@queue", counted, None);
}
