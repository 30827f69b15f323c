//! The source is the truth: whatever raced or failed, the backup's latest version is the copy of the
//! source's newest that is stored; and deletions do what the rule says.

use backup_e2e::world::wait;
use backup_e2e::{Ended, Fault, World};
use serde_json::{Value, json};

const MARKER: [&str; 4] = [
    "x-amz-meta-s3-backup-source-bucket",
    "x-amz-meta-s3-backup-source-version",
    "x-amz-meta-s3-backup-sequencer",
    "x-amz-meta-s3-backup-last-modified",
];

/// Two versions of a key, each with its event, as if neither had been backed up.
pub fn two_versions(world: &World, key: &str, bodies: [&[u8]; 2]) -> [Value; 2] {
    let events = bodies.map(|body| {
        let ended = world.upload(key, body, &[]);
        let mut event: Value = serde_json::from_str(&world.input_of(&ended.arn)).unwrap();
        event["detail"]["object"]["version-id"] = json!(world.versions(world.source(), key)[0]);
        event
    });
    world.forget(key);
    events
}

fn outcome(ended: &Ended) -> &Value {
    &ended.output["destinations"][0]["outcome"]
}

fn version_of(event: &Value) -> &str {
    event["detail"]["object"]["version-id"].as_str().unwrap()
}

/// Lays the copy of a version on top of the backup again, as a request that lands late would.
pub fn lands_late(world: &World, key: &str, event: &Value) {
    let point = point_of(world, key, event);
    let copy = point["backup"]["M"]["versionId"]["S"].as_str().unwrap();
    let copy = world
        .objects
        .get_object(world.backup(), key, Some(copy))
        .unwrap();
    let marker = MARKER.map(|name| (name, copy.header(name).unwrap()));
    world
        .objects
        .put_object(world.backup(), key, &copy.body, &marker)
        .unwrap();
}

fn point_of(world: &World, key: &str, event: &Value) -> Value {
    let sk = format!("primary#{}", version_of(event));
    let points = world.points(key);
    points
        .into_iter()
        .find(|point| point["sk"]["S"] == sk.as_str())
        .unwrap()
}

/// The source version whose copy is the backup's latest.
fn latest(world: &World, key: &str) -> Option<String> {
    let head = world.objects.head_object(world.backup(), key, None).ok()?;
    head.header(MARKER[1]).map(str::to_owned)
}

/// The older execution is held inside CopyObject until the newer one has been recorded.
#[test]
fn latest_version_wins_when_the_older_copy_finishes_last() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (key, bytes) in [("plain/late-small", 9), ("plain/late-large", 8 << 20)] {
        let bodies = [vec![1; bytes], vec![2; bytes]];
        let [older, newer] = two_versions(world, key, [&bodies[0], &bodies[1]]);
        for call in ["CopyObject", "CompleteMultipartUpload"] {
            let held = if call == "CopyObject" {
                version_of(&older).to_owned()
            } else {
                key.to_owned()
            };
            world.proxy.fail(call, &held, Fault::Hold, 1);
        }
        let asked = || {
            let calls = world.proxy.calls(key);
            let copies = calls.iter().filter(|call| {
                call.operation == "CompleteMultipartUpload"
                    || (call.operation == "CopyObject" && call.request.contains(version_of(&older)))
            });
            copies.count()
        };
        // Those of the uploads themselves.
        let before = asked();
        let first = world.begin(&older.to_string());
        wait("the older copy is held", || {
            let held = asked() > before;
            held.then_some(()).ok_or_else(|| "not yet".to_owned())
        });
        let second = world.start_with(&newer.to_string());
        assert_eq!(outcome(&second), "stored", "{second:?}");
        world.proxy.release(version_of(&older));
        world.proxy.release(key);
        let first = world.finish(&first);
        assert_eq!(outcome(&first), "stored", "{first:?}");
        assert_eq!(
            latest(world, key).as_deref(),
            Some(version_of(&newer)),
            "{key}"
        );
        assert_eq!(world.copy_of(key).body, bodies[1], "{key}");
        let promotions = &point_of(world, key, &newer)["promotions"]["L"];
        assert_eq!(promotions.as_array().map(Vec::len), Some(1), "{key}");
        assert_eq!(world.versions(world.backup(), key).len(), 3, "none is lost");
    }
}

