//! Audits that cannot do what they are asked, and audits that were cut off.

use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::allowed::{asked, check, step};

/// An audit that ends red: nothing half done, told once, and the page says why.
fn ends(world: &World, prefix: &str, error: &str, words: &str) {
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(audit.ended.status, "FAILED", "{:?}", audit.ended);
    assert_eq!(audit.ended.error, error, "{:?}", audit.ended);
    assert_eq!(audit.summary["verdict"], "unfinished");
    assert_eq!(audit.summary["cause"]["error"], error);
    assert!(audit.page.contains(words), "{words}: {}", audit.page);
    assert!(audit.page.contains("Next: "), "{}", audit.page);
    assert_eq!(world.told(audit.summary["run"].as_str().unwrap()).len(), 1);
}

#[test]
fn a_bucket_that_may_not_be_listed_ends_the_audit_by_name() {
    let world = World::auditing();
    let denied = Fault::Error(403, "AccessDenied");
    let (source, backup) = ("plain/audit-no-source/", "plain/audit-no-backup/");
    for (bucket, prefix) in [(world.source(), source), (world.backup(), backup)] {
        let needle = prefix.split('/').nth(1).unwrap();
        world
            .proxy
            .fail_all_of("ListObjectVersions", &[bucket, needle], denied, 50);
    }
    ends(world, source, "SourceUnreadable", world.source());
    ends(world, backup, "AccessDenied", world.backup());
}

