//! The audit: each kind of difference is found, nothing else is, and what can be mended is.

use std::collections::BTreeMap;

use backup_e2e::World;
use backup_e2e::world::wait;
use serde_json::{Value, json};

fn keys(prefix: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{prefix}{name}")).collect()
}

fn expected(findings: &[(String, &str)]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, kind) in findings {
        found
            .entry(key.clone())
            .or_default()
            .push((*kind).to_owned());
    }
    found
}

/// At every level; rclone, which knows nothing of this backup, says the same of the bytes.
#[test]
fn a_whole_backup_raises_no_alarm_at_any_level() {
    let world = World::auditing();
    let prefix = "plain/audit-whole/";
    let names = ["a b+%41", "é🦀", "x/y", "z&=?#"];
    let mut all = keys(prefix, &names);
    all.extend((0..20).map(|number| format!("{prefix}{number:03}")));
    world.fill(&all);
    // A second version of one, another deleted: kept at the backup.
    world.fill(&[format!("{prefix}000")]);
    for more in [
        json!({}),
        json!({"level": "checksums"}),
        json!({"level": "read"}),
        json!({"level": "read", "slice": "1/2"}),
        json!({"level": "read", "slice": "2/2"}),
    ] {
        let audit = world.audit(prefix, &more);
        assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
        assert_eq!(
            audit.found(),
            BTreeMap::new(),
            "{more}: {:?}",
            audit.findings
        );
        assert_eq!(audit.verdict(), "whole", "{more}");
        let own = &audit.summary["totals"]["destinations"]["primary"];
        assert_eq!(
            (own["wanted"].as_u64(), own["safe"].as_u64()),
            (Some(25), Some(25))
        );
        assert!(
            audit.page.contains("No difference was found."),
            "{}",
            audit.page
        );
    }
    world.rclone_agrees(prefix).unwrap();
    let read = |slice: &str| {
        let audit = world.audit(prefix, &json!({"level": "read", "slice": slice}));
        audit.summary["totals"]["read"].as_u64().unwrap()
    };
    assert_eq!(
        read("1/3") + read("2/3") + read("3/3"),
        25,
        "each copy is read in one slice"
    );
}

#[test]
fn each_kind_of_difference_is_found_and_nothing_else() {
    let world = World::auditing();
    let prefix = "plain/audit-seeded/";
    let names = [
        "bad",
        "checksum",
        "failed",
        "missing",
        "order",
        "pointless",
        "right",
        "right too",
        "size",
        "stray",
        "stuck",
        "surplus",
        "tagless",
        "tags",
        "unsettled",
    ];
    let own = |name: &str| format!("{prefix}{name}");
    let bad = world.put_copy(&own("bad"), b"never proven", &[]);
    world.fill(&keys(prefix, &names));
    world.fill(&[own("order")]);

    world.edit_point(&own("bad"), |point| {
        point["bad"] = json!({"L": [{"S": bad}]});
    });
    let length = format!("content of {}", own("checksum")).len();
    world.replace_copy(&own("checksum"), &vec![b'x'; length]);
    world.put_copy(&own("extra"), b"somebody else's", &[]);
    world.leave(&own("failed"), "failed");
    world.forget(&own("missing"));
    reorder(world, &own("order"));
    world.forget_points(&own("pointless"));
    world.replace_copy(&own("size"), b"short");
    world.begin_upload(&own("stray"));
    world.leave(&own("stuck"), "copying");
    world.put_copy_again(&own("surplus"));
    let gone = world.versions(world.backup(), &own("tagless"));
    let removed = world
        .objects
        .delete_object(world.backup(), &own("tagless"), Some(&gone[0]));
    removed.unwrap();
    world.edit_point(&own("unsettled"), |point| {
        point["status"] = json!({"S": "unsettled"});
    });
    world.put_tags(world.backup(), &own("tags"), &[("colour", "red")]);

    let mut wanted = vec![
        (own("bad"), "bad-version"),
        (own("checksum"), "checksum-differs"),
        (own("extra"), "extra"),
        (own("failed"), "failed"),
        (own("missing"), "missing"),
        (own("order"), "wrong-latest"),
        (own("pointless"), "copy-without-point"),
        (own("size"), "size-differs"),
        (own("stray"), "stray-upload"),
        (own("stuck"), "stuck"),
        (own("surplus"), "surplus"),
        (own("tagless"), "point-without-copy"),
        (own("unsettled"), "unsettled"),
    ];
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(audit.found(), expected(&wanted), "{:#?}", audit.findings);
    assert_eq!(audit.verdict(), "damaged");
    for finding in &audit.findings {
        assert_eq!(finding["bucket"], world.source(), "{finding}");
        assert_eq!(finding["destination"], "primary", "{finding}");
    }
    wanted.push((own("tags"), "tags-differ"));
    let audit = world.audit(prefix, &json!({"level": "checksums"}));
    assert_eq!(audit.found(), expected(&wanted), "{:#?}", audit.findings);
    let told = world.told(audit.summary["run"].as_str().unwrap());
    assert_eq!(told.len(), 1, "the verdict is told once: {told:?}");
    measured(world);
}

