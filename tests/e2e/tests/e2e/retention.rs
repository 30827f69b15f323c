//! Retention: what has expired is offered no more, called no damage, and copied anew where it must be.

use std::collections::BTreeMap;

use backup_e2e::World;
use backup_e2e::restoring::SCRATCH;
use backup_e2e::retaining::EXPIRED_AT;
use backup_e2e::world::wait;
use backup_stack::Service;
use serde_json::{Value, json};

/// Versions of a key, each stored; the id of each copy, and a moment at which it was the latest.
fn history(world: &World, key: &str, versions: usize) -> Vec<(String, String)> {
    let mut history = Vec::new();
    for number in 0..versions {
        world.change(&[(
            key.to_owned(),
            Some(format!("version {number}").into_bytes()),
        )]);
        let copy = world.versions(world.backup(), key).remove(0);
        history.push((copy, world.moment()));
    }
    history
}

fn restored(world: &World, key: &str, at: &str, to: &str) -> (String, Value) {
    let input = json!({"key": key, "at": at, "to": {"bucket": SCRATCH, "prefix": to}});
    let ended = world.restore(&input);
    let run = ended.arn.rsplit(':').next().unwrap();
    let plan = world.document(&format!("restores/{run}/plan/plan.json"));
    let plan: Value = serde_json::from_str(&plan).unwrap();
    (ended.status, plan["plan"].clone())
}

#[test]
fn what_has_expired_is_offered_no_more_and_the_rest_is() {
    let world = World::auditing();
    let key = "plain/retention/offered";
    let history = history(world, key, 3);
    let [(first, was_first), (second, was_second), _] = &history[..] else {
        panic!("{history:?}")
    };
    world.expire(key, first);
    let point = world.copy_has_become(key, first, "expired");
    assert_eq!(point["expiredAt"]["S"], EXPIRED_AT);

    let (status, plan) = restored(world, key, was_first, "first/");
    assert_eq!(status, "FAILED");
    assert_eq!(plan["missing"], 1, "{plan}");
    assert_eq!(
        plan["named"][0]["why"],
        format!("its copy expired on {EXPIRED_AT}")
    );
    // From the second version on everything comes back.
    let whole: jiff::Timestamp = plan["wholeFrom"].as_str().unwrap().parse().unwrap();
    assert!(
        whole.to_string() <= *was_second && whole.to_string() > *was_first,
        "{plan}"
    );
    let (status, plan) = restored(world, key, was_second, "second/");
    assert_eq!(status, "SUCCEEDED", "{plan}");
    let target = format!("second/{key}");
    let back = world.objects.get_object(SCRATCH, &target, None).unwrap();
    assert_eq!(back.body, b"version 1");

    // Its upload's event once more copies nothing: it is what it is by choice.
    let mut event: Value = serde_json::from_str(&world.event_of(key)).unwrap();
    let oldest = world.versions(world.source(), key).pop();
    event["detail"]["object"]["version-id"] = json!(oldest);
    let again = world.start_with(&event.to_string());
    assert_eq!(again.status, "SUCCEEDED", "{again:?}");
    assert_eq!(world.versions(world.backup(), key).len(), 2);
    assert_eq!(world.point_of_copy(key, first)["status"]["S"], "expired");

    let audit = world.audit(key, &json!({}));
    assert_eq!(audit.found(), BTreeMap::new(), "{:?}", audit.findings);
    assert_eq!(audit.verdict(), "whole");
    let own = &audit.summary["totals"]["destinations"]["primary"];
    assert_eq!(
        (&own["wanted"], &own["safe"]),
        (&json!(2), &json!(2)),
        "{own}"
    );
    let status = world.s3_backup(&["--json", "status", key]);
    let shown = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(0), "{shown}");
    let expired = format!("\"expiredAt\":\"{EXPIRED_AT}\"");
    assert!(shown.contains(&expired), "{shown}");
    assert_eq!(world.point_of_copy(key, second)["status"]["S"], "stored");
}

