//! Audits that read S3 Inventory reports instead of listing.

use std::collections::BTreeMap;

use backup_e2e::hurry::{TIMEOUT_SECONDS, slow_ms};
use backup_e2e::inventoried::{INVENTORIES, Report, SCHEMA, made_up};
use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use jiff::Timestamp;
use serde_json::{Value, json};

fn keys(prefix: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{prefix}{name}")).collect()
}

fn found(findings: &[(String, &str)]) -> BTreeMap<String, Vec<String>> {
    let findings = findings.iter();
    findings
        .map(|(key, kind)| (key.clone(), vec![(*kind).to_owned()]))
        .collect()
}

/// Listings that a function asked for of all keys under this prefix.
fn listings(world: &World, prefix: &str) -> usize {
    let encoded = prefix.replace('/', "%2F");
    let calls = world.proxy.calls(&format!("prefix={encoded}"));
    let whole = ["&", " "].map(|end| format!("prefix={encoded}{end}"));
    let calls = calls.iter().filter(|call| {
        let is_whole = whole.iter().any(|it| call.request.contains(it));
        call.operation == "ListObjectVersions" && is_whole
    });
    calls.count()
}

/// Several files each, in no order; of either side alone, and of both.
#[test]
fn an_audit_by_inventories_finds_what_one_by_listing_finds() {
    let world = World::auditing();
    let prefix = "plain/audit-reported/";
    let names = [
        "a b+%41",
        "é🦀,\"",
        "gone",
        "missing",
        "pointless",
        "right",
        "size",
        "surplus",
        "x//y",
    ];
    let all = keys(prefix, &names);
    let own = |name: &str| format!("{prefix}{name}");
    world.fill(&all);
    world.fill(&[own("right")]);
    world.change(&[(own("gone"), None)]);
    world.forget(&own("missing"));
    world.forget_points(&own("pointless"));
    world.replace_copy(&own("size"), b"short");
    world.put_copy_again(&own("surplus"));
    world.put_copy(&own("extra"), b"somebody else's", &[]);
    let vanished = world.versions(world.backup(), &own("a b+%41"));
    let removed = world
        .objects
        .delete_object(world.backup(), &own("a b+%41"), Some(&vanished[0]));
    removed.unwrap();

    let wanted = found(&[
        (own("a b+%41"), "point-without-copy"),
        (own("extra"), "extra"),
        (own("missing"), "missing"),
        (own("pointless"), "copy-without-point"),
        (own("size"), "size-differs"),
        (own("surplus"), "surplus"),
    ]);
    let listed = world.audit(prefix, &json!({}));
    assert_eq!(listed.found(), wanted, "{:#?}", listed.findings);
    let both = world.inventoried(prefix, 3);
    let before = listings(world, prefix);
    for (inventory, sides) in [
        (both.clone(), 0),
        (json!({"source": both["source"]}), 1),
        (json!({"destinations": both["destinations"]}), 1),
    ] {
        let listed_before = listings(world, prefix);
        let audit = world.audit(prefix, &json!({"inventory": inventory}));
        assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
        assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
        assert_eq!(
            listings(world, prefix) - listed_before,
            sides,
            "{inventory}"
        );
        let totals = |audit: &backup_e2e::Audit| {
            audit.summary["totals"]["destinations"]["primary"]["wanted"].clone()
        };
        assert_eq!(totals(&audit), totals(&listed));
        assert!(
            audit.page.contains("By the inventory of "),
            "{}",
            audit.page
        );
    }
    assert!(listings(world, prefix) > before);
}

