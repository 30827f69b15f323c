//! Backfills that cannot be meant are refused by name, before anything is copied; what the functions of
//! the backfill machine may do; and the command line.

use backup_e2e::backfilling::resume;
use backup_e2e::iam::Permission;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::allowed::{asked, check, step};

#[test]
fn a_backfill_that_cannot_be_meant_is_refused_by_name_and_copies_nothing() {
    let world = World::backfilling();
    let _others = world.among_others();
    let one = world.lay("unmeant/one", b"one");
    for (input, said) in [
        (json!({"prefixes": ["unmeant/"]}), "unknown field"),
        (
            json!({"prefix": "unmeant/", "versions": "some"}),
            "unknown variant",
        ),
        (json!({"prefix": 7}), "no backfill"),
        (json!([]), "no JSON object"),
        (
            json!({"resume": "no-such-run"}),
            "there is no plan of a run",
        ),
        (json!({"resume": "x", "prefix": "unmeant/"}), "stands alone"),
        (json!({"prefix": "nothing-like-it/"}), "has nothing under"),
        (
            json!({"prefix": "unmeant/", "inventory": "elsewhere"}),
            "is no place of an inventory",
        ),
        (
            json!({"prefix": "unmeant/", "inventory": "s3://inventories/none/"}),
            "no complete inventory",
        ),
    ] {
        let ended = world.backfill(&input);
        assert_eq!(ended.status, "FAILED", "{input}: {ended:?}");
        assert_eq!(ended.error, "InvalidBackfill", "{input}: {ended:?}");
        let message = ended.cause["message"].as_str().unwrap();
        assert!(message.contains(said), "{input}: {message}");
        assert!(!ended.cause["advice"].as_str().unwrap().is_empty());
    }
    assert!(world.points(&one.key).is_empty());
}

#[test]
fn a_source_that_may_not_be_listed_and_a_catalog_of_another_release_are_named() {
    let world = World::backfilling();
    let _alone = world.alone();
    let one = world.lay("unlisted/one", b"one");
    let input = json!({"prefix": "unlisted/"});
    let listing = "prefix=unlisted";
    let denied = Fault::Error(403, "AccessDenied");
    world.proxy.fail("ListObjectVersions", listing, denied, 9);
    let ended = world.backfill(&input);
    world.proxy.mend();
    assert_eq!(ended.error, "InvalidBackfill", "{ended:?}");
    let message = ended.cause["message"].as_str().unwrap();
    assert!(message.contains("cannot be listed"), "{message}");

    let foreign = json!({
        "pk": {"S": format!("{}/of another release", world.source())}, "sk": {"S": "primary#v"},
        "destination": {"S": "primary"}, "object": {"M": {}}, "shape": {"N": "9"},
    });
    world.put_point(&foreign);
    let ended = world.backfill(&input);
    world.forget("of another release");
    assert_eq!(ended.error, "InvalidBackfill", "{ended:?}");
    let message = ended.cause["message"].as_str().unwrap();
    assert!(
        message.starts_with("the catalog cannot be gone by"),
        "{message}"
    );
    assert!(world.points(&one.key).is_empty(), "nothing was copied");
}