/// x, y, x: equal contents have equal ETags, and the order stands all the same.
#[test]
fn equal_contents_do_not_fool_the_order() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/x-y-x";
    let [older, newer] = two_versions(world, key, [b"x", b"x"]);
    assert_eq!(outcome(&world.start_with(&newer.to_string())), "stored");
    assert_eq!(outcome(&world.start_with(&older.to_string())), "stored");
    assert_eq!(latest(world, key).as_deref(), Some(version_of(&newer)));
}

/// A duplicate of something stored mends an order that was left wrong, and is no work where it is right.
#[test]
fn a_duplicate_settles_what_a_dead_execution_left_wrong() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/left-wrong";
    let [older, newer] = two_versions(world, key, [b"old", b"new"]);
    for event in [&older, &newer] {
        assert_eq!(outcome(&world.start_with(&event.to_string())), "stored");
    }
    let idle = world.start_with(&newer.to_string());
    assert_eq!(idle.states, ["Filter", "Plan", "Skipped"], "{idle:?}");
    lands_late(world, key, &older);
    assert_eq!(latest(world, key).as_deref(), Some(version_of(&older)));
    let mended = world.start_with(&newer.to_string());
    assert_eq!(outcome(&mended), "settled", "{mended:?}");
    assert_eq!(latest(world, key).as_deref(), Some(version_of(&newer)));
    assert_eq!(world.points(key).len(), 2);
}

/// The source has nothing left: the newest is promoted from its copy.
#[test]
fn a_version_that_the_source_lost_is_promoted_from_its_copy() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (key, bytes) in [("plain/lost-small", 9), ("plain/lost-large", 8 << 20)] {
        let bodies = [vec![3; bytes], vec![4; bytes]];
        let [older, newer] = two_versions(world, key, [&bodies[0], &bodies[1]]);
        for event in [&older, &newer] {
            assert_eq!(outcome(&world.start_with(&event.to_string())), "stored");
        }
        for version in world.versions(world.source(), key) {
            world
                .objects
                .delete_object(world.source(), key, Some(&version))
                .unwrap();
        }
        lands_late(world, key, &older);
        let mended = world.start_with(&newer.to_string());
        assert_eq!(outcome(&mended), "settled", "{mended:?}");
        assert_eq!(latest(world, key).as_deref(), Some(version_of(&newer)));
        assert_eq!(world.copy_of(key).body, bodies[1]);
    }
}

/// The copy is stored, its order cannot be settled: red, parked, `unsettled` and owed; a new
/// execution mends it.
#[test]
fn an_order_that_cannot_be_settled_is_parked_and_owed() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/unsettled";
    let [older, newer] = two_versions(world, key, [b"old", b"new"]);
    assert_eq!(outcome(&world.start_with(&newer.to_string())), "stored");
    // The older one is copied on top; its promotion of the newer one is refused.
    world
        .proxy
        .fail("CopyObject", version_of(&newer), Fault::Status(403), 1);
    let failed = world.start_with(&older.to_string());
    assert_eq!(failed.status, "FAILED", "{failed:?}");
    assert_eq!(failed.cause["error"], "AccessDenied", "{}", failed.cause);
    let point = point_of(world, key, &older);
    assert_eq!(point["status"]["S"], "unsettled", "{point}");
    assert!(point["owedAfter"]["S"].is_string(), "{point}");
    let mended = world.start_with(&older.to_string());
    assert_eq!(outcome(&mended), "settled", "{mended:?}");
    assert_eq!(latest(world, key).as_deref(), Some(version_of(&newer)));
    let point = point_of(world, key, &older);
    assert_eq!(point["status"]["S"], "stored", "{point}");
    assert!(point["owedAfter"].is_null(), "{point}");
}

/// A copy that was never proven is bad and owed: it counts as none.
#[test]
fn a_copy_that_was_never_proven_does_not_stay_on_top() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "read/never-proven";
    let [older, newer] = two_versions(world, key, [b"old", b"new"]);
    assert_eq!(outcome(&world.start_with(&older.to_string())), "stored");
    let copy = format!("/{}/{key}", world.backup());
    world.proxy.fail("GetObject", &copy, Fault::FlipLastByte, 2);
    let failed = world.start_with(&newer.to_string());
    assert_eq!(failed.cause["error"], "ChecksumMismatch", "{failed:?}");
    let point = point_of(world, key, &newer);
    assert_eq!(
        point["bad"]["L"].as_array().map(Vec::len),
        Some(2),
        "{point}"
    );
    let mut event = newer.clone();
    event["redrive"] = json!({"destinations": ["primary"], "attempt": 1, "settle": true,
                              "owedAfter": point["owedAfter"]["S"]});
    let mended = world.start_with(&event.to_string());
    assert_eq!(outcome(&mended), "settled", "{mended:?}");
    assert_eq!(latest(world, key).as_deref(), Some(version_of(&older)));
    // And the failed one is backed up after all by a new execution.
    let again = world.start_with(&newer.to_string());
    assert_eq!(outcome(&again), "stored", "{again:?}");
    assert_eq!(latest(world, key).as_deref(), Some(version_of(&newer)));
}

