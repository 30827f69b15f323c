//! Versions of the id `null`: written before their bucket kept versions, and covered since.

use backup_e2e::backfilling::done;
use backup_e2e::{Ended, World};
use serde_json::{Value, json};

/// Puts an object as it lies in a bucket that keeps no versions yet; returns a faithful event of it,
/// which names no version.
fn before_versioning(world: &World, key: &str, body: &[u8]) -> String {
    let objects = &world.objects;
    objects.suspend_versioning(world.source()).unwrap();
    world.lay(key, body);
    let mut event: Value = serde_json::from_str(&world.event_of(key)).unwrap();
    objects.enable_versioning(world.source()).unwrap();
    let object = event["detail"]["object"].as_object_mut().unwrap();
    object.remove("version-id");
    event.to_string()
}

/// The statuses of a key's points, by version, and the contents of its copies.
fn at_backup(world: &World, key: &str) -> (Vec<String>, Vec<Vec<u8>>) {
    let points = world.points(key);
    let mut statuses = Vec::new();
    let mut contents = Vec::new();
    for point in &points {
        let version = point["object"]["M"]["versionId"]["S"].as_str();
        let status = point["status"]["S"].as_str().unwrap_or_default();
        let version = match version {
            Some("null") => "null",
            Some(_) => "id",
            None => "none",
        };
        statuses.push(format!("{version} {status}"));
        if let Some(copy) = point["backup"]["M"]["versionId"]["S"].as_str() {
            let copy = world.objects.get_object(world.backup(), key, Some(copy));
            contents.push(copy.unwrap().body);
        }
    }
    statuses.sort();
    contents.sort();
    (statuses, contents)
}

fn outcome(ended: &Ended) -> &str {
    ended.output["outcome"].as_str().unwrap_or_default()
}

/// What was there before versioning, and was overwritten or deleted since, is backed up: by an event
/// that comes late and by a backfill of all versions, beside what lies above it and below it in order.
#[test]
fn a_null_version_below_others_is_backed_up_by_event_and_by_backfill() {
    let world = World::backfilling();
    let _alone = world.alone();
    let keys = ["overwritten", "deleted"];
    let by_event = keys.map(|how| format!("nulls/event/{how}"));
    let by_backfill = keys.map(|how| format!("nulls/backfill/{how}"));
    let events = by_event
        .each_ref()
        .map(|key| before_versioning(world, key, b"before"));
    for key in &by_backfill {
        before_versioning(world, key, b"before");
    }
    for key in [&by_event[0], &by_backfill[0]] {
        world.lay(key, b"since");
    }
    for key in [&by_event[1], &by_backfill[1]] {
        world.hide(key);
    }
    for event in &events {
        let ended = world.start_with(event);
        assert_eq!(outcome(&ended), "backed-up", "{ended:?}");
        // A second run has the order to settle, since the source's latest is another version.
        let again = world.start_with(event);
        assert_eq!(again.status, "SUCCEEDED", "{again:?}");
    }
    for key in &by_event {
        assert_eq!(world.versions(world.backup(), key).len(), 1, "{key}");
        let (statuses, contents) = at_backup(world, key);
        assert_eq!(
            (statuses, contents),
            (vec!["null stored".to_owned()], vec![b"before".to_vec()])
        );
    }
    let ended = world.backfill(&json!({"prefix": "nulls/"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let counts = done(world, &ended);
    assert_eq!([&counts["gone"], &counts["superseded"]], [0, 0], "{counts}");
    for key in [&by_event[0], &by_backfill[0]] {
        let (statuses, contents) = at_backup(world, key);
        assert_eq!(statuses, ["id stored", "null stored"], "{key}");
        assert_eq!(contents, [b"before".to_vec(), b"since".to_vec()], "{key}");
        assert_eq!(world.copy_of(key).body, b"since");
    }
    for key in [&by_event[1], &by_backfill[1]] {
        let (statuses, contents) = at_backup(world, key);
        assert_eq!(statuses, ["id deleted", "null stored"], "{key}");
        assert_eq!(contents, [b"before".to_vec()], "{key}");
    }
}

/// What was recorded as gone is backed up after all when its event comes again and it is there.
#[test]
fn what_was_recorded_as_gone_and_is_there_is_backed_up_after_all() {
    let world = World::backfilling();
    let _alone = world.alone();
    let key = "nulls/back";
    let mut event: Value = serde_json::from_str(&before_versioning(world, key, b"back")).unwrap();
    // S3 stamps the second put later than the first; the event is of both.
    event["time"] =
        json!((jiff::Timestamp::now() + jiff::SignedDuration::from_mins(1)).to_string());
    let event = event.to_string();
    world
        .objects
        .delete_object(world.source(), key, Some("null"))
        .unwrap();
    world.start_with(&event);
    assert_eq!(at_backup(world, key).0, ["none gone"]);
    before_versioning(world, key, b"back");
    world.lay(key, b"since");
    let ended = world.start_with(&event);
    assert_eq!(outcome(&ended), "backed-up", "{ended:?}");
    let (statuses, contents) = at_backup(world, key);
    assert_eq!(statuses, ["null stored"]);
    assert_eq!(contents, [b"back".to_vec()]);
}

/// The older copy finishes last, and what must be on top lies below something newer at the source.
#[test]
fn a_null_version_below_others_is_promoted_from_the_source() {
    let world = World::backfilling();
    let _alone = world.alone();
    let key = "nulls/promoted";
    world.lay(key, b"oldest");
    let oldest = world.event_of(key);
    let null = before_versioning(world, key, b"before");
    world.lay(key, b"since");
    for event in [&null, &oldest] {
        let ended = world.start_with(event);
        assert_eq!(outcome(&ended), "backed-up", "{ended:?}");
    }
    assert_eq!(world.copy_of(key).body, b"before");
    assert_eq!(world.versions(world.backup(), key).len(), 3);
}
