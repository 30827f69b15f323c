mod lasting;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::{SHAPE, sort_key};
use crate::task::fixtures::object;
use crate::watch::restart_input;

const ARN: &str = "arn:aws:states:eu-west-1:111122223333:execution:backup:x";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn limits() -> Limits {
    Limits {
        attempts_max: 5,
        force: false,
        begun: at("2026-11-02T00:00:00Z"),
    }
}

fn point(destination: &str, status: Status, attempts: u32) -> RecoveryPoint {
    let object = object("k", Some("v1"));
    serde_json::from_value(json!({
        "pk": partition_key(&object.bucket, &object.key), "sk": sort_key(destination, &object),
        "shape": SHAPE, "status": status, "object": object, "destination": destination, "rule": "r",
        "owner": format!("{ARN}@2026-11-01T00:00:00Z"), "until": "2026-11-02T00:00:00Z",
        "attempts": attempts, "failedAt": "2026-11-01T00:00:09Z", "error": "AccessDenied",
    }))
    .expect("a point")
}

fn event() -> Value {
    event_of(&point("primary", Status::Failed, 1))
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

fn started(todo: &Todo) -> Vec<&str> {
    todo.starts
        .iter()
        .map(|it| it.destination.as_str())
        .collect()
}

/// A message of the samples, as it would be received.
fn letter(sample: &str) -> Letter {
    let sample: Value = serde_json::from_str(sample).expect("JSON");
    let message = &sample["Messages"][0];
    let attributes: BTreeMap<_, _> = message["MessageAttributes"]
        .as_object()
        .expect("attributes")
        .iter()
        .map(|(name, value)| (name.clone(), value["StringValue"].as_str().expect("text")))
        .collect();
    let body = message["Body"].as_str().expect("a body");
    read(body, |name| attributes.get(name).map(|&it| it.to_owned()))
}

#[test]
fn each_writer_of_a_message_is_known_by_its_shape() {
    let parked = letter(include_str!("../../../../events/dead-letter-parked.json"));
    let Letter::Parked {
        destinations,
        error,
        attempt,
        event,
    } = parked
    else {
        panic!("{parked:?}");
    };
    assert_eq!(destinations, ["primary"]);
    assert_eq!((error.as_str(), attempt), ("AccessDenied", 0));
    assert_eq!(event["detail"]["object"]["key"], "reports/november.csv");
    for (sample, code) in [
        (
            include_str!("../../../../events/dead-letter-no-permission.json"),
            "NO_PERMISSIONS",
        ),
        (
            include_str!("../../../../events/dead-letter-undelivered.json"),
            "THROTTLING",
        ),
    ] {
        let read = letter(sample);
        let Letter::Undelivered { why, .. } = &read else {
            panic!("{read:?}");
        };
        assert!(why.starts_with(code), "{why}");
    }
    let change = include_str!("../../../../events/execution-aborted.json");
    assert!(matches!(read(change, |_| None), Letter::Ended(_)));
    let by_hand = event_of(&point("primary", Status::Failed, 1)).to_string();
    assert!(matches!(
        read(&by_hand, |_| None),
        Letter::Undelivered { .. }
    ));
}

#[test]
fn what_nobody_of_ours_wrote_is_rubbish_with_a_reason() {
    for body in [
        "",
        "hello",
        "[]",
        "3",
        "{}",
        r#"{"source": "aws.s3", "detail-type": "Object Created"}"#,
        r#"{"source": "aws.states", "detail-type": "Step Functions Execution Status Change"}"#,
        r#"{"source": "shop", "detail-type": "Order"}"#,
    ] {
        let read = read(body, |_| None);
        assert!(
            matches!(&read, Letter::Rubbish(reason) if !reason.is_empty()),
            "{body}: {read:?}"
        );
    }
}

#[test]
fn only_what_failed_is_started_again_and_each_destination_for_itself() {
    let points = [
        point("primary", Status::Stored, 1),
        point("second", Status::Failed, 2),
        point("third", Status::Failed, 1),
    ];
    let all = names(&["primary", "second"]);
    let todo = of_parked(&event(), &all, (0, "AccessDenied"), &points, limits());
    assert_eq!(
        started(&todo),
        ["second"],
        "the third has a message of its own"
    );
    let redrive = todo.starts[0].redrive.as_ref().expect("a redrive");
    assert_eq!(redrive.destinations, ["second"]);
    assert_eq!(redrive.owner.as_deref(), Some(points[1].owner.as_str()));
    assert_eq!((redrive.attempt, redrive.settle), (2, false));
    // With or without a message, it is the same execution.
    let of_catalog = of_point(&points[1], limits());
    assert_eq!(todo.starts[0].name(2), of_catalog.starts[0].name(2));
}

#[test]
fn a_message_whose_points_have_an_end_asks_for_nothing() {
    for status in [
        Status::Copying,
        Status::Stored,
        Status::Gone,
        Status::Superseded,
        Status::Skipped,
        Status::Deleted,
    ] {
        let points = [point("primary", status, 1)];
        let todo = of_parked(
            &event(),
            &names(&["primary"]),
            (0, "AccessDenied"),
            &points,
            limits(),
        );
        assert_eq!(todo, Todo::default(), "{status:?}");
    }
}

#[test]
fn points_of_other_versions_are_none_of_a_message() {
    let mut other = point("primary", Status::Stored, 1);
    other.object.sequencer = "0B".into();
    other.object.version_id = Some("v2".into());
    let todo = of_parked(
        &event(),
        &names(&["primary"]),
        (0, "AccessDenied"),
        &[other.clone()],
        limits(),
    );
    assert_eq!(started(&todo), ["primary"], "its own point is missing");
    assert!(matches!(todo.starts[0].subject, Subject::Whole { .. }));
    // A local stack's event has no version id: its sequencer tells.
    let mut event = event();
    event["detail"]["object"]["version-id"] = Value::Null;
    let own = [other, point("primary", Status::Stored, 1)];
    let todo = of_parked(
        &event,
        &names(&["primary"]),
        (0, "AccessDenied"),
        &own,
        limits(),
    );
    assert_eq!(todo, Todo::default());
}

#[test]
fn whole_events_and_tags_start_by_their_own_attempt() {
    let todo = of_parked(&event(), &names(&["*"]), (2, "AccessDenied"), &[], limits());
    let redrive = todo.starts[0].redrive.as_ref().expect("a redrive");
    assert_eq!(
        (redrive.attempt, &redrive.destinations[..]),
        (3, &names(&["*"])[..])
    );
    // The catalog's record of it, which holds the input of that attempt, asks for the same.
    let mut recorded = event();
    recorded["redrive"] = json!({"destinations": ["*"], "attempt": 2});
    let of_record = of_whole(&recorded, "*", "AccessDenied", limits());
    assert_eq!(of_record.starts[0].name(3), todo.starts[0].name(3));

    let mut tags = event();
    tags["detail-type"] = json!("Object Tags Added");
    let points = [point("primary", Status::Unsettled, 1)];
    let todo = of_parked(
        &tags,
        &names(&["primary"]),
        (0, "AccessDenied"),
        &points,
        limits(),
    );
    let redrive = todo.starts[0].redrive.as_ref().expect("a redrive");
    assert!(todo.starts.len() == 1 && !redrive.settle, "{todo:?}");
    assert_eq!(todo.starts[0].event["detail-type"], "Object Tags Added");
}

#[test]
fn an_unsettled_point_is_settled_and_never_given_up() {
    let mut unsettled = point("primary", Status::Unsettled, 99);
    unsettled.owed_after = Some(at("2026-11-01T00:30:00Z"));
    let todo = of_parked(
        &event(),
        &names(&["primary"]),
        (9, "AccessDenied"),
        &[unsettled],
        limits(),
    );
    let redrive = todo.starts[0].redrive.as_ref().expect("a redrive");
    assert!(
        redrive.settle && redrive.owed_after.is_some(),
        "{redrive:?}"
    );
    assert!(todo.given_up.is_empty());
}

/// One run would else use up all attempts.
#[test]
fn what_failed_after_the_run_began_is_left_to_the_next() {
    let mut failed = point("primary", Status::Failed, 2);
    failed.failed_at = Some(at("2026-11-02T00:00:01Z"));
    let todo = of_parked(
        &event(),
        &names(&["primary"]),
        (1, "AccessDenied"),
        &[failed],
        limits(),
    );
    assert!(todo.later && todo.starts.is_empty() && todo.given_up.is_empty());
}

#[test]
fn an_undelivered_event_starts_as_if_it_came_now() {
    let mut event = event();
    event["redrive"] = json!({"destinations": ["primary"], "attempt": 3});
    let start = of_undelivered(&event);
    assert!(start.redrive.is_none() && start.event.get("redrive").is_none());
    assert_eq!(start.attempt(), 0);
}

/// Where an object has no version id, its point is found again by its last-modified.
#[test]
fn an_unversioned_point_is_found_again() {
    let mut failed = point("primary", Status::Failed, 1);
    failed.object.version_id = None;
    let todo = of_parked(
        &event(),
        &names(&["primary"]),
        (0, "AccessDenied"),
        &[failed],
        limits(),
    );
    assert_eq!(todo.starts[0].event["time"], "2026-11-01T00:00:00Z");
}

#[test]
fn what_is_given_up_is_told_in_one_message() {
    let some = |count: usize| {
        let points = (0..count).map(|number| {
            let mut point = point("primary", Status::Failed, 6);
            point.pk = format!("source/a\u{202e}b {number}");
            of_point(&point, limits()).given_up.remove(0)
        });
        gave_up(&points.collect::<Vec<_>>(), 5)
    };
    insta::assert_snapshot!(some(2).text);
    let many = some(1000);
    assert_eq!(many.subject, "s3-backup GAVE UP: 1000 backups");
    assert!(many.text.contains("and 980 more") && many.text.len() < 10_000);
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Copying),
        Just(Status::Stored),
        Just(Status::Failed),
        Just(Status::Failed),
        Just(Status::Unsettled),
        Just(Status::Gone),
    ]
}

