//! Work that nobody does any more is found and started again, once.

use std::collections::BTreeSet;

use backup_domain::watch::ATTEMPTS_MAX;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::allowed::{asked, check, step};

/// A key that is backed up, and then being copied by an execution that nobody knows.
fn orphaned(world: &World, key: &str, attempts: u32) {
    world.upload(key, b"orphaned", &[]);
    world.orphan(key, attempts);
}

/// Waits until all restarts of a key have ended.
fn restarts_end(world: &World, key: &str) -> usize {
    let restarts = world.restarts(key);
    for arn in &restarts {
        world.finish(arn);
    }
    restarts.len()
}

/// Its lease is far from over: that its owner is dead is enough.
#[test]
fn a_point_whose_owner_is_dead_is_found_and_ends_stored() {
    let (world, _alone) = World::watched();
    let key = "a b+%41//é🦀/orphan.txt";
    orphaned(world, key, 1);
    let swept = world.sweep();
    assert_eq!(swept["left"], 0, "{swept}");
    let point = world.has_become(key, "stored");
    assert_eq!(point["attempts"]["N"], "2", "{point}");
    assert_eq!(world.copy_of(key).body, b"orphaned");
    assert_eq!(restarts_end(world, key), 1);
    world.sweep();
    assert_eq!(world.restarts(key).len(), 1, "it is done");
}

/// A point that an execution is copying is none of the sweep's business.
#[test]
fn a_point_whose_owner_runs_is_left_alone() {
    let (world, _alone) = World::watched();
    let key = "plain/still-at-it.txt";
    let first = world.upload(key, b"at it", &[]);
    world.forget(key);
    world.proxy.fail("CopyObject", key, Fault::HoldMs(1500), 1);
    let running = world.begin(&world.input_of(&first.arn));
    world.has_become(key, "copying");
    let swept = world.sweep();
    assert_eq!(swept["left"], 0, "{swept}");
    assert_eq!(world.finish(&running).status, "SUCCEEDED");
    assert_eq!(world.restarts(key).len(), 0);
}

/// Status changes are best effort: one that never came is made up for, and nobody is alarmed.
#[test]
fn a_death_that_the_watcher_never_heard_of_is_found() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    let key = "plain/unheard.txt";
    let (dead, _) = world.stopped_in_the_middle(key);
    let swept = world.sweep();
    assert_eq!(swept["left"], 0, "{swept}");
    let point = world.has_become(key, "stored");
    assert_eq!(point["attempts"]["N"], "2", "{point}");
    assert_eq!(restarts_end(world, key), 1);

    // Its status change comes after all, and the sweep again.
    assert_eq!(world.watch(&dead), json!({"closed": false}));
    world.sweep();
    assert_eq!(world.restarts(key).len(), 1);
    assert_eq!((world.parked(key).len(), world.told(key).len()), (0, 0));
    assert_eq!(world.points(key), [point]);
}

/// What the watcher has closed waits for a redrive: the sweep leaves it alone.
#[test]
fn a_death_that_the_watcher_has_closed_is_left_alone() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    let key = "plain/closed.txt";
    let (dead, _) = world.stopped_in_the_middle(key);
    assert_eq!(world.watch(&dead), json!({"closed": true}));
    world.sweep();
    assert_eq!(world.restarts(key).len(), 0);
    assert_eq!(world.parked(key).len(), 1);
}

#[test]
fn two_sweeps_at_once_start_nothing_twice() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    let keys: Vec<_> = (0..6)
        .map(|number| format!("plain/at-once-{number}.txt"))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        if number < 3 {
            orphaned(world, key, 1);
        } else {
            world.stopped_in_the_middle(key);
        }
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(world.sweep()["left"], 0));
        }
    });
    // What one of them held while another asked is for the next at the latest.
    world.sweep();
    for key in &keys {
        world.has_become(key, "stored");
        assert_eq!(restarts_end(world, key), 1, "{key}");
    }
}