/// Doubled, of a copy that nobody knows, of a deletion that is a person's: nothing comes of them.
#[test]
fn events_that_come_twice_or_mean_nothing_change_nothing() {
    let world = World::auditing();
    let key = "plain/retention/doubled";
    let history = history(world, key, 2);
    let (first, second) = (&history[0].0, &history[1].0);
    world.expire(key, first);
    let point = world.copy_has_become(key, first, "expired");
    let latest = world.point_of_copy(key, second);
    let mut later = world.expiry_of(key, first);
    later["time"] = json!("2026-11-13T00:00:00Z");
    let mut by_hand = world.expiry_of(key, second);
    by_hand["detail"]["reason"] = json!("DeleteObject");
    let mut hidden = world.expiry_of(key, second);
    hidden["detail"]["deletion-type"] = json!("Delete Marker Created");
    let mut elsewhere = world.expiry_of(key, second);
    elsewhere["detail"]["bucket"]["name"] = json!(world.source());
    for event in [
        later,
        by_hand,
        hidden,
        elsewhere,
        world.expiry_of(key, "no-such-version"),
        world.expiry_of("plain/retention/unknown", second),
    ] {
        world.tell_lifecycle(&event);
    }
    let rubbish = json!({"QueueUrl": world.outputs["FollowLifecycleQueueUrl"], "MessageBody": "{"});
    world
        .cloud
        .json(Service::Sqs, "SendMessage", &rubbish)
        .unwrap();
    // What is told last of this key has been followed when its effect is seen.
    world.tell_lifecycle(&world.transition_of(key, second));
    wait("the last event has been followed", || {
        let class = world.point_of_copy(key, second)["backup"]["M"]["storageClass"].clone();
        if class["S"] == "GLACIER" {
            Ok(())
        } else {
            Err(class.to_string())
        }
    });
    world.followed();
    assert_eq!(world.point_of_copy(key, first), point);
    let mut now = world.point_of_copy(key, second);
    let copy = now["backup"]["M"].as_object_mut().unwrap();
    copy.remove("storageClass");
    assert_eq!(now, latest);
}

