//! What a restored object is proven by, what becomes of one that is not, what comes back beside content,
//! and who must own the buckets.

use backup_e2e::restoring::SCRATCH;
use backup_e2e::world::wait;
use backup_e2e::{Call, Fault, World};
use serde_json::{Value, json};

use crate::restore::beside;

fn small(key: &str) -> (String, Option<Vec<u8>>) {
    (key.to_owned(), Some(key.as_bytes().to_vec()))
}

/// Calls of the restore machine on a bucket, for keys that contain `needle`.
fn calls(world: &World, bucket: &str, needle: &str) -> Vec<Call> {
    let mut calls = world.proxy.calls(needle);
    calls.retain(|call| {
        let on = call.request.split(' ').nth(1).unwrap_or_default();
        let by = call.caller().unwrap_or_default();
        on.starts_with(&format!("/{bucket}/")) && by.contains("Restore")
    });
    calls
}

/// The next copy of a backed-up key to a target says that it is something else.
fn differs_once(world: &World, key: &str, target: &str) {
    let copy = world.copy_of(key);
    let etag = copy.header("etag").unwrap().trim_matches('"').to_owned();
    let other: &str = String::leak("0".repeat(etag.len()));
    let replaced = Fault::Replace(String::leak(etag), other);
    world.proxy.fail("CopyObject", target, replaced, 1);
}