/// Each call of the sweep fails in turn, before it took effect until the retries are used up, or
/// after it with its answer lost: the next sweep takes up what is left.
#[test]
fn a_sweep_that_is_cut_off_at_any_call_loses_and_doubles_nothing() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    let calls = [
        "ListExecutions",
        "DescribeExecution",
        "StartExecution",
        "GetItem",
        "PutItem",
        "UpdateItem",
        "Query",
        "Scan",
    ];
    for (fault, times) in [
        (Fault::Status(500), 3),
        (Fault::LoseAnswer, 1),
        (Fault::LoseAnswer, 3),
    ] {
        for operation in calls {
            let name = format!("{operation}-{fault:?}-{times}").replace(['(', ')'], "-");
            let (listed, walked) = (
                format!("plain/listed-{name}"),
                format!("plain/walked-{name}"),
            );
            world.stopped_in_the_middle(&listed);
            orphaned(world, &walked, 1);
            world.proxy.fail(operation, "SweepFunction", fault, times);
            let cut = world.sweep();
            let survives = (fault, times) == (Fault::LoseAnswer, 1);
            assert_eq!(cut["errorType"].is_null(), survives, "{name}: {cut}");
            world.proxy.mend();
            assert!(world.sweep()["errorType"].is_null(), "{name}");
            for key in [listed, walked] {
                let point = world.has_become(&key, "stored");
                assert_eq!(point["attempts"]["N"], "2", "{key}: {point}");
                assert_eq!(restarts_end(world, &key), 1, "{key}");
                assert_eq!(world.parked(&key).len(), 0, "{key}");
            }
        }
    }
}

/// What is owed is settled once it is due, and not before. Where that takes a promotion, the order is
/// owed once more, until the promotion cannot land a second time.
#[test]
fn an_owed_order_is_settled_once_it_is_due() {
    let (world, _alone) = World::watched();
    let (due, wrong, later) = (
        "plain/owed.txt",
        "plain/owed-wrong.txt",
        "plain/owed-later.txt",
    );
    let past = "2026-01-01T00:00:00Z";
    let owe = |key: &str, after: &str| {
        let mut point = world.points(key).remove(0);
        point["status"] = json!({"S": "unsettled"});
        point["owedAfter"] = json!({"S": after});
        world.put_point(&point);
    };
    for (key, after) in [(due, past), (wrong, past), (later, "2999-01-01T00:00:00Z")] {
        world.upload(key, b"owed", &[]);
        owe(key, after);
        if key != due {
            let backup = world.backup();
            world.cloud.put_object(backup, key, b"on top", &[]).unwrap();
        }
    }
    world.sweep();
    for key in [due, wrong] {
        assert_eq!(restarts_end(world, key), 1, "{key}");
        assert_eq!(world.copy_of(key).body, b"owed");
    }
    let point = world.has_become(due, "stored");
    assert!(point["owedAfter"].is_null(), "{point}");
    assert_eq!(world.restarts(later).len(), 0);
    assert_eq!(world.copy_of(later).body, b"on top");

    owe(wrong, "2026-01-01T00:30:00Z");
    world.sweep();
    assert_eq!(restarts_end(world, wrong), 2);
    let point = world.has_become(wrong, "stored");
    assert!(point["owedAfter"].is_null(), "{point}");
    assert_eq!(
        world.versions(world.backup(), wrong).len(),
        3,
        "one promotion"
    );
}

/// What no further start can mend is tried so often, then it is recorded, parked and told, once.
#[test]
fn what_is_tried_in_vain_is_closed_and_told_once() {
    let (world, _alone) = World::watched();
    let (tried, owed) = ("plain/tried.txt", "plain/owed-in-vain.txt");
    orphaned(world, tried, ATTEMPTS_MAX);
    world.upload(owed, b"owed", &[]);
    let mut point = world.points(owed).remove(0);
    point["owedAfter"] = json!({"S": "2026-01-01T00:00:00Z"});
    world.put_point(&point);
    let backup = world.backup();
    let denied = Fault::Status(403);
    world
        .proxy
        .fail_all_of("HeadObject", &[backup, owed], denied, 999);
    for _ in 0..ATTEMPTS_MAX + 3 {
        let swept = world.sweep();
        assert_eq!(swept["left"], 0, "{swept}");
        restarts_end(world, owed);
    }
    assert_eq!(world.restarts(owed).len(), ATTEMPTS_MAX as usize);
    let told = world.told(owed);
    let closing = |it: &&Value| it.to_string().contains("was not settled");
    assert_eq!(told.iter().filter(closing).count(), 1, "{told:?}");
    assert_eq!(world.parked(owed).len(), 0, "no event is to be run again");
    assert_eq!(world.sweep()["stuck"], 1);

    let point = world.has_become(tried, "failed");
    assert_eq!(point["error"]["S"], "Aborted", "{point}");
    assert_eq!(world.restarts(tried).len(), 0);
    assert_eq!((world.parked(tried).len(), world.told(tried).len()), (1, 1));
    // The next tests count what is stuck too.
    world.forget(owed);
}