/// What no sum tells: the source was uploaded in parts, so that both ETags are what they should be.
#[test]
fn bytes_that_rotted_are_found_by_reading_alone() {
    let world = World::auditing();
    let prefix = "plain/audit-bytes/";
    let all = keys(prefix, &["right", "rotten"]);
    for key in &all {
        world.upload_content(key, 100);
        world.has_become(key, "stored");
    }
    world.replace_copy(&all[1], &[b'x'; 100]);
    for level in ["listing", "checksums"] {
        let audit = world.audit(prefix, &json!({"level": level}));
        assert_eq!(audit.found(), BTreeMap::new(), "{level}");
    }
    let audit = world.audit(prefix, &json!({"level": "read"}));
    let wanted = expected(&[(all[1].clone(), "checksum-differs")]);
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
    let detail = audit.findings[0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the copy's bytes have CRC64NVME"),
        "{detail}"
    );
    assert_eq!(audit.verdict(), "damaged");
}

/// The copy is what its listing says, and not what was proven.
#[test]
fn a_stored_checksum_that_is_not_the_proven_one_is_found_by_checksums() {
    let world = World::auditing();
    let prefix = "plain/audit-sums/";
    let key = format!("{prefix}one");
    world.fill(std::slice::from_ref(&key));
    let old = world.versions(world.backup(), &key);
    let stored = [(
        "x-amz-checksum-sha256",
        "bsahGfkdJU97LAi9d9nicIyHgFRyP894JrSKLBj+Z6g=",
    )];
    let copy = world.put_copy(&key, format!("content of {key}").as_bytes(), &stored);
    let proven = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785=";
    world.edit_point(&key, |point| {
        point["backup"]["M"]["versionId"] = json!({"S": copy});
        point["evidence"] = json!({"M": {
            "kind": {"S": "stored"}, "algorithm": {"S": "SHA256"}, "value": {"S": proven},
        }});
    });
    let removed = world
        .objects
        .delete_object(world.backup(), &key, Some(&old[0]));
    removed.unwrap();
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(audit.found(), BTreeMap::new(), "{:#?}", audit.findings);
    let audit = world.audit(prefix, &json!({"level": "checksums"}));
    let wanted = expected(&[(key, "checksum-differs")]);
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
    let detail = audit.findings[0]["detail"].as_str().unwrap();
    assert!(detail.contains("SHA256"), "{detail}");
}

/// Puts the copy of the older version of two on top, as a promotion would, and records it.
fn reorder(world: &World, key: &str) {
    let mut points = world.points(key);
    points.sort_by_key(|point| point["endedAt"]["S"].as_str().unwrap().to_owned());
    let id = world.put_copy(key, format!("content of {key}").as_bytes(), &[]);
    points[0]["promotions"] = json!({"L": [{"S": id}]});
    world.put_point(&points[0]);
}

/// The metrics are lines of the log, one a destination.
fn measured(world: &World) {
    let lines = world.logged("finish-audit");
    let metrics: Vec<_> = lines
        .iter()
        .filter(|line| line["_aws"].is_object())
        .collect();
    let damaged = metrics
        .iter()
        .filter(|line| line["AuditDamaged"].as_f64() > Some(0.0));
    assert!(damaged.count() > 0, "{lines:?}");
}

/// A key that neither side lists any more: only the catalog knows of it.
#[test]
fn a_point_of_a_key_that_no_listing_shows_is_found() {
    let world = World::auditing();
    let prefix = "plain/audit-unlisted/";
    let all = keys(prefix, &["a", "b", "c"]);
    world.fill(&all);
    let key = &all[1];
    for bucket in [world.backup(), world.source()] {
        for version in world.versions(bucket, key) {
            world
                .objects
                .delete_object(bucket, key, Some(&version))
                .unwrap();
        }
    }
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(
        audit.found(),
        expected(&[(key.clone(), "point-without-copy")])
    );
}

