//! Restores that cannot be meant are refused by name, before anything is written; and what the
//! functions of the restore machine may do.

use backup_e2e::iam::Permission;
use backup_e2e::restoring::{NO_BUCKET, SCRATCH, UNVERSIONED};
use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::allowed::{asked, check, step};
use crate::restore::ask_for_the_latest;

#[test]
fn a_restore_that_cannot_be_meant_is_refused_by_name_and_writes_nothing() {
    let world = World::restoring();
    let _others = world.among_others();
    world.change(&[("meant/one".to_owned(), Some(b"one".to_vec()))]);
    let now = world.moment();
    let request = |more: Value| {
        let mut request =
            json!({"prefix": "meant/", "at": now, "to": {"bucket": SCRATCH, "prefix": "refused/"}});
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        request
    };
    let over = json!({"bucket": world.source()});
    for (more, said) in [
        (json!({"at": "2999-01-01T00:00:00Z"}), "in the future"),
        (
            json!({"at": "1999-01-01T00:00:00Z"}),
            "before the first version",
        ),
        (json!({"at": "yesterday"}), "no restore"),
        (
            json!({"prefix": "nothing-like-it/"}),
            "nothing is backed up",
        ),
        (json!({"key": "meant/one"}), "either key or prefix"),
        (json!({"to": over}), "the target is the source itself"),
        (json!({"to": {"bucket": world.backup()}}), "is a backup"),
        (
            json!({"to": {"bucket": "somebody-elses"}}),
            "not among the buckets",
        ),
        (json!({"to": {"bucket": NO_BUCKET}}), "there is no bucket"),
        (
            json!({"to": {"bucket": UNVERSIONED}, "mode": "overwrite"}),
            "keeps no versions",
        ),
        (json!({"mode": "rollback"}), "a rollback goes to the source"),
        (json!({"mode": "in-place"}), "a rollback goes to the source"),
        (
            json!({"destination": "nope"}),
            "those that have some: primary",
        ),
        (json!({"surprise": 1}), "unknown field"),
        (json!({"sample": {}}), "unknown field"),
    ] {
        let ended = world.restore(&request(more.clone()));
        assert_eq!(ended.error, "InvalidRestore", "{more}: {ended:?}");
        let message = ended.cause["message"].as_str().unwrap();
        assert!(message.contains(said), "{more}: {message}");
        assert!(!ended.cause["advice"].as_str().unwrap().is_empty());
        let states = ["PlanRestore", "TellUnfinished", "RestoreFailed"];
        assert_eq!(ended.states, states, "{more}");
    }
    let ended = world.drill(&json!({}));
    assert_eq!(ended.error, "InvalidRestore", "{ended:?}");
    let message = ended.cause["message"].as_str().unwrap();
    assert!(message.contains("has no drills"), "{message}");
    assert!(!world.outputs.contains_key("DrillBucket"));
    let ended = world.restore(&json!({"plan": "restores/never-was/"}));
    assert_eq!(ended.error, "InvalidRestore", "{ended:?}");
    assert!(world.contents(SCRATCH, "refused/").is_empty());
    assert!(world.contents(UNVERSIONED, "").is_empty());
}

/// A permission that is missing is named, and nothing is tried over and over.
#[test]
fn a_target_that_refuses_is_named() {
    let world = World::restoring();
    let _alone = world.alone();
    world.change(&[("denied/one".to_owned(), Some(b"one".to_vec()))]);
    let at = world.moment();
    let to = "denied-target";
    world.proxy.fail("ListObjectsV2", to, Fault::Status(403), 1);
    let input = json!({"prefix": "denied/", "at": at, "to": {"bucket": SCRATCH, "prefix": to}});
    let ended = world.restore(&input);
    assert_eq!(ended.error, "AccessDenied", "{ended:?}");
    assert!(
        ended.cause["message"].as_str().unwrap().contains(SCRATCH),
        "{ended:?}"
    );
    let run = ended.arn.rsplit(':').next().unwrap();
    wait("it is told", || match world.told(run).len() {
        1 => Ok(()),
        other => Err(format!("{other} messages")),
    });

    let moved = Fault::Status(301);
    world.proxy.fail("ListObjectsV2", to, moved, 1);
    let ended = world.restore(&input);
    assert_eq!(ended.error, "InvalidRestore", "{ended:?}");
    let said = ended.cause.to_string();
    assert!(
        said.contains("does not lie in") && said.contains("--to-region"),
        "{said}"
    );

    world.proxy.fail("CopyObject", to, Fault::Status(403), 1);
    let ended = world.restore(&input);
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let report = ended.cause["message"].as_str().unwrap();
    let key = report
        .split("s3://")
        .nth(1)
        .unwrap()
        .split_once('/')
        .unwrap()
        .1;
    let page = world.document(key);
    assert!(
        page.contains("AccessDenied") && page.contains("denied/one"),
        "{page}"
    );
}

