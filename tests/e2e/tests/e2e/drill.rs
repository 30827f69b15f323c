//! Restore drills: a sample is brought back, proven, measured and told; what is damaged or missing turns
//! them red and is named.

use std::collections::{BTreeMap, BTreeSet};

use backup_e2e::drilling::DRILL_DAYS;
use backup_e2e::iam::Permission;
use backup_e2e::{Ended, Fault, World};
use backup_stack::Service;
use serde_json::{Value, json};

use crate::allowed::asked;

/// More keys than a drill looks at in one piece, some with older versions, one restored in parts.
fn fill(world: &World) {
    static FILLED: std::sync::Once = std::sync::Once::new();
    FILLED.call_once(|| {
        let key = |number: usize| format!("two/{}/object {number:02} é", number % 5);
        for round in 0..2 {
            let numbers = (0..60).filter(|number| round == 0 || number % 3 == 0);
            let changes: Vec<_> = numbers
                .map(|number| (key(number), Some(body(&key(number), round))))
                .collect();
            world.change(&changes);
            world.moment();
        }
        world.change(&[("annotated/large.bin".to_owned(), Some(vec![7; 9 << 20]))]);
    });
}

fn body(key: &str, round: usize) -> Vec<u8> {
    format!("{key}, version {round}").into_bytes()
}

fn keys(world: &World, ended: &Ended) -> BTreeSet<String> {
    world.drilled(ended).into_keys().collect()
}

/// The one object that is not brought back, as the report has it.
fn named(world: &World, ended: &Ended) -> BTreeMap<String, Value> {
    let mut found = world.reported(&World::folder_of(ended));
    found.retain(|_, line| line["outcome"] != "restored");
    found
}