#[test]
fn annotations_that_differ_are_found_where_the_rule_carries_them() {
    let world = World::auditing();
    let prefix = "annotated/audit/";
    let all = keys(prefix, &["same", "other"]);
    world.fill(&all);
    world.annotate(&all[1], "note", "changed since");
    // The local stack tells an annotation as an upload: nothing comes of that execution.
    wait(
        "the point is stored",
        || match world.points(&all[1])[0]["status"]["S"].as_str() {
            Some("stored") => Ok(()),
            other => Err(format!("{other:?}")),
        },
    );
    let audit = world.audit(prefix, &json!({"level": "checksums"}));
    assert_eq!(
        audit.found(),
        expected(&[(all[1].clone(), "annotations-differ")])
    );
    assert_eq!(audit.verdict(), "behind");
}

/// The backup is fed what is missing; the audit after it finds everything in its place. Two repairs at
/// once start no version twice.
#[test]
fn a_repair_mends_what_the_backup_can_mend() {
    let world = World::auditing();
    let prefix = "two/audit-repair/";
    let all = keys(prefix, &["failed", "gone", "right"]);
    world.fill(&all);
    let second = |key: &str| format!("second/{key}");
    wait("both destinations are done", || {
        let open = all.iter().filter(|key| {
            let points = world.points(key);
            points.len() < 2 || points.iter().any(|point| point["status"]["S"] != "stored")
        });
        match open.count() {
            0 => Ok(()),
            open => Err(format!("{open} are open")),
        }
    });
    world.forget(&all[1]);
    for version in world.versions(world.backup(), &second(&all[1])) {
        let gone = world
            .objects
            .delete_object(world.backup(), &second(&all[1]), Some(&version));
        gone.unwrap();
    }
    for mut point in world.points(&all[0]) {
        point["status"] = json!({"S": "failed"});
        for field in ["backup", "evidence"] {
            point.as_object_mut().unwrap().remove(field);
        }
        world.put_point(&point);
    }
    let before = world.audit(prefix, &json!({}));
    let two = |kind: &str| vec![kind.to_owned(), kind.to_owned()];
    let wanted = BTreeMap::from([
        (all[0].clone(), two("failed")),
        (all[1].clone(), two("missing")),
    ]);
    assert_eq!(before.found(), wanted, "{:#?}", before.findings);
    assert_eq!(
        before.ended.output["started"], 0,
        "an audit alone changes nothing"
    );

    let machine = &world.outputs["AuditStateMachineArn"];
    let input = json!({"prefix": prefix, "graceSeconds": 0, "repair": true}).to_string();
    let both = [
        world.begin_on(machine, &input),
        world.begin_on(machine, &input),
    ];
    let started = both.map(|arn| {
        let ended = world.finish(&arn);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        ended.output["started"].as_u64().unwrap()
    });
    let executions = all.iter().flat_map(|key| world.started_by("audit", key));
    assert_eq!(executions.count(), 4, "each once");
    // What still runs when the second asks for it counts for both.
    assert!(
        (4..=8).contains(&started.iter().sum::<u64>()),
        "{started:?}"
    );
    wait("all is stored again", || {
        let points: Vec<Value> = all.iter().flat_map(|key| world.points(key)).collect();
        let stored = points
            .iter()
            .filter(|point| point["status"]["S"] == "stored");
        match stored.count() {
            6 => Ok(()),
            stored => Err(format!("{stored} stored: {points:?}")),
        }
    });
    let after = world.audit(prefix, &json!({}));
    assert_eq!(after.verdict(), "whole", "{:#?}", after.findings);
    let notes = after.found().into_values().flatten();
    let worse: Vec<_> = notes
        .filter(|kind| kind != "surplus" && kind != "copy-without-point")
        .collect();
    assert_eq!(worse, [""; 0], "copies of failed points stay as surplus");
    world.rclone_agrees(prefix).unwrap();
}

/// Two destinations in one bucket, the prefix of one within the other's.
#[test]
fn copies_under_another_destinations_prefix_are_no_difference() {
    let world = World::auditing();
    let key = "two/audit-nested/one";
    world.fill(&[key.to_owned()]);
    wait("both destinations are done", || {
        match world
            .versions(world.backup(), &format!("second/{key}"))
            .len()
        {
            1 => Ok(()),
            copies => Err(copies.to_string()),
        }
    });
    for prefix in ["two/audit-nested/", "second/two/audit-nested/"] {
        let audit = world.audit(prefix, &json!({}));
        assert_eq!(
            audit.found(),
            BTreeMap::new(),
            "{prefix}: {:?}",
            audit.findings
        );
    }
    let audit = world.audit("two/audit-nested/", &json!({}));
    let safe = |name: &str| audit.summary["totals"]["destinations"][name]["safe"].as_u64();
    assert_eq!((safe("primary"), safe("second")), (Some(1), Some(1)));
}