/// A table that was lost: what the backup holds is not copied again in silence.
#[test]
fn an_empty_catalog_before_a_full_backup_is_refused_by_name() {
    let world = World::backfilling();
    let _alone = world.alone();
    world.lay("lost/one", b"one");
    let input = json!({"prefix": "lost/"});
    let ended = world.backfill(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let points = world.all_points();
    for point in &points {
        world.forget_item(point);
    }
    let refused = world.backfill(&input);
    let again = world.backfill(&json!({"prefix": "lost/", "again": true, "dryRun": true}));
    for point in &points {
        world.put_point(point);
    }
    assert_eq!(refused.error, "InvalidBackfill", "{refused:?}");
    let message = refused.cause["message"].as_str().unwrap();
    assert!(
        message.starts_with("the catalog holds no recovery point, and s3://"),
        "{message}"
    );
    let advice = refused.cause["advice"].as_str().unwrap();
    assert!(advice.contains("restore the catalog's table"), "{advice}");
    assert_eq!(again.status, "SUCCEEDED", "{again:?}");
}

#[test]
fn the_functions_of_a_backfill_may_do_what_they_do_and_nothing_more() {
    let world = World::backfilling();
    let _others = world.among_others();
    let large = vec![1; 8 << 20];
    world.lay("allowed/large", &large);
    world.lay("allowed/refused", b"refused");
    world.lay("allowed/one", b"older");
    world.lay("allowed/one", b"newer");
    world
        .proxy
        .fail("CopyObject", "allowed/refused", Fault::Status(403), 1);
    let ended = world.backfill(&json!({"prefix": "allowed/"}));
    assert_eq!(ended.error, "BackfillIncomplete", "{ended:?}");
    world.backfill(&resume(&ended.arn));
    // Large, and not wanted once it is looked at: there is no point to say so.
    world.lay("only-tagged/allowed-large", &large);
    let unwanted = world.backfill(&json!({"prefix": "only-tagged/allowed-large"}));
    assert_eq!(unwanted.output["done"]["skipped"], 1, "{unwanted:?}");
    let inventory = "s3://inventories/allowed/";
    world.backfill(&json!({"prefix": "allowed/", "inventory": inventory}));
    let manifest = "s3://inventories/allowed/2026-11-01T00-00Z/manifest.json";
    world.backfill(&json!({"prefix": "allowed/", "inventory": manifest}));
    let asked = asked(world);
    let mut seen = 0;
    for (function, asked) in &asked {
        let (name, grants) = (step(function), world.grants(function));
        match name {
            "PlanBackfill" | "FinishBackfill" => check(world, name, &grants, asked),
            "BackfillBatch" => {
                for one in asked {
                    assert!(
                        grants.iter().any(|it| it.allows(one)),
                        "{name} may not {one:?}"
                    );
                }
                same_as_its_steps(world, &grants);
                world.is_tabled(name, asked.iter().cloned(), grants.iter().cloned());
            }
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// The batch runs the code of Filter, Copy, Verify, Record and RecordFailure, and parks: what it may do
/// is what they may, whose grants are held against their calls elsewhere.
fn same_as_its_steps(world: &World, grants: &[Permission]) {
    let steps = ["Filter", "Copy", "Verify", "Record", "RecordFailure"];
    let mut theirs: Vec<_> = steps
        .iter()
        .flat_map(|step| world.grants(&world.function(step)))
        .collect();
    let own = |grant: &Permission| {
        let reports = format!("arn:aws:s3:::{}", world.outputs["ReportBucket"]);
        grant.resource.starts_with(&reports)
            || ["sqs:SendMessage", "states:StartExecution"].contains(&grant.action.as_str())
    };
    let (_, shared): (Vec<_>, Vec<_>) = grants.iter().cloned().partition(own);
    let key = |grant: &Permission| (grant.action.clone(), grant.resource.clone());
    theirs.sort_by_key(key);
    for grant in &shared {
        assert!(
            theirs.iter().any(|it| key(it) == key(grant)),
            "no step has {grant:?}"
        );
    }
    for grant in &theirs {
        assert!(
            shared.iter().any(|it| key(it) == key(grant)),
            "a step has {grant:?}"
        );
    }
}

#[test]
fn the_command_line_estimates_asks_backs_up_and_ends_with_a_verdict() {
    let world = World::backfilling();
    let _others = world.among_others();
    let there = [
        world.lay("typed/one", b"one"),
        world.lay("typed/two", b"two"),
    ];
    let dry = world.says(&["backfill", "--prefix", "typed/", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}{}", dry.out, dry.err);
    for said in [
        "2, 6 bytes",
        "requests to S3",
        "cost, by list price",
        "run: ",
    ] {
        assert!(dry.out.contains(said), "{said}: {}", dry.out);
    }
    assert!(world.points("typed/one").is_empty());
    let unasked = world.says(&["backfill", "--prefix", "typed/"]);
    assert_eq!(unasked.code, Some(2), "{}", unasked.err);
    assert!(
        unasked.err.contains("nobody is there to be asked"),
        "{}",
        unasked.err
    );
    // The plan that was shown is carried out.
    let run = dry.out.lines().find_map(|line| line.strip_prefix("run: "));
    let carried = world.says(&["backfill", "--resume", run.unwrap()]);
    assert_eq!(carried.code, Some(0), "{}{}", carried.out, carried.err);
    assert!(
        carried.out.contains("verdict: whole: 2 copies made"),
        "{}",
        carried.out
    );
    world.check_backfilled(&there);
    let again = world.says(&["backfill", "--prefix", "typed/", "--yes", "--json"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    let lines: Vec<Value> = again
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["planned"]["versions"]["objects"], 2);
    assert_eq!(
        [&lines[1]["verdict"], &lines[1]["ended"]["already"]],
        [&json!("whole"), &json!(2)]
    );

    let refused = "typed/refused";
    world.lay(refused, b"refused");
    world
        .proxy
        .fail("CopyObject", refused, Fault::Status(403), 1);
    let behind = world.says(&["backfill", "--prefix", refused, "--yes"]);
    assert_eq!(behind.code, Some(1), "{}{}", behind.out, behind.err);
    assert!(behind.out.contains("verdict: behind"), "{}", behind.out);
    let unmeant = world.says(&["backfill", "--prefix", "nothing-like-it/", "--yes"]);
    assert_eq!(unmeant.code, Some(2), "{}", unmeant.err);
    let status = world.says(&["status", "--json"]);
    let status: Value = serde_json::from_str(status.out.lines().next().unwrap()).unwrap();
    assert!(status["backfills"].is_object(), "{status}");
}