proptest! {
    #[test]
    fn no_message_breaks_the_reader(body in "\\PC{0,200}", said in "\\PC{0,40}") {
        for attributes in [None, Some(said)] {
            if let Letter::Parked { event, destinations, attempt, .. } = read(&body, |_| attributes.clone()) {
                prop_assert!(!destinations.is_empty());
                of_parked(&event, &destinations, (attempt, "AccessDenied"), &[], limits());
            }
        }
    }

    /// Each open point of a message is started or given up, never both, and nothing else is.
    #[test]
    fn every_open_point_has_one_end_and_no_other_is_touched(
        points in prop::collection::btree_map("[abc]", (status(), 1..9_u32, any::<bool>()), 0..4),
        asked in prop::collection::btree_set("[abcd]", 1..4),
        force in any::<bool>(),
    ) {
        let limits = Limits { force, ..limits() };
        let points: Vec<_> = points.into_iter().map(|(name, (status, attempts, told))| {
            let mut point = point(&name, status, attempts);
            point.exhausted = (told && status == Status::Failed).then(|| at("2026-11-01T00:00:00Z"));
            point
        }).collect();
        let asked: Vec<_> = asked.into_iter().collect();
        let todo = of_parked(&event(), &asked, (0, "AccessDenied"), &points, limits);
        for name in &asked {
            let starts = todo.starts.iter().filter(|it| it.destination == *name).count();
            let given_up = todo.given_up.iter().filter(|it| it.destination == *name).count();
            let expected = match points.iter().find(|it| it.destination == *name) {
                None => (1, 0),
                Some(point) => match point.status {
                    Status::Unsettled => (1, 0),
                    Status::Failed if force || point.attempts <= 5 => (1, 0),
                    Status::Failed => (0, usize::from(point.exhausted.is_none())),
                    _ => (0, 0),
                },
            };
            prop_assert_eq!((starts, given_up), expected, "{}", name);
        }
        prop_assert!(todo.starts.iter().all(|it| asked.contains(&it.destination)));
    }

    #[test]
    fn execution_names_fit_and_follow_from_what_they_are_for(key in "\\PC{1,300}", attempt in 1..9_u32) {
        let mut failed = point("primary", Status::Failed, attempt);
        failed.pk = partition_key("source", &key);
        let start = of_point(&failed, Limits { force: true, ..limits() }).starts.remove(0);
        let name = start.name(attempt);
        prop_assert!(name.len() <= 80 && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'));
        failed.owner = "another".to_owned();
        let again = of_point(&failed, Limits { force: true, ..limits() }).starts.remove(0);
        prop_assert_eq!(&name, &again.name(attempt));
        prop_assert_ne!(&name, &start.name(attempt + 1));
        let input: Value = serde_json::from_str(&restart_input(start.event, &start.redrive.expect("a redrive"))).expect("JSON");
        prop_assert_eq!(&input["redrive"]["destinations"], &json!(["primary"]));
    }
}