/// Uploaded, overwritten, deleted at the source since: nothing of it is a difference, at any level. What
/// was missing before still is one.
#[test]
fn what_changed_since_an_inventory_is_left_to_a_later_audit() {
    let world = World::auditing();
    let prefix = "plain/audit-outdated/";
    let own = |name: &str| format!("{prefix}{name}");
    let all = keys(
        prefix,
        &["deleted", "erased", "missing", "overwritten", "right"],
    );
    world.fill(&all);
    world.forget(&own("missing"));
    let inventory = world.inventoried(prefix, 2);
    // Times of objects are whole seconds.
    let made = Timestamp::now().as_second();
    wait("the next second has come", || {
        match Timestamp::now().as_second() {
            now if now > made => Ok(()),
            now => Err(now.to_string()),
        }
    });
    world.fill(&[own("new"), own("overwritten")]);
    world.change(&[(own("deleted"), None)]);
    for version in world.versions(world.source(), &own("erased")) {
        let gone = world
            .objects
            .delete_object(world.source(), &own("erased"), Some(&version));
        gone.unwrap();
    }
    for level in ["listing", "checksums", "read"] {
        let audit = world.audit(prefix, &json!({"level": level, "inventory": inventory}));
        assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
        let wanted = found(&[(own("missing"), "missing")]);
        assert_eq!(audit.found(), wanted, "{level}: {:#?}", audit.findings);
    }
    // A copy that is lost since is seen where it is looked at.
    let lost = world.versions(world.backup(), &own("right"));
    let gone = world
        .objects
        .delete_object(world.backup(), &own("right"), Some(&lost[0]));
    gone.unwrap();
    let audit = world.audit(
        prefix,
        &json!({"level": "checksums", "inventory": inventory}),
    );
    let wanted = found(&[
        (own("missing"), "missing"),
        (own("right"), "point-without-copy"),
    ]);
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
}

