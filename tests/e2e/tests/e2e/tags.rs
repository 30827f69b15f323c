//! Tags change without a new version: copies follow, and a rule on tags looks anew. The local stack
//! raises no events about tags, so executions are started with events of our own.

use std::collections::BTreeMap;

use backup_e2e::{Ended, Fault, World};
use serde_json::{Value, json};

pub fn tagged(world: &World, key: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../../../events/object-tags-added.json")).unwrap();
    event["detail"]["bucket"]["name"] = json!(world.source());
    event["detail"]["object"]["key"] = json!(key);
    event["detail"]["object"]["version-id"] = json!(world.versions(world.source(), key)[0]);
    event
}

fn outcome(ended: &Ended) -> &Value {
    &ended.output["destinations"][0]["outcome"]
}

fn tags(world: &World, bucket: &str, key: &str) -> BTreeMap<String, String> {
    world.tags(bucket, key)
}

/// Added, changed and removed tags follow to the copy; a second event finds nothing to do.
#[test]
fn tags_of_a_stored_version_follow() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/tags-follow";
    world.upload(key, b"x", &[("x-amz-tagging", "a=1&b=2")]);
    world.put_tags(world.source(), key, &[("b", "3"), ("c", "4")]);
    let ended = world.start_with(&tagged(world, key).to_string());
    assert_eq!(outcome(&ended), "followed", "{ended:?}");
    let expected = BTreeMap::from([("b", "3"), ("c", "4")].map(|(k, v)| (k.into(), v.into())));
    assert_eq!(tags(world, world.backup(), key), expected);
    let puts = || {
        let calls = world.proxy.calls(key);
        calls
            .iter()
            .filter(|call| call.operation == "PutObjectTagging")
            .count()
    };
    let before = puts();
    world.start_with(&tagged(world, key).to_string());
    assert_eq!(puts(), before, "equal already");
    assert_eq!(world.versions(world.backup(), key).len(), 1);
}

/// PutObject, then PutObjectTagging: what a rule on tags skipped at first is backed up after all.
#[test]
fn a_rule_on_tags_looks_anew_when_they_change() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "only-tagged/later.txt";
    let skipped = world.upload(key, b"x", &[]);
    assert_eq!(skipped.output["outcome"], "skipped", "{skipped:?}");
    world.put_tags(world.source(), key, &[("keep", "yes")]);
    let ended = world.start_with(&tagged(world, key).to_string());
    assert_eq!(outcome(&ended), "stored", "{ended:?}");
    assert_eq!(world.copy_of(key).body, b"x");
    assert_eq!(tags(world, world.backup(), key).len(), 1);
}

/// A version that is gone, and one of a key that no rule takes.
#[test]
fn tags_of_what_is_not_backed_up_are_skipped() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "skip/tags";
    world.upload(key, b"x", &[]);
    let mut event = tagged(world, key);
    let ended = world.start_with(&event.to_string());
    assert_eq!(ended.output["outcome"], "skipped", "{ended:?}");
    event["detail"]["object"]["version-id"] = json!("11111111-2222-3333-4444-555555555555");
    let ended = world.start_with(&event.to_string());
    assert_eq!(ended.output["outcome"], "skipped", "{ended:?}");
}

/// The write is lost on the way: written again, and equal in the end.
#[test]
fn a_lost_write_of_tags_is_made_again() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/tags-lost";
    world.upload(key, b"x", &[]);
    world.put_tags(world.source(), key, &[("a", "1")]);
    for fault in [Fault::Error(500, "InternalError"), Fault::LoseAnswer] {
        world.proxy.fail("PutObjectTagging", key, fault, 4);
    }
    let ended = world.start_with(&tagged(world, key).to_string());
    assert_eq!(outcome(&ended), "followed", "{ended:?}");
    assert_eq!(tags(world, world.backup(), key)["a"], "1");
}
