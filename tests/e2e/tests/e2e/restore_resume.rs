//! Restores in several slices that run out of time, are stopped or killed: they go on where they were,
//! and copy nothing twice.

use std::collections::BTreeMap;

use backup_e2e::drilling::{LINE_ITEMS, SLICE_ITEMS};
use backup_e2e::hurry::{TIMEOUT_SECONDS, TOO_LONG_MS, slow_ms};
use backup_e2e::restoring::{Contents, SCRATCH};
use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::restore::beside;

/// More than two slices of keys, and what they hold.
fn fill(world: &World, prefix: &str, keys: usize) -> Contents {
    let key = |number: usize| format!("{number:03}");
    let was: Contents = (0..keys)
        .map(|number| (key(number), format!("content {number}").into_bytes()))
        .collect();
    let changes: Vec<_> = was
        .iter()
        .map(|(key, body)| (format!("{prefix}{key}"), Some(body.clone())))
        .collect();
    world.change(&changes);
    was
}

/// The keys that were asked to be copied more than once.
fn asked_twice(copies: &BTreeMap<String, usize>) -> Vec<&String> {
    let twice = copies.iter().filter(|(_, times)| **times != 1);
    twice.map(|(key, _)| key).collect()
}

/// How often a function has begun to work on a line of a restore: it asks for its results first.
fn tries(world: &World, folder: &str) -> usize {
    let calls = world.proxy.calls(&format!("{folder}results/"));
    let asked = calls.iter().filter(|call| {
        let by = call.caller().unwrap_or_default();
        call.operation == "GetObject" && by.contains("RestoreBatch")
    });
    asked.count()
}