/// One HEAD of the copy for its headers, one CopyObject on condition, whose answer is the proof.
#[test]
fn an_object_comes_back_by_two_requests_where_the_target_was_empty() {
    let world = World::restoring();
    let _others = world.among_others();
    world.change(&[small("frugal/one")]);
    let at = world.moment();
    let ended = world.restore(&beside("frugal/", &at, "frugal-again/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let of = |bucket: &str, needle: &str| -> Vec<String> {
        let calls = calls(world, bucket, needle);
        calls.into_iter().map(|call| call.operation).collect()
    };
    assert_eq!(of(SCRATCH, "frugal-again/frugal/one"), ["CopyObject"]);
    assert_eq!(of(world.backup(), "frugal/one"), ["HeadObject"]);
    let copies = calls(world, SCRATCH, "frugal-again/");
    assert_eq!(copies[0].header("if-none-match"), Some("*"));
    let folder = ended.output["work"]["folder"].as_str().unwrap();
    let line = &world.reported(folder)["frugal/one"];
    assert_eq!(line["evidence"]["kind"], "etag", "{line}");

    // What is there by now is looked at before it is asked for.
    let again = world.restore(&beside("frugal/", &at, "frugal-again/"));
    assert_eq!(again.output["done"]["same"], 1, "{}", again.output);
    assert_eq!(
        of(SCRATCH, "frugal-again/frugal/one"),
        ["CopyObject", "HeadObject"]
    );
}

/// The target was empty when the restore was planned, and is not any more: the condition on the copying
/// holds where the server keeps conditions.
#[test]
fn what_is_written_between_plan_and_restore_is_left_and_told() {
    let world = World::on_seaweed();
    for key in ["planned/one", "planned/two"] {
        let ended = world.back_up(key, key.as_bytes(), &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    }
    let at = world.moment();
    let bucket = "weed-restored";
    let ended = world.restore(&json!({
        "prefix": "planned/", "at": at, "to": {"bucket": bucket, "prefix": "again/"}, "dryRun": true,
    }));
    assert_eq!(ended.output["plan"]["targetEmpty"], true, "{ended:?}");
    let occupied = "again/planned/one";
    let put = world
        .objects
        .put_object(bucket, occupied, b"somebody's", &[]);
    put.unwrap();
    let ended = world.restore(&json!({"plan": ended.output["work"]["folder"]}));
    let done = &ended.output["done"];
    assert_eq!(
        (&done["restored"]["objects"], &done["conflicts"]),
        (&json!(1), &json!(1)),
        "{ended:?}"
    );
    let refused = calls(world, bucket, occupied);
    let refused = refused.iter().find(|call| call.operation == "CopyObject");
    assert_eq!(refused.unwrap().answered, Some(412));
    let body = |key: &str| world.objects.get_object(bucket, key, None).unwrap().body;
    assert_eq!(body(occupied), b"somebody's");
    assert_eq!(body("again/planned/two"), b"planned/two");
}

/// The target was empty when it was looked at; somebody writes to it before the copy arrives.
#[test]
fn a_copy_that_loses_a_race_leaves_what_won() {
    let world = World::restoring();
    let _others = world.among_others();
    world.change(&[small("raced/one")]);
    let at = world.moment();
    let target = "raced-again/raced/one";
    world.proxy.fail("CopyObject", target, Fault::Hold, 1);
    let copies = || {
        let calls = calls(world, SCRATCH, target).into_iter();
        calls
            .filter(|it| it.operation == "CopyObject")
            .collect::<Vec<_>>()
    };
    let ended = std::thread::scope(|scope| {
        let restore = scope.spawn(|| world.restore(&beside("raced/", &at, "raced-again/")));
        wait("the copy is on its way", || {
            copies().pop().ok_or_else(|| "not asked for".to_owned())
        });
        let put = world
            .objects
            .put_object(SCRATCH, target, b"somebody's", &[]);
        put.unwrap();
        world.proxy.release(target);
        restore.join().unwrap()
    });
    let done = &ended.output["done"];
    assert_eq!(
        (&done["restored"]["objects"], &done["conflicts"]),
        (&json!(0), &json!(1)),
        "{ended:?}"
    );
    let answers: Vec<_> = copies().iter().map(|it| it.answered).collect();
    assert_eq!(answers, [Some(412)]);
    let found = world.objects.get_object(SCRATCH, target, None).unwrap();
    assert_eq!(found.body, b"somebody's");
}

/// The answer to the copying shows another MD5 than the copy has.
#[test]
fn content_that_fails_its_proof_is_named_and_tagged_and_covered_by_going_on() {
    let world = World::restoring();
    let _alone = world.alone();
    let keys = ["unproven/one", "unproven/two"];
    world.change(&keys.map(small));
    let at = world.moment();
    differs_once(world, keys[0], "unproven-again/unproven/one");
    let ended = world.restore(&beside("unproven/", &at, "unproven-again/"));
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let said = ended.cause["message"].as_str().unwrap();
    for part in [
        "1 failed",
        "not proven",
        "unproven-again/unproven/one",
        "do not use it",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let folder = World::folder_of(&ended);
    let line = &world.reported(&folder)[keys[0]];
    assert_eq!(line["error"], "ChecksumMismatch", "{line}");
    let target = "unproven-again/unproven/one";
    assert_eq!(world.tags(SCRATCH, target)["s3-backup-restore"], "unproven");
    let first = world.versions(SCRATCH, target);
    assert_eq!(
        line["unproven"]["versionId"].as_str(),
        Some(first[0].as_str()),
        "{line}"
    );
    let page = world.document(&format!("{folder}report/report.md"));
    assert!(
        page.contains("not proven") && page.contains(target),
        "{page}"
    );
    assert!(world.told(&folder)[0].to_string().contains("NOT PROVEN"));

    // A new restore does not know whose it is, and leaves it; the plan goes on with what is its own.
    let ended = world.restore(&json!({"plan": folder}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(
        ended.output["done"]["restored"]["objects"], 2,
        "{}",
        ended.output
    );
    let versions = world.versions(SCRATCH, target);
    assert_eq!(versions.len(), 2, "covered, not destroyed");
    assert!(world.tags(SCRATCH, target).is_empty());
}

/// Somebody's own object, written over what was left, is theirs.
#[test]
fn what_somebody_wrote_over_unproven_content_is_left_alone() {
    let world = World::restoring();
    let _alone = world.alone();
    world.change(&[small("overwritten/one")]);
    let at = world.moment();
    differs_once(world, "overwritten/one", "overwritten-again/");
    let ended = world.restore(&beside("overwritten/", &at, "overwritten-again/"));
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let target = "overwritten-again/overwritten/one";
    world
        .cloud
        .put_object(SCRATCH, target, b"somebody's", &[])
        .unwrap();
    let ended = world.restore(&json!({"plan": World::folder_of(&ended)}));
    assert_eq!(ended.output["done"]["conflicts"], 1, "{ended:?}");
    assert_eq!(
        world.contents(SCRATCH, "overwritten-again/overwritten/")["one"],
        b"somebody's"
    );
}

#[test]
fn annotations_come_back_with_small_and_with_large_objects() {
    let world = World::restoring();
    let _others = world.among_others();
    let keys = ["annotated/back-small", "annotated/back-large"];
    world.change(&[small(keys[0]), (keys[1].to_owned(), Some(vec![5; 9 << 20]))]);
    for key in keys {
        world.annotate_copy(key, "note", "as told");
    }
    let at = world.moment();
    let ended = world.restore(&beside("annotated/back-", &at, "annotated-again/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let url = |key: &str| {
        let endpoint = world.objects.endpoint();
        format!("{endpoint}/{SCRATCH}/annotated-again/{key}?annotation&annotationName=note")
    };
    for key in keys {
        let mut answer = ureq::get(url(key)).call().unwrap();
        assert_eq!(
            answer.body_mut().read_to_string().unwrap(),
            "as told",
            "{key}"
        );
    }
}

/// A bucket of that name that is somebody else's is refused by S3.
#[test]
fn every_call_of_a_restore_names_the_owners_that_it_knows() {
    let world = World::restoring();
    let _others = world.among_others();
    let owner = "x-amz-expected-bucket-owner";
    let large = ("owned/large".to_owned(), Some(vec![3; 9 << 20]));
    world.change(&[small("owned/small"), large]);
    let at = world.moment();
    let restore = |to: &str, more: Value| {
        let mut input = beside("owned/", &at, to);
        for (name, value) in more.as_object().unwrap() {
            input["to"][name] = value.clone();
        }
        let ended = world.restore(&input);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    };
    for (to, more, account) in [
        ("owned-again/", json!({}), "000000000000"),
        (
            "owned-abroad/",
            json!({"owner": "111122223333"}),
            "111122223333",
        ),
    ] {
        restore(to, more);
        let calls = calls(world, SCRATCH, to);
        assert!(calls.len() >= 8, "{}", calls.len());
        for call in calls {
            assert_eq!(call.header(owner), Some(account), "{}", call.request);
            let copies = ["CopyObject", "UploadPartCopy"].contains(&call.operation.as_str());
            let source = call.header("x-amz-source-expected-bucket-owner");
            assert_eq!(source, copies.then_some("000000000000"), "{}", call.request);
        }
    }
    for call in calls(world, world.backup(), "owned/") {
        assert_eq!(call.header(owner), Some("000000000000"), "{}", call.request);
    }
}
