//! Leases of executions that cannot be asked how they are.

use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

const SYNC: &str = "StartSyncExecution";
const FUTURE: &str = "2999-01-01T00:00:00Z";
const PAST: &str = "2026-01-01T00:00:00Z";

/// Backs an object up through the queue and returns its event.
fn uploaded(world: &World, key: &str) -> String {
    let body = key.as_bytes();
    let put = world.objects.put_object(world.source(), key, body, &[]);
    put.unwrap();
    wait("it is stored", || {
        let points = world.points(key);
        let stored = points.iter().all(|it| it["status"]["S"] == "stored");
        if stored && !points.is_empty() {
            Ok(())
        } else {
            Err(format!("{points:?}"))
        }
    });
    world.drained();
    world.event_of(key)
}

/// Makes a point of a key one that an EXPRESS execution is copying which nobody can ask for.
fn held(world: &World, point: &Value, until: &str) {
    let machine = world.outputs["ExpressStateMachineArn"].replace(":stateMachine:", ":express:");
    let mut point = point.clone();
    point["status"] = json!({"S": "copying"});
    point["machine"] = json!({"S": "EXPRESS"});
    point["owner"] = json!({"S": format!("{machine}:another@{PAST}")});
    point["until"] = json!({"S": until});
    point["open"] = json!({"S": "primary#0"});
    point["openSince"] = point["eventAt"].clone();
    world.put_point(&point);
}

/// A live lease sends the message back; the same message takes over once it has expired.
#[test]
fn a_live_lease_sends_the_message_back_until_it_expires() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/held.txt";
    let event = uploaded(world, key);
    let point = world.points(key).remove(0);
    world.forget(key);
    held(world, &point, FUTURE);
    let (before, _) = world.starts(key);
    world.proxy.fail(SYNC, key, Fault::HoldMs(1000), 99);
    world.enqueue(&event);
    wait("it comes again", || match world.starts(key).0 - before {
        runs if runs > 2 => Ok(()),
        runs => Err(format!("{runs} runs")),
    });
    assert_eq!(world.points(key)[0]["status"]["S"], "copying");
    held(world, &point, PAST);
    let point = world.has_become(key, "stored");
    assert_eq!(point["attempts"]["N"], "2");
    assert_eq!(world.copy_of(key).body, key.as_bytes());
    world.drained();
    assert!(world.parked(key).is_empty());
}

/// One destination is held by another execution, the other is backed up meanwhile: the message stays.
#[test]
fn one_destination_that_is_held_keeps_the_message_while_the_other_is_backed_up() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "two/held.txt";
    let event = uploaded(world, key);
    let points = world.points(key);
    let of = |name: &str| {
        let mut points = points.iter();
        points
            .find(|it| it["destination"]["S"] == name)
            .unwrap()
            .clone()
    };
    world.forget(key);
    held(world, &of("second"), FUTURE);
    let (before, _) = world.starts(key);
    world.proxy.fail(SYNC, key, Fault::HoldMs(1000), 99);
    world.enqueue(&event);
    wait("it comes again", || match world.starts(key).0 - before {
        runs if runs > 2 => Ok(()),
        runs => Err(format!("{runs} runs")),
    });
    let now = world.points(key);
    let status = |name: &str| {
        let mut now = now.iter();
        now.find(|it| it["destination"]["S"] == name).unwrap()["status"]["S"].clone()
    };
    assert_eq!([status("primary"), status("second")], ["stored", "copying"]);
    held(world, &of("second"), PAST);
    wait("both are stored", || {
        let points = world.points(key);
        let stored = points.iter().all(|it| it["status"]["S"] == "stored");
        if stored {
            Ok(())
        } else {
            Err(format!("{points:?}"))
        }
    });
    world.drained();
    assert!(world.parked(key).is_empty());
}

/// The other way round: a Standard execution leaves the work to a holder that has a message.
#[test]
fn a_standard_execution_leaves_a_live_express_holder_alone_and_takes_over_a_dead_one() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/held-on-express.txt";
    let event = uploaded(world, key);
    let point = world.points(key).remove(0);
    held(world, &point, FUTURE);
    let ended = world.start_with(&event);
    assert_eq!(ended.output["outcome"], "duplicate", "{ended:?}");
    assert_eq!(world.points(key)[0]["status"]["S"], "copying");
    held(world, &point, PAST);
    let ended = world.start_with(&event);
    assert_eq!(ended.output["outcome"], "backed-up", "{ended:?}");
    assert_eq!(world.points(key)[0]["status"]["S"], "stored");
    assert!(world.points(key)[0].get("machine").is_none());
}

/// An EXPRESS execution meets a Standard one that runs: its message stays until that one has ended.
#[test]
fn a_message_stays_while_a_standard_execution_is_at_work() {
    let world = World::queued();
    let _policy = world
        .policy
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/held-on-standard.txt";
    let event = uploaded(world, key);
    world.forget(key);
    let (before, copies) = (world.starts(key).0, world.copies_asked(key));
    let held = Fault::HoldMs(4000);
    world.proxy.fail("CopyObject", key, held, 1);
    let standard = world.begin(&event);
    wait("it is at work", || match world.copies_asked(key) - copies {
        0 => Err("no copy is asked for".to_owned()),
        _ => Ok(()),
    });
    world.proxy.fail(SYNC, key, Fault::HoldMs(1000), 99);
    world.enqueue(&event);
    wait("it comes again", || match world.starts(key).0 - before {
        runs if runs > 1 => Ok(()),
        runs => Err(format!("{runs} runs")),
    });
    assert_eq!(world.finish(&standard).status, "SUCCEEDED");
    world.drained();
    assert_eq!(world.copies_asked(key) - copies, 1, "nothing is doubled");
    assert!(world.parked(key).is_empty());
}

/// Step Functions does not know EXPRESS executions: the sweep calls one dead when its lease has
/// expired, and not before.
#[test]
fn the_sweep_takes_up_what_an_express_execution_left_when_its_lease_has_expired() {
    let world = World::queued();
    let _alone = world
        .policy
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = "plain/left-by-express.txt";
    uploaded(world, key);
    let point = world.points(key).remove(0);
    world.forget(key);
    held(world, &point, FUTURE);
    world.sweep();
    assert!(world.restarts(key).is_empty());
    assert_eq!(world.points(key)[0]["status"]["S"], "copying");
    held(world, &point, PAST);
    let swept = world.sweep();
    assert_eq!(swept["restarted"], 1, "{swept}");
    let restarts = world.restarts(key);
    assert_eq!(restarts.len(), 1, "{restarts:?}");
    assert_eq!(world.finish(&restarts[0]).status, "SUCCEEDED");
    let point = world.has_become(key, "stored");
    assert!(point.get("machine").is_none(), "{point}");
    assert_eq!(world.copy_of(key).body, key.as_bytes());
}