/// The deletion's execution has ended.
fn deleted(world: &World, key: &str) -> Vec<Value> {
    wait("the deletion is recorded", || {
        let points = world.points(key);
        let deletions: Vec<_> = points
            .iter()
            .filter(|point| point["status"]["S"] == "deleted")
            .cloned()
            .collect();
        if deletions.is_empty() {
            Err(format!("{points:?}"))
        } else {
            Ok(deletions)
        }
    })
}

/// `deletes: keep`, the default.
#[test]
fn a_deletion_is_recorded_and_the_backup_is_kept() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/kept.txt";
    world.upload(key, b"precious", &[]);
    world
        .objects
        .delete_object(world.source(), key, None)
        .unwrap();
    let deletions = deleted(world, key);
    assert_eq!(deletions.len(), 1);
    assert_eq!(world.copy_of(key).body, b"precious");
    assert_eq!(world.versions(world.backup(), key).len(), 1);
}

/// `deletes: mirror`: a delete marker follows a delete marker, an undelete brings the object back, and
/// nothing is ever gone.
#[test]
fn a_mirrored_deletion_hides_and_an_undelete_brings_back() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "mirror/hidden.txt";
    world.upload(key, b"now you see it", &[]);
    let marker = world
        .objects
        .delete_object(world.source(), key, None)
        .unwrap();
    wait("the backup shows nothing", || match latest(world, key) {
        None => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
    deleted(world, key);
    assert_eq!(world.versions(world.backup(), key).len(), 1, "kept below");
    world
        .objects
        .delete_object(world.source(), key, marker.version_id())
        .unwrap();
    wait("the backup shows it again", || match latest(world, key) {
        Some(_) => Ok(()),
        None => Err("a delete marker".to_owned()),
    });
    assert_eq!(world.copy_of(key).body, b"now you see it");
}

/// Removing an old version for good touches neither the live object nor any backup version.
#[test]
fn removing_an_old_version_never_touches_the_live_object() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "mirror/old-version.txt";
    world.upload(key, b"old", &[]);
    world.upload(key, b"live", &[]);
    let versions = world.versions(world.source(), key);
    world
        .objects
        .delete_object(world.source(), key, Some(&versions[1]))
        .unwrap();
    deleted(world, key);
    assert_eq!(world.copy_of(key).body, b"live");
    assert_eq!(world.versions(world.backup(), key).len(), 2);
}

/// Removing the latest version uncovers the older one, on both sides.
#[test]
fn removing_the_latest_version_uncovers_the_older_one() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "mirror/uncovered.txt";
    world.upload(key, b"old", &[]);
    world.upload(key, b"new", &[]);
    let versions = world.versions(world.source(), key);
    world
        .objects
        .delete_object(world.source(), key, Some(&versions[0]))
        .unwrap();
    deleted(world, key);
    wait("the backup shows the older one", || {
        let body = world.copy_of(key).body;
        if body == b"old" {
            Ok(())
        } else {
            Err(format!("{body:?}"))
        }
    });
    assert!(
        world.versions(world.backup(), key).len() >= 2,
        "none is lost"
    );
}

/// A deletion of what no rule would back up is skipped, and the same deletion twice is recorded once.
#[test]
fn deletions_are_recorded_once_and_only_where_something_may_be_backed_up() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "skip/deleted.txt";
    world.upload(key, b"x", &[]);
    let mut event: Value = serde_json::from_str(include_str!(
        "../../../../events/object-deleted-marker.json"
    ))
    .unwrap();
    event["detail"]["bucket"]["name"] = json!(world.source());
    event["detail"]["object"]["key"] = json!(key);
    let ended = world.start_with(&event.to_string());
    assert_eq!(ended.output["outcome"], "skipped", "{ended:?}");
    assert!(world.points(key).is_empty());

    let key = "plain/deleted-twice.txt";
    world.upload(key, b"x", &[]);
    event["detail"]["object"]["key"] = json!(key);
    for _ in 0..2 {
        let ended = world.start_with(&event.to_string());
        assert_eq!(ended.output["outcome"], "recorded", "{ended:?}");
    }
    assert_eq!(deleted(world, key).len(), 1);
}