/// A version that was put on top again has two copies: one may expire.
#[test]
fn a_point_stays_stored_while_one_of_its_copies_is_there() {
    let world = World::auditing();
    let key = "plain/retention/promoted";
    world.fill(&[key.to_owned()]);
    let first = world.versions(world.backup(), key).remove(0);
    let promoted = world.put_copy_again(key);
    world.edit_point(key, |point| {
        point["promotions"] = json!({"L": [{"S": promoted}]});
    });
    world.expire(key, &first);
    wait("the first copy is taken off", || {
        let point = world.point_of_copy(key, &promoted);
        match point["backup"]["M"]["versionId"]["S"].as_str() {
            Some(id) if id == promoted => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let point = world.point_of_copy(key, &promoted);
    assert_eq!(point["status"]["S"], "stored");
    assert!(point.get("promotions").is_none(), "{point}");
    assert!(point.get("expiredAt").is_none(), "{point}");
    world.expire(key, &promoted);
    world.copy_has_become(key, &promoted, "expired");
}

#[test]
fn an_expiry_whose_event_was_lost_is_a_note_and_a_repair_notes_it() {
    let world = World::auditing();
    let prefix = "plain/retention/lost/";
    let [due, young, latest] = ["due", "young", "latest"].map(|name| format!("{prefix}{name}"));
    let gone = world.expired_long_ago(&due);
    let audit = world.audit(prefix, &json!({}));
    let found = |key: &str, kind: &str| (key.to_owned(), vec![kind.to_owned()]);
    assert_eq!(audit.found(), BTreeMap::from([found(&due, "expired")]));
    assert_eq!(audit.verdict(), "whole", "{:?}", audit.findings);
    assert_eq!(world.point_of_copy(&due, &gone)["status"]["S"], "stored");

    // Not long enough noncurrent, and the latest: nothing expires there.
    let copies = history(world, &young, 2);
    world.remove_copy(&young, &copies[0].0);
    world.expired_long_ago(&latest);
    let top = world.versions(world.backup(), &latest).remove(0);
    world.remove_copy(&latest, &top);
    let audit = world.audit(prefix, &json!({"repair": true}));
    let mut found = BTreeMap::from([found(&due, "expired"), found(&young, "point-without-copy")]);
    // Nothing of this key is listed any more, and the older copy was noncurrent long enough.
    found.insert(
        latest.clone(),
        vec!["expired".into(), "point-without-copy".into()],
    );
    let mut seen = audit.found();
    for kinds in seen.values_mut() {
        kinds.sort();
    }
    assert_eq!(seen, found, "{:?}", audit.findings);
    assert_eq!(audit.verdict(), "damaged");
    world.copy_has_become(&due, &gone, "expired");
    let audit = world.audit(&due, &json!({}));
    assert_eq!(audit.found(), BTreeMap::new(), "{:?}", audit.findings);
    assert_eq!(
        world.point_of_copy(&young, &copies[0].0)["status"]["S"],
        "stored"
    );
}

/// Deleted, mirrored, expired; then the delete marker at the source is taken away.
#[test]
fn an_undelete_backs_up_anew_what_has_expired() {
    let world = World::auditing();
    let key = "mirror/retention/undeleted";
    world.fill(&[key.to_owned()]);
    let copy = world.versions(world.backup(), key).remove(0);
    let deleted = world
        .objects
        .delete_object(world.source(), key, None)
        .unwrap();
    wait("the deletion is mirrored", || {
        match world.delete_markers(world.backup(), key) {
            0 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    });
    world.expire(key, &copy);
    world.copy_has_become(key, &copy, "expired");
    let audit = world.audit(key, &json!({}));
    assert_eq!(audit.found(), BTreeMap::new(), "{:?}", audit.findings);

    let marker = deleted.version_id();
    world
        .objects
        .delete_object(world.source(), key, marker)
        .unwrap();
    wait("it is backed up anew", || {
        let copies = world.versions(world.backup(), key);
        let top = world.objects.get_object(world.backup(), key, None);
        match (copies.first(), top) {
            (Some(new), Ok(_)) if *new != copy => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let new = world.versions(world.backup(), key).remove(0);
    let point = world.copy_has_become(key, &new, "stored");
    assert!(point.get("expiredAt").is_none(), "{point}");
    let body = world.copy_of(key).body;
    assert_eq!(body, format!("content of {key}").into_bytes());
}

#[test]
fn the_lifecycle_of_a_destination_is_printed_for_s3() {
    let world = World::get();
    let _policy = world.policy.write().unwrap();
    let mut policy: Value = serde_json::from_str(&world.usual_policy()).unwrap();
    policy["destinations"]["cold"] = json!({
        "bucket": "my-archive", "region": "eu-central-1", "prefix": "from-shop/",
        "lifecycle": {"noncurrentDays": 90, "newerNoncurrentVersions": 3},
    });
    let refused = world.s3_backup(&["lifecycle", "--destination", "primary"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the stack's parameters"), "{said}");
    let unknown = world.s3_backup(&["lifecycle", "--destination", "colder"]);
    assert_eq!(unknown.status.code(), Some(2));
    world.put_policy(&policy.to_string());
    let printed = world.s3_backup(&["lifecycle", "--destination", "cold"]);
    world.put_policy(&world.usual_policy());
    assert_eq!(printed.status.code(), Some(0), "{printed:?}");
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let rules = document["Rules"].as_array().unwrap();
    assert_eq!(
        rules[1],
        json!({"ID": "ExpireNoncurrent-cold", "Status": "Enabled", "Filter": {"Prefix": "from-shop/"},
               "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 3},
               "Expiration": {"ExpiredObjectDeleteMarker": true}})
    );
    assert_eq!(rules.len(), 2);
}
