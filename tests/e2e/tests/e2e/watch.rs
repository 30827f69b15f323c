//! Executions whose end no state can see: stopped by hand, or ended by the platform.

use std::collections::BTreeMap;

use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

/// What one closed execution leaves: messages parked and told.
fn left(world: &World, key: &str) -> (usize, usize) {
    (world.parked(key).len(), world.told(key).len())
}

/// Waits until the event of a key is parked and told.
fn is_closed(world: &World, key: &str) {
    wait("it is parked and told", || match left(world, key) {
        (1.., 1..) => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
}

/// A machine of the same functions, changed.
fn variant(world: &World, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut definition: Value = serde_json::from_str(&world.definition).unwrap();
    change(&mut definition);
    world.create_machine(name, &definition)
}

/// Its status change comes by the rule, then again, several times at once, and late.
#[test]
fn an_execution_stopped_by_hand_is_recorded_parked_and_told_once() {
    let (world, _alone) = World::watched();
    let key = "plain/stopped.txt";
    let (dead, input) = world.stopped_in_the_middle(key);
    is_closed(world, key);
    let point = world.has_become(key, "failed");
    assert_eq!(point["error"]["S"], "Aborted", "{point}");
    assert!(
        point["owedAfter"]["S"].is_string(),
        "its copy may land: {point}"
    );

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let watched = world.watch(&dead);
                assert_eq!(watched, json!({"closed": false}));
            });
        }
    });
    assert_eq!(left(world, key), (1, 1));

    let parked = &world.parked(key)[0];
    let body: Value = serde_json::from_str(parked["Body"].as_str().unwrap()).unwrap();
    let event: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(body, event, "the original event, untouched");
    let attributes = &parked["MessageAttributes"];
    assert_eq!(attributes["destinations"]["StringValue"], "*");
    assert_eq!(attributes["error"]["StringValue"], "Aborted");
    assert_eq!(attributes["attempt"]["StringValue"], "0");
    let told = world.told(key)[0]["Body"].as_str().unwrap().to_owned();
    assert!(told.contains("stopped by a test"), "{told}");
}

/// What was parked can be started again: the event is backed up.
#[test]
fn a_stopped_execution_started_again_ends_stored() {
    let (world, _alone) = World::watched();
    let key = "plain/stopped-again.txt";
    world.stopped_in_the_middle(key);
    is_closed(world, key);
    let parked = world.parked(key)[0]["Body"].as_str().unwrap().to_owned();
    let ended = world.start_with(&parked);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let point = world.has_become(key, "stored");
    assert_eq!(point["attempts"]["N"], "2", "{point}");
}

/// Plan evaluates what is not there: no Catch sees that.
#[test]
fn an_execution_that_the_platform_ends_is_recorded_parked_and_told_once() {
    let (world, _alone) = World::watched();
    let key = "two/runtime.txt";
    let first = world.upload(key, b"runtime", &[]);
    world.forget(key);
    world.forget(&format!("second/{key}"));
    let machine = variant(world, "broken-plan", |definition| {
        definition["States"]["Plan"]["Choices"][0]["Condition"] = json!("{% $work.action() %}");
    });
    let ended = world.start_on(&machine, &world.input_of(&first.arn));
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    assert!(ended.error.starts_with("States."), "{ended:?}");

    assert_eq!(world.watch(&ended.arn), json!({"closed": true}));
    assert_eq!(world.watch(&ended.arn), json!({"closed": false}));
    let points = world.points(key);
    assert_eq!(points.len(), 2, "{points:?}");
    for point in points {
        assert_eq!(point["status"]["S"], "failed", "{point}");
        assert_eq!(point["error"]["S"], ended.error, "{point}");
    }
    is_closed(world, key);
    assert_eq!(left(world, key), (1, 1));
    let told = world.told(key)[0]["Body"].as_str().unwrap().to_owned();
    assert!(
        told.contains("primary") && told.contains("second"),
        "{told}"
    );
}

