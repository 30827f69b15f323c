//! Runs that make every call that some function can make.

use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::order::{lands_late, two_versions};
use crate::tags::tagged;

/// Whatever a function can call beside the good ways, which the samples have gone.
pub fn make(world: &World) {
    // A rule on tags, for a version by its id and for one that cannot be found.
    let tagged = "tagged/allowed.txt";
    let ended = world.upload(tagged, b"tagged", &[("x-amz-tagging", "keep=yes")]);
    let mut event: Value = serde_json::from_str(&world.input_of(&ended.arn)).unwrap();
    let version = world
        .cloud
        .head_object(world.source(), tagged, None)
        .unwrap();
    event["detail"]["object"]["version-id"] = json!(version.version_id());
    world.start_with(&event.to_string());
    event["detail"]["object"]
        .as_object_mut()
        .unwrap()
        .remove("version-id");
    event["detail"]["object"]["etag"] = json!("0123456789abcdef0123456789abcdef");
    world.start_with(&event.to_string());

    // A copy that differs, one that is refused, one that cannot be made.
    let bad = "read/allowed-bad.bin";
    let at_backup = format!("/{}/{bad}", world.backup());
    world
        .proxy
        .fail("GetObject", &at_backup, Fault::FlipLastByte, 1);
    world.upload(bad, b"bytes", &[]);
    let refused = "plain/allowed-refused.txt";
    world
        .proxy
        .fail("CopyObject", refused, Fault::Status(403), 1);
    world.upload(refused, b"refused", &[]);
    world.upload(
        "plain/allowed-cold.tar",
        b"cold",
        &[("x-amz-storage-class", "GLACIER")],
    );

    // A lease whose holder is dead; the copy of its attempt lies below another version.
    let key = "told/allowed-lease.txt";
    let ended = world.upload(key, b"leased", &[]);
    let mut point = world.points(key).remove(0);
    point["status"] = json!({"S": "copying"});
    point["owner"] = json!({"S": format!("{}-dead@2026-01-01T00:00:00Z", ended.arn)});
    point["until"] = json!({"S": "2999-01-01T00:00:00Z"});
    let put = json!({"TableName": world.outputs["CatalogTable"], "Item": point});
    world
        .cloud
        .json(backup_stack::Service::DynamoDb, "PutItem", &put)
        .unwrap();
    world
        .cloud
        .put_object(world.backup(), key, b"on top", &[])
        .unwrap();
    let taken = world.start_with(&world.input_of(&ended.arn));
    assert_eq!(taken.status, "SUCCEEDED", "{taken:?}");
    assert_eq!(
        world.versions(world.backup(), key).len(),
        3,
        "the copy is adopted, and promoted over what lay on top"
    );

    without_versions(world);
    in_parts(world);
    settled(world);
}

/// Promotions of each kind, one of them bad, and a mirrored deletion.
fn settled(world: &World) {
    for (key, bytes) in [
        ("read/allowed-order", 9),
        ("annotated/allowed-order", 9),
        ("annotated/allowed-order-large", 8 << 20),
    ] {
        let bodies = [vec![1; bytes], vec![2; bytes]];
        let [older, newer] = two_versions(world, key, [&bodies[0], &bodies[1]]);
        world.annotate(key, "note", "kept");
        for event in [&older, &newer] {
            world.start_with(&event.to_string());
        }
        lands_late(world, key, &older);
        if bytes == 9 {
            let promotion = Fault::Status(403);
            world.proxy.fail("CopyObject", key, promotion, 1);
            let refused = world.start_with(&newer.to_string());
            assert_eq!(refused.status, "FAILED", "{refused:?}");
        }
        let refused = world.invoke("Record", &locked(world, key, &newer));
        let said = refused["errorMessage"].as_str().unwrap_or_default();
        assert!(said.contains("ObjectLockConfiguration"), "{refused}");
        // Parts that make another content are not gone on with.
        let bad = Fault::Error(400, "BadDigest");
        world.proxy.fail("CompleteMultipartUpload", key, bad, 1);
        let copy = format!("/{}/{key}", world.backup());
        world.proxy.fail("GetObject", &copy, Fault::FlipLastByte, 1);
        let mended = world.start_with(&newer.to_string());
        assert_eq!(mended.status, "SUCCEEDED", "{mended:?}");
        for version in world.versions(world.source(), key) {
            let removed = world
                .cloud
                .delete_object(world.source(), key, Some(&version));
            removed.unwrap();
        }
        lands_late(world, key, &older);
        let mut event = newer.clone();
        event["redrive"] = json!({"destinations": ["*"], "attempt": 1, "settle": true});
        let mended = world.start_with(&event.to_string());
        assert_eq!(mended.status, "SUCCEEDED", "{mended:?}");
    }
    let key = "plain/allowed-tags";
    world.upload(key, b"x", &[]);
    world.put_tags(world.source(), key, &[("a", "1")]);
    let followed = world.start_with(&tagged(world, key).to_string());
    assert_eq!(followed.status, "SUCCEEDED", "{followed:?}");
    let key = "mirror/allowed-order";
    world.upload(key, b"x", &[]);
    let deleted = world.cloud.delete_object(world.source(), key, None);
    deleted.unwrap();
    backup_e2e::world::wait("it is mirrored", || {
        match world.cloud.head_object(world.backup(), key, None) {
            Err(_) => Ok(()),
            Ok(_) => Err("it is still there".to_owned()),
        }
    });
}

