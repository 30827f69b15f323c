//! What fails is recorded, parked, told and red; what can be mended is.

use backup_e2e::world::wait;
use backup_e2e::{Ended, Fault, World};
use serde_json::{Value, json};

fn outcome(ended: &Ended) -> &Value {
    &ended.output["destinations"][0]["outcome"]
}

/// A Glacier object that is not restored: by name, with advice, and its event parked as it came.
#[test]
fn a_failure_is_recorded_parked_told_and_red() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/archived.tar";
    let ended = world.upload(key, b"cold", &[("x-amz-storage-class", "GLACIER")]);

    assert_eq!(
        (ended.status.as_str(), ended.error.as_str()),
        ("FAILED", "BackupFailed"),
        "{ended:?}"
    );
    assert!(
        ended.cause["message"]
            .as_str()
            .unwrap()
            .contains("SourceArchived"),
        "{}",
        ended.cause
    );
    assert!(
        ended.cause["advice"].as_str().unwrap().contains("restore"),
        "{}",
        ended.cause
    );
    assert_eq!(ended.cause["error"], "SourceArchived");
    assert_eq!(ended.cause["object"]["key"], key);

    let points = world.points(key);
    assert_eq!(
        (
            points[0]["status"]["S"].as_str(),
            points[0]["error"]["S"].as_str()
        ),
        (Some("failed"), Some("SourceArchived"))
    );

    let parked = world.parked(key);
    assert_eq!(parked.len(), 1);
    let body: Value = serde_json::from_str(parked[0]["Body"].as_str().unwrap()).unwrap();
    let input: Value = serde_json::from_str(&world.input_of(&ended.arn)).unwrap();
    assert_eq!(body, input, "the original event, untouched");
    let attributes = &parked[0]["MessageAttributes"];
    assert_eq!(attributes["destinations"]["StringValue"], "primary");
    assert_eq!(attributes["error"]["StringValue"], "SourceArchived");

    let told = wait("the message arrives", || {
        world
            .told(key)
            .first()
            .cloned()
            .ok_or_else(|| "none".to_owned())
    });
    assert!(
        told["Body"].as_str().unwrap().contains("Do next:"),
        "{told}"
    );
}

/// A HEAD that is refused has no body: the advice says whose role it was.
#[test]
fn a_source_that_may_not_be_read_names_the_role_that_was_refused() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "tagged/refused-by-key.txt";
    world.proxy.fail("HeadObject", key, Fault::Status(403), 1);
    let ended = world.upload(key, b"under a key", &[("x-amz-tagging", "keep=yes")]);
    assert_eq!(ended.cause["error"], "SourceUnreadable", "{ended:?}");
    let role = format!("the role of {} ", world.function("Filter"));
    let advice = ended.cause["advice"].as_str().unwrap();
    assert!(advice.contains(&role), "{advice}");
    assert!(advice.contains("KmsKeyArns"), "{advice}");
}

/// One destination that cannot be reached fails alone, after its retries.
#[test]
fn a_failing_destination_does_not_fail_the_other() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "half/object";
    let ended = world.upload(key, b"half", &[]);
    assert_eq!(ended.status, "FAILED");
    assert!(
        ended.cause["message"]
            .as_str()
            .unwrap()
            .contains("nowhere: DestinationUnavailable"),
        "{}",
        ended.cause
    );
    assert_eq!(world.copy_of(key).body, b"half");
    let mut states: Vec<_> = world
        .points(key)
        .iter()
        .map(|point| point["status"]["S"].as_str().unwrap().to_owned())
        .collect();
    states.sort();
    assert_eq!(states, ["failed", "stored"]);
    let calls = world.proxy.calls("/no-such-bucket-at-all/half/object");
    let count = |name: &str| calls.iter().filter(|call| call.operation == name).count();
    // A retry looks for an own copy first, and stops where the bucket is missing.
    assert_eq!(
        (count("CopyObject"), count("HeadObject")),
        (1, 6),
        "six retries"
    );
}

/// What is parked names the destination that failed, and started again for it leaves the other alone.
#[test]
fn the_part_of_a_failed_destination_alone_is_parked_and_redriven() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "two/its part.txt";
    let denied = Fault::Error(403, "AccessDenied");
    world.proxy.fail("CopyObject", "/second/two/", denied, 1);
    let ended = world.upload(key, b"its part", &[]);
    assert_eq!(ended.error, "BackupFailed", "{ended:?}");
    let message = ended.cause["message"].as_str().unwrap();
    assert!(message.contains("second"), "{message}");
    assert!(!message.contains("primary"), "{message}");

    let parked = world.parked(key);
    let [parked] = &parked[..] else {
        panic!("{parked:?}");
    };
    let destinations = &parked["MessageAttributes"]["destinations"]["StringValue"];
    assert_eq!(destinations, "second");
    let mut event: Value = serde_json::from_str(parked["Body"].as_str().unwrap()).unwrap();
    event["redrive"] = json!({"destinations": [destinations], "attempt": 1});
    let again = world.start_with(&event.to_string());
    assert_eq!(again.status, "SUCCEEDED", "{again:?}");
    assert_eq!(again.output["destinations"].as_array().unwrap().len(), 1);
    assert_eq!(world.copy_of(&format!("second/{key}")).body, b"its part");
    let copies = |place: &str| {
        let calls = world.proxy.calls(place);
        let copies = calls.iter().filter(|call| call.operation == "CopyObject");
        copies.count()
    };
    let (all, second) = (
        copies("its%20part.txt"),
        copies("/second/two/its%20part.txt"),
    );
    assert_eq!((all - second, second), (1, 2), "primary once, second twice");
}