/// Only these functions may read the backup and write to a target; each does what it is granted.
#[test]
fn restoring_functions_may_do_what_they_do_and_nothing_more() {
    let world = World::restoring();
    let _alone = world.alone();
    make_every_call(world);
    // What a further target is granted is what the source is: `further_destinations_are_granted_what_the_first_is`.
    let further = |it: &Permission| {
        let named = [SCRATCH, UNVERSIONED, NO_BUCKET];
        named.iter().any(|bucket| it.resource.contains(bucket))
    };
    let asked = asked(world);
    for name in ["PlanRestore", "RestoreBatch", "FinishRestore"] {
        let function = world.function(name);
        let mut grants = world.grants(&function);
        grants.retain(|it| !further(it));
        let mut asked = asked[&function].clone();
        asked.retain(|it| !further(it));
        check(world, step(&function), &grants, &asked);
    }
}

fn make_every_call(world: &World) {
    let body = vec![1; 9 * 1024 * 1024];
    world.change(&[
        ("calls/small".to_owned(), Some(b"small".to_vec())),
        ("calls/large".to_owned(), Some(body)),
        ("cold/called".to_owned(), Some(b"cold".to_vec())),
        ("annotated/called".to_owned(), Some(vec![2; 9 << 20])),
    ]);
    world.annotate_copy("annotated/called", "note", "as told");
    let at = world.moment();
    world.change(&[("calls/later".to_owned(), Some(b"later".to_vec()))]);
    let input = |prefix: &str, more: Value| {
        let mut input = json!({"prefix": prefix, "at": at, "to": {"bucket": world.source()}, "mode": "rollback"});
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        input
    };
    for name in ["calls/small", "calls/large"] {
        world.change(&[(name.to_owned(), None)]);
    }
    let bare = json!({"from": {"backup": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]}}});
    let single = json!({"key": "calls/small", "at": at, "to": {"bucket": world.source()}, "mode": "in-place"});
    world.change(&[("cold/called".to_owned(), None)]);
    ask_for_the_latest(world, "cold-copies/cold/called");
    let digest = Fault::Error(400, "BadDigest");
    world
        .proxy
        .fail("CompleteMultipartUpload", "calls/large", digest, 1);
    // What is not proven is tagged.
    let etag = world
        .copy_of("calls/small")
        .header("etag")
        .unwrap()
        .trim_matches('"')
        .to_owned();
    let replaced = Fault::Replace(
        String::leak(etag.clone()),
        String::leak("0".repeat(etag.len())),
    );
    world.proxy.fail("CopyObject", "tagged-calls/", replaced, 1);
    let beside = json!({"key": "calls/small", "at": at, "to": {"bucket": world.source(), "prefix": "tagged-calls/"}});
    let ended = world.restore(&beside);
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let annotated = json!({"key": "annotated/called", "at": at, "to": {"bucket": world.source(), "prefix": "annotated-again/"}});
    let ended = world.restore(&annotated);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let mut planned = single.clone();
    planned["dryRun"] = json!(true);
    let planned = world.restore(&planned);
    let planned = json!({"plan": planned.output["work"]["folder"], "dryRun": true});
    for input in [
        planned,
        single,
        input("calls/", json!({})),
        input("calls/", bare),
        input("cold/called", json!({})),
    ] {
        let ended = world.restore(&input);
        assert_eq!(ended.status, "SUCCEEDED", "{input}: {ended:?}");
    }
    world.proxy.mend();
}
