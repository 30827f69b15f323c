//! Audits of what changes meanwhile, and audits whose function dies.

use std::collections::BTreeMap;

use backup_e2e::hurry::TOO_LONG_MS;
use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use jiff::Timestamp;
use serde_json::json;

fn missing(keys: &[&str]) -> BTreeMap<String, Vec<String>> {
    let keys = keys.iter();
    keys.map(|key| ((*key).to_owned(), vec!["missing".to_owned()]))
        .collect()
}

/// Objects come, change and go between two pages of the listing, before and behind the place that it has
/// come to: none of that is a difference, and what was missing all along is found on either side.
///
/// Method: the first pages are asked to be short, the second one of the source is held meanwhile.
#[test]
fn a_listing_that_changes_while_it_is_read_raises_no_false_alarm_and_misses_nothing() {
    let world = World::auditing();
    let prefix = "plain/audit-moving/";
    let own = |name: &str| format!("{prefix}{name}");
    let names = ["b", "c", "d", "p", "q", "r", "s", "t"];
    let all: Vec<_> = names.iter().map(|name| own(name)).collect();
    world.fill(&all);
    for name in ["c", "q"] {
        world.forget(&own(name));
    }
    let short = Fault::ReplaceAsked("encoding-type=url", "max-keys=3&x=yyyy");
    for bucket in [world.source(), world.backup()] {
        let needles = [bucket, "audit-moving"];
        world
            .proxy
            .fail_all_of("ListObjectVersions", &needles, short, 1);
    }
    let second = [world.source(), "audit-moving", "key-marker"];
    world
        .proxy
        .fail_all_of("ListObjectVersions", &second, Fault::HoldMs(4_000), 1);

    let machine = &world.outputs["AuditStateMachineArn"];
    let input = json!({"prefix": prefix, "graceSeconds": 0}).to_string();
    let running = world.begin_on(machine, &input);
    let held = || {
        let calls = world.proxy.calls("key-marker");
        let mut calls = calls.iter();
        calls.any(|call| second.iter().all(|it| call.request.contains(it)))
    };
    wait("the source's second page is asked for", || {
        held().then_some(()).ok_or_else(String::new)
    });
    // Times of objects are whole seconds.
    let begun = Timestamp::now().as_second();
    wait("the next second has come", || {
        match Timestamp::now().as_second() {
            now if now > begun => Ok(()),
            now => Err(now.to_string()),
        }
    });
    let objects = &world.objects;
    for name in ["a", "b", "bb", "r", "rr", "z"] {
        let put = objects.put_object(world.source(), &own(name), b"meanwhile", &[]);
        put.unwrap();
    }
    for name in ["d", "s"] {
        let deleted = objects.delete_object(world.source(), &own(name), None);
        deleted.unwrap();
    }
    for version in world.versions(world.source(), &own("t")) {
        let erased = objects.delete_object(world.source(), &own("t"), Some(&version));
        erased.unwrap();
    }
    let audit = world.audited(world.finish(&running));
    assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
    let wanted = missing(&[&own("c"), &own("q")]);
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
    assert_eq!(audit.verdict(), "behind");
}

/// A version or a copy that goes away between one question about it and the next is left to the next audit.
#[test]
fn what_vanishes_while_it_is_looked_at_does_not_end_the_audit() {
    let world = World::auditing();
    let prefix = "plain/audit-vanishing/";
    let own = |name: &str| format!("{prefix}{name}");
    world.fill(&["missing", "of-backup", "of-source"].map(own));
    world.forget(&own("missing"));
    for (bucket, name) in [(world.source(), "of-source"), (world.backup(), "of-backup")] {
        let needles = [bucket, &own(name)];
        let gone = Fault::Error(404, "NoSuchVersion");
        world
            .proxy
            .fail_all_of("GetObjectTagging", &needles, gone, 1);
    }
    let audit = world.audit(prefix, &json!({"level": "checksums"}));
    assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
    let wanted = missing(&[&own("missing")]);
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
}

/// The platform ends AuditSlice in the middle of a slice, when it has found some of it: the next one
/// finds everything, each once.
///
/// Method: a query of the catalog is held for longer than the function may run.
#[test]
fn an_audit_whose_function_is_killed_ends_with_the_same_findings() {
    let world = World::auditing_in_a_hurry();
    let prefix = "plain/audit-killed/";
    let all: Vec<_> = (0..40)
        .map(|number| format!("{prefix}{number:02}"))
        .collect();
    world.fill(&all);
    let lost = [&all[0], &all[20], &all[39]];
    for key in lost {
        world.forget(key);
    }
    let held = format!("{}\"", all[39]);
    let too_long = Fault::HoldMs(TOO_LONG_MS);
    world.proxy.fail("Query", &held, too_long, 1);
    let audit = world.audit(prefix, &json!({}));
    assert_eq!(audit.ended.status, "SUCCEEDED", "{:?}", audit.ended);
    let died = audit.ended.failures.iter();
    let died = died.filter(|it| it.contains("timed out")).count();
    assert!(died >= 1, "{:?}", audit.ended.failures);
    let wanted = missing(&lost.map(String::as_str));
    assert_eq!(audit.found(), wanted, "{:#?}", audit.findings);
    assert_eq!(audit.summary["totals"]["keys"], 40);
    let asked = world.proxy.calls(&format!("{}\"", all[0]));
    let asked = asked.iter().filter(|call| {
        let by_audit = call.caller().is_some_and(|it| it.contains("-AuditSlice"));
        call.operation == "Query" && by_audit
    });
    assert_eq!(asked.count(), died + 1, "what died has left nothing");
}
