//! Copy and verify against a second, real S3 server, whose multipart copies have full-object
//! checksums. It raises no events, so executions are started with events of our own.

use backup_e2e::{Ended, Fault, World};

const MIB: usize = 1024 * 1024;

fn outcome(ended: &Ended) -> &str {
    ended.output["destinations"][0]["outcome"]
        .as_str()
        .unwrap_or_default()
}

fn evidence(ended: &Ended) -> (String, String) {
    let evidence = &ended.output["destinations"][0]["evidence"];
    let text = |name: &str| evidence[name].as_str().unwrap_or_default().to_owned();
    (text("kind"), text("algorithm"))
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| u8::try_from(at * 37 % 241).unwrap())
        .collect()
}

/// Small and large objects, then rclone as an outside witness that both buckets hold the same bytes.
#[test]
fn both_paths_are_proven_and_an_outside_witness_agrees() {
    let world = World::on_seaweed();
    for (key, bytes) in [
        ("witness/empty", 0),
        ("witness/one-byte", 1),
        ("witness/a b+%41é🦀", 100),
        ("witness/one-part-less.bin", 8 * MIB - 1),
        ("witness/two-parts.bin", 8 * MIB),
        ("witness/two-full-parts-less-one.bin", 10 * MIB - 1),
        ("witness/two-full-parts.bin", 10 * MIB),
        ("witness/a-last-part-of-one-byte.bin", 10 * MIB + 1),
        ("witness/five-parts.bin", 23 * MIB + 7),
    ] {
        let body = content(bytes);
        let ended = world.back_up(key, &body, &[]);
        assert_eq!(outcome(&ended), "stored", "{key}: {ended:?}");
        assert_eq!(world.copy_of(key).body, body, "{key}");
    }
    let said = world
        .seaweed
        .as_ref()
        .unwrap()
        .compare("weed-source/witness", "weed-backup/witness");
    let said = said.unwrap_or_else(|differs| panic!("{differs}"));
    assert!(said.contains("0 differences found"), "{said}");
    assert!(said.contains("9 matching files"), "{said}");
}

/// The copy's CRC64NVME is made by the server from its parts; a source that has one needs no reading.
#[test]
fn a_stored_full_object_checksum_proves_a_large_copy_without_reading() {
    let world = World::on_seaweed();
    let key = "stored/large.bin";
    let body = content(12 * MIB);
    let sum = crc64nvme(&body);
    let checksum = [("x-amz-checksum-crc64nvme", sum.as_str())];
    let ended = world.back_up(key, &body, &checksum);
    assert_eq!(outcome(&ended), "stored", "{ended:?}");
    assert_eq!(
        evidence(&ended),
        ("stored".to_owned(), "CRC64NVME".to_owned())
    );
    let calls = world.proxy.calls(key);
    assert!(
        calls.iter().all(|call| call.operation != "GetObject"),
        "nothing is read"
    );
    let complete = calls
        .iter()
        .find(|call| call.operation == "CompleteMultipartUpload")
        .unwrap();
    assert_eq!(complete.header("x-amz-mp-object-size"), Some("12582912"));
}

/// Where the parts have checksums, as on AWS, they are sent with Complete, and the source's checksum
/// of the whole: S3 then refuses a wrong copy before it exists.
#[test]
fn complete_sends_the_checksums_of_the_parts_and_of_the_whole() {
    let world = World::on_seaweed();
    let key = "stored/listed-checksums.bin";
    let body = content(12 * MIB);
    let sum = crc64nvme(&body);
    // This server lists no checksums of parts.
    let listed = Fault::Replace(
        "</ETag>",
        "</ETag><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>",
    );
    world.proxy.fail("ListParts", key, listed, 9);
    world.back_up(key, &body, &[("x-amz-checksum-crc64nvme", sum.as_str())]);
    let calls = world.proxy.calls(key);
    let complete = calls
        .iter()
        .find(|call| call.operation == "CompleteMultipartUpload")
        .unwrap();
    assert_eq!(
        complete.header("x-amz-checksum-crc64nvme"),
        Some(sum.as_str())
    );
    assert_eq!(complete.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    let parts = complete
        .request
        .matches("<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>");
    assert_eq!(parts.count(), 3);
}

/// The source's stored checksum, as an upload with it leaves it.
fn crc64nvme(body: &[u8]) -> String {
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, body);
    backup_e2e::world::base64(&sum.to_be_bytes())
}

