//! What waits, however long, and what is wanted no more.

use super::*;

/// An outage uses up no attempts: neither what is parked untried, nor what was tried in vain.
#[test]
fn what_could_only_wait_is_never_given_up() {
    let all = names(&["primary"]);
    for error in [
        "BreakerOpen",
        "DestinationUnavailable",
        "Throttled",
        "States.Timeout",
    ] {
        let mut waited = point("primary", Status::Failed, 99);
        (waited.waits, waited.error) = (98, Some(error.to_owned()));
        let todo = of_point(&waited, limits());
        assert_eq!(started(&todo), ["primary"], "{error}");
        // Names of attempts that came to nothing are left for the next.
        assert!(todo.starts[0].attempt_last(limits()) >= 99 + 5, "{error}");
        // Its own failures count as before: five redrives of them, whatever it waited.
        for (failures, starts) in [(5, 1), (6, 0)] {
            let mut failed = point("primary", Status::Failed, 50 + failures);
            failed.waits = 50;
            let todo = of_point(&failed, limits());
            assert_eq!(
                (todo.starts.len(), todo.given_up.len()),
                (starts, 1 - starts)
            );
        }
        let mut event = event();
        let mut last = (0, error);
        for _ in 0..20 {
            let todo = of_parked(&event, &names(&["*"]), last, &[], limits());
            let redrive = todo.starts[0].redrive.clone().expect("a redrive");
            event = serde_json::from_str(&restart_input(event, &redrive)).expect("JSON");
            last = (redrive.attempt, error);
        }
        assert_eq!(event["redrive"]["attempt"], 20);
        let again = of_parked(&event, &all, last, &[], limits());
        assert_eq!(started(&again), ["primary"], "{error}");
    }
}

/// The probe of an open breaker is one that copies: nothing else shows whether it is back.
#[test]
fn only_what_copies_asks_whether_its_destination_is_there() {
    let start = |todo: Todo| todo.starts[0].copies();
    assert!(start(of_point(
        &point("primary", Status::Failed, 1),
        limits()
    )));
    assert!(!start(of_point(
        &point("primary", Status::Unsettled, 1),
        limits()
    )));
    let last = (0, "AccessDenied");
    assert!(start(of_parked(
        &event(),
        &names(&["primary"]),
        last,
        &[],
        limits()
    )));
    assert!(!start(of_parked(
        &event(),
        &names(&["*"]),
        last,
        &[],
        limits()
    )));
    let mut tags = event();
    tags["detail-type"] = json!("Object Tags Added");
    assert!(!start(of_parked(
        &tags,
        &names(&["primary"]),
        last,
        &[],
        limits()
    )));
}

/// Not by itself, and not by a message that was left; only an operator takes it up again.
#[test]
fn what_was_dismissed_is_left_alone_unless_it_is_forced() {
    let mut dismissed = point("primary", Status::Failed, 1);
    dismissed.exhausted = dismissed.failed_at.take();
    assert!(dismissed.is_dismissed());
    let all = names(&["primary"]);
    let points = [dismissed];
    let todo = of_parked(&event(), &all, (0, "AccessDenied"), &points, limits());
    assert_eq!(todo, Todo::default());
    let force = Limits {
        force: true,
        ..limits()
    };
    assert_eq!(started(&of_point(&points[0], force)), ["primary"]);
}

/// All attempts of an event without an id have one record, under which it comes through in the end.
#[test]
fn an_event_without_an_id_has_one_record_whatever_it_is() {
    let mut nameless = event();
    nameless.as_object_mut().expect("fields").remove("id");
    for event in [nameless, json!(["an array"]), json!("a text")] {
        let keys = whole_keys(&event);
        let mut now = event;
        for attempt in 0..3 {
            let last = (attempt, "InvalidEvent");
            let start = of_parked(&now, &names(&["*"]), last, &[], limits())
                .starts
                .remove(0);
            let Subject::Whole { pk, sk } = &start.subject else {
                panic!("{start:?}");
            };
            assert_eq!((pk, sk), (&keys.0, &keys.1));
            let redrive = start.redrive.expect("a redrive");
            now = serde_json::from_str(&restart_input(now, &redrive)).expect("JSON");
            assert_eq!(whole_keys(&now), keys);
        }
    }
}

/// As ParkEvent writes them: an array as JSON, a text without its quotes.
#[test]
fn what_the_machine_has_parked_is_never_rubbish() {
    for (body, event) in [
        ("[\"queued, no event\"]", json!(["queued, no event"])),
        ("this text is no JSON {", json!("this text is no JSON {")),
        ("7", json!(7)),
    ] {
        let read = read(body, |name| {
            (name == "destinations").then(|| "*".to_owned())
        });
        assert!(
            matches!(&read, Letter::Parked { event: it, .. } if *it == event),
            "{read:?}"
        );
    }
}

#[test]
fn attempts_are_limited_unless_it_is_forced() {
    let all = names(&["primary"]);
    for (attempts, starts) in [(1, 1), (5, 1), (6, 0)] {
        let points = [point("primary", Status::Failed, attempts)];
        let todo = of_parked(&event(), &all, (0, "AccessDenied"), &points, limits());
        assert_eq!(
            (todo.starts.len(), todo.given_up.len()),
            (starts, 1 - starts)
        );
        let whole = of_parked(
            &event(),
            &names(&["*"]),
            (attempts - 1, "AccessDenied"),
            &[],
            limits(),
        );
        assert_eq!(
            (whole.starts.len(), whole.given_up.len()),
            (starts, 1 - starts)
        );
    }
    let mut given_up = point("primary", Status::Failed, 6);
    given_up.exhausted = Some(at("2026-11-01T00:00:00Z"));
    let told = of_point(&given_up, limits());
    assert_eq!(told, Todo::default(), "it was told before");
    let force = Limits {
        force: true,
        ..limits()
    };
    let forced = of_point(&given_up, force);
    assert_eq!(started(&forced), ["primary"]);
    assert!(forced.starts[0].attempt_last(force) > 6);
}