#[test]
fn what_cannot_be_understood_is_told_by_name() {
    let world = World::auditing();
    let machine = &world.outputs["AuditStateMachineArn"];
    for (input, words) in [
        (json!({"levle": "read"}), "levle"),
        (json!({"level": "read", "slice": "31/30"}), "31/30"),
        (
            json!({"destinations": ["teriary"]}),
            "there are primary, second",
        ),
        (json!({"resume": "never-begun"}), "no run never-begun"),
    ] {
        let ended = world.start_on(machine, &input.to_string());
        assert_eq!(
            (ended.status.as_str(), ended.error.as_str()),
            ("FAILED", "InvalidEvent")
        );
        assert!(ended.failures[0].contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn an_empty_catalog_is_said_in_words() {
    let world = World::auditing();
    let prefix = "plain/audit-emptied/";
    let all: Vec<_> = (0..3).map(|number| format!("{prefix}{number}")).collect();
    world.fill(&all);
    for key in &all {
        world.forget_points(key);
    }
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(audit.verdict(), "behind");
    assert!(
        audit.page.contains("The catalog holds no recovery point"),
        "{}",
        audit.page
    );
    let found = audit.found();
    assert!(
        found.values().all(|kinds| kinds == &["copy-without-point"]),
        "{found:?}"
    );
    assert_eq!(found.len(), 3);
}

#[test]
fn a_point_of_another_release_ends_the_audit() {
    let world = World::auditing();
    // The command line refuses a table with such a point.
    let _alone = world.policy.write().unwrap();
    let prefix = "plain/audit-newer/";
    world.fill(&[format!("{prefix}one")]);
    for shape in [99, 0] {
        world.edit_point(&format!("{prefix}one"), |point| {
            point["shape"] = json!({"N": shape.to_string()});
        });
        ends(
            world,
            prefix,
            "DestinationUnavailable",
            &format!("has shape {shape}, this release reads shape 1"),
        );
    }
    // Its audits of other keys are not held up for ever.
    world.forget_points(&format!("{prefix}one"));
}

/// As after a stop in the middle: the keys that were done are not looked at again, the parts go on.
#[test]
fn an_audit_that_was_cut_off_goes_on_where_it_stopped() {
    let world = World::auditing();
    let prefix = "plain/audit-resumed/";
    let all: Vec<_> = (0..6).map(|number| format!("{prefix}{number}")).collect();
    world.fill(&all);
    for key in &all {
        world.forget(key);
    }
    let whole = world.audit(prefix, &json!({}));
    assert_eq!(whole.found().len(), 6, "{:?}", whole.findings);
    let run = whole.summary["run"].as_str().unwrap();
    let progress = format!("audits/{run}/progress.json");
    let mut kept: Value = serde_json::from_str(&world.document(&progress)).unwrap();
    kept["stage"] = json!({"listings": {"after": all[3]}});
    let reports = &world.outputs["ReportBucket"];
    let put = world
        .cloud
        .put_object(reports, &progress, kept.to_string().as_bytes(), &[]);
    put.unwrap();

    let resumed = world.audit(prefix, &json!({"resume": run}));
    assert_eq!(resumed.ended.output["run"], run, "{:?}", resumed.ended);
    assert_eq!(resumed.summary["parts"], 2);
    let again = &resumed.findings[6..];
    let keys: Vec<_> = again.iter().map(|it| it["key"].as_str().unwrap()).collect();
    assert_eq!(keys, [all[4].as_str(), all[5].as_str()]);
}

/// Two that work on one run would write each other's parts.
#[test]
fn a_run_that_is_worked_on_is_refused_to_another_execution() {
    let world = World::auditing();
    let prefix = "plain/audit-twice/";
    world.fill(&[format!("{prefix}one")]);
    let hold = Fault::HoldMs(3000);
    world
        .proxy
        .fail("ListObjectVersions", "audit-twice", hold, 2);
    let machine = &world.outputs["AuditStateMachineArn"];
    let input = json!({"prefix": prefix, "graceSeconds": 0}).to_string();
    let arn = world.begin_on(machine, &input);
    let run = arn.rsplit(':').next().unwrap();
    let progress = format!("audits/{run}/progress.json");
    let reports = &world.outputs["ReportBucket"];
    wait("it has claimed its run", || {
        let found = world.cloud.get_object(reports, &progress, None);
        found.map(drop).map_err(|problem| problem.to_string())
    });
    let refused = world.finish(&world.begin_on(machine, &json!({"resume": run}).to_string()));
    assert_eq!(refused.status, "FAILED", "{refused:?}");
    let cause = refused.cause.to_string();
    assert!(cause.contains("is worked on by"), "{cause}");
    let ended = world.finish(&arn);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["run"], run);
    assert_eq!(ended.output["verdict"], "whole", "{ended:?}");
}

/// Stopped by hand while it lists: the next audit knows nothing of it.
#[test]
fn an_audit_that_is_stopped_leaves_nothing_half_done() {
    let world = World::auditing();
    let prefix = "plain/audit-stopped/";
    world.fill(&[format!("{prefix}one")]);
    world.proxy.fail(
        "ListObjectVersions",
        "audit-stopped",
        Fault::HoldMs(1500),
        2,
    );
    let machine = &world.outputs["AuditStateMachineArn"];
    let input = json!({"prefix": prefix, "graceSeconds": 0}).to_string();
    let arn = world.begin_on(machine, &input);
    world.stop(&arn);
    let ended = world.finish(&arn);
    assert_eq!(ended.status, "ABORTED", "{ended:?}");
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(audit.verdict(), "whole", "{:?}", audit.findings);
}

/// AuditSlice changes nothing but its own documents; Repair alone starts executions.
#[test]
fn auditing_functions_may_do_what_they_do_and_nothing_more() {
    let world = World::auditing();
    let (plain, annotated) = ("plain/audit-calls/", "annotated/audit-calls/");
    world.fill(&[
        format!("{plain}one"),
        format!("{plain}two"),
        format!("{annotated}one"),
    ]);
    world.annotate(&format!("{annotated}one"), "note", "said");
    world.annotate_copy(&format!("{annotated}one"), "note", "said");
    world.forget(&format!("{plain}two"));
    world.put_copy_again(&format!("{plain}one"));
    let lost = world.expired_long_ago(&format!("{plain}lost"));
    for (prefix, more) in [
        (plain, json!({"level": "read", "repair": true})),
        (annotated, json!({"level": "checksums"})),
    ] {
        let audit = world.audit(prefix, &more);
        assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
    }
    wait("what was missing is there", || {
        match world.points(&format!("{plain}two")).len() {
            1 => Ok(()),
            points => Err(points.to_string()),
        }
    });
    let point = world.point_of_copy(&format!("{plain}lost"), &lost);
    assert_eq!(point["status"]["S"], "expired", "by the repair");
    let top = world
        .versions(world.backup(), &format!("{plain}lost"))
        .remove(0);
    world.tell_lifecycle(&world.transition_of(&format!("{plain}lost"), &top));
    world.followed();
    let asked = asked(world);
    for name in ["AuditSlice", "Repair", "FinishAudit", "FollowLifecycle"] {
        let function = world.function(name);
        check(
            world,
            step(&function),
            &world.grants(&function),
            &asked[&function],
        );
    }
    let slice = world.grants(&world.function("AuditSlice"));
    let writes = slice.iter().filter(|it| {
        ["Put", "Delete", "Update", "Start", "Publish", "Abort"]
            .iter()
            .any(|verb| it.action.contains(&format!(":{verb}")))
    });
    let writes: Vec<_> = writes.map(|it| it.resource.as_str()).collect();
    let own = format!("arn:aws:s3:::{}/audits/*", &world.outputs["ReportBucket"]);
    assert_eq!(writes, [own], "read-only, but for its own documents");
}
