//! Restore: what comes back with an object, what is done about what lies at the target, and what stops it.

use backup_e2e::restoring::{Contents, SCRATCH};
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

/// A restore of a prefix, beside the source.
pub fn beside(prefix: &str, at: &str, to: &str) -> Value {
    json!({"prefix": prefix, "at": at, "to": {"bucket": SCRATCH, "prefix": to}})
}

#[test]
fn headers_metadata_and_tags_come_back_and_the_marker_does_not() {
    let world = World::restoring();
    let _others = world.among_others();
    let headers = [
        ("content-type", "text/csv"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment"),
        ("content-language", "de"),
        ("x-amz-meta-owner", "finance"),
        ("x-amz-tagging", "class=secret"),
    ];
    // By one CopyObject, and in parts.
    for (key, body) in [
        ("dressed/small.csv", b"a,b\n1,2\n".to_vec()),
        ("dressed/large.csv", vec![7; 9 * 1024 * 1024]),
    ] {
        let ended = world.upload(key, &body, &headers);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        world.put_tags(world.backup(), key, &[("class", "secret")]);
        let at = world.moment();
        let input =
            json!({"key": key, "at": at, "to": {"bucket": SCRATCH, "prefix": "dressed-again/"}});
        let ended = world.restore(&input);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        let target = format!("dressed-again/{key}");
        let restored = world.cloud.get_object(SCRATCH, &target, None).unwrap();
        assert!(restored.body == body, "{key}");
        for (name, value) in &headers[..5] {
            assert_eq!(restored.header(name), Some(*value), "{key}: {name}");
        }
        let marks = restored
            .headers
            .keys()
            .filter(|name| name.contains("s3-backup"));
        assert_eq!(marks.count(), 0, "{:?}", restored.headers);
        if key.contains("small") {
            assert_eq!(world.tags(SCRATCH, &target)["class"], "secret");
            continue;
        }
        // The local stack keeps no tags that come with CreateMultipartUpload.
        let calls = world.proxy.calls("dressed-again");
        let mut begun = calls
            .iter()
            .filter(|call| call.operation == "CreateMultipartUpload");
        let begun = begun.next().unwrap();
        assert_eq!(begun.header("x-amz-tagging"), Some("class=secret"));
    }
}

#[test]
fn hostile_keys_come_back_byte_for_byte() {
    let world = World::restoring();
    let _others = world.among_others();
    let longest = format!("é{}", "k".repeat(1017));
    let keys = [
        "a b",
        "a+b",
        "a%20b",
        "%2B",
        "100%",
        "a&b",
        "a?b",
        "a?versionId=x",
        "a#b",
        "\"quoted\"",
        "it's",
        "line\nbreak",
        "esc\u{1b}[31m",
        "🦀",
        "e\u{301}",
        "é",
        "double//slash",
        "/leading",
        "trailing/",
        "dots/../up",
        "nel\u{85}",
        "separator\u{2028}",
        &longest,
    ];
    let was: Contents = keys
        .iter()
        .map(|key| ((*key).to_owned(), format!("content of {key}").into_bytes()))
        .collect();
    let changes: Vec<_> = was
        .iter()
        .map(|(key, body)| (format!("odd/{key}"), Some(body.clone())))
        .collect();
    world.change(&changes);
    let at = world.moment();
    let ended = world.restore(&beside("odd/", &at, ""));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.contents(SCRATCH, "odd/"), was);
}

