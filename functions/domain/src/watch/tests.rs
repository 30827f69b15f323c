use proptest::prelude::*;

use super::*;
use crate::SourceObject;
use crate::catalog::{SHAPE, partition_key, sort_key};
use crate::event::{S3Event, parse_any};
use crate::task::fixtures::object;

const ARN: &str = "arn:aws:states:eu-west-1:111122223333:execution:backup:x";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn point(destination: &str, status: Status, arn: &str) -> RecoveryPoint {
    let object = object("k", Some("v1"));
    serde_json::from_value(json!({
        "pk": partition_key(&object.bucket, &object.key), "sk": sort_key(destination, &object),
        "shape": SHAPE, "status": status, "object": object, "destination": destination, "rule": "r",
        "owner": format!("{arn}@2026-11-01T00:00:00Z"), "until": "2026-11-02T00:00:00Z", "attempts": 1,
    }))
    .expect("a point")
}

fn dead(ended: Ended, error: Option<&str>, cause: Option<&str>) -> Dead {
    Dead {
        arn: ARN.to_owned(),
        start_time: "2026-11-01T00:00:00Z".to_owned(),
        ended,
        error: error.map(str::to_owned),
        cause: cause.map(str::to_owned),
        event: event_of(&point("primary", Status::Copying, ARN)),
    }
}

fn aborted() -> Dead {
    dead(Ended::Aborted, None, None)
}

