//! Large objects: copied in parts, resumed, completed once, and proven.

use backup_e2e::{Ended, Fault, World};

const MIB: usize = 1024 * 1024;

/// Content that differs from part to part.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| u8::try_from(at * 31 % 251).unwrap())
        .collect()
}

fn outcome(ended: &Ended) -> &serde_json::Value {
    &ended.output["destinations"][0]["outcome"]
}

/// How often an operation was called for a key.
fn count(world: &World, key: &str, operation: &str) -> usize {
    let calls = world.proxy.calls(key);
    calls
        .iter()
        .filter(|call| call.operation == operation)
        .count()
}

/// Whatever happened: one proven version of the content, and no upload left behind.
fn is_stored_once(world: &World, key: &str, body: &[u8], ended: &Ended) {
    assert_eq!(outcome(ended), "stored", "{key}: {ended:?}");
    assert_eq!(world.versions(world.backup(), key).len(), 1, "{key}");
    assert_eq!(world.copy_of(key).body, body, "{key}");
    assert!(!world.uploads().contains(&key.to_owned()), "{key}: a stray");
}

/// Three parts, one upload, proven, with the marker; and what it cost in calls.
#[test]
fn a_large_object_is_copied_in_parts_and_proven() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/large.bin";
    let body = content(12 * MIB + 1);
    let ended = world.upload(key, &body, &[]);
    assert_eq!(ended.states, ["Filter", "Plan", "MapLarge", "Notify"]);
    is_stored_once(world, key, &body, &ended);
    let evidence = &ended.output["destinations"][0]["evidence"];
    assert_eq!(
        evidence["kind"], "read",
        "the local stack keeps no checksum of a multipart copy"
    );
    assert_eq!(
        world
            .copy_of(key)
            .header("x-amz-meta-s3-backup-source-bucket"),
        Some(world.source())
    );
    assert_eq!(world.points(key)[0]["status"]["S"], "stored");
    for (operation, times) in [
        ("CreateMultipartUpload", 1),
        ("UploadPartCopy", 3),
        ("CompleteMultipartUpload", 1),
        ("CopyObject", 0),
        ("GetObjectTagging", 1),
        ("ListParts", 2),
    ] {
        assert_eq!(count(world, key, operation), times, "{operation}");
    }
}

/// Each call of the path fails once in each way; the object comes through, once, and no part is
/// copied twice that need not be.
#[test]
fn every_call_of_a_multipart_copy_may_fail_once() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let body = content(11 * MIB);
    let calls = [
        "CreateMultipartUpload",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "ListParts",
    ];
    let faults = [
        ("503", Fault::Error(503, "SlowDown")),
        ("500", Fault::Error(500, "InternalError")),
        ("200", Fault::Error(200, "InternalError")),
        ("reset", Fault::Truncate),
        ("lost", Fault::LoseAnswer),
    ];
    for call in calls {
        for (name, fault) in faults {
            if call != "UploadPartCopy" && call != "CompleteMultipartUpload" && name == "200" {
                continue; // only these answer before they are done
            }
            let key = format!("plain/fails-once/{call}-{name}.bin");
            world.proxy.fail(call, &key, fault, 1);
            let ended = world.upload(&key, &body, &[]);
            is_stored_once(world, &key, &body, &ended);
            let again = usize::from(call == "UploadPartCopy");
            assert!(
                count(world, &key, "UploadPartCopy") <= 3 + again,
                "{key}: parts are copied once"
            );
        }
    }
}

/// The upload is gone in the middle (a person, a lifecycle rule): it is begun again.
#[test]
fn an_upload_that_vanishes_is_begun_again() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let body = content(11 * MIB);
    for (call, times) in [("UploadPartCopy", 3), ("CompleteMultipartUpload", 1)] {
        let key = format!("plain/vanishes/{call}.bin");
        let gone = Fault::Error(404, "NoSuchUpload");
        world.proxy.fail(call, &key, gone, times);
        let ended = world.upload(&key, &body, &[]);
        is_stored_once(world, &key, &body, &ended);
    }
}

