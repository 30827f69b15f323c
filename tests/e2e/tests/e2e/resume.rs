//! Work that is cut off goes on where it stopped: out of time, killed, or its whole execution dead.

use std::collections::BTreeMap;

use backup_e2e::hurry::TOO_LONG_MS;
use backup_e2e::world::wait;
use backup_e2e::{Ended, Fault, World};

const MIB: usize = 1024 * 1024;

/// Content that differs from part to part.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| u8::try_from(at * 29 % 239).unwrap())
        .collect()
}

/// The call that copies this part of this key; all parts of a key but the last are 5 MiB.
fn part_of(key: &str, part: u64) -> String {
    format!("{key}?x-id=UploadPartCopy&partNumber={part}&")
}

fn count(world: &World, key: &str, operation: &str) -> usize {
    let calls = world.proxy.calls(key);
    calls
        .iter()
        .filter(|call| call.operation == operation)
        .count()
}

fn has_failed_with(ended: &Ended, text: &str) -> bool {
    ended.failures.iter().any(|cause| cause.contains(text))
}

/// One proven version of the content, by one upload, and nothing left behind.
fn is_stored_once(world: &World, key: &str, body: &[u8], ended: &Ended) {
    let outcome = &ended.output["destinations"][0]["outcome"];
    assert_eq!(outcome, "stored", "{key}: {ended:?}");
    assert_eq!(world.versions(world.backup(), key).len(), 1, "{key}");
    assert_eq!(world.copy_of(key).body, body, "{key}");
    assert!(!world.uploads().contains(&key.to_owned()), "{key}: a stray");
    assert_eq!(count(world, key, "CreateMultipartUpload"), 1, "{key}");
}

/// A part is slower than the function's time: what is there is kept, and only that part asked again.
#[test]
fn parts_that_ran_out_of_time_are_gone_on_with() {
    let world = World::in_a_hurry();
    let key = "plain/out-of-time.bin";
    let held = Fault::HoldMs(TOO_LONG_MS);
    world
        .proxy
        .fail("UploadPartCopy", &part_of(key, 3), held, 1);
    let body = content(11 * MIB);
    let ended = world.back_up(key, &body, &[]);
    assert!(has_failed_with(&ended, "OutOfTime"), "{ended:?}");
    is_stored_once(world, key, &body, &ended);
    assert_eq!(world.parts_asked(key), [1, 2, 3, 3]);
}

/// The platform kills CopyParts after it copied two parts and before it could say so.
///
/// Method: the third part is refused, and the look at the source that this leads to is held.
#[test]
fn a_segment_whose_function_is_killed_goes_on() {
    let world = World::in_a_hurry();
    let key = "plain/killed.bin";
    let refused = Fault::Error(403, "AccessDenied");
    world
        .proxy
        .fail("UploadPartCopy", &part_of(key, 3), refused, 1);
    world
        .proxy
        .fail("GetObject", key, Fault::HoldMs(TOO_LONG_MS), 1);
    let body = content(11 * MIB);
    let ended = world.back_up(key, &body, &[]);
    assert!(has_failed_with(&ended, "timed out"), "{ended:?}");
    is_stored_once(world, key, &body, &ended);
    assert_eq!(world.parts_asked(key), [1, 2, 3, 3]);
}

