//! What was in the bucket before anybody watched it.

use backup_e2e::backfilling::{There, done, resume};
use backup_e2e::inventoried::{Report, made_up};
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

/// Keys that have broken copiers before, some with several versions, some behind delete markers.
fn hostile(world: &World, prefix: &str) -> Vec<There> {
    let longest = format!("ü{}", "k".repeat(1022 - prefix.len()));
    let keys = [
        "a b",
        "a+b",
        "a%41",
        "%2B",
        "100%",
        "a?versionId=x",
        "a#b",
        "\"quoted\"",
        "🦀",
        "e\u{301}",
        "é",
        "double//slash",
        "trailing/",
        "dots/../up",
        "line\nbreak",
        &longest,
    ];
    let mut there = Vec::new();
    for key in keys {
        let key = format!("{prefix}{key}");
        there.push(world.lay(&key, format!("content of {key}").as_bytes()));
    }
    there.push(world.lay(&format!("{prefix}empty"), b""));
    // Several within one second, one content twice, a deletion between, another at the end.
    let key = format!("{prefix}often");
    for body in ["one", "two", "one", "three"] {
        there.push(world.lay(&key, body.as_bytes()));
    }
    there.push(world.hide(&key));
    there.push(world.lay(&key, b"again"));
    let hidden = format!("{prefix}hidden");
    there.push(world.lay(&hidden, b"hidden"));
    there.push(world.hide(&hidden));
    there
}

fn latest(world: &World, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let found = world.objects.get_object(bucket, key, None);
    found.ok().map(|object| object.body)
}