#[test]
fn what_differs_at_the_target_is_left_and_told_unless_it_is_to_be_covered() {
    let world = World::restoring();
    let _others = world.among_others();
    let changes =
        ["same", "differs", "absent"].map(|name| (format!("busy/{name}"), Some(name.into())));
    world.change(&changes);
    let at = world.moment();
    for (name, body) in [("same", "same"), ("differs", "somebody's own")] {
        let key = format!("occupied/busy/{name}");
        world
            .cloud
            .put_object(SCRATCH, &key, body.as_bytes(), &[])
            .unwrap();
    }
    let ended = world.restore(&beside("busy/", &at, "occupied/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let done = &ended.output["done"];
    assert_eq!(
        (
            &done["restored"]["objects"],
            &done["same"],
            &done["conflicts"]
        ),
        (&json!(1), &json!(1), &json!(1)),
        "{done}"
    );
    let found = world.contents(SCRATCH, "occupied/busy/");
    assert_eq!(found["differs"], b"somebody's own");
    assert_eq!(found["absent"], b"absent");
    let report = world.document(ended.output["report"].as_str().unwrap());
    assert!(
        report.contains("busy/differs") && report.contains("newer than the moment"),
        "{report}"
    );

    let mut input = beside("busy/", &at, "occupied/");
    input["mode"] = json!("overwrite");
    let ended = world.restore(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["done"]["same"], 2, "{}", ended.output);
    assert_eq!(
        world.contents(SCRATCH, "occupied/busy/")["differs"],
        b"differs"
    );
    let versions = world.versions(SCRATCH, "occupied/busy/differs");
    assert_eq!(versions.len(), 2, "what was covered is still there below");
}

#[test]
fn an_interrupted_restore_goes_on_where_it_stopped() {
    let world = World::restoring();
    let _alone = world.alone();
    let changes: Vec<_> = (0..20)
        .map(|number| {
            (
                format!("cut/{number:02}"),
                Some(format!("body {number}").into_bytes()),
            )
        })
        .collect();
    world.change(&changes);
    let at = world.moment();
    // Longer than every retry.
    world
        .proxy
        .fail("CopyObject", "again/cut/07", Fault::Status(500), 100);
    let ended = world.restore(&beside("cut/", &at, "again/"));
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let said = ended.cause["message"].as_str().unwrap();
    assert!(
        said.contains("19 objects") && said.contains("1 failed"),
        "{said}"
    );
    let folder = said.split("s3://").nth(1).unwrap();
    let folder = folder.split_once('/').unwrap().1;
    let folder = folder.split("report/").next().unwrap();
    world.proxy.mend();
    let ended = world.restore(&json!({"plan": folder}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.contents(SCRATCH, "again/cut/").len(), 20);
    for (key, _) in &changes {
        assert_eq!(
            world.versions(SCRATCH, &format!("again/{key}")).len(),
            1,
            "{key}"
        );
        if !key.ends_with("07") {
            let calls = world.proxy.calls(&format!("again/{key}"));
            let copies = calls.iter().filter(|call| call.operation == "CopyObject");
            assert_eq!(copies.count(), 1, "{key} is copied once");
        }
    }
}

#[test]
fn a_dry_run_writes_nothing_and_its_plan_can_be_carried_out() {
    let world = World::restoring();
    let _others = world.among_others();
    world.change(&[("dry/one".to_owned(), Some(b"one".to_vec()))]);
    let at = world.moment();
    let mut input = beside("dry/", &at, "wet/");
    input["dryRun"] = json!(true);
    let planned = world.restore(&input);
    assert_eq!(planned.status, "SUCCEEDED", "{planned:?}");
    assert_eq!(
        planned.output["plan"]["copy"],
        json!({"objects": 1, "bytes": 3})
    );
    assert!(
        planned.output["plan"]["estimate"]["microUsd"]
            .as_u64()
            .unwrap()
            > 0
    );
    assert_eq!(world.contents(SCRATCH, "wet/"), Contents::new());
    let mut writes = world.proxy.calls("wet");
    writes.retain(|call| call.request.split(' ').nth(1).unwrap().contains(SCRATCH));
    assert!(
        writes
            .iter()
            .all(|call| ["HeadObject", "ListObjectsV2"].contains(&call.operation.as_str())),
        "{writes:?}"
    );

    let ended = world.restore(&json!({"plan": planned.output["work"]["folder"]}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(world.contents(SCRATCH, "wet/dry/")["one"], b"one");
}

#[test]
fn a_rollback_restores_the_moment_in_place_and_destroys_nothing() {
    let world = World::restoring();
    let _others = world.among_others();
    let key = |name: &str| format!("back/{name}");
    let put = |name: &str, body: &str| (key(name), Some(body.as_bytes().to_vec()));
    world.change(&[
        put("kept", "kept"),
        put("changed", "old"),
        put("deleted", "deleted"),
    ]);
    let at = world.moment();
    world.change(&[
        put("changed", "new"),
        put("later", "later"),
        (key("deleted"), None),
    ]);
    world.moment();
    let before = world.versions(world.source(), &key("changed"));
    let input =
        json!({"prefix": "back/", "at": at, "to": {"bucket": world.source()}, "mode": "rollback"});
    let ended = world.restore(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let was = ["kept", "deleted"].map(|name| (name.to_owned(), name.as_bytes().to_vec()));
    let mut was = Contents::from(was);
    was.insert("changed".to_owned(), b"old".to_vec());
    assert_eq!(world.contents(world.source(), "back/"), was);
    let changed = world.versions(world.source(), &key("changed"));
    assert!(
        before.iter().all(|id| changed.contains(id)),
        "{before:?} {changed:?}"
    );
    assert_eq!(changed.len(), 3);
    assert_eq!(
        world.versions(world.source(), &key("later")).len(),
        1,
        "hidden, not gone"
    );
    assert_eq!(
        world.versions(world.source(), &key("kept")).len(),
        1,
        "left alone"
    );
}

#[test]
fn a_version_without_a_copy_is_missing_and_no_older_one_takes_its_place() {
    let world = World::restoring();
    let _alone = world.alone();
    let key = "gap/report.txt";
    world.change(&[(key.to_owned(), Some(b"first".to_vec()))]);
    let first = world.moment();
    world.proxy.fail("CopyObject", key, Fault::Status(403), 100);
    let failed = world.upload(key, b"second", &[]);
    assert_eq!(failed.error, "BackupFailed", "{failed:?}");
    world.proxy.mend();
    let second = world.moment();
    let ended = world.restore(&beside("gap/", &second, "gap-second/"));
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    assert!(
        ended.cause["message"]
            .as_str()
            .unwrap()
            .contains("1 without a copy"),
        "{ended:?}"
    );
    assert_eq!(world.contents(SCRATCH, "gap-second/"), Contents::new());
    let ended = world.restore(&beside("gap/", &first, "gap-first/"));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(
        world.contents(SCRATCH, "gap-first/gap/")["report.txt"],
        b"first"
    );
}

/// The local stack brings back a key's latest version alone: HEADs ask for that here.
pub fn ask_for_the_latest(world: &World, key: &str) {
    let asked = Fault::ReplaceAsked("versionId=", "versionXd=");
    world.proxy.fail("HeadObject", key, asked, 1000);
}

#[test]
fn copies_in_an_archive_are_asked_for_waited_for_and_restored() {
    let world = World::restoring();
    let _alone = world.alone();
    world.change(&[("cold/deep.txt".to_owned(), Some(b"cold".to_vec()))]);
    let at = world.moment();
    ask_for_the_latest(world, "cold-copies/cold/deep.txt");
    let ended = world.restore(&beside("cold/deep", &at, "warm/"));
    world.proxy.mend();
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let waits = ended
        .states
        .iter()
        .filter(|state| *state == "WaitForArchive");
    assert!(waits.count() > 0, "{:?}", ended.states);
    assert_eq!(ended.output["plan"]["archived"]["objects"], 1);
    assert_eq!(world.contents(SCRATCH, "warm/cold/")["deep.txt"], b"cold");
}