/// The execution is stopped in the middle; another one of the same event goes on with its upload.
///
/// Method: on the local stack the iterations of a Map run on after a stop. Planned throws keep them
/// from what a stopped one cannot do either: complete, abort, record.
#[test]
fn an_execution_that_dies_leaves_its_upload_to_the_next() {
    let world = World::in_a_hurry();
    let key = "stopped/large.bin";
    let body = content(11 * MIB);
    world
        .objects
        .put_object(world.source(), key, &body, &[])
        .unwrap();
    let first = world.event_of(key);
    let throws = ["CompleteMultipart", "AbortMultipart", "RecordFailureLarge"];
    let plan: BTreeMap<_, _> = throws
        .map(|state| (state.to_owned(), "Stopped".to_owned()))
        .into();
    let machine = &world.outputs["StateMachineArn"];
    let machine = machine.rsplit(':').next().unwrap();
    world.mock(machine, &[("stopped".to_owned(), plan)]);
    let held = Fault::HoldMs(3000);
    world
        .proxy
        .fail("UploadPartCopy", &part_of(key, 3), held, 1);

    let dead = world.begin_case(&first, "stopped");
    wait("two parts are there, the third is under way", || {
        match (world.parts_held(key), world.parts_asked(key).len()) {
            (2, 3) => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });
    world.stop(&dead);
    // The watcher may have failed the point by now; the upload stays noted either way.
    let noted = world.points(key)[0]["upload"].clone();
    assert!(noted["M"]["id"]["S"].is_string(), "{noted}");

    let ended = world.start_with(&first);
    is_stored_once(world, key, &body, &ended);
    let point = &world.points(key)[0];
    assert_eq!(point["status"]["S"], "stored", "{point}");
    assert_eq!(point["attempts"]["N"], "2", "{point}");
    let asked = world.parts_asked(key);
    assert_eq!(
        &asked[..3],
        [1, 2, 3],
        "the finished parts are not copied again"
    );
    assert!(asked[3..].iter().all(|part| *part == 3), "{asked:?}");
}

/// A range is read over several turns: a GET that is slower than the function's time costs nothing
/// that the others read.
#[test]
fn reading_goes_on_where_the_time_was_over() {
    let world = World::in_a_hurry();
    let key = "read/several-turns.bin";
    let body = content(40 * MIB + 3);
    let copy = format!("/{}/{key}", world.backup());
    let third = [copy.as_str(), "range: bytes=33554432-41943042"];
    let held = Fault::HoldMs(TOO_LONG_MS);
    world.proxy.fail_all_of("GetObject", &third, held, 1);
    let ended = world.back_up(key, &body, &[]);
    is_stored_once(world, key, &body, &ended);
    assert_eq!(ended.output["destinations"][0]["evidence"]["kind"], "read");
    let mut ranges = BTreeMap::<_, usize>::new();
    for call in world.proxy.calls(key) {
        let side = call.request.contains(&format!("/{}/", world.backup()));
        if let Some(range) = call
            .header("range")
            .filter(|_| call.operation == "GetObject")
        {
            *ranges.entry((side, range.to_owned())).or_default() += 1;
        }
    }
    let expected = [
        (false, "bytes=0-16777215", 1),
        (false, "bytes=16777216-33554431", 1),
        (false, "bytes=33554432-41943042", 1),
        (true, "bytes=0-16777215", 1),
        (true, "bytes=16777216-33554431", 1),
        (true, "bytes=33554432-41943042", 2),
    ];
    let expected = expected.map(|(side, range, times)| ((side, range.to_owned()), times));
    assert_eq!(ranges, expected.into());
}

/// CopyObject is slower than the function's time, once: the next try proves a copy. The one that was
/// under way may still arrive: a surplus version, equal to the other.
#[test]
fn a_copy_that_outlives_its_function_is_at_most_a_surplus() {
    let world = World::in_a_hurry();
    let key = "plain/slow-copy.bin";
    let held = Fault::HoldMs(TOO_LONG_MS);
    world.proxy.fail("CopyObject", key, held, 1);
    let body = content(99);
    let ended = world.back_up(key, &body, &[]);
    assert!(has_failed_with(&ended, "timed out"), "{ended:?}");
    assert_eq!(
        ended.output["destinations"][0]["outcome"], "stored",
        "{ended:?}"
    );
    wait("the copy that was held arrives", || {
        match world.versions(world.backup(), key).len() {
            2 => Ok(()),
            versions => Err(format!("{versions} versions")),
        }
    });
    for version in world.versions(world.backup(), key) {
        let copy = world
            .objects
            .get_object(world.backup(), key, Some(&version));
        assert_eq!(copy.unwrap().body, body);
    }
}

/// A server that answers no part in time, ever: a failure by name, and nothing left behind.
#[test]
fn a_server_that_stays_too_slow_is_a_named_failure() {
    let world = World::in_a_hurry();
    let key = "plain/slow-for-ever.bin";
    let stalled = Fault::StallMs(TOO_LONG_MS);
    world.proxy.fail("UploadPartCopy", key, stalled, 9999);
    let ended = world.back_up(key, &content(8 * MIB), &[]);
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    assert_eq!(ended.cause["error"], "DestinationUnavailable", "{ended:?}");
    assert!(!world.uploads().contains(&key.to_owned()), "{key}: a stray");
    assert_eq!(world.parked(key).len(), 1);
    assert_eq!(world.versions(world.backup(), key).len(), 0);
}
