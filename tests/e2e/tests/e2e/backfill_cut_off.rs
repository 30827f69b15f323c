//! A backfill that is cut off goes on where it stopped.

use backup_e2e::backfilling::{done, resume};
use backup_e2e::hurry::{TIMEOUT_SECONDS, TOO_LONG_MS};
use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::json;

/// A call that is not answered within the function's time-out: it is killed, its line unnoted.
#[test]
fn a_batch_that_is_killed_in_the_middle_goes_on_without_a_second_copy() {
    let world = World::backfilling();
    let _alone = world.alone();
    let _hurry = world.hurry("BackfillBatch", TIMEOUT_SECONDS);
    let there = world.lay_many("killed/", 40);
    let held = "killed/03/object%2000003";
    let too_long = Fault::StallMs(TOO_LONG_MS);
    world.proxy.fail("CopyObject", held, too_long, 1);
    // Copied when the function dies, and not yet recorded.
    world
        .proxy
        .fail("HeadObject", "killed/04/object%2000004", too_long, 1);
    let ended = world.backfill(&json!({"prefix": "killed/"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let counts = done(world, &ended);
    assert_eq!(counts["stored"]["objects"], 40, "{counts}");
    world.check_backfilled(&there);
}

/// The execution is stopped in the middle; another one goes on with its run. The local stack lets the
/// children of a stopped execution go on: here they are refused, so that they end as well.
#[test]
fn a_backfill_that_is_stopped_goes_on_where_it_stopped() {
    let world = World::backfilling();
    let _alone = world.alone();
    let _hurry = world.hurry("BackfillBatch", TIMEOUT_SECONDS);
    let there = world.lay_many("stopped/", 130);
    // One of each line is under way when its function dies.
    let held = ["stopped/01/object%2000001", "stopped/06/object%2000006"];
    for key in held {
        let too_long = Fault::StallMs(TOO_LONG_MS);
        world.proxy.fail("CopyObject", key, too_long, 1);
    }
    let first = world.begin_backfill(&json!({"prefix": "stopped/"}));
    let run = first.rsplit(':').next().unwrap();
    wait("both are under way", || {
        let asked = held.map(|key| world.copies_asked(key));
        if asked == [1, 1] {
            Ok(())
        } else {
            Err(format!("{asked:?}"))
        }
    });
    let line = format!("backfill#{run}#");
    world.proxy.fail("GetItem", &line, Fault::Status(403), 2);
    let refused = world.backfill(&resume(&first));
    assert_eq!(
        refused.error, "InvalidBackfill",
        "one run, two executions: {refused:?}"
    );
    let message = refused.cause["message"].as_str().unwrap();
    assert!(message.contains("is worked on by"), "{message}");
    world.stop(&first);
    wait("its children are over", || {
        let calls = world.proxy.calls(&line);
        let asked = calls.iter().filter(|call| call.operation == "GetItem");
        match asked.count() {
            0..4 => Err(format!("{} calls", calls.len())),
            _ => Ok(()),
        }
    });
    let ended = world.backfill(&resume(&first));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(
        ended.states.iter().any(|state| state == "LetOthersEnd"),
        "{:?}",
        ended.states
    );
    let counts = done(world, &ended);
    assert_eq!(counts["stored"]["objects"], 130, "{counts}");
    world.check_backfilled(&there);
}

/// What Step Functions itself says is no JSON: the execution ends by that name all the same.
#[test]
fn a_slice_that_is_lost_ends_the_backfill_by_name() {
    let world = World::backfilling();
    let _others = world.among_others();
    world.lay("no-slice/one", b"one");
    let planned = world.backfill(&json!({"prefix": "no-slice/", "dryRun": true}));
    assert_eq!(planned.status, "SUCCEEDED", "{planned:?}");
    let run = planned.arn.rsplit(':').next().unwrap();
    let lines = format!("backfills/{run}/plan/slice-00001.jsonl");
    let reports = &world.outputs["ReportBucket"];
    world.cloud.delete_object(reports, &lines, None).unwrap();
    let ended = world.backfill(&resume(&planned.arn));
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    assert_eq!(ended.error, "States.ItemReaderFailed", "{ended:?}");
}

/// Answers that are lost, calls that are refused for a while: tried again within the batch, and by the
/// machine.
#[test]
fn what_passes_by_itself_is_tried_again() {
    let world = World::backfilling();
    let _others = world.among_others();
    let there = world.lay_many("passing/", 14);
    let key = |number: usize| format!("passing/{:02}/object%20{number:05}", number % 7);
    for (number, operation, fault, times) in [
        (0, "CopyObject", Fault::LoseAnswer, 1),
        (1, "CopyObject", Fault::Error(503, "SlowDown"), 4),
        (2, "HeadObject", Fault::Status(500), 5),
        (3, "CopyObject", Fault::Status(500), 5),
    ] {
        world.proxy.fail(operation, &key(number), fault, times);
    }
    let ended = world.backfill(&json!({"prefix": "passing/"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(done(world, &ended)["stored"]["objects"], 14);
    // A lost answer is adopted, so that even this one has one copy.
    world.check_backfilled(&there);
}

/// A destination that is away is waited for: nothing is parked.
#[test]
fn a_breaker_that_is_open_is_waited_for_and_nothing_is_parked() {
    let world = World::backfilling();
    let _alone = world.alone();
    let there = world.lay_many("away/", 6);
    let now = jiff::Timestamp::now();
    let open = json!({"M": {"since": {"S": now.to_string()}, "retryAt": {"S": "2999-01-01T00:00:00Z"}, "failedProbes": {"N": "0"}}});
    let breaker = json!({
        "pk": {"S": "breaker"}, "sk": {"S": "primary"}, "revision": {"N": "1"}, "failures": {"N": "0"},
        "since": {"S": now.to_string()}, "untold": {"BOOL": false}, "history": {"L": []}, "opened": open,
    });
    world.put_point(&breaker);
    std::thread::sleep(crate::breaker::BELIEVED);
    let execution = world.begin_backfill(&json!({"prefix": "away/"}));
    wait("it was refused", || {
        let run = execution.rsplit(':').next().unwrap();
        match world.backfill_calls("BackfillBatch", run).get("PutItem") {
            Some(puts) if *puts >= 1 => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });
    let calls = world.backfill_calls("BackfillBatch", "away/");
    assert!(!calls.contains_key("CopyObject"), "{calls:?}");
    world.change_breaker("primary", |breaker| {
        breaker.as_object_mut().unwrap().remove("opened");
    });
    let ended = world.finish(&execution);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    world.check_backfilled(&there);
    assert!(world.parked("away/").is_empty());
}
