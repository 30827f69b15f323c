//! What was taken up under a policy that has changed since, and what is deleted before it is known.

use backup_e2e::{Ended, World};
use backup_stack::Service;
use serde_json::{Value, json};

fn outcome(ended: &Ended) -> &str {
    ended.output["outcome"].as_str().unwrap_or_default()
}

fn status(point: &Value) -> &str {
    point["status"]["S"].as_str().unwrap_or_default()
}

/// The only point of a key that was backed up just now.
fn backed_up(world: &World, key: &str, headers: &[(&str, &str)]) -> (Value, Value) {
    let ended = world.back_up(key, key.as_bytes(), headers);
    assert_eq!(outcome(&ended), "backed-up", "{ended:?}");
    let event = serde_json::from_str(&world.input_of(&ended.arn)).unwrap();
    let points = world.points(key);
    assert_eq!(points.len(), 1, "{points:#?}");
    (points[0].clone(), event)
}

/// Puts a point as another release, policy or failure might have left it.
fn put(world: &World, mut point: Value, changes: &[(&str, &str)]) -> Value {
    for (name, value) in changes {
        point[*name] = json!({"S": value});
    }
    let input = json!({"TableName": world.outputs["CatalogTable"], "Item": point});
    world
        .cloud
        .json(Service::DynamoDb, "PutItem", &input)
        .unwrap();
    point
}

/// The event once more, as a redrive of this point starts it.
fn redriven(event: &Value, point: &Value) -> String {
    let mut event = event.clone();
    event["redrive"] = json!({
        "destinations": [point["destination"]["S"]], "owner": point["owner"]["S"], "attempt": 2,
    });
    event.to_string()
}

fn deletion(world: &World, key: &str, version: &str) -> String {
    let sample = include_str!("../../../../events/object-deleted-marker.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["detail"]["bucket"]["name"] = json!(world.source());
    event["detail"]["object"]["key"] = json!(key);
    event["detail"]["object"]["version-id"] = json!(version);
    event.to_string()
}

/// The rules and destinations of a key may be named otherwise by now, and its versions unknown as yet.
#[test]
fn a_deletion_is_recorded_before_its_version_is_and_after_its_rule_was_renamed() {
    let world = World::backfilling();
    let _others = world.among_others();
    let early = "policy/early";
    let ended = world.start_with(&deletion(world, early, "m1"));
    assert_eq!(outcome(&ended), "recorded", "{ended:?}");
    let ended = world.back_up(early, b"late", &[]);
    assert_eq!(outcome(&ended), "backed-up", "{ended:?}");
    let points = world.points(early);
    let mut statuses: Vec<_> = points.iter().map(status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["deleted", "stored"]);

    let kept = "policy/renamed";
    let (point, _) = backed_up(world, kept, &[]);
    put(world, point, &[("rule", "named otherwise then")]);
    let ended = world.start_with(&deletion(world, kept, "m1"));
    assert_eq!(outcome(&ended), "recorded", "{ended:?}");
    assert_eq!(world.points(kept).len(), 2);

    let mirrored = "mirror/renamed";
    let (point, _) = backed_up(world, mirrored, &[]);
    put(world, point, &[("rule", "named otherwise then")]);
    let marker = world.hide(mirrored);
    let ended = world.start_with(&deletion(world, mirrored, &marker.id));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let hidden = world.objects.head_object(world.backup(), mirrored, None);
    assert!(hidden.is_err(), "the rule of the key mirrors");
}

/// A rule on tags cannot choose what is gone: its point knows the rule.
#[test]
fn what_failed_under_a_rule_on_tags_and_is_gone_since_is_recorded_as_gone() {
    let world = World::backfilling();
    let _others = world.among_others();
    let key = "only-tagged/gone";
    let (point, mut event) = backed_up(world, key, &[("x-amz-tagging", "keep=yes")]);
    let failed = put(world, point, &[("status", "failed")]);
    let version = world.versions(world.source(), key);
    let source = world.source();
    world
        .objects
        .delete_object(source, key, Some(&version[0]))
        .unwrap();
    // Of a content that no copy proves.
    event["detail"]["object"]["etag"] = json!("00000000000000000000000000000000");
    let ended = world.start_with(&redriven(&event, &failed));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(status(&world.points(key)[0]), "gone");
}

/// The copy was made, nobody heard of it, and the version was removed meanwhile.
#[test]
fn a_copy_whose_answer_was_lost_is_adopted_though_its_source_is_gone() {
    let world = World::backfilling();
    let _others = world.among_others();
    let key = "policy/lost";
    let (point, event) = backed_up(world, key, &[]);
    let copy = point["backup"].clone();
    let mut unheard = point;
    unheard.as_object_mut().unwrap().remove("backup");
    let failed = put(world, unheard, &[("status", "failed")]);
    let version = world.versions(world.source(), key);
    let source = world.source();
    world
        .objects
        .delete_object(source, key, Some(&version[0]))
        .unwrap();
    let ended = world.start_with(&redriven(&event, &failed));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let point = &world.points(key)[0];
    assert_eq!(status(point), "stored", "{point:#}");
    assert_eq!(point["backup"]["M"]["versionId"], copy["M"]["versionId"]);
    assert_eq!(point["evidence"]["M"]["kind"]["S"], "etag");
}

/// What the policy names nowhere any more comes to an end, and is redriven no more.
#[test]
fn a_failed_point_of_a_destination_that_the_policy_names_no_more_ends_as_skipped() {
    let world = World::backfilling();
    let _others = world.among_others();
    let key = "policy/no-such-place";
    let (point, event) = backed_up(world, key, &[]);
    let sort = point["sk"]["S"].as_str().unwrap().to_owned();
    let old = sort.replacen("primary#", "former#", 1);
    let changes = [
        ("sk", old.as_str()),
        ("destination", "former"),
        ("rule", "former"),
        ("status", "failed"),
    ];
    let failed = put(world, point, &changes);
    let ended = world.start_with(&redriven(&event, &failed));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let points = world.points(key);
    let at = |place: &str| {
        let of = |point: &&Value| point["destination"]["S"] == place;
        points.iter().find(of).unwrap()
    };
    assert_eq!(status(at("primary")), "stored");
    assert_eq!(status(at("former")), "skipped");
    let why = at("former")["message"]["S"].as_str().unwrap();
    assert!(why.contains("policy"), "{why}");
}
