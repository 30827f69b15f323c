//! What cannot be understood has a name, a record and a parked message.

use backup_e2e::World;
use serde_json::{Value, json};

fn events() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

/// Every `events/malformed-*.json`: red by name, recorded whole, parked as it came.
#[test]
fn malformed_events_are_parked_by_name() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(events()).unwrap() {
        let path = entry.unwrap().path();
        if !path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("malformed-")
        {
            continue;
        }
        seen += 1;
        let event: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut event: Value = serde_json::from_str(
            &event
                .to_string()
                .replace("amzn-s3-demo-source", world.source()),
        )
        .unwrap();
        event["test"] = json!(path.to_string_lossy());
        let ended = world.start_with(&event.to_string());
        assert_eq!(
            (ended.status.as_str(), ended.error.as_str()),
            ("FAILED", "BackupFailed"),
            "{}",
            path.display()
        );
        assert!(
            ended.cause["message"]
                .as_str()
                .unwrap()
                .contains("InvalidEvent"),
            "{}",
            ended.cause
        );
        let parked = world.parked(&path.to_string_lossy());
        assert_eq!(parked.len(), 1, "{}", path.display());
        assert_eq!(
            parked[0]["MessageAttributes"]["destinations"]["StringValue"],
            "*"
        );
    }
    assert!(seen >= 4, "{seen} malformed events");
}

/// A policy that is wrong in any way: `InvalidPolicy`, and the event waits for a better one.
#[test]
fn a_wrong_policy_parks_the_event_and_says_where_it_is_wrong() {
    let world = World::get();
    let _policy = world.policy.write().unwrap();
    let to_itself = world.usual_policy().replace(
        &format!("\"{}\"", world.backup()),
        &format!("\"{}\"", world.source()),
    );
    let unknown = world.usual_policy().replacen("{\"", "{\"colour\":1,\"", 1);
    for (number, (document, said)) in [
        ("not JSON", "cannot be read"),
        (unknown.as_str(), "colour"),
        (to_itself.as_str(), "source itself"),
    ]
    .into_iter()
    .enumerate()
    {
        world.put_policy(document);
        let key = format!("plain/under-wrong-policy-{number}");
        let ended = world.upload(&key, b"x", &[]);
        world.put_policy(&world.usual_policy());
        let message = ended.cause["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("InvalidPolicy") && message.contains(said),
            "{ended:?}"
        );
        assert_eq!(world.parked(&key).len(), 1);
        let again = world.start_with(&world.input_of(&ended.arn));
        assert_eq!(again.status, "SUCCEEDED", "mended: {again:?}");
    }
}

/// Prefix and key do not fit into a key together: that destination fails by name, the other does not.
#[test]
fn a_key_that_gets_too_long_fails_by_name() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = format!("two/{}", "k".repeat(1020));
    let ended = world.upload(&key, b"x", &[]);
    assert_eq!(ended.status, "FAILED");
    assert!(
        ended.cause["message"]
            .as_str()
            .unwrap()
            .contains("KeyTooLong"),
        "{}",
        ended.cause
    );
    assert_eq!(world.copy_of(&key).body, b"x");
}

/// No policy at all: the event waits, and the cause names the parameter.
#[test]
fn a_missing_policy_parks_the_event() {
    let world = World::get();
    let _policy = world.policy.write().unwrap();
    world.delete_policy();
    let key = "plain/without-policy";
    let ended = world.upload(key, b"x", &[]);
    world.put_policy(&world.usual_policy());
    let message = ended.cause["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("InvalidPolicy") && message.contains(&world.outputs["PolicyParameter"]),
        "{ended:?}"
    );
    assert_eq!(world.parked(key).len(), 1);
}

/// What failed is done by a new execution of the same event once the trouble is over; what was
/// stored is not done again.
#[test]
fn a_parked_event_can_be_started_again() {
    let world = World::get();
    let _policy = world.policy.write().unwrap();
    let key = "half/later.txt";
    let failed = world.upload(key, b"later", &[]);
    assert_eq!(failed.status, "FAILED");
    let mended = world.usual_policy().replace(
        "no-such-bucket-at-all\"",
        &format!("{}\",\"prefix\":\"mended/\"", world.backup()),
    );
    world.put_policy(&mended);
    let parked = world.parked(key);
    let again = world.start_with(parked[0]["Body"].as_str().unwrap());
    world.put_policy(&world.usual_policy());
    assert_eq!(again.status, "SUCCEEDED", "{again:?}");
    assert_eq!(world.copy_of(&format!("mended/{key}")).body, b"later");
    assert_eq!(
        world.versions(world.backup(), key).len(),
        1,
        "stored before, not again"
    );
    assert!(
        world
            .points(key)
            .iter()
            .all(|point| point["status"]["S"] == "stored")
    );
}