/// The copy is made, its answer never comes: the retry adopts it instead of copying again.
#[test]
fn a_lost_answer_makes_no_second_copy() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/lost-answer.txt";
    world.proxy.fail("CopyObject", key, Fault::LoseAnswer, 1);
    let ended = world.upload(key, b"once only", &[]);
    assert_eq!(outcome(&ended), "stored", "{ended:?}");
    assert_eq!(world.versions(world.backup(), key).len(), 1);
    let copies = world
        .proxy
        .calls(key)
        .into_iter()
        .filter(|call| call.operation == "CopyObject");
    assert_eq!(copies.count(), 1);
}

/// S3 asks for a slower pace, once in each service that is called.
#[test]
fn throttling_is_retried() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/throttled.txt";
    for operation in ["HeadObject", "CopyObject", "PutItem"] {
        world.proxy.fail(operation, key, Fault::Status(503), 1);
    }
    let ended = world.upload(key, b"slow", &[]);
    assert_eq!(outcome(&ended), "stored", "{ended:?}");
    assert_eq!(world.versions(world.backup(), key).len(), 1);
}

/// A byte that flips on the way is noticed; the bad copy is kept, tagged, and made once more.
#[test]
fn a_flipped_byte_is_a_mismatch_and_the_copy_is_made_once_more() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "read/flipped-once.bin";
    world.proxy.fail(
        "GetObject",
        &format!("/{}/{key}", world.backup()),
        Fault::FlipLastByte,
        1,
    );
    let ended = world.upload(key, b"precious bytes", &[]);
    assert_eq!(outcome(&ended), "stored", "{ended:?}");
    let versions = world.versions(world.backup(), key);
    assert_eq!(versions.len(), 2, "the refused version stays");
    assert_eq!(
        ended.output["destinations"][0]["versionId"],
        versions[0].as_str()
    );
    assert!(
        world
            .proxy
            .calls(key)
            .iter()
            .any(|call| call.operation == "PutObjectTagging"),
        "the bad one is tagged"
    );
}

/// If the second copy differs too, it is a failure by name.
#[test]
fn a_copy_that_differs_twice_fails_by_name() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "read/flipped-always.bin";
    world.proxy.fail(
        "GetObject",
        &format!("/{}/{key}", world.backup()),
        Fault::FlipLastByte,
        9,
    );
    let ended = world.upload(key, b"precious bytes", &[]);
    assert_eq!(ended.status, "FAILED");
    assert!(
        ended.cause["message"]
            .as_str()
            .unwrap()
            .contains("ChecksumMismatch"),
        "{}",
        ended.cause
    );
    assert_eq!(world.parked(key).len(), 1);
}

/// Verify is handed a version of the same size with other content.
#[test]
fn a_tampered_version_fails_verification() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/tampered.txt";
    let stored = world.upload(key, b"original", &[]);
    let tampered = world
        .cloud
        .put_object(world.backup(), key, b"0riginal", &[])
        .unwrap();
    let source = world.cloud.head_object(world.source(), key, None).unwrap();
    let input: Value = serde_json::from_str(&world.input_of(&stored.arn)).unwrap();
    let task = json!({
        "object": {
            "bucket": world.source(), "key": key, "versionId": source.version_id(), "size": 8,
            "etag": input["detail"]["object"]["etag"], "sequencer": input["detail"]["object"]["sequencer"],
            "eventAt": input["time"], "account": input["account"], "region": input["region"],
        },
        "target": {
            "name": "primary", "destination": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]},
            "key": key, "read": false, "archived": "fail", "rule": "everything", "attempts": 1,
        },
        "copied": {
            "outcome": "copied", "versionId": tampered.version_id(), "at": input["time"],
            "source": {"size": 8, "etag": input["detail"]["object"]["etag"]},
        },
    });
    let answer = world.invoke("Verify", &task);
    assert_eq!(answer["errorType"], "ChecksumMismatch", "{answer}");
    assert_eq!(
        world.versions(world.backup(), key).len(),
        2,
        "nothing is deleted"
    );
}

/// The version was deleted before it could be copied: recorded, and no failure.
#[test]
fn a_version_that_is_gone_is_no_failure() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let first = world.upload("plain/here.txt", b"here", &[]);
    let mut event: Value = serde_json::from_str(&world.input_of(&first.arn)).unwrap();
    event["detail"]["object"]["key"] = json!("plain/never-there.txt");
    event["detail"]["object"]["version-id"] = json!("11111111-2222-3333-4444-555555555555");
    let ended = world.start_with(&event.to_string());
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(outcome(&ended), "gone");
    assert_eq!(
        world.points("plain/never-there.txt")[0]["status"]["S"],
        "gone"
    );
}

/// The topic refuses: the backup stands, and its colour too.
#[test]
fn a_broken_notify_turns_nothing_red() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "told/unheard.txt";
    world
        .proxy
        .fail("Publish", "unheard", Fault::Status(403), 99);
    let ended = world.upload(key, b"quiet", &[]);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.points(key)[0]["status"]["S"], "stored");
}

/// The catalog refuses the failure: the event is parked all the same.
#[test]
fn a_failure_is_parked_even_when_the_catalog_is_away() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/catalog-away.tar";
    world.proxy.fail("GetItem", key, Fault::Status(500), 999);
    let ended = world.upload(key, b"cold", &[("x-amz-storage-class", "GLACIER")]);
    assert_eq!(ended.status, "FAILED");
    assert_eq!(world.parked(key).len(), 1);
}