#[test]
fn what_an_execution_told_itself_is_left_alone() {
    let told = dead(Ended::Failed, Some("BackupFailed"), Some("{}"));
    assert_eq!(told.known(), Known::Told);
    assert_eq!(todo(&told, &[], false), Todo::Nothing);
    let failed = [point("primary", Status::Failed, ARN)];
    assert_eq!(todo(&told, &failed, false), Todo::Nothing);
    let unparked = dead(Ended::Failed, Some("Unparked"), Some("{}"));
    assert_eq!(unparked.known(), Known::Unparked);
    assert_eq!(todo(&unparked, &failed, false), Todo::Close);
    assert_eq!(unfinished(&unparked, &failed), ["primary"]);
    let untold = dead(Ended::Failed, Some("Untold"), Some("{}"));
    assert_eq!(untold.known(), Known::Untold);
    assert_eq!(todo(&untold, &failed, false), Todo::Close);
    // Neither topic nor queue took it: nothing is done yet.
    let neither = dead(Ended::Failed, Some("Unparked"), Some(r#"{"untold": true}"#));
    assert_eq!(neither.known(), Known::Silent);
    assert_eq!(todo(&neither, &failed, false), Todo::Close);
    // A hand that stops an execution may give any error.
    assert_eq!(
        dead(Ended::Aborted, Some("BackupFailed"), None).known(),
        Known::Silent
    );
}

#[test]
fn a_death_has_a_name_a_reason_and_advice() {
    let runtime = dead(Ended::Failed, Some("States.Runtime"), Some("no such field")).cause();
    assert_eq!(
        (runtime.error.as_str(), runtime.message.as_str()),
        ("States.Runtime", "no such field")
    );
    let stopped = dead(Ended::Aborted, Some("Stopped"), Some("by me")).cause();
    assert_eq!(stopped.error, "Aborted");
    assert_eq!(
        stopped.message,
        "the execution was stopped by hand Stopped: by me"
    );
    let late = dead(Ended::TimedOut, None, None).cause();
    assert_eq!(late.error, "TimedOut");
    for (cause, advice) in [
        (runtime, "execution's history"),
        (stopped, "meant for good"),
        (late, "TimeoutSeconds"),
    ] {
        assert!(cause.advice.contains("redrive"), "{cause:?}");
        assert!(cause.advice.contains(advice), "{cause:?}");
    }
}

#[test]
fn each_death_is_taken_up_once_and_only_where_something_is_missing() {
    use Status::{Copying, Failed, Gone, Stored};
    let all = || vec!["*".to_owned()];
    let none: &[(Status, &str)] = &[];
    for (points, expected) in [
        (none, Todo::Restart(all())),
        (&[(Copying, ARN)], Todo::Restart(all())),
        (&[(Copying, ARN), (Copying, ARN)], Todo::Restart(all())),
        (
            &[(Copying, ARN), (Stored, ARN)],
            Todo::Restart(vec!["0".to_owned()]),
        ),
        // Filter may have died before it leased what another execution holds or does not hold.
        (&[(Copying, ARN), (Stored, "other")], Todo::Restart(all())),
        (&[(Stored, ARN), (Gone, ARN)], Todo::Owe),
        (&[(Gone, ARN)], Todo::Nothing),
        (&[(Failed, ARN), (Stored, ARN)], Todo::Close),
        (&[(Copying, "other")], Todo::Nothing),
        (&[(Stored, "other")], Todo::Nothing),
    ] {
        let points: Vec<_> = points
            .iter()
            .enumerate()
            .map(|(number, (status, arn))| point(&number.to_string(), *status, arn))
            .collect();
        assert_eq!(todo(&aborted(), &points, false), expected, "{points:?}");
    }
    assert_eq!(todo(&aborted(), &[], true), Todo::Nothing);
}

#[test]
fn what_another_execution_took_over_is_left_to_it() {
    let other = "arn:aws:states:eu-west-1:111122223333:execution:backup:y";
    let taken = [point("primary", Status::Stored, other)];
    assert!(is_taken_over(&aborted(), &taken));
    assert!(!is_taken_over(&aborted(), &[]));
    let own = [point("primary", Status::Stored, ARN)];
    assert!(!is_taken_over(&aborted(), &own));
    let mut older = taken.clone();
    older[0].object.sequencer = "0001".to_owned();
    assert!(!is_taken_over(&aborted(), &older), "another event's");
    let mut redriven = aborted();
    redriven.event["redrive"] = json!({"destinations": ["second"], "attempt": 1});
    assert!(redriven.redrive().is_some());
    assert!(!is_taken_over(&redriven, &taken));
}

#[test]
fn a_redrive_that_died_is_not_taken_for_what_it_was_to_mend() {
    let mut redriven = aborted();
    let failed = [point("primary", Status::Failed, "other")];
    redriven.event["redrive"] =
        json!({"destinations": ["primary"], "owner": "other", "attempt": 1});
    assert_eq!(
        todo(&redriven, &failed, false),
        Todo::Restart(vec!["*".to_owned()])
    );
    redriven.event["redrive"]["attempt"] = json!(ATTEMPTS_MAX);
    assert_eq!(todo(&redriven, &failed, false), Todo::Close);
    redriven.event["redrive"]["settle"] = json!(true);
    assert_eq!(todo(&redriven, &[], false), Todo::Nothing);
}

#[test]
fn what_was_tried_often_enough_is_closed() {
    let mut tried = point("primary", Status::Copying, ARN);
    tried.attempts = ATTEMPTS_MAX;
    assert_eq!(todo(&aborted(), &[tried], false), Todo::Close);
}

/// Closing may be cut off after it has failed the points: the second time says the same.
#[test]
fn closing_twice_leaves_the_same_destinations_to_be_done() {
    let death = aborted();
    for statuses in [
        vec![Status::Copying, Status::Copying],
        vec![Status::Copying, Status::Stored],
    ] {
        let mut points: Vec<_> = statuses
            .iter()
            .enumerate()
            .map(|(number, status)| point(&number.to_string(), *status, ARN))
            .collect();
        let before = unfinished(&death, &points);
        for point in points.iter_mut().filter(|it| it.status == Status::Copying) {
            fail(point, &death.cause(), at(10));
            assert_eq!(point.owed_after, Some(owed_after(at(10))));
        }
        assert_eq!(unfinished(&death, &points), before);
    }
}

#[test]
fn a_point_is_enough_to_start_its_event_again() {
    let mut stored = object("a \"k\"\n🦀", Some("v1"));
    let mut unversioned = object("k", None);
    unversioned.last_modified = Some(at(5));
    let mut removed = object("k", Some("v1"));
    removed.deletion = Some("0A".into());
    removed.last_modified = None;
    let mut marker = removed.clone();
    marker.deletion = marker.version_id.clone();
    stored.last_modified = None;
    for object in [stored, unversioned, removed, marker] {
        let mut whole = point("primary", Status::Copying, ARN);
        whole.object = object.clone();
        let event = event_of(&whole);
        let read = parse_any(&event, &["source".to_owned()]).expect("readable");
        let again = match &read {
            S3Event::Created(event) => SourceObject::created(event),
            S3Event::Deleted(event) => SourceObject::deleted(event),
            S3Event::Tagged(_) => panic!("no point tells of tags: {event}"),
        };
        assert_eq!(again.version_key(), object.version_key(), "{event}");
        assert_eq!(again.deletion, object.deletion);
        assert_eq!(
            (again.key, again.size == 0),
            (object.key, again.deletion.is_some())
        );
    }
}

/// One that failed by an error of its own had its lease, and so had all others.
#[test]
fn a_point_that_failed_by_itself_is_left_to_be_done_by_name() {
    let mut failed = point("primary", Status::Failed, ARN);
    failed.error = Some("AccessDenied".to_owned());
    let cut = point("second", Status::Copying, ARN);
    assert_eq!(unfinished(&aborted(), &[failed.clone()]), ["primary"]);
    assert_eq!(
        unfinished(&aborted(), &[failed, cut]),
        ["primary", "second"]
    );
}

#[test]
fn what_is_told_of_a_destination_names_no_object() {
    let mut cause = aborted().cause();
    cause.object = crate::event::object_of(&aborted().event);
    assert!(cause.object.is_some());
    let told = outcome("primary", &cause).cause.expect("a cause");
    assert_eq!((told.object, told.error.as_str()), (None, "Aborted"));
}

#[test]
fn an_event_is_taken_up_again_whole_with_the_redrive_beside_it() {
    let event = aborted().event;
    let redrive: Redrive =
        serde_json::from_value(json!({"destinations": ["*"], "attempt": 2})).expect("a redrive");
    let input: Value =
        serde_json::from_str(&restart_input(event.clone(), &redrive)).expect("an input");
    assert_eq!(input["redrive"]["attempt"], 2);
    assert_eq!(input["detail"], event["detail"]);
}

/// What has no version id is found again by the time it was modified, as its own point knows it.
#[test]
fn an_event_without_a_version_id_is_taken_up_again_by_its_time() {
    let modified = at(1_700_000_000);
    let unversioned = |status, arn: &str| {
        let mut point = point("primary", status, arn);
        point.object.version_id = None;
        point.object.last_modified = Some(modified);
        point
    };
    let death = aborted();
    let as_it_was = &death.event;
    let again = event_again(&death, &[unversioned(Status::Copying, ARN)]);
    assert_eq!(again["time"], json!(modified));
    assert_eq!(again["detail"], as_it_was["detail"]);
    for point in [
        unversioned(Status::Stored, ARN),
        unversioned(Status::Copying, "arn:aws:states:another"),
        point("primary", Status::Copying, ARN),
    ] {
        assert_eq!(&event_again(&death, &[point]), as_it_was);
    }
}

proptest! {
    #[test]
    fn names_fit_and_differ_by_subject_and_attempt(a in "\\PC{0,40}", b in "\\PC{0,40}", attempt in 0..9_u32) {
        let name = restart_name(&[&a, &b], attempt);
        prop_assert!(name.len() <= 80 && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'));
        prop_assert_eq!(&name, &restart_name(&[&a, &b], attempt));
        prop_assert_ne!(&name, &restart_name(&[&a, &b], attempt + 1));
        if a != b {
            prop_assert_ne!(&name, &restart_name(&[&b, &a], attempt));
        }
    }

    #[test]
    fn no_input_and_no_cause_breaks_a_decision(text in "\\PC{0,200}", error in "\\PC{0,40}") {
        let mut death = dead(Ended::Failed, Some(&error), Some(&text));
        death.event = serde_json::from_str(&text).unwrap_or_default();
        let _ = (death.known(), death.cause(), todo(&death, &[], false));
    }
}

#[test]
fn a_holder_on_express_is_dead_only_when_its_lease_has_expired() {
    let mut point = point("primary", Status::Copying, ARN);
    let until = point.until;
    let later = until + jiff::SignedDuration::from_secs(1);
    for now in [at(0), until, later] {
        assert_eq!(holder(&point, now), Holder::MayBeAsked);
    }
    point.machine = Machine::Express;
    assert_eq!(holder(&point, at(0)), Holder::MayLive);
    assert_eq!(holder(&point, until), Holder::Dead);
    assert_eq!(holder(&point, later), Holder::Dead);
}

#[test]
fn only_an_end_that_says_that_it_told_needs_nobody() {
    let change = |status: &str, error: Option<&str>, at: Option<i64>| StatusChangeDetail {
        execution_arn: ARN.to_owned(),
        status: Some(status.to_owned()),
        error: error.map(str::to_owned),
        stop_date: at,
    };
    let told = change("FAILED", Some("BackupFailed"), Some(10_000));
    assert_eq!(told.told_at(), Some(at(10)));
    for other in [
        change("FAILED", Some("Untold"), Some(10_000)),
        change("FAILED", Some("States.Runtime"), Some(10_000)),
        change("FAILED", None, Some(10_000)),
        change("FAILED", Some("BackupFailed"), None),
        change("ABORTED", Some("BackupFailed"), Some(10_000)),
    ] {
        assert_eq!(other.told_at(), None, "{other:?}");
    }
}

#[test]
fn a_deletion_is_taken_up_again_as_what_it_was() {
    for (id, kind) in [
        (Some("m1"), Deletion::MarkerCreated),
        (Some("null"), Deletion::MarkerCreated),
        (Some("null"), Deletion::Permanent),
        (None, Deletion::Permanent),
    ] {
        let mut deleted = point("primary", Status::Copying, ARN);
        deleted.object.version_id = id.map(str::to_owned);
        deleted.object.deletion_type = Some(kind);
        let key = id.filter(|id| *id != "null" && kind == Deletion::MarkerCreated);
        deleted.object.deletion = Some(key.unwrap_or(&deleted.object.sequencer).to_owned());
        let again = crate::event::parse_deleted(&event_of(&deleted), &["source".to_owned()]);
        let again = crate::object::SourceObject::deleted(&again.expect("an event"));
        assert_eq!(again.deletion_type, Some(kind), "{id:?}");
        assert_eq!(again.version_key(), deleted.object.version_key(), "{id:?}");
    }
}
