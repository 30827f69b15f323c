//! One upload becomes a verified recovery point.

use backup_e2e::World;
use backup_e2e::world::wait;

/// The whole of an ordinary object: content, headers, metadata, tags, marker, evidence, catalog; and
/// what it cost in calls.
#[test]
fn an_upload_becomes_a_verified_recovery_point() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/report.csv";
    let headers = [
        ("content-type", "text/csv"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment"),
        ("content-language", "de"),
        ("x-amz-meta-owner", "finance"),
        ("x-amz-tagging", "class=secret"),
    ];
    let ended = world.upload(key, b"a,b\n1,2\n", &headers);

    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.states, ["Filter", "Plan", "MapSmall", "Notify"]);
    let stored = &ended.output["destinations"][0];
    assert_eq!(
        (stored["outcome"].as_str(), stored["key"].as_str()),
        (Some("stored"), Some(key))
    );
    assert!(stored["evidence"]["kind"].is_string(), "{stored}");

    let copy = world.copy_of(key);
    assert_eq!(copy.body, b"a,b\n1,2\n");
    assert_eq!(copy.version_id(), stored["versionId"].as_str());
    for (name, value) in &headers[..5] {
        assert_eq!(copy.header(name), Some(*value), "{name}");
    }
    assert_eq!(
        copy.header("x-amz-meta-s3-backup-source-bucket"),
        Some(world.source())
    );
    let source_version = world.versions(world.source(), key);
    assert_eq!(
        copy.header("x-amz-meta-s3-backup-source-version"),
        Some(source_version[0].as_str())
    );

    let points = world.points(key);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0]["status"]["S"], "stored");
    assert_eq!(
        points[0]["sk"]["S"],
        format!("primary#{}", source_version[0])
    );
    assert_eq!(
        points[0]["backup"]["M"]["versionId"]["S"],
        stored["versionId"]
    );

    assert_eq!(
        calls(world, key),
        [
            "PutItem",
            "HeadObject",
            "CopyObject",
            "HeadObject",
            "PutItem",
            "HeadObject",
            "HeadObject"
        ],
        "and no Publish: the level is failures"
    );
}

/// Calls whose request names this object.
fn calls(world: &World, needle: &str) -> Vec<String> {
    world
        .proxy
        .calls(needle)
        .into_iter()
        .map(|call| call.operation)
        .collect()
}

/// Three transitions, no call to S3 or DynamoDB, and a reason.
#[test]
fn a_skipped_object_costs_three_transitions_and_no_calls() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let ended = world.upload("skip/scratch.tmp", b"x", &[]);
    assert_eq!(ended.states, ["Filter", "Plan", "Skipped"]);
    assert_eq!(ended.status, "SUCCEEDED");
    assert_eq!(ended.output["outcome"], "skipped");
    assert!(
        ended.output["reason"].as_str().unwrap().contains("skip"),
        "{}",
        ended.output
    );
    assert_eq!(world.proxy.calls("skip/scratch.tmp"), []);
}

/// The same event again: no copy, no version, no second message.
#[test]
fn a_second_run_of_an_event_adds_nothing() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "told/twice.txt";
    let first = world.upload(key, b"once", &[]);
    assert_eq!(first.status, "SUCCEEDED");
    let again = world.start_with(&world.input_of(&first.arn));
    assert_eq!(
        (again.status.as_str(), again.output["outcome"].as_str()),
        ("SUCCEEDED", Some("duplicate"))
    );
    assert_eq!(again.states, ["Filter", "Plan", "Skipped"]);
    assert_eq!(world.versions(world.backup(), key).len(), 1);
    assert_eq!(world.points(key).len(), 1);
    wait("the message arrives", || {
        if world.told(key).is_empty() {
            Err("no message".to_owned())
        } else {
            Ok(())
        }
    });
    assert_eq!(world.told(key).len(), 1, "one message for one backup");
}

/// What a person and a machine read of a success.
#[test]
fn a_success_is_told_where_the_policy_says_all() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "told/news é.txt";
    world.upload(key, b"news", &[]);
    let told = wait("the message arrives", || {
        world
            .told("told/news")
            .first()
            .cloned()
            .ok_or_else(|| "none".to_owned())
    });
    let body: serde_json::Value = serde_json::from_str(told["Body"].as_str().unwrap()).unwrap();
    let subject = body["Subject"].as_str().unwrap();
    assert!(subject.is_ascii() && subject.len() <= 100, "{subject}");
    let text = body["Message"].as_str().unwrap();
    for said in [
        key,
        "4 bytes",
        "Evidence:",
        "Copy:     s3://",
        "console.aws.amazon.com",
    ] {
        assert!(text.contains(said), "{said} is not in:\n{text}");
    }
    let json = body["MessageAttributes"]["json"]["Value"].as_str().unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["destinations"][0]["outcome"], "stored");
}

/// One JSON line a step, with execution, bucket, key and version id; no content of the object.
#[test]
fn logs_name_the_object_and_never_its_content() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/logged.txt";
    let ended = world.upload(
        key,
        b"SECRET-CONTENT",
        &[("x-amz-meta-token", "SECRET-METADATA")],
    );
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    for folder in ["copy", "verify", "record"] {
        let line = wait("the step is logged", || {
            let lines = world.logged(folder);
            let mine = lines.iter().find(|line| line["span"]["key"] == key);
            mine.cloned()
                .ok_or_else(|| format!("{} lines", lines.len()))
        });
        assert_eq!(line["span"]["execution"], ended.arn.as_str(), "{line}");
        assert_eq!(line["span"]["bucket"], world.source(), "{line}");
        assert!(line["span"]["version_id"].is_string(), "{line}");
        assert!(!line.to_string().contains("SECRET"), "{line}");
    }
}

/// Versions of one key, one after the other and with the same content, are all kept.
#[test]
fn every_version_of_a_key_has_its_recovery_point() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/versions.txt";
    for body in ["x", "y", "x"] {
        assert_eq!(world.upload(key, body.as_bytes(), &[]).status, "SUCCEEDED");
    }
    assert_eq!(world.versions(world.backup(), key).len(), 3);
    assert_eq!(world.points(key).len(), 3);
    assert_eq!(world.copy_of(key).body, b"x");
}

/// A rule can demand that content is read, and the recovery point says that it was.
#[test]
fn read_evidence_is_told_apart() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let ended = world.upload("read/bytes.bin", &vec![7; 100_000], &[]);
    assert_eq!(
        ended.output["destinations"][0]["evidence"]["kind"], "read",
        "{ended:?}"
    );
    assert_eq!(
        ended.output["destinations"][0]["evidence"]["algorithm"],
        "CRC64NVME"
    );
}

/// Two destinations: one copy each, each with its own point.
#[test]
fn every_destination_gets_its_copy() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "two/copies.txt";
    let ended = world.upload(key, b"both", &[]);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.copy_of(key).body, b"both");
    assert_eq!(world.copy_of(&format!("second/{key}")).body, b"both");
    assert_eq!(world.points(key).len(), 2);
}