/// A promotion to a destination with retention, which the bucket at hand refuses.
fn locked(world: &World, key: &str, event: &Value) -> Value {
    let object = &event["detail"]["object"];
    json!({
        "object": {
            "bucket": world.source(), "key": key, "versionId": object["version-id"], "size": object["size"],
            "etag": object["etag"], "sequencer": object["sequencer"], "eventAt": event["time"],
            "account": event["account"], "region": event["region"],
        },
        "target": {
            "name": "primary", "key": key, "read": true, "archived": "fail", "rule": "everything", "attempts": 1,
            "settleOnly": {},
            "destination": {"bucket": world.backup(), "region": world.outputs["BackupRegion"],
                            "objectLock": {"mode": "GOVERNANCE", "days": 1}},
        },
        "copied": {"outcome": "settle", "at": event["time"]},
        "verified": {"at": event["time"]},
        "execution": {"id": "by-hand", "startTime": event["time"]},
    })
}

/// What the functions of a multipart copy can call beside the good way.
fn in_parts(world: &World) {
    let body = vec![7; 8 * 1024 * 1024];
    for (number, (call, fault)) in [
        // An upload whose id is lost is a stray: aborted by the next try.
        ("CreateMultipartUpload", Fault::LoseAnswer),
        // The copy is looked for where the upload is gone.
        ("CompleteMultipartUpload", Fault::Error(404, "NoSuchUpload")),
        // A source that is gone ends the upload, and so does a refusal.
        ("UploadPartCopy", Fault::Error(404, "NoSuchVersion")),
        ("UploadPartCopy", Fault::Error(403, "AccessDenied")),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("annotated/allowed-{number}.bin");
        world.proxy.fail(call, &key, fault, 1);
        // Of the same size, so that a search for the copy looks at its marker.
        world
            .cloud
            .put_object(world.backup(), &key, &body, &[])
            .unwrap();
        world.upload(&key, &body, &[("x-amz-tagging", "a=b")]);
    }
    let key = "annotated/allowed.bin";
    let ended = world.upload(key, &body, &[("x-amz-tagging", "a=b")]);
    world.annotate(key, "note", "kept");
    world.forget(key);
    let again = world.start_with(&world.input_of(&ended.arn));
    assert_eq!(again.status, "SUCCEEDED", "{again:?}");
    let small = "annotated/allowed-small.txt";
    world.upload(small, b"small", &[]);
    let event: Value = serde_json::from_str(&world.input_of(&ended.arn)).unwrap();
    in_parts_without_versions(world, &event);
}

fn in_parts_without_versions(world: &World, event: &Value) {
    let object = &event["detail"]["object"];
    let mut task = json!({
        "object": {
            "bucket": world.source(), "key": object["key"], "size": object["size"], "etag": object["etag"], "sequencer": object["sequencer"],
            "eventAt": event["time"], "account": event["account"], "region": event["region"],
        },
        "target": {
            "name": "primary", "key": "plain/allowed-in-parts", "read": true, "archived": "fail", "rule": "everything", "attempts": 1,
            "destination": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]},
        },
        "inRanges": true,
    });
    let mut locked = task.clone();
    locked["target"]["destination"]["objectLock"] = json!({"mode": "GOVERNANCE", "days": 1});
    let refused = world.invoke("BeginMultipart", &locked);
    assert!(
        refused["errorMessage"]
            .as_str()
            .is_some_and(|said| said.contains("ObjectLockConfiguration")),
        "asked for, and refused: {refused}"
    );
    let begun = world.invoke("BeginMultipart", &task);
    task["begun"] = begun;
    task["segment"] = task["begun"]["segments"][0].clone();
    let parts = world.invoke("CopyParts", &task);
    task["segments"] = json!([parts]);
    task["copied"] = world.invoke("CompleteMultipart", &task);
    task["copied"]["source"]["checksums"] = json!({});
    let verified = world.invoke("Verify", &task);
    let ranges = verified["reading"].as_array().unwrap();
    assert_eq!(ranges.len(), 2, "both sides: {verified}");
    for range in ranges {
        task["range"] = range.clone();
        let read = world.invoke("ReadRange", &task);
        assert_eq!(read["read"], read["bytes"], "{read}");
    }
}

/// A source that keeps no versions, and a destination with retention: the buckets at hand are
/// otherwise, so the functions are asked directly.
fn without_versions(world: &World) {
    let key = "plain/allowed-unversioned.txt";
    let ended = world.upload(key, b"as it is", &[]);
    let event: Value = serde_json::from_str(&world.input_of(&ended.arn)).unwrap();
    let object = &event["detail"]["object"];
    let mut task = json!({
        "object": {
            "bucket": world.source(), "key": key, "size": object["size"], "etag": object["etag"], "sequencer": object["sequencer"],
            "eventAt": event["time"], "account": event["account"], "region": event["region"],
        },
        "target": {
            "name": "primary", "key": key, "read": true, "archived": "fail", "rule": "everything", "attempts": 1,
            "destination": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]},
        },
    });
    let copied = world.invoke("Copy", &task);
    assert_eq!(copied["outcome"], "copied", "{copied}");
    let mut locked = task.clone();
    locked["target"]["destination"]["objectLock"] = json!({"mode": "GOVERNANCE", "days": 1});
    let refused = world.invoke("Copy", &locked);
    let said = refused["errorMessage"].as_str().unwrap_or_default();
    assert!(
        said.contains("ObjectLockConfiguration"),
        "asked for, and refused: {refused}"
    );
    task["copied"] = copied;
    task["copied"]["source"]["checksums"] = json!({});
    let verified = world.invoke("Verify", &task);
    assert_eq!(verified["evidence"]["kind"], "read", "{verified}");
}
