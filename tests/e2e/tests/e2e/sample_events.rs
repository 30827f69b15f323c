//! The sample events through the deployed backup: each has an end that is told by name.

use std::collections::BTreeMap;
use std::path::Path;

use backup_e2e::World;
use serde_json::{Value, json};

/// Files of a folder below the workspace by name, with this world's buckets in them.
fn files(world: &World, folder: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder);
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "json") {
            let text = std::fs::read_to_string(&path)
                .unwrap()
                .replace("amzn-s3-demo-source", world.source())
                .replace("amzn-s3-demo-backup", world.backup());
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.insert(name, serde_json::from_str(&text).unwrap());
        }
    }
    found
}

/// Every kind of creation ends in a stored copy, whatever the bucket's versioning writes into the
/// event. The large one is left to the tests of large objects.
#[test]
fn created_samples_are_backed_up() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let mut seen = 0;
    for (name, mut event) in files(world, "events") {
        if !name.starts_with("object-created") || name == "object-created-multipart" {
            continue;
        }
        seen += 1;
        let key = format!(
            "samples/{name}/{}",
            event["detail"]["object"]["key"].as_str().unwrap()
        );
        let uploaded = world.upload(&key, b"hello", &[]);
        assert_eq!(uploaded.status, "SUCCEEDED", "{name}: {uploaded:?}");
        world.forget(&key);
        event["detail"]["object"]["key"] = json!(key);
        if event["detail"]["object"]["version-id"]
            .as_str()
            .is_some_and(|id| id != "null")
        {
            let version = &world.versions(world.source(), &key)[0];
            event["detail"]["object"]["version-id"] = json!(version);
        }
        let ended = world.start_with(&event.to_string());
        assert_eq!(ended.status, "SUCCEEDED", "{name}: {ended:?}");
        assert_eq!(
            ended.output["destinations"][0]["outcome"], "stored",
            "{name}"
        );
        assert_eq!(world.copy_of(&key).body, b"hello", "{name}");
    }
    assert_eq!(seen, 6);
}

/// Deletions, tags, restores, status changes, dead letters: not understood yet, and never in
/// silence: red by name, and parked as they came.
#[test]
fn samples_that_are_not_understood_end_as_invalid_event_and_are_parked() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let mut seen = 0;
    for (name, mut event) in files(world, "events") {
        if name.starts_with("object-created") || name.starts_with("malformed-") {
            continue;
        }
        seen += 1;
        let mark = format!("sample {name}");
        event["test"] = json!(mark);
        let ended = world.start_with(&event.to_string());
        assert_eq!(ended.status, "FAILED", "{name}");
        assert_eq!(ended.error, "BackupFailed", "{name}");
        let message = ended.cause["message"].as_str().unwrap();
        assert!(message.contains("InvalidEvent"), "{name}: {message}");
        let parked = world.parked(&format!("\"{mark}\""));
        assert_eq!(parked.len(), 1, "{name}");
        let body: Value = serde_json::from_str(parked[0]["Body"].as_str().unwrap()).unwrap();
        assert_eq!(body, event, "{name}");
        assert_eq!(
            parked[0]["MessageAttributes"]["error"]["StringValue"],
            "InvalidEvent"
        );
    }
    assert!(seen >= 20, "{seen} samples");
}

/// What `sam local invoke` sends: each function reads its sample task and answers about its object,
/// by an output or by an error name of ours.
#[test]
fn every_function_understands_its_sample_task() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "reports/november.csv";
    assert_eq!(world.upload(key, b"hello", &[]).status, "SUCCEEDED");
    world.forget(key);
    for (folder, task) in files(world, "events/functions") {
        let capitalised = |word: &str| word[..1].to_uppercase() + &word[1..];
        let function: String = folder.split('-').map(capitalised).collect();
        let answer = world.invoke(&function, &task);
        let text = answer.to_string();
        assert!(!text.contains("cannot be read"), "{function}: {text}");
        let said = |pointer: &str| answer.pointer(pointer).cloned().unwrap_or_default();
        match folder.as_str() {
            "filter" => assert_eq!(said("/object/key"), key, "{text}"),
            "copy" => assert_eq!(said("/outcome"), "copied", "{text}"),
            // The version in the sample is one that only the sample knows.
            "verify" => assert_eq!(said("/errorType"), "DestinationUnavailable", "{text}"),
            "record" | "record-failure" => assert_eq!(said("/destination"), "primary", "{text}"),
            "notify" => assert_eq!(said("/outcome"), "backed-up", "{text}"),
            _ => assert!(!text.contains("InvalidEvent"), "{function}: {text}"),
        }
    }
}