/// What cannot be mended ends in a named failure, and frees what it held.
#[test]
fn a_failed_upload_is_aborted() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (call, status, code, name) in [
        ("UploadPartCopy", 403, "AccessDenied", "AccessDenied"),
        (
            "CompleteMultipartUpload",
            403,
            "AccessDenied",
            "AccessDenied",
        ),
        ("UploadPartCopy", 503, "SlowDown", "Throttled"),
        (
            "CompleteMultipartUpload",
            400,
            "BadDigest",
            "ChecksumMismatch",
        ),
    ] {
        let key = format!("plain/aborted/{call}-{code}.bin");
        world
            .proxy
            .fail(call, &key, Fault::Error(status, code), 9999);
        let ended = world.upload(&key, &content(8 * MIB), &[]);
        assert_eq!(ended.status, "FAILED", "{key}: {ended:?}");
        assert_eq!(ended.cause["error"], name, "{key}: {}", ended.cause);
        assert!(!world.uploads().contains(&key), "{key}: a stray");
        assert_eq!(world.parked(&key).len(), 1, "{key}");
        assert_eq!(world.points(&key)[0]["status"]["S"], "failed", "{key}");
        assert_eq!(world.versions(world.backup(), &key).len(), 0, "{key}");
    }
}

/// The source changes under the copy: no mixture, no success, and no failure either.
#[test]
fn a_source_that_changes_while_it_is_copied_is_no_copy() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (code, status, expected) in [
        ("PreconditionFailed", 412, "superseded"),
        ("NoSuchVersion", 404, "gone"),
    ] {
        let key = format!("plain/changes/{code}.bin");
        world
            .proxy
            .fail("UploadPartCopy", &key, Fault::Error(status, code), 1);
        let ended = world.upload(&key, &content(11 * MIB), &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        assert_eq!(outcome(&ended), expected);
        assert_eq!(world.versions(world.backup(), &key).len(), 0);
        assert!(!world.uploads().contains(&key), "{key}: a stray");
    }
}

/// A version that is deleted for good while its parts are copied.
#[test]
fn a_version_deleted_in_the_middle_is_gone() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/deleted-in-the-middle.bin";
    world
        .proxy
        .fail("CreateMultipartUpload", key, Fault::HoldMs(1500), 1);
    let deleting = std::thread::spawn(move || {
        backup_e2e::world::wait("the upload is about to be created", || {
            match count(world, key, "CreateMultipartUpload") {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        });
        let version = &world.versions(world.source(), key)[0];
        world
            .objects
            .delete_object(world.source(), key, Some(version))
            .unwrap();
    });
    let ended = world.upload(key, &content(11 * MIB), &[]);
    deleting.join().unwrap();
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(outcome(&ended), "gone");
    assert!(!world.uploads().contains(&key.to_owned()));
}

/// A wrong byte while the copy is read: tagged, copied once more by a new upload.
#[test]
fn a_large_copy_that_differs_is_made_once_more() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "read/large-flipped.bin";
    let copy = format!("/{}/{key}", world.backup());
    world.proxy.fail("GetObject", &copy, Fault::FlipLastByte, 1);
    let body = content(9 * MIB);
    let ended = world.upload(key, &body, &[]);
    assert_eq!(outcome(&ended), "stored", "{ended:?}");
    assert_eq!(
        world.versions(world.backup(), key).len(),
        2,
        "the refused version stays"
    );
    assert_eq!(count(world, key, "PutObjectTagging"), 1, "and is tagged");
    assert_eq!(count(world, key, "CreateMultipartUpload"), 2);
}

/// A body that breaks off, or a 503, while a range is read: read again, nothing else.
#[test]
fn a_range_that_breaks_off_is_read_again() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let body = content(9 * MIB);
    for (name, fault) in [
        ("truncated", Fault::Truncate),
        ("slow-down", Fault::Error(503, "SlowDown")),
        ("lost", Fault::LoseAnswer),
    ] {
        let key = format!("read/large-{name}.bin");
        world.proxy.fail("GetObject", &key, fault, 1);
        let ended = world.upload(&key, &body, &[]);
        is_stored_once(world, &key, &body, &ended);
    }
}
