//! Many messages of one kind become two: the first at once, the others in a digest.

use std::sync::{Mutex, MutexGuard, PoisonError};

use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::allowed::{asked, check};

/// The world in which messages are gathered, for one test at a time: a sweep tells the windows of all.
fn alone() -> (&'static World, MutexGuard<'static, ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (World::in_digests(), guard)
}

/// Items of the catalog in which messages are counted, by kind.
fn windows(world: &World) -> Vec<Value> {
    let table = json!({
        "TableName": world.outputs["CatalogTable"], "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "digest"}},
    });
    let found = world
        .cloud
        .json(backup_stack::Service::DynamoDb, "Query", &table);
    found.unwrap()["Items"].as_array().unwrap().clone()
}

fn window(world: &World, kind: &str) -> Value {
    let mut windows = windows(world).into_iter();
    let found = windows.find(|it| it["sk"]["S"] == kind);
    found.unwrap_or_else(|| panic!("no window of {kind}"))
}

/// Ends the window of a kind.
fn ends(world: &World, kind: &str) {
    let mut item = window(world, kind);
    item["until"] = json!({"S": "2026-01-01T00:00:00Z"});
    world.put_point(&item);
}

/// Fails by name, for good.
fn fails(world: &World, key: &str) {
    let denied = Fault::Error(403, "AccessDenied");
    world.proxy.fail("CopyObject", key, denied, 1);
    let ended = world.upload(key, b"told", &[]);
    assert_eq!(ended.error, "BackupFailed", "{ended:?}");
}

/// A region that goes away fails thousands of backups: its owner gets two messages a window.
#[test]
fn failures_of_one_kind_are_told_once_and_then_in_digests() {
    let (world, _alone) = alone();
    let kind = "failed: AccessDenied at primary";
    for number in 0..13 {
        fails(world, &format!("plain/denied-{number}.txt"));
    }
    let told = |needle: &str| world.told(needle).len();
    assert_eq!(told("plain/denied-"), 1, "the first, at once");
    assert_eq!(world.parked("plain/denied-").len(), 13, "each is parked");
    assert_eq!(window(world, kind)["waiting"]["N"], "12");

    // Another kind does not wait for the first.
    let cold = [("x-amz-storage-class", "GLACIER")];
    world.upload("plain/cold-in-digests.tar", b"cold", &cold);
    assert_eq!(told("plain/cold-in-digests.tar"), 1);

    assert_eq!(world.sweep()["digests"], 0, "the window is open");
    ends(world, kind);
    assert_eq!(world.sweep()["digests"], 1);
    let digest = world.told("12 more objects failed: AccessDenied at primary");
    let [digest] = &digest[..] else {
        panic!("{digest:?}");
    };
    let text = digest["Body"].as_str().unwrap();
    assert!(
        text.contains("plain/denied-1.txt") && text.contains("and 2 more"),
        "{text}"
    );

    // It opened anew: what comes now is counted, and told when it ends.
    fails(world, "plain/denied-later.txt");
    assert_eq!(told("plain/denied-later.txt"), 0);
    ends(world, kind);
    world.sweep();
    assert_eq!(told("1 more object failed: AccessDenied at primary"), 1);

    // Nothing more comes: the next is news again.
    ends(world, kind);
    assert_eq!(world.sweep()["digests"], 0);
    fails(world, "plain/denied-news.txt");
    assert_eq!(told("plain/denied-news.txt"), 1);
}

/// The topic refuses: what could not be told is counted, and goes with the digest once it can be.
#[test]
fn what_the_topic_refuses_is_told_when_it_takes_messages_again() {
    let (world, _alone) = alone();
    let key = "plain/untold-in-digests.tar";
    let refused = Fault::Error(403, "AuthorizationError");
    world.proxy.fail("Publish", "untold-in-digests", refused, 1);
    let class = Fault::Error(400, "InvalidStorageClass");
    world.proxy.fail("CopyObject", key, class, 1);
    let ended = world.upload(key, b"untold", &[]);
    assert_eq!(ended.error, "BackupFailed", "{ended:?}");
    assert_eq!(world.told(key).len(), 0);
    let kind = "failed: InvalidPolicy at primary";
    assert_eq!(window(world, kind)["waiting"]["N"], "1");
    ends(world, kind);
    world.sweep();
    let told = world.told("1 more object failed: InvalidPolicy at primary");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].to_string().contains(key), "{told:?}");
    ends(world, kind);
    world.sweep();
    assert_eq!(window(world, kind)["closed"]["BOOL"], true);
}

/// At the level `all` an upload is told of; a thousand of them are not told of one by one.
#[test]
fn what_is_backed_up_is_told_once_and_then_in_digests() {
    let (world, _alone) = alone();
    for number in 0..3 {
        world.upload(&format!("told/in-digests-{number}.txt"), b"stored", &[]);
    }
    assert_eq!(world.told("told/in-digests-").len(), 1);
    ends(world, "stored");
    world.sweep();
    assert_eq!(world.told("2 more objects backed up").len(), 1);

    // As in `allowed`: here Notify has done all that it may do.
    let notify = world.function("Notify");
    check(
        world,
        "Notify",
        &world.grants(&notify),
        &asked(world)[&notify],
    );
}

/// Where nothing can be counted, it is told rather than kept to oneself.
#[test]
fn a_message_that_cannot_be_counted_is_told() {
    let (world, _alone) = alone();
    let told = |key: &str| {
        let ended = world.upload(key, b"half", &[]);
        assert_eq!(ended.error, "BackupFailed", "{ended:?}");
        world.told(key).len()
    };
    assert_eq!(told("half/first.txt"), 1);
    assert_eq!(told("half/counted.txt"), 0);
    let kind = "DestinationUnavailable at nowhere";
    world.proxy.fail("UpdateItem", kind, Fault::Status(500), 3);
    assert_eq!(told("half/uncounted.txt"), 1);
}