#[test]
fn a_drill_brings_back_a_sample_proven_by_reading_and_says_what_it_took() {
    let world = World::drilling();
    let _others = world.among_others();
    fill(world);
    let ended = world.drill(&json!({"objects": 20, "seed": "one", "notify": "all"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let done = &ended.output["done"];
    assert_eq!(done["restored"]["objects"], 20, "{done}");
    let restored = world.drilled(&ended);
    assert_eq!(restored.len(), 20);
    let folder = ended.output["work"]["folder"].as_str().unwrap();
    let reported = world.reported(folder);
    let (mut old, mut prefixes) = (0, BTreeSet::new());
    for (key, content) in &restored {
        let line = &reported[key];
        assert_eq!(line["evidence"]["kind"], "read", "{line}");
        assert!(
            line["at"].is_string() && line["busyUs"].as_u64() > Some(0),
            "{line}"
        );
        prefixes.insert(key.split("object").next().unwrap());
        if key.starts_with("two/") {
            let version = (0..2).find(|round| body(key, *round) == *content);
            let latest = world.cloud.get_object(world.source(), key, None).unwrap();
            old += usize::from(latest.body != *content);
            assert!(version.is_some(), "{key}: {content:?}");
        }
    }
    assert!(old > 0, "a moment of the past is among them");
    assert!(prefixes.len() >= 5, "{prefixes:?}");

    let run = ended.arn.rsplit(':').next().unwrap();
    let told = world.told(run);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].to_string().contains("Restore drill passed"),
        "{told:?}"
    );
    let again = world.drill(&json!({"objects": 20, "seed": "one"}));
    assert_eq!(keys(world, &again), keys(world, &ended), "the same seed");
    let run = again.arn.rsplit(':').next().unwrap();
    assert_eq!(world.told(run).len(), 0, "only failures by default");
    let other = world.drill(&json!({"objects": 20, "seed": "other"}));
    assert_ne!(keys(world, &other), keys(world, &ended), "another seed");

    let lines = world.logged("finish-restore");
    let metric = lines.iter().find(|it| it["DrillObjects"] == 20.0).unwrap();
    assert_eq!(metric["DrillFailed"], 0.0, "{metric}");
    assert!(
        metric["DrillSeconds"].as_f64() > Some(0.0)
            && metric["DrillObjectsPerSecond"].as_f64() > Some(0.0)
            && metric["Stack"].is_string(),
        "{metric}"
    );
}

#[test]
fn the_command_line_drills_and_status_says_how_the_last_one_went() {
    let world = World::drilling();
    let _others = world.among_others();
    fill(world);
    let drilled = world.s3_backup(&["drill", "--sample", "3", "--json"]);
    let text = String::from_utf8(drilled.stdout).unwrap();
    let said = String::from_utf8_lossy(&drilled.stderr);
    assert_eq!(drilled.status.code(), Some(0), "{text}{said}");
    let answer: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(
        (&answer["passed"], &answer["drilled"]["restored"]["objects"]),
        (&json!(true), &json!(3)),
        "{answer}"
    );
    let status = world.s3_backup(&["status", "--json"]);
    let lines = String::from_utf8(status.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let drill = lines
        .into_iter()
        .find(|it| it["drill"].is_object())
        .unwrap();
    assert_eq!(drill["drill"]["passed"], true, "{drill}");
    assert!(
        drill["wholeEstimated"]["keys"].as_u64() > Some(50),
        "{drill}"
    );
    let plain = world.s3_backup(&["drill", "--sample", "20"]);
    let text = String::from_utf8(plain.stdout).unwrap();
    assert!(
        text.starts_with("drill passed: Restored: 20 objects, ") && text.contains("report: s3://"),
        "{text}"
    );
    let status = world.s3_backup(&["status"]);
    let shown = String::from_utf8(status.stdout).unwrap();
    assert!(
        shown.contains("passed in") && shown.contains("(an estimate;"),
        "{shown}"
    );
    let refused = world.s3_backup(&["drill", "--sample", "0"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// A sample as large as the catalog, so that nothing escapes it.
fn whole(world: &World) -> Ended {
    world.drill(&json!({"objects": 2000}))
}

#[test]
fn a_drill_finds_copies_that_are_damaged_or_missing_and_names_them() {
    let world = World::drilling();
    let _alone = world.alone();
    fill(world);
    let bad = ["drilled/damaged", "drilled/missing", "drilled/flipped"];
    let changes = bad.map(|key| (key.to_owned(), Some(key.as_bytes().to_vec())));
    world.change(&changes);
    assert_eq!(whole(world).status, "SUCCEEDED");

    world.replace_copy("drilled/damaged", b"drilled/DAMAGED");
    let copies = world.versions(world.backup(), "drilled/missing");
    let gone = world
        .cloud
        .delete_object(world.backup(), "drilled/missing", Some(&copies[0]));
    gone.unwrap();
    // The bytes of one arrive otherwise than its sums say.
    let scratch = format!("/{}/", world.outputs["DrillBucket"]);
    let flipped = [scratch.as_str(), "drilled/flipped"];
    world
        .proxy
        .fail_all_of("GetObject", &flipped, Fault::FlipLastByte, 9);
    let ended = whole(world);
    world.proxy.mend();
    assert_eq!(ended.error, "DrillFailed", "{ended:?}");
    let found = named(world, &ended);
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        [&bad[0], &bad[2], &bad[1]],
        "{found:?}"
    );
    assert_eq!(found[bad[0]]["error"], "ChecksumMismatch");
    assert_eq!(found[bad[1]]["outcome"], "missing");
    assert_eq!(found[bad[2]]["error"], "ChecksumMismatch");
    let unproven = &found[bad[2]]["unproven"];
    assert_eq!(unproven["tagged"], true, "{unproven}");
    let run = ended.arn.rsplit(':').next().unwrap();
    let place = unproven["place"].as_str().unwrap();
    let target = place.splitn(4, '/').nth(3).unwrap();
    assert!(target.ends_with(bad[2]), "{place}");
    let tags = world.tags(&world.outputs["DrillBucket"], target);
    assert_eq!(tags["s3-backup-restore"], "unproven");
    let told = world.told(run);
    assert_eq!(told.len(), 1, "{told:?}");
    for key in bad {
        assert!(told[0].to_string().contains(key), "{key}: {told:?}");
    }
    let lines = world.logged("finish-restore");
    let metric = lines
        .iter()
        .find(|it| it["DrillObjectsFailed"] == 3.0)
        .unwrap();
    assert_eq!(metric["DrillFailed"], 1.0);
    let status = world.s3_backup(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(
        text.contains("FAILED in") && text.contains("the last that passed: 20"),
        "{text}"
    );
    for key in bad {
        world.forget_points(key);
    }
    assert_eq!(
        whole(world).status,
        "SUCCEEDED",
        "the others are as they were"
    );
}

/// What comes to no end has nobody who watches it.
#[test]
fn a_drill_that_comes_to_no_end_is_told_and_counted() {
    let world = World::drilling();
    let _alone = world.alone();
    fill(world);
    world
        .proxy
        .fail("Scan", "TotalSegments", Fault::Status(403), 1);
    let ended = world.drill(&json!({}));
    assert_eq!(ended.error, "DrillFailed", "{ended:?}");
    let said = ended.cause["message"].as_str().unwrap();
    assert!(said.contains("came to no end: AccessDenied"), "{said}");
    let run = ended.arn.rsplit(':').next().unwrap();
    assert_eq!(world.told(run).len(), 1);
    // A request that cannot be meant is told, and is no drill.
    let refused = world.drill(&json!({"objects": 0}));
    assert_eq!(refused.error, "InvalidRestore", "{refused:?}");
    let run = refused.arn.rsplit(':').next().unwrap();
    assert_eq!(world.told(run).len(), 1);
    let silent = world.drill(&json!({"objects": 0, "notify": "none"}));
    let run = silent.arn.rsplit(':').next().unwrap();
    assert_eq!(world.told(run).len(), 1, "its level cannot be read either");
}

#[test]
fn a_drill_is_overdue_when_none_has_passed_for_twice_the_time() {
    let world = World::drilling();
    let _alone = world.alone();
    fill(world);
    let periods = |world: &World| {
        let reported = world.invoke("ReportLag", &json!({}));
        reported["drillPeriods"]
            .as_i64()
            .unwrap_or_else(|| panic!("{reported}"))
    };
    assert_eq!(world.drill(&json!({"objects": 1})).status, "SUCCEEDED");
    assert_eq!(periods(world), 0);
    let long_ago =
        jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * (2 * DRILL_DAYS + 1));
    mark(world, "drillPassed", &long_ago.to_string());
    assert_eq!(periods(world), 0, "they are on since then only");
    mark(world, "drillsSince", &long_ago.to_string());
    assert_eq!(periods(world), 2);
    let lines = world.logged("report-lag");
    assert!(lines.iter().any(|it| it["DrillPeriodsSince"] == 2.0));
    assert_eq!(world.drill(&json!({"objects": 1})).status, "SUCCEEDED");
    assert_eq!(periods(world), 0);
}

fn mark(world: &World, name: &str, value: &str) {
    let update = json!({
        "TableName": world.outputs["CatalogTable"], "Key": {"pk": {"S": "drill"}, "sk": {"S": "mark"}},
        "UpdateExpression": "SET #name = :value",
        "ExpressionAttributeNames": {"#name": name}, "ExpressionAttributeValues": {":value": {"S": value}},
    });
    world
        .cloud
        .json(Service::DynamoDb, "UpdateItem", &update)
        .unwrap();
}

/// The clock starts it with what the parameters say; what it makes is the clock's to start.
#[test]
fn the_rule_starts_drills_as_the_parameters_say() {
    let world = World::drilling();
    let rule = world.rule("DrillRule");
    assert_eq!(rule["ScheduleExpression"], "rate(7 days)", "{rule}");
    let target = &rule["Targets"][0];
    assert_eq!(
        target["Arn"].as_str(),
        Some(world.outputs["RestoreStateMachineArn"].as_str())
    );
    let input: Value = serde_json::from_str(target["Input"].as_str().unwrap()).unwrap();
    assert_eq!(
        input,
        json!({"sample": {"objects": 100, "notify": "failures"}})
    );
}

/// What is granted on the scratch bucket is asked for by a drill, and is the restore machine's alone.
#[test]
fn a_drill_may_do_what_it_does_in_its_bucket_and_nothing_more() {
    let world = World::drilling();
    let _alone = world.alone();
    fill(world);
    let digest = Fault::Error(400, "BadDigest");
    world
        .proxy
        .fail("CompleteMultipartUpload", "annotated/large.bin", digest, 1);
    assert_eq!(whole(world).status, "SUCCEEDED");
    let scratch = format!("arn:aws:s3:::{}", world.outputs["DrillBucket"]);
    let asked = asked(world);
    let on_scratch = |it: &&Permission| it.resource.starts_with(&scratch);
    let mut granted = BTreeSet::new();
    for name in [
        "PlanRestore",
        "RestoreBatch",
        "FinishRestore",
        "Record",
        "Copy",
        "AuditSlice",
    ] {
        let function = world.function(name);
        let grants = world.grants(&function);
        let nothing = BTreeSet::new();
        let own = asked.get(&function).unwrap_or(&nothing);
        for asked in own.iter().filter(on_scratch) {
            assert!(
                grants.iter().any(|it| it.allows(asked)),
                "{name} is not allowed {asked:?}"
            );
        }
        for grant in grants.iter().filter(on_scratch) {
            let used = own.iter().any(|asked| grant.allows(asked));
            let excused = ["s3:ListBucket", "s3:PutObjectTagging"].contains(&grant.action.as_str());
            assert!(used || excused, "{name} has never needed {grant:?}");
            granted.insert((name, grant.action.clone()));
        }
        let in_scratch = |them: &mut dyn Iterator<Item = &Permission>| -> Vec<Permission> {
            them.filter(on_scratch).cloned().collect()
        };
        let excused = in_scratch(&mut grants.iter());
        if !excused.is_empty() {
            world.is_tabled(
                &format!("{name}@drills"),
                in_scratch(&mut own.iter()),
                excused,
            );
        }
    }
    assert!(
        granted
            .iter()
            .all(|(name, _)| ["PlanRestore", "RestoreBatch"].contains(name)),
        "{granted:?}"
    );
    assert!(
        granted.iter().all(|(_, action)| !action.contains("Delete")),
        "{granted:?}"
    );
    let finish = world.grants(&world.function("FinishRestore"));
    assert!(finish.iter().any(|it| it.action == "dynamodb:UpdateItem"));
    let marks = |it: &&Permission| it.action == "dynamodb:UpdateItem";
    let mut marked = asked[&world.function("FinishRestore")].clone();
    marked.retain(|it| marks(&it));
    world.is_tabled("FinishRestore@drills", marked, None);
}