#[test]
fn all_that_was_there_is_in_the_backup_once_and_a_second_backfill_copies_nothing() {
    let world = World::backfilling();
    let _others = world.among_others();
    let prefix = "there/";
    let mut there = hostile(world, prefix);
    there.extend(world.lay_many(prefix, 230));
    let skipped = world.lay("skip/there", b"unwanted");
    let versions = there.iter().filter(|it| it.body.is_some()).count();

    let ended = world.backfill(&json!({"prefix": prefix}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    world.check_backfilled(&there);
    let counts = done(world, &ended);
    assert_eq!(counts["stored"]["objects"], versions, "{counts}");
    assert_eq!(counts["deletions"], 2, "{counts}");
    assert_eq!(
        [&counts["failed"], &counts["left"], &counts["open"]],
        [0, 0, 0]
    );
    let plan = &ended.output["plan"];
    assert_eq!(plan["versions"]["objects"], versions, "{plan}");
    for key in ["often", "hidden", "a b"] {
        let key = format!("{prefix}{key}");
        if key.ends_with("hidden") {
            // Deletions are recorded, and kept from the backup, by this rule.
            assert_eq!(latest(world, world.backup(), &key).unwrap(), b"hidden");
        } else {
            let both = [world.source(), world.backup()].map(|bucket| latest(world, bucket, &key));
            assert_eq!(both[0], both[1], "{key:?}");
        }
    }
    let run = ended.arn.rsplit(':').next().unwrap();
    let page = world.document(&format!("backfills/{run}/report/report.md"));
    assert!(page.contains("whole: "), "{page}");
    assert!(!world.told(&format!("{run}/report/report.md")).is_empty());

    let before = world.backfill_calls("BackfillBatch", "there");
    let again = world.backfill(&json!({"prefix": prefix}));
    let counts = done(world, &again);
    let after = world.backfill_calls("BackfillBatch", "there");
    for operation in [
        "CopyObject",
        "HeadObject",
        "ListObjectVersions",
        "UpdateItem",
    ] {
        assert_eq!(before.get(operation), after.get(operation), "{operation}");
    }
    assert_eq!(counts["stored"]["objects"], 0, "{counts}");
    assert_eq!(counts["already"], there.len(), "{counts}");
    world.check_backfilled(&there);
    assert!(world.points(&skipped.key).is_empty());
}

#[test]
fn the_latest_alone_are_backed_up_where_that_is_asked_for() {
    let world = World::backfilling();
    let _others = world.among_others();
    let key = "latest/one";
    world.lay(key, b"older");
    let newest = world.lay(key, b"newest");
    world.lay("latest/hidden", b"hidden");
    world.hide("latest/hidden");
    let ended = world.backfill(&json!({"prefix": "latest/", "versions": "latest"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    world.check_backfilled(&[newest]);
    assert_eq!(world.points(key).len(), 1);
    assert!(world.points("latest/hidden").is_empty());
}

#[test]
fn rules_say_where_it_goes_and_a_mirrored_deletion_hides() {
    let world = World::backfilling();
    let _others = world.among_others();
    let keys = [
        "two/old",
        "mirror/old",
        "annotated/old",
        "only-tagged/old",
        "skip/old",
    ];
    for key in keys {
        world.lay(key, key.as_bytes());
    }
    world.hide("mirror/old");
    world.lay("tagged/old", b"tagged");
    world.put_tags(world.source(), "tagged/old", &[("keep", "yes")]);
    for prefix in [
        "two/",
        "mirror/",
        "annotated/",
        "only-tagged/",
        "skip/old",
        "tagged/",
    ] {
        let ended = world.backfill(&json!({"prefix": prefix}));
        assert_eq!(ended.status, "SUCCEEDED", "{prefix}: {ended:?}");
    }
    assert_eq!(world.points("two/old").len(), 2);
    assert_eq!(
        latest(world, world.backup(), "second/two/old").unwrap(),
        b"two/old"
    );
    assert_eq!(latest(world, world.backup(), "mirror/old"), None);
    assert_eq!(world.delete_markers(world.backup(), "mirror/old"), 1);
    for (key, points) in [
        ("annotated/old", 1),
        ("only-tagged/old", 0),
        ("skip/old", 0),
        ("tagged/old", 1),
    ] {
        assert_eq!(world.points(key).len(), points, "{key}");
    }
}

#[test]
fn a_large_object_takes_the_backup_machine_and_its_line_waits_for_it() {
    let world = World::backfilling();
    let _others = world.among_others();
    let large = world.lay("large/old.bin", &vec![7; 9 << 20]);
    let small = world.lay("large/small", b"small");
    let ended = world.backfill(&json!({"prefix": "large/"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    world.check_backfilled(&[large, small]);
    let counts = done(world, &ended);
    assert_eq!(counts["stored"]["objects"], 2, "{counts}");
    assert_eq!(ended.output["plan"]["large"]["objects"], 1);
}

/// The order is settled once, behind the last of them: not a copy of the newest for each.
#[test]
fn older_versions_below_a_stored_one_have_it_copied_on_top_once_more_at_most() {
    let world = World::backfilling();
    let _others = world.among_others();
    let key = "below/one";
    let mut there: Vec<_> = (0..5)
        .map(|number| world.lay(key, format!("older {number}").as_bytes()))
        .collect();
    there.push(world.lay(key, b"newest"));
    let newest = world.start_with(&world.event_of(key));
    assert_eq!(newest.status, "SUCCEEDED", "{newest:?}");
    let ended = world.backfill(&json!({"prefix": "below/"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let counts = done(world, &ended);
    assert_eq!(
        [&counts["stored"]["objects"], &counts["already"]],
        [5, 1],
        "{counts}"
    );
    let copies = world.versions(world.backup(), key).len();
    assert_eq!(copies, 6 + 1, "five, the newest, and that once more on top");
    assert_eq!(latest(world, world.backup(), key).unwrap(), b"newest");
    let points = world.points(key);
    let owed = points.iter().filter(|it| !it["owedAfter"].is_null());
    assert_eq!(owed.count(), 0, "{points:#?}");
    let again = world.backfill(&json!({"prefix": "below/"}));
    assert_eq!(done(world, &again)["already"], there.len());
    assert_eq!(world.versions(world.backup(), key).len(), copies);
}

/// Live events of the same versions, before and while the backfill is at them.
#[test]
fn live_events_and_a_backfill_of_the_same_versions_add_nothing_to_each_other() {
    let world = World::backfilling();
    let _others = world.among_others();
    let there = world.lay_many("live/", 24);
    let events: Vec<_> = there.iter().map(|it| world.event_of(&it.key)).collect();
    world.start_with(&events[0]);
    let mut executions: Vec<_> = events
        .iter()
        .step_by(2)
        .map(|event| world.begin(event))
        .collect();
    executions.push(world.begin_backfill(&json!({"prefix": "live/"})));
    executions.extend(
        events
            .iter()
            .skip(1)
            .step_by(2)
            .map(|event| world.begin(event)),
    );
    for execution in executions {
        let ended = world.finish(&execution);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    }
    world.check_backfilled(&there);
}

#[test]
fn two_backfills_at_once_make_every_copy_once() {
    let world = World::backfilling();
    let _others = world.among_others();
    let there = world.lay_many("twice/", 60);
    let both = [0, 1].map(|_| world.begin_backfill(&json!({"prefix": "twice/"})));
    let mut stored = 0;
    for execution in both {
        let ended = world.finish(&execution);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        stored += done(world, &ended)["stored"]["objects"].as_u64().unwrap();
    }
    assert_eq!(stored, 60);
    world.check_backfilled(&there);
}

/// What fails for good is recorded, parked and named; everything else is backed up.
#[test]
fn what_fails_is_recorded_parked_and_named_and_the_rest_is_backed_up() {
    let world = World::backfilling();
    let _others = world.among_others();
    let there = world.lay_many("refused/", 12);
    let refused = "refused/00/object 00000";
    // As the copy's request line has it.
    let encoded = "refused/00/object%2000000";
    world
        .proxy
        .fail("CopyObject", encoded, Fault::Status(403), 1);
    let ended = world.backfill(&json!({"prefix": "refused/"}));
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    assert_eq!(ended.error, "BackfillIncomplete", "{ended:?}");
    let counts = done(world, &ended);
    assert_eq!(
        [&counts["failed"], &counts["stored"]["objects"]],
        [1, 11],
        "{counts}"
    );
    let point = world.points(refused).remove(0);
    assert_eq!(point["status"]["S"], "failed");
    let parked = world.parked(refused);
    assert_eq!(parked.len(), 1, "{parked:?}");
    let run = ended.arn.rsplit(':').next().unwrap();
    let failed = world.document(&format!("backfills/{run}/report/failed-00001.jsonl"));
    let failed: Value = serde_json::from_str(&failed).unwrap();
    assert_eq!(
        [&failed["key"], &failed["destination"]],
        [refused, "primary"]
    );
    // What was parked is an event like any other: the redrive's way.
    let event = parked[0]["Body"].as_str().unwrap();
    let again = world.start_with(event);
    assert_eq!(again.status, "SUCCEEDED", "{again:?}");
    world.check_backfilled(&there);
    // What a redrive has stored since has failed no more.
    let resumed = world.backfill(&resume(&ended.arn));
    assert_eq!(resumed.status, "SUCCEEDED", "{resumed:?}");
    assert_eq!(done(world, &resumed)["failed"], 0, "{resumed:?}");
}

/// A source without versions, where an event and a listing name the same content by other means.
#[test]
fn a_source_without_versions_is_not_doubled_either() {
    let world = World::on_seaweed();
    let live = ["backfilled/live-1", "backfilled/live-2"];
    for key in live {
        world.back_up(key, key.as_bytes(), &[]);
    }
    let old = ["backfilled/old-1", "backfilled/old-2"];
    for key in old {
        world.lay(key, key.as_bytes());
    }
    let ended = world.backfill(&json!({"prefix": "backfilled/"}));
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let counts = done(world, &ended);
    assert_eq!(
        [&counts["stored"]["objects"], &counts["already"]],
        [2, 2],
        "{counts}"
    );
    // Their events come after all.
    for key in old {
        let late = world.start_with(&world.event_of(key));
        assert_eq!(late.output["outcome"], "duplicate", "{late:?}");
    }
    for key in live.into_iter().chain(old) {
        assert_eq!(world.copy_of(key).body, key.as_bytes());
        assert_eq!(world.points(key).len(), 1, "{key}");
        assert_eq!(world.versions(world.backup(), key).len(), 1, "{key}");
    }
}

/// Rows in files whose names say nothing, read in place of a listing; what is wrong with them is named.
#[test]
fn an_inventory_is_gone_by_and_a_foreign_or_damaged_one_is_refused() {
    let world = World::backfilling();
    let _others = world.among_others();
    let prefix = "listed/";
    let mut there = hostile(world, prefix);
    there.extend(world.lay_many(prefix, 30));
    let mut rows = world.rows(world.source(), prefix);
    // Gone since S3 looked, and another prefix's.
    rows.push(made_up(world.source(), "listed/gone"));
    rows.push(made_up(world.source(), "unlisted-prefix/gone"));
    let now = jiff::Timestamp::now();
    let report = Report::of("backfill", world.source(), now, &rows, 20);
    let place = world.deliver(&report);
    let input = json!({"prefix": prefix, "inventory": place});
    let day = jiff::SignedDuration::from_hours(24);
    // What came between it and the first watched event would be in neither.
    for (since, said) in [(Some(now), "events are watched since"), (None, "not noted")] {
        world.watched_since(since);
        let refused = world.backfill(&input);
        assert_eq!(refused.error, "InvalidBackfill", "{refused:?}");
        let message = refused.cause["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
    world.watched_since(Some(now - day));
    let ended = world.backfill(&input);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(ended.output["plan"]["inventoryBegun"].is_string());
    world.check_backfilled(&there);
    let counts = done(world, &ended);
    let versions = there.iter().filter(|it| it.body.is_some()).count();
    assert_eq!(
        [&counts["stored"]["objects"], &counts["gone"]],
        [versions, 1],
        "{counts}"
    );
    let manifest = ended.output["request"]["inventory"].as_str().unwrap();
    assert!(manifest.ends_with("/manifest.json"), "{manifest}");

    let mut foreign = Report::of("foreign", world.source(), now, &rows, 20);
    foreign.manifest["sourceBucket"] = json!("somebody-elses");
    let mut damaged = Report::of("damaged", world.source(), now, &rows, 20);
    let half = damaged.files[0].1.len() / 2;
    damaged.files[0].1.truncate(half);
    let mut lost = Report::of("lost", world.source(), now, &rows, 20);
    lost.files.pop();
    for (report, said) in [
        (foreign, "is an inventory of somebody-elses"),
        (damaged, "is damaged"),
        (lost, "which is not there"),
    ] {
        let place = world.deliver(&report);
        let refused = world.backfill(&json!({"prefix": prefix, "inventory": place}));
        assert_eq!(refused.error, "InvalidBackfill", "{said}: {refused:?}");
        let message = refused.cause["message"].as_str().unwrap();
        assert!(message.contains(said), "{said}: {message}");
    }
}