/// Manifests that are not what is needed: field, value, error, words.
fn wrong_manifests() -> [(&'static str, Value, &'static str, &'static str); 7] {
    let versions = "VersionId, IsLatest, IsDeleteMarker, ";
    let without = |columns: &str| json!(SCHEMA.replace(columns, ""));
    let invalid = "InvalidEvent";
    let csv = "configure an inventory of output format CSV";
    [
        (
            "sourceBucket",
            json!("other"),
            invalid,
            "is an inventory of other, not of",
        ),
        ("fileFormat", json!("ORC"), invalid, csv),
        ("fileFormat", json!("Parquet"), invalid, csv),
        (
            "fileSchema",
            without("ETag, "),
            invalid,
            "has no column ETag",
        ),
        (
            "fileSchema",
            without(versions),
            invalid,
            "let the inventory include all versions",
        ),
        (
            "version",
            json!("2030-01-01"),
            invalid,
            "is no manifest of an inventory",
        ),
        (
            "fileSchema",
            json!(format!("{SCHEMA}, Other")),
            "SourceUnreadable",
            "9 fields, the manifest says 10",
        ),
    ]
}

/// Each ends red with its own words and no verdict.
#[test]
fn an_inventory_that_cannot_be_trusted_ends_the_audit_without_a_verdict() {
    let world = World::auditing();
    let prefix = "plain/audit-distrusted/";
    world.fill(&keys(prefix, &["one", "two"]));
    let rows = world.rows(world.source(), prefix);
    let of = |name: &str, rows: &[String], file| {
        Report::of(name, world.source(), Timestamp::now(), rows, file)
    };
    for (number, (field, value, error, words)) in wrong_manifests().into_iter().enumerate() {
        let mut report = of(&format!("wrong-{number}"), &rows, 1);
        report.manifest[field] = value;
        ends(world, prefix, &world.deliver(&report), error, words);
    }
    let mut lost = of("lost-file", &rows, 1);
    lost.files.pop();
    let lost = world.deliver(&lost);
    ends(
        world,
        prefix,
        &lost,
        "SourceUnreadable",
        "which is not there",
    );
    let mut damaged = of("damaged", &rows, 1);
    let middle = damaged.files[0].1.len() / 2;
    damaged.files[0].1[middle] ^= 8;
    let damaged = world.deliver(&damaged);
    ends(
        world,
        prefix,
        &damaged,
        "SourceUnreadable",
        "all/data/1.csv.gz",
    );
    // Sound by itself, and seems to lie behind the prefix: it is another file all the same.
    let mut swapped = of("swapped", &rows, 1);
    let behind: Vec<_> = rows.iter().map(|row| row.replace("plain", "zzz")).collect();
    let others = of("swapped", &behind, 1);
    swapped.files[0].1.clone_from(&others.files[0].1);
    let swapped = world.deliver(&swapped);
    ends(
        world,
        prefix,
        &swapped,
        "SourceUnreadable",
        "all/data/1.csv.gz",
    );
    let turned: Vec<_> = rows.iter().rev().cloned().collect();
    let turned = world.deliver(&of("turned", &turned, 99));
    ends(
        world,
        prefix,
        &turned,
        "SourceUnreadable",
        "its keys are not in order",
    );
    let nowhere = format!("s3://{INVENTORIES}/nowhere/");
    ends(
        world,
        prefix,
        &nowhere,
        "InvalidEvent",
        "no complete inventory lies under",
    );
    let denied = world.deliver(&of("denied", &rows, 1));
    let refusal = Fault::Error(403, "AccessDenied");
    world
        .proxy
        .fail("ListObjectsV2", "prefix=denied", refusal, 3);
    ends(
        world,
        prefix,
        &denied,
        "AccessDenied",
        "InventoryBucketNames",
    );
    let unknown = json!({"inventory": {"destinations": {"teriary": nowhere}}});
    let audit = world.audit(prefix, &unknown);
    assert_eq!(audit.ended.error, "InvalidEvent", "{:?}", audit.ended);
}

fn ends(world: &World, prefix: &str, at: &str, error: &str, words: &str) {
    let audit = world.audit(prefix, &json!({"inventory": {"source": at}}));
    assert_eq!(audit.ended.error, error, "{at}: {:?}", audit.ended);
    assert_eq!(audit.summary["verdict"], "unfinished", "{at}");
    assert!(audit.page.contains(words), "{words}: {}", audit.page);
}

/// As long as there is time, then by another invocation: a call takes so long that the first comes
/// to its end in the middle of the report.
#[test]
fn an_audit_by_inventories_goes_on_in_the_next_stretch() {
    let world = World::auditing_in_a_hurry();
    let prefix = "plain/audit-stretched/";
    let all = keys(prefix, &["0-missing", "a", "z-missing"]);
    world.fill(&all);
    for key in [&all[0], &all[2]] {
        world.forget(key);
    }
    // Keys that no rule wants, between those that are.
    let mut rows = world.rows(world.source(), prefix);
    let last = rows.pop().unwrap();
    let many = (0..700).map(|it| made_up(world.source(), &format!("{prefix}k/deep/{it:04}.tmp")));
    rows.extend(many);
    rows.push(last);
    let mut report = json!({});
    for (file, name) in [(40, "stretched-40"), (1_000, "stretched-1000")] {
        let at = world.deliver(&Report::of(
            name,
            world.source(),
            Timestamp::now(),
            &rows,
            file,
        ));
        report = json!({"source": at});
    }
    let slow = Fault::HoldMs(slow_ms(TIMEOUT_SECONDS));
    let held = [prefix, "k/deep/0100.tmp"].concat();
    world.proxy.fail("Query", &held, slow, 1);
    let audit = world.audit(prefix, &json!({"inventory": report}));
    let wanted = found(&[(all[0].clone(), "missing"), (all[2].clone(), "missing")]);
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
    assert_eq!(audit.summary["totals"]["keys"], 703);
    // A machine that stands still for a second has the first one killed instead.
    let died = audit.ended.failures.iter();
    let died = died.filter(|it| it.contains("timed out")).count();
    assert!(stretches(world, &audit.summary) + died >= 2);
}

/// Invocations of AuditSlice that came to an end of this run.
fn stretches(world: &World, summary: &Value) -> usize {
    let lines = world.logged("audit-slice");
    let of_run = |line: &&Value| line.to_string().contains(summary["run"].as_str().unwrap());
    lines
        .iter()
        .filter(|line| line.to_string().contains("audited"))
        .filter(of_run)
        .count()
}