/// The first sixteen copies of a line take as long as a function may begin new ones: what is left of
/// the line is done by further tries, and what is done is not done again.
#[test]
fn several_slices_that_run_out_of_time_in_mid_line_come_back_whole() {
    let world = World::drilling();
    let _alone = world.alone();
    let seconds = 20;
    let _hurry = world.hurry("RestoreBatch", seconds);
    let was = fill(world, "sliced/", 2 * SLICE_ITEMS + 10);
    let at = world.moment();
    let held = Fault::HoldMs(slow_ms(seconds));
    for (first, times) in [("00", 10), ("01", 6)] {
        let needle = format!("/sliced-again/sliced/{first}");
        world.proxy.fail("CopyObject", &needle, held, times);
    }
    let ended = world.restore(&beside("sliced/", &at, "sliced-again/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(
        ended.output["slices"].as_u64() >= Some(2),
        "{}",
        ended.output
    );
    assert!(
        ended.output["plan"]["lines"].as_u64() >= Some((was.len() / LINE_ITEMS) as u64),
        "{}",
        ended.output
    );
    let slices = ended.states.iter().filter(|it| *it == "RestoreSlice");
    assert_eq!(Some(slices.count() as u64), ended.output["slices"].as_u64());
    let logged = world.logged("restore-batch");
    assert!(logged.iter().any(|it| it["error"] == "OutOfTime"));
    let folder = ended.output["work"]["folder"].as_str().unwrap();
    assert!(
        tries(world, folder) as u64 > ended.output["plan"]["lines"].as_u64().unwrap(),
        "{}",
        tries(world, folder)
    );
    assert_eq!(ended.output["done"]["restored"]["objects"], was.len());
    assert_eq!(world.contents(SCRATCH, "sliced-again/sliced/"), was);
    let copies = world.copies_to(&format!("{SCRATCH}/sliced-again/"));
    assert_eq!(copies.len(), was.len());
    assert_eq!(asked_twice(&copies), Vec::<&String>::new());
    assert_eq!(world.reported(folder).len(), was.len());
}

/// Somebody stops the execution in its first slice; its plan goes on.
#[test]
fn a_restore_that_is_stopped_goes_on_by_its_plan_and_copies_nothing_again() {
    let world = World::drilling();
    let _others = world.among_others();
    let was = fill(world, "halted/", 2 * SLICE_ITEMS);
    let at = world.moment();
    let mut input = beside("halted/", &at, "halted-again/");
    input["dryRun"] = json!(true);
    let planned = world.restore(&input);
    let plan = json!({"plan": planned.output["work"]["folder"]});
    assert!(
        planned.output["slices"].as_u64() >= Some(2),
        "{}",
        planned.output
    );
    let to = format!("{SCRATCH}/halted-again/");
    world.proxy.fail("CopyObject", &to, Fault::HoldMs(2000), 3);
    let machine = &world.outputs["RestoreStateMachineArn"];
    let first = world.begin_on(machine, &plan.to_string());
    let folder = plan["plan"].as_str().unwrap();
    wait("some are copied, and both lines are under way", || {
        match (world.copies_to(&to).len(), tries(world, folder)) {
            (10.., 2..) => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });
    let second = world.restore(&plan);
    assert_eq!(second.error, "InvalidRestore", "{second:?}");
    let said = second.cause["message"].as_str().unwrap();
    assert!(said.contains("still runs"), "{said}");
    world.stop(&first);
    // A function that was called runs to its end, and so does one of a real account.
    wait("what was under way is over", || over(world, folder));
    let before = world.copies_to(&to);
    assert!(
        before.len() < was.len(),
        "{} of {}",
        before.len(),
        was.len()
    );

    let ended = world.restore(&plan);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.contents(SCRATCH, "halted-again/halted/"), was);
    let copies = world.copies_to(&to);
    assert_eq!(copies.len(), was.len());
    assert_eq!(asked_twice(&copies), Vec::<&String>::new());
    for key in was.keys() {
        let versions = world.versions(SCRATCH, &format!("halted-again/halted/{key}"));
        assert_eq!(versions.len(), 1, "{key}");
    }
    let done = &ended.output["done"];
    assert_eq!(
        done["restored"]["objects"],
        was.len(),
        "of both runs: {done}"
    );
}

/// Every function that has begun with a line for the first time has left the empty document and its results.
fn over(world: &World, folder: &str) -> Result<(), String> {
    let calls = world.proxy.calls(&format!("{folder}results/"));
    let written = calls.iter().filter(|call| {
        let by = call.caller().unwrap_or_default();
        call.operation == "PutObject" && by.contains("RestoreBatch") && call.answered.is_some()
    });
    match (tries(world, folder), written.count()) {
        (begun, written) if written == 2 * begun => Ok(()),
        seen => Err(format!("{seen:?}")),
    }
}

/// The platform kills a function in mid-line, before it could write a word of what it has done.
#[test]
fn a_restore_whose_function_is_killed_in_mid_line_goes_on() {
    let world = World::drilling();
    let _alone = world.alone();
    let _hurry = world.hurry("RestoreBatch", TIMEOUT_SECONDS);
    let was = fill(world, "killed/", 12);
    let at = world.moment();
    let to = format!("{SCRATCH}/killed-again/");
    let slow = format!("{to}killed/007");
    world
        .proxy
        .fail("CopyObject", &slow, Fault::HoldMs(TOO_LONG_MS), 1);
    let ended = world.restore(&beside("killed/", &at, "killed-again/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let folder = ended.output["work"]["folder"].as_str().unwrap();
    assert_eq!(ended.output["plan"]["lines"], 1, "{}", ended.output);
    let tries = tries(world, folder);
    assert!(tries >= 2, "the first was killed: {tries}");
    assert_eq!(world.contents(SCRATCH, "killed-again/killed/"), was);
    let copies = world.copies_to(&to);
    // The one that was cut off may have landed by the time that the next try looks for it.
    let slow = format!("/{slow}");
    let twice = asked_twice(&copies);
    // A machine that stands still for seconds has a second try killed too.
    if tries == 2 {
        assert!(twice.iter().all(|key| **key == slow), "{twice:?}");
    }
    assert!(copies.values().all(|asked| *asked <= tries), "{copies:?}");
    assert_eq!(copies.len(), 12);
    let done = &ended.output["done"];
    let together = |done: &Value| {
        done["restored"]["objects"].as_u64().unwrap() + done["same"].as_u64().unwrap()
    };
    assert_eq!(together(done), 12, "{done}");
}