/// Wrong bytes that are really stored, and a wrong byte on the way of a reading: each is noticed,
/// the version is kept and tagged, and the copy is made once more.
#[test]
fn wrong_bytes_are_noticed_whichever_evidence_is_at_hand() {
    let world = World::on_seaweed();
    let body = content(11 * MIB);
    let sum = crc64nvme(&body);
    let stored = [("x-amz-checksum-crc64nvme", sum.as_str())];
    // The second part is copied from other bytes of the source, as many.
    let other_bytes = Fault::ReplaceAsked("bytes=5242880-10485759", "bytes=5242881-10485760");
    for (key, headers, call, side, fault) in [
        (
            "wrong/stored.bin",
            &stored[..],
            "UploadPartCopy",
            "",
            other_bytes,
        ),
        ("wrong/read.bin", &[], "UploadPartCopy", "", other_bytes),
        (
            "read/wrong-copy.bin",
            &stored,
            "GetObject",
            "/weed-backup/",
            Fault::FlipLastByte,
        ),
        (
            "wrong/source.bin",
            &[],
            "GetObject",
            "/weed-source/",
            Fault::FlipLastByte,
        ),
    ] {
        let needles = if call == "GetObject" {
            [key, side]
        } else {
            [key, "partNumber=2&"]
        };
        world.proxy.fail_all_of(call, &needles, fault, 1);
        let ended = world.back_up(key, &body, headers);
        assert_eq!(outcome(&ended), "stored", "{key}: {ended:?}");
        assert_eq!(world.copy_of(key).body, body, "{key}");
        assert_eq!(world.versions(world.backup(), key).len(), 2, "{key}");
        let calls = world.proxy.calls(key);
        let tagged = calls.iter().filter(|it| it.operation == "PutObjectTagging");
        assert_eq!(tagged.count(), 1, "{key}: the refused version is tagged");
        assert!(!world.uploads().contains(&key.to_owned()), "{key}: a stray");
    }
}

/// Events that name a version: exactly that one is copied, though it is the latest no more.
#[test]
fn a_version_that_is_the_latest_no_more_is_copied_as_it_was() {
    let world = World::in_a_hurry();
    for (key, bytes) in [("older/small.bin", 100), ("older/large.bin", 11 * MIB)] {
        let old = content(bytes);
        let put = |body: &[u8]| {
            let put = world.objects.put_object(world.source(), key, body, &[]);
            put.unwrap();
            world.event_of(key)
        };
        let (older, newer) = (put(&old), put(&vec![7; bytes + 1]));
        assert!(older.contains("\"version-id\""), "{older}");
        for (event, body) in [(&older, &old), (&newer, &vec![7; bytes + 1])] {
            let ended = world.start_with(event);
            assert_eq!(outcome(&ended), "stored", "{key}: {ended:?}");
            assert_eq!(&world.copy_of(key).body, body, "{key}");
        }
        assert_eq!(world.points(key).len(), 2, "{key}");
    }
}

/// Whatever is lost on the way, one version comes of it and no upload stays.
#[test]
fn lost_answers_make_one_version_and_no_stray() {
    let world = World::on_seaweed();
    let body = content(11 * MIB);
    for call in [
        "CreateMultipartUpload",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "CopyObject",
    ] {
        let key = format!("lost/{call}.bin");
        let body = if call == "CopyObject" {
            &body[..99]
        } else {
            &body[..]
        };
        world.proxy.fail(call, &key, Fault::LoseAnswer, 1);
        let ended = world.back_up(&key, body, &[]);
        assert_eq!(outcome(&ended), "stored", "{key}: {ended:?}");
        assert_eq!(world.copy_of(&key).body, body, "{key}");
        assert_eq!(world.versions(world.backup(), &key).len(), 1, "{key}");
        assert!(!world.uploads().contains(&key), "{key}: a stray");
    }
}

/// A source without versions is overwritten while it is copied: `superseded`, never a mixture.
#[test]
fn an_unversioned_source_that_is_overwritten_is_superseded() {
    let world = World::on_seaweed();
    for (key, bytes, call) in [
        ("overwritten/small.bin", 100, "CopyObject"),
        ("overwritten/large.bin", 11 * MIB, "UploadPartCopy"),
    ] {
        let (old, new) = (content(bytes), vec![1; bytes]);
        world.proxy.fail(call, key, Fault::HoldMs(1500), 1);
        let overwriting = std::thread::spawn(move || {
            backup_e2e::world::wait("it is being copied", || {
                let calls = world.proxy.calls(key);
                if calls.iter().any(|it| it.operation == call) {
                    Ok(())
                } else {
                    Err("not yet".to_owned())
                }
            });
            world
                .objects
                .put_object(world.source(), key, &vec![1; bytes], &[])
                .unwrap();
        });
        let ended = world.back_up(key, &old, &[]);
        overwriting.join().unwrap();
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        assert_eq!(outcome(&ended), "superseded", "{key}: {ended:?}");
        assert!(!world.uploads().contains(&key.to_owned()), "{key}: a stray");
        let next = world.start_with(&world.event_of(key));
        assert_eq!(outcome(&next), "stored", "{next:?}");
        assert_eq!(world.copy_of(key).body, new, "{key}");
    }
}

/// Two events of a source without versions in the wrong order: the older one is superseded, and what
/// was seen last stays on top.
#[test]
fn an_older_state_never_goes_over_a_newer_one() {
    let world = World::on_seaweed();
    let key = "reordered/state.txt";
    let put = |body: &[u8]| {
        let source = world.source();
        world.objects.put_object(source, key, body, &[]).unwrap();
        world.event_of(key)
    };
    let (older, newer) = (put(b"older"), put(b"newer"));
    assert_eq!(outcome(&world.start_with(&newer)), "stored");
    let late = world.start_with(&older);
    assert_eq!(outcome(&late), "superseded", "{late:?}");
    assert_eq!(world.copy_of(key).body, b"newer");
    assert_eq!(world.versions(world.backup(), key).len(), 1);
}
