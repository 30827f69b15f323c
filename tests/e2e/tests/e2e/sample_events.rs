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

/// Every kind of deletion of something that is backed up is recorded, and takes nothing away.
#[test]
fn deleted_samples_are_recorded() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let mut seen = 0;
    for (name, mut event) in files(world, "events") {
        if !name.starts_with("object-deleted") {
            continue;
        }
        seen += 1;
        let key = format!("samples/{name}");
        world.upload(&key, b"hello", &[]);
        event["detail"]["object"]["key"] = json!(key);
        let ended = world.start_with(&event.to_string());
        assert_eq!(ended.status, "SUCCEEDED", "{name}: {ended:?}");
        assert_eq!(ended.output["outcome"], "recorded", "{name}: {ended:?}");
        assert_eq!(world.points(&key).len(), 2, "{name}");
        assert_eq!(world.copy_of(&key).body, b"hello", "{name}");
    }
    assert_eq!(seen, 5);
}

/// Restores, status changes, dead letters: not understood yet, and never in silence: red by
/// name, and parked as they came.
#[test]
fn samples_that_are_not_understood_end_as_invalid_event_and_are_parked() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let mut seen = 0;
    for (name, mut event) in files(world, "events") {
        let understood = [
            "object-created",
            "object-deleted",
            "object-tags",
            "malformed-",
        ];
        if understood.iter().any(|kind| name.starts_with(kind)) {
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
    assert!(seen >= 13, "{seen} samples");
}

/// What `sam local invoke` sends, as a chain by hand: each sample task with the answers of the steps
/// before it in place of the sample's own.
#[test]
fn sample_tasks_make_a_recovery_point_step_by_step() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "reports/november.csv";
    assert_eq!(world.upload(key, b"hello", &[]).status, "SUCCEEDED");
    world.forget(key);
    let tasks = files(world, "events/functions");
    let mut known = BTreeMap::new();
    let mut step = |folder: &str, function: &str, answers: Option<&'static str>| {
        let mut task = tasks[folder].clone();
        for (field, answer) in &known {
            if task.get(field).is_some() {
                task[field] = Value::clone(answer);
            }
        }
        let answer = world.invoke(function, &task);
        assert!(answer["errorType"].is_null(), "{function}: {answer}");
        if let Some(field) = answers {
            known.insert(field, answer.clone());
        }
        match folder {
            "filter" => {
                known.insert("object", answer["object"].clone());
                known.insert("target", answer["targets"][0].clone());
            }
            "begin-multipart" => drop(known.insert("segment", answer["segments"][0].clone())),
            "copy-parts" => drop(known.insert("segments", json!([answer]))),
            _ => {}
        }
        answer
    };
    assert_eq!(step("filter", "Filter", None)["action"], "small");
    let copied = step("copy", "Copy", Some("copied"));
    assert_eq!(copied["outcome"], "copied");
    let verified = step("verify", "Verify", Some("verified"));
    assert!(verified["evidence"]["value"].is_string(), "{verified}");
    let recorded = step("record", "Record", None);
    assert_eq!(recorded["outcome"], "stored");
    assert_eq!(recorded["versionId"], copied["versionId"]);
    assert_eq!(step("notify", "Notify", None)["outcome"], "backed-up");
    assert_eq!(world.points(key)[0]["status"]["S"], "stored");
    // What fails once it is stored can only be its order: that is owed.
    let failed = step("record-failure", "RecordFailure", None);
    assert_eq!(failed["outcome"], "failed");
    assert_eq!(world.points(key)[0]["status"]["S"], "unsettled");
    // The same object in parts, of which it has one.
    let begun = step("begin-multipart", "BeginMultipart", Some("begun"));
    assert!(begun["upload"]["id"].is_string(), "{begun}");
    assert_eq!(step("copy-parts", "CopyParts", None)["copied"], 1);
    let completed = step("complete-multipart", "CompleteMultipart", Some("copied"));
    assert_eq!(completed["outcome"], "copied", "{completed}");
    assert_eq!(step("read-range", "ReadRange", None)["read"], 5);
    step("abort-multipart", "AbortMultipart", None);
    assert_eq!(world.copy_of(key).body, b"hello");
}
