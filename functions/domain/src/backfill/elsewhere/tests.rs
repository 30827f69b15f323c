use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::audit::Entry;
use crate::backfill::line::Version;
use crate::catalog::{SHAPE, partition_key, sort_key};
use crate::task::fixtures::object;

const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:s3-backup";
const SOURCE: Source<'_> = Source {
    bucket: "source",
    account: "111122223333",
    region: "eu-west-1",
};

fn begun() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().expect("a time")
}

fn work() -> Work {
    Work {
        bucket: "reports".into(),
        run: "run".into(),
        execution: "arn:aws:states:eu-west-1:111122223333:execution:s3-backup-backfill:run".into(),
        begun: begun(),
    }
}

fn open(started: bool) -> Open {
    let object = object("k", Some("v1"));
    Open {
        key: "k".into(),
        version: Version::from(&Entry {
            id: object.version_id.unwrap_or_default(),
            size: object.size,
            etag: object.etag,
            modified: object.last_modified.expect("known"),
            ..Entry::default()
        }),
        started,
    }
}

fn mine() -> String {
    let name = execution_of(SOURCE, &work(), "k", &open(true).version);
    let arn = format!(
        "{}:{name}",
        MACHINE.replace(":stateMachine:", ":execution:")
    );
    format!("{arn}@2026-11-24T00:00:00Z")
}

/// A point that ended so many hours after the run began.
fn point(destination: &str, status: Status, owner: &str, hours: i64) -> RecoveryPoint {
    let object = object("k", Some("v1"));
    let ended = begun() + SignedDuration::from_hours(hours);
    serde_json::from_value(json!({
        "pk": partition_key(&object.bucket, &object.key), "sk": sort_key(destination, &object),
        "shape": SHAPE, "status": status, "object": object, "destination": destination,
        "rule": "all", "owner": owner, "until": ended, "attempts": 1, "endedAt": ended,
    }))
    .expect("a point")
}

fn at_points(started: bool, points: &[RecoveryPoint]) -> Now {
    now(&open(started), points, &work(), SOURCE, MACHINE)
}

#[test]
fn points_of_before_say_nothing_of_what_this_run_has_started() {
    // A second destination was added to the rule; the execution has not come to it.
    let before = [point("primary", Status::Stored, "other@then", -9)];
    assert_eq!(at_points(true, &before), Now::Ask);
    // It failed on an earlier day.
    let failed = [point("primary", Status::Failed, "other@then", -9)];
    assert_eq!(at_points(true, &failed), Now::Ask);
    assert_eq!(at_points(true, &[]), Now::Ask);
    let running = by_execution(&open(true), &failed, &work(), &Started::Running);
    assert_eq!(running, Now::Open);
}

#[test]
fn an_end_at_every_destination_is_waited_for() {
    let mine = mine();
    let one = point("primary", Status::Stored, &mine, 1);
    let both = |second| [one.clone(), point("second", second, &mine, 1)];
    assert_eq!(at_points(true, &both(Status::Copying)), Now::Open);
    assert_eq!(at_points(true, &both(Status::Stored)), Now::Ended("stored"));
    let Now::Failed(failed) = at_points(true, &both(Status::Failed)) else {
        panic!("one has failed");
    };
    assert_eq!(failed.destination, "second");
}

#[test]
fn an_execution_that_has_ended_without_a_point_of_its_own_is_believed() {
    let told = |points: &[RecoveryPoint], started: &Started| {
        by_execution(&open(true), points, &work(), started)
    };
    let dead = Started::Dead {
        error: Some("InvalidPolicy".into()),
        cause: None,
    };
    assert_eq!(told(&[], &Started::Succeeded), Now::Ended("skipped"));
    let before = point("primary", Status::Stored, "other@then", -9);
    let duplicate = Now::Ended("duplicate");
    assert_eq!(
        told(std::slice::from_ref(&before), &Started::Succeeded),
        duplicate
    );
    // What is no longer wanted failed long ago.
    let old = point("second", Status::Failed, "other@then", -9);
    assert_eq!(told(&[before.clone(), old], &Started::Succeeded), duplicate);
    for points in [vec![], vec![before]] {
        let Now::Failed(failed) = told(&points, &dead) else {
            panic!("nothing was stored since");
        };
        assert_eq!(
            (failed.destination.as_str(), failed.error.as_str()),
            ("*", "InvalidPolicy")
        );
    }
    // Somebody took it up since.
    let since = point("primary", Status::Stored, "sweep@now", 1);
    assert_eq!(told(&[since], &dead), duplicate);
}

#[test]
fn what_somebody_else_holds_is_open_until_a_point_says_how_it_ended() {
    assert_eq!(at_points(false, &[]), Now::Open);
    for (status, wanted) in [
        (Status::Copying, Now::Open),
        (Status::Stored, Now::Ended("duplicate")),
    ] {
        assert_eq!(
            at_points(false, &[point("primary", status, "other@then", 1)]),
            wanted
        );
    }
    let failed = at_points(false, &[point("primary", Status::Failed, "other@then", 1)]);
    assert!(matches!(failed, Now::Failed(_)));
}

#[test]
fn what_was_redriven_has_failed_no_more() {
    let failed_at = |destination: &str| Failed {
        key: "k".into(),
        version_id: Some("v1".into()),
        destination: destination.into(),
        error: "AccessDenied".into(),
        message: String::new(),
        version: Some(open(false).version),
    };
    let stored = point("primary", Status::Stored, "redrive@now", 1);
    let second = |status| point("second", status, "redrive@now", 1);
    for destination in ["primary", "*"] {
        assert!(is_mended(
            &failed_at(destination),
            std::slice::from_ref(&stored)
        ));
    }
    assert!(!is_mended(
        &failed_at("second"),
        std::slice::from_ref(&stored)
    ));
    assert!(!is_mended(&failed_at("*"), &[]));
    for status in [Status::Copying, Status::Failed] {
        assert!(!is_mended(
            &failed_at("*"),
            &[stored.clone(), second(status)]
        ));
        assert!(is_mended(
            &failed_at("primary"),
            &[stored.clone(), second(status)]
        ));
    }
    // As a release before has written it.
    let bare = Failed {
        version: None,
        ..failed_at("primary")
    };
    assert!(is_mended(&bare, &[stored]));
}

#[test]
fn counts_follow_from_the_document_alone() {
    let mut elsewhere = Elsewhere::default();
    elsewhere.lines.count("stored", 5);
    elsewhere.lines.count("held", 5);
    elsewhere.open.push(open(true));
    assert_eq!(elsewhere.counts().open, 1);
    elsewhere.open.clear();
    elsewhere.ended.count("stored", 7);
    let counts = elsewhere.counts();
    assert_eq!(
        (counts.stored.objects, counts.stored.bytes, counts.open),
        (2, 12, 0)
    );
    assert!(counts.is_whole());
}