/// Where the policy has no place for it any more, nothing can be settled, and nothing is owed.
#[test]
fn what_is_owed_at_a_destination_that_is_no_more_is_dropped() {
    let (world, _alone) = World::watched();
    let owed = "plain/owed-nowhere.txt";
    world.upload(owed, b"owed", &[]);
    let mut point = world.points(owed).remove(0);
    world.forget(owed);
    point["destination"] = json!({"S": "removed"});
    point["sk"] = json!({"S": point["sk"]["S"].as_str().unwrap().replace("primary#", "removed#")});
    point["owedAfter"] = json!({"S": "2026-01-01T00:00:00Z"});
    world.put_point(&point);
    world.sweep();
    assert_eq!(restarts_end(world, owed), 1);
    let point = world.points(owed).remove(0);
    assert!(point["owedAfter"].is_null(), "{point}");
    world.sweep();
    assert_eq!(restarts_end(world, owed), 1, "nothing is left to start");
    world.forget(owed);
}

/// The index of what is owed takes no write of an ordinary object.
#[test]
fn an_ordinary_object_is_never_in_the_index_of_what_is_owed() {
    let (world, _alone) = World::watched();
    let key = "plain/ordinary.txt";
    world.upload(key, b"ordinary", &[]);
    let writes = world.proxy.calls(key);
    let writes: Vec<_> = writes
        .iter()
        .filter(|call| ["PutItem", "UpdateItem"].contains(&call.operation.as_str()))
        .collect();
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes.iter().all(|call| !call.body().contains("owedAfter")));
}

/// Every run says in one line of its log what it has found and done.
#[test]
fn every_sweep_logs_its_figures() {
    let (world, _alone) = World::watched();
    let before = world.proxy.calls("SweepFunction").len();
    world.sweep();
    let calls = world.proxy.calls("SweepFunction").split_off(before);
    let calls: Vec<_> = calls.into_iter().map(|call| call.operation).collect();
    println!("calls of one sweep: {}", calls.join(", "));
    let lines = world.logged("sweep");
    let line = lines.iter().rfind(|line| line["message"] == "swept");
    let line = line.unwrap_or_else(|| panic!("{lines:?}"));
    for figure in [
        "looked",
        "found",
        "restarted",
        "closed",
        "owed",
        "stuck",
        "left",
    ] {
        assert!(line[figure].is_u64(), "{figure}: {line}");
    }
}

/// As [`crate::allowed`], for the functions outside the machine.
#[test]
fn the_watcher_and_the_sweep_may_do_what_they_do_and_nothing_more() {
    let (world, _alone) = World::watched();
    world.deliver_status(false);
    let (dead, _) = world.stopped_in_the_middle("plain/allowed-watcher.txt");
    world.watch(&dead);
    // A second time it reads whether the first is done with it.
    world.watch(&dead);
    orphaned(world, "plain/allowed-sweep.txt", 1);
    orphaned(world, "plain/allowed-tried.txt", ATTEMPTS_MAX);
    world.sweep();
    restarts_end(world, "plain/allowed-sweep.txt");
    let asked = asked(world);
    let outside: BTreeSet<_> = ["Watcher", "Sweep"].map(|name| world.function(name)).into();
    for function in outside {
        let grants = world.grants(&function);
        check(world, step(&function), &grants, &asked[&function]);
    }
}
