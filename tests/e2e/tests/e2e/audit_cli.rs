//! `s3-backup audit` and the lag in `s3-backup status`, as an operator types them.

use std::time::Instant;

use backup_e2e::World;
use backup_e2e::world::wait;
use serde_json::{Value, json};

#[test]
fn the_command_line_audits_repairs_and_says_so_by_its_exit_code() {
    let world = World::auditing();
    let _others = world.among_others();
    let prefix = "plain/audit-typed/";
    let keys: Vec<_> = ["one", "two"].map(|name| format!("{prefix}{name}")).into();
    world.fill(&keys);
    let audit = |more: &[&str]| {
        world.says(&[&["audit", "--prefix", prefix, "--grace", "0"], more].concat())
    };
    let whole = audit(&[]);
    assert_eq!(whole.code, Some(0), "{}{}", whole.out, whole.err);
    assert!(
        whole.out.contains("primary: 2 of 2 versions are safe"),
        "{}",
        whole.out
    );
    assert!(whole.out.ends_with("verdict: whole\n"), "{}", whole.out);

    world.forget(&keys[0]);
    let behind = audit(&["--json"]);
    assert_eq!(behind.code, Some(1), "{}{}", behind.out, behind.err);
    assert!(behind.err.ends_with("verdict: behind\n"), "{}", behind.err);
    let lines: Vec<Value> = behind
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [line] = &lines[..] else {
        panic!("{}", behind.out);
    };
    assert_eq!(line["bucket"], world.source());
    assert_eq!(
        (line["key"].as_str(), line["finding"].as_str()),
        (Some(keys[0].as_str()), Some("missing"))
    );

    let repaired = audit(&["--repair"]);
    assert_eq!(repaired.code, Some(1), "{}{}", repaired.out, repaired.err);
    assert!(
        repaired.out.contains("started to mend it: 1 executions"),
        "{}",
        repaired.out
    );
    wait("it is there again", || match &world.points(&keys[0])[..] {
        [point] if point["status"]["S"] == "stored" => Ok(()),
        points => Err(format!("{points:?}")),
    });
    assert_eq!(audit(&["--level", "read"]).code, Some(0));
    let reports = world.inventoried(prefix, 1);
    let source = reports["source"].as_str().unwrap();
    let primary = reports["destinations"]["primary"].as_str().unwrap();
    let primary = format!("primary={primary}");
    let by_inventory = audit(&["--inventory", source, "--inventory", &primary]);
    assert_eq!(by_inventory.code, Some(0), "{}", by_inventory.err);
    assert!(
        by_inventory.out.contains("By the inventory of primary"),
        "{}",
        by_inventory.out
    );
    let nowhere = audit(&["--inventory", "reports/daily"]);
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.err);
    assert!(
        nowhere.err.contains("no place of an inventory"),
        "{}",
        nowhere.err
    );

    world.replace_copy(&keys[1], b"short");
    let damaged = audit(&[]);
    assert_eq!(damaged.code, Some(6), "{}{}", damaged.out, damaged.err);
    let unmeant = audit(&["--level", "read", "--slice", "9/3"]);
    assert_eq!(unmeant.code, Some(2), "{}", unmeant.err);
    assert!(
        unmeant.err.contains("9/3") && unmeant.err.contains("hint: "),
        "{}",
        unmeant.err
    );
    let unfinished = audit(&["--destination", "teriary"]);
    assert_eq!(
        unfinished.code,
        Some(7),
        "{}{}",
        unfinished.out,
        unfinished.err
    );
    assert!(
        unfinished.out.contains("there are primary, second"),
        "{}",
        unfinished.out
    );
}

#[test]
fn status_shows_how_far_each_destination_is_behind() {
    let world = World::auditing();
    let _others = world.among_others();
    world.fill(&["plain/lag-status".to_owned()]);
    let reported = world.invoke("ReportLag", &json!({}));
    assert!(reported["errorType"].is_null(), "{reported}");
    let said = world.says(&["status", "--json"]);
    let lines = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let primary = lines
        .into_iter()
        .find(|line| line["destination"] == "primary")
        .unwrap();
    for figure in ["pending", "bytesPending", "failed", "oldestSeconds"] {
        assert!(primary[figure].is_u64(), "{figure}: {primary}");
    }
    let table = world.says(&["status"]);
    assert!(
        table.out.contains("oldest not safe"),
        "{}{}",
        table.out,
        table.err
    );
}

/// On demand: an audit and `rclone check` of the same objects, and the requests that each makes;
/// `AUDIT_OBJECTS` says how many, `AUDIT_LEVELS` which levels.
///
/// `cargo test -p backup-e2e --test e2e -- --ignored --nocapture an_audit_beside_rclone`
#[test]
#[ignore = "takes minutes; prints figures"]
fn an_audit_beside_rclone() {
    let world = World::auditing();
    let prefix = "plain/audit-many/";
    let asked = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let count: usize = asked("AUDIT_OBJECTS", "20000").parse().unwrap();
    let levels = asked("AUDIT_LEVELS", "listing,checksums,read");
    let first = format!("{prefix}{:06}", 0);
    world.fill(std::slice::from_ref(&first));
    let keys: Vec<_> = (1..count)
        .map(|number| format!("{prefix}{number:06}"))
        .collect();
    world.fill_like(&first, &keys);
    for level in levels.split(',') {
        let calls = || {
            let calls = world.proxy.calls("");
            calls
                .iter()
                .filter(|call| call.caller().is_some_and(|it| it.contains("-AuditSlice")))
                .count()
        };
        let before = calls();
        let begun = Instant::now();
        let audit = world.audit_many(prefix, &json!({"level": level}));
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(audit.verdict(), "whole", "{:?}", audit.findings);
        let calls = calls() - before;
        println!("audit, {level}: {count} objects in {seconds:.1} s, {calls} requests");
    }
    let before = world.proxy.calls("").len();
    let begun = Instant::now();
    world.rclone_check(world.proxy.endpoint(), prefix).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let calls = world.proxy.calls("").len() - before;
    println!("rclone check --download: {count} objects in {seconds:.1} s, {calls} requests");
}