/// Stopped before Filter ran: there is no point, so the event is recorded whole.
#[test]
fn an_execution_stopped_before_its_lease_is_recorded_whole() {
    let (world, _alone) = World::watched();
    let key = "plain/stopped-early.txt";
    let first = world.upload(key, b"early", &[]);
    world.forget(key);
    let machine = variant(world, "slow-start", |definition| {
        definition["StartAt"] = json!("Later");
        definition["States"]["Later"] = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                   "Arguments": {"FunctionName": world.function("Notify"),
                                 "Payload": {"event": {}, "execution": {"id": key, "startTime": ""}, "notify": "all",
                                             "outcomes": [{"destination": "d", "outcome": "stored", "key": key}]}},
                   "Next": "Filter"});
        definition["States"]["Filter"] = json!({"Type": "Fail", "Error": "Stopped"});
    });
    let held = Fault::HoldMs(1500);
    world.proxy.fail("Publish", "stopped-early", held, 1);
    let input = world.input_of(&first.arn);
    let dead = world.begin_on(&machine, &input);
    wait("it has begun", || {
        let calls = world.proxy.calls("stopped-early");
        let begun = calls.iter().any(|call| call.operation == "Publish");
        if begun { Ok(()) } else { Err("no call") }.map_err(str::to_owned)
    });
    world.stop(&dead);

    assert_eq!(world.watch(&dead), json!({"closed": true}));
    let point = &world.points(key)[0];
    let event: Value = serde_json::from_str(&input).unwrap();
    let sk = format!("*#{}", event["id"].as_str().unwrap());
    assert_eq!(point["sk"]["S"], sk, "{point}");
    let kept: Value = serde_json::from_str(point["event"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(kept, event, "whole, untouched");
    assert_eq!(world.parked(key).len(), 1);
}

/// Another execution of the same event took its lease over and stored before the watcher came.
#[test]
fn an_execution_whose_work_another_took_over_is_left_alone() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    let key = "plain/taken-over.txt";
    let (dead, input) = world.stopped_in_the_middle(key);
    let ended = world.start_with(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    world.watch(&dead);
    let points = world.points(key);
    assert_eq!(points.len(), 1, "{points:?}");
    assert_eq!(points[0]["status"]["S"], "stored", "{points:?}");
    assert_eq!(left(world, key), (0, 0));
}

/// Recorded, parked and told by the machine itself.
#[test]
fn an_execution_that_failed_and_told_is_left_alone() {
    let (world, _alone) = World::watched();
    let key = "plain/told-by-itself.tar";
    let ended = world.upload(key, b"cold", &[("x-amz-storage-class", "GLACIER")]);
    assert_eq!(ended.error, "BackupFailed", "{ended:?}");
    is_closed(world, key);
    let before = world.points(key);
    assert_eq!(world.watch(&ended.arn), json!({"closed": false}));
    assert_eq!(world.points(key), before);
    assert_eq!(left(world, key), (1, 1));
    let good = world.upload("plain/good.txt", b"good", &[]);
    assert_eq!(world.watch(&good.arn), json!({"closed": false}));
}

/// The queue refused while the machine ran, and takes the event afterwards.
#[test]
fn an_event_that_the_queue_refused_is_parked_and_not_told_again() {
    let (world, _alone) = World::watched();
    let key = "plain/refused-by-the-queue.txt";
    let first = world.upload(key, b"refused", &[]);
    world.forget(key);
    let plan: BTreeMap<_, _> = [("Copy", "AccessDenied"), ("Park", "SQS.SqsException")]
        .map(|(state, error)| (state.to_owned(), error.to_owned()))
        .into();
    let machine = world.outputs["StateMachineArn"].rsplit(':').next().unwrap();
    world.mock(machine, &[("unparked".to_owned(), plan)]);
    let ended = world.start_case(&world.input_of(&first.arn), "unparked");
    assert_eq!(ended.error, "Unparked", "{ended:?}");
    is_closed(world, key);
    world.watch(&ended.arn);
    assert_eq!(left(world, key), (1, 1));
    let attributes = &world.parked(key)[0]["MessageAttributes"];
    assert_eq!(attributes["error"]["StringValue"], "AccessDenied");
    assert_eq!(attributes["destinations"]["StringValue"], "primary");
}

/// Each call of the watcher fails until its retries are used up, then it is called again, as Lambda
/// does: everything is done in the end, and what was done before is not done twice.
#[test]
fn a_watcher_that_is_cut_off_at_any_call_loses_and_doubles_nothing() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    for operation in [
        "DescribeExecution",
        "UpdateItem",
        "Query",
        "PutItem",
        "SendMessage",
        "Publish",
    ] {
        let key = format!("plain/watcher-cut-off-at-{operation}.txt");
        let (dead, _) = world.stopped_in_the_middle(&key);
        world
            .proxy
            .fail(operation, "WatcherFunction", Fault::Status(500), 3);
        let cut = world.watch(&dead);
        assert!(cut["errorType"].is_string(), "{operation}: {cut}");
        assert_eq!(world.watch(&dead), json!({"closed": true}), "{operation}");
        assert_eq!(world.watch(&dead), json!({"closed": false}), "{operation}");
        assert_eq!(
            world.points(&key)[0]["status"]["S"],
            "failed",
            "{operation}"
        );
        is_closed(world, &key);
        assert_eq!(left(world, &key), (1, 1), "{operation}");
    }
}
