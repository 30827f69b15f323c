//! Restores over what is there: what the backup never heard of is not hidden, what has the content and
//! other headers is put right, and what was written meanwhile is left.

use backup_e2e::restoring::SCRATCH;
use backup_e2e::{Fault, World};
use serde_json::json;

#[test]
fn a_rollback_hides_nothing_that_is_older_than_the_backup() {
    let world = World::restoring();
    let _others = world.among_others();
    let old = "older/old";
    world.change(&[(old.to_owned(), Some(b"good".to_vec()))]);
    // As if it had been there before the stack.
    assert!(world.empty_catalog(old) > 0);
    world.change(&[("older/known".to_owned(), Some(b"known".to_vec()))]);
    let at = world.moment();
    let ruined = Some(b"ruined".to_vec());
    world.change(&[
        (old.to_owned(), ruined.clone()),
        ("older/later".to_owned(), ruined),
    ]);
    world.moment();
    let input =
        json!({"prefix": "older/", "at": at, "to": {"bucket": world.source()}, "mode": "rollback"});
    let ended = world.restore(&input);
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let said = ended.cause["message"].as_str().unwrap();
    assert!(
        said.contains("1 behind delete markers") && said.contains("1 without a copy"),
        "{said}"
    );
    let report = said.split("report: s3://").nth(1).unwrap();
    let report = world.document(report.split_once('/').unwrap().1);
    assert!(
        report.contains(old) && report.contains("never backed up"),
        "{report}"
    );
    let found = world.contents(world.source(), "older/");
    let keys: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(keys, ["known", "old"], "what came later is hidden");
    assert_eq!(found["old"], b"ruined", "left as it is");
}

#[test]
fn headers_and_metadata_that_were_ruined_come_back() {
    let world = World::restoring();
    let _others = world.among_others();
    let (key, body) = ("ruined/a.csv", b"a,b\n".as_slice());
    let was = [
        ("content-type", "text/csv"),
        ("x-amz-meta-owner", "finance"),
    ];
    let ended = world.upload(key, body, &was);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let at = world.moment();
    let ruin = [
        ("content-type", "text/plain"),
        ("x-amz-meta-owner", "nobody"),
    ];
    let ended = world.upload(key, body, &ruin);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let mut input =
        json!({"key": key, "at": at, "to": {"bucket": world.source()}, "mode": "in-place"});
    let ended = world.restore(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["done"]["conflicts"], 1, "{}", ended.output);
    input["mode"] = json!("rollback");
    for outcome in ["restored", "same"] {
        let ended = world.restore(&input);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        let done = &ended.output["done"];
        let counts = (&done["restored"]["objects"], &done["same"]);
        let expected = if outcome == "restored" {
            (1, 0)
        } else {
            (0, 1)
        };
        assert_eq!(counts, (&json!(expected.0), &json!(expected.1)), "{done}");
        let found = world.cloud.get_object(world.source(), key, None).unwrap();
        for (name, value) in was {
            assert_eq!(found.header(name), Some(value));
        }
    }
}

#[test]
fn parts_of_a_large_object_are_kept_after_a_failure_and_cover_nothing_that_was_written_meanwhile() {
    let world = World::restoring();
    let _alone = world.alone();
    let body = vec![3; 9 * 1024 * 1024];
    world.change(&[("late/large".to_owned(), Some(body.clone()))]);
    let at = world.moment();
    let complete = "CompleteMultipartUpload";
    let input =
        |to: &str| json!({"key": "late/large", "at": at, "to": {"bucket": SCRATCH, "prefix": to}});
    let begun = |to: &str, operation: &str| {
        let calls = world.proxy.calls(&format!("{to}late/large"));
        calls
            .into_iter()
            .filter(|call| call.operation == operation)
            .collect::<Vec<_>>()
    };
    world
        .proxy
        .fail(complete, "late-500/", Fault::Status(500), 1);
    let ended = world.restore(&input("late-500/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(begun("late-500/", "CreateMultipartUpload").len(), 1);
    assert_eq!(begun("late-500/", complete).len(), 2);
    assert!(world.contents(SCRATCH, "late-500/")["late/large"] == body);

    let occupied = Fault::Error(412, "PreconditionFailed");
    world.proxy.fail(complete, "late-412/", occupied, 1);
    let ended = world.restore(&input("late-412/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["done"]["conflicts"], 1, "{}", ended.output);
    let asked = begun("late-412/", complete);
    assert_eq!(asked[0].header("if-none-match"), Some("*"));
    assert_eq!(begun("late-412/", "AbortMultipartUpload").len(), 2);
    world.proxy.mend();
}

#[test]
fn a_copy_that_is_gone_is_taken_from_another_destination_and_what_is_mended_is_tried_again() {
    let world = World::restoring();
    let _others = world.among_others();
    let key = "two/elsewhere";
    world.change(&[(key.to_owned(), Some(b"twice".to_vec()))]);
    let at = world.moment();
    let remove = |key: &str| {
        for version in world.versions(world.backup(), key) {
            let gone = world
                .cloud
                .delete_object(world.backup(), key, Some(&version));
            gone.unwrap();
        }
    };
    let mut input = json!({"key": key, "at": at, "to": {"bucket": SCRATCH, "prefix": "elsewhere/"}, "destination": "primary"});
    remove(key);
    let ended = world.restore(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.contents(SCRATCH, "elsewhere/")[key], b"twice");

    // Neither is there; then somebody makes room at the target of another.
    world
        .cloud
        .put_object(SCRATCH, "taken/two/elsewhere", b"own", &[])
        .unwrap();
    input["to"]["prefix"] = json!("taken/");
    let ended = world.restore(&input);
    assert_eq!(ended.output["done"]["conflicts"], 1, "{ended:?}");
    remove("second/two/elsewhere");
    input["to"]["prefix"] = json!("gone/");
    let ended = world.restore(&input);
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let said = ended.cause["message"].as_str().unwrap();
    assert!(said.contains("1 without a copy"), "{said}");
    let run = ended.arn.rsplit(':').next().unwrap();
    let again = world.restore(&json!({"plan": format!("restores/{run}/")}));
    assert_eq!(again.error, "RestoreIncomplete", "{again:?}");
    let asked = world.proxy.calls("two/elsewhere");
    let heads = asked.iter().filter(|call| call.operation == "HeadObject");
    assert!(heads.count() >= 6, "both copies were looked for again");
}
