//! What a failure owes.

use crate::error::sent_nothing;
use crate::order::{IN_FLIGHT_MAX, Left};
use crate::task::fixtures::{object, target};
use crate::task::{Copied, CopyTask, Execution, FailureTask, SettleOnly};
use jiff::Timestamp;
use serde_json::json;

const NOW: Timestamp = Timestamp::constant(1_000_000, 0);

fn failed(copied: Option<Copied>, rejected: &[&str], settles: bool) -> FailureTask {
    FailureTask {
        event: json!({}),
        execution: Execution {
            id: "e".into(),
            start_time: "t".into(),
        },
        error_output: json!({}),
        object: Some(object("k", Some("v1"))),
        target: Some(crate::task::Target {
            settle_only: settles.then(SettleOnly::default),
            ..target()
        }),
        copied,
        rejected: rejected.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn copied(id: &str, cut_off: bool) -> Copied {
    Copied {
        cut_off,
        ..Copied::made(crate::evidence::Facts::default(), id.into(), true, NOW)
    }
}

#[test]
fn a_failure_that_sent_nothing_owes_nothing() {
    let task = failed(None, &[], false);
    assert_eq!(Left::of(&task, true).owes(None, NOW), None);
    // What was owed before stays.
    let before = NOW + IN_FLIGHT_MAX;
    assert_eq!(Left::of(&task, true).owes(Some(before), NOW), Some(before));
}

#[test]
fn the_later_of_what_is_known_and_what_may_land_is_owed() {
    let later = Some(NOW + IN_FLIGHT_MAX);
    for (task, nothing_sent, owed) in [
        // Its only copy has its answer, and was not proven.
        (
            failed(Some(copied("b1", false)), &[], false),
            false,
            Some(NOW),
        ),
        // A try before was cut off.
        (failed(Some(copied("b1", true)), &[], false), true, later),
        // Refused, then copied once more with no answer at all.
        (
            failed(Some(copied("b1", false)), &["b1"], false),
            false,
            later,
        ),
        // The same, with an answer that was refused too.
        (
            failed(Some(copied("b2", true)), &["b1", "b2"], false),
            false,
            later,
        ),
        (failed(None, &[], false), false, later),
        // A settling sends nothing that is not noted before.
        (failed(None, &[], true), true, Some(NOW)),
    ] {
        let left = Left::of(&task, nothing_sent);
        assert_eq!(left.owes(None, NOW), owed, "{task:?}");
        let early = Some(NOW - IN_FLIGHT_MAX);
        assert_eq!(left.owes(early, NOW), owed, "{task:?}");
        let late = Some(NOW + IN_FLIGHT_MAX + IN_FLIGHT_MAX);
        assert_eq!(left.owes(late, NOW), late, "{task:?}");
    }
}

#[test]
fn a_copy_made_once_more_after_a_refusal_was_cut_off() {
    let mut task = CopyTask::of(object("k", Some("v1")), target());
    assert!(!task.cut_off() && !task.may_be_done());
    task.rejected = vec!["b1".into()];
    assert!(task.cut_off() && task.may_be_done());
    // What an execution before has sent is owed by the target.
    task.rejected.clear();
    task.target.attempts = 2;
    assert!(!task.cut_off() && task.may_be_done());
}

#[test]
fn only_a_failure_that_says_so_sent_nothing() {
    let raised = |said: serde_json::Value| {
        let message = said.to_string();
        json!({"Error": "BreakerOpen", "Cause": json!({"errorMessage": message}).to_string()})
    };
    assert!(sent_nothing(&raised(
        json!({"error": "e", "sentNothing": true})
    )));
    for other in [
        raised(json!({"error": "e"})),
        raised(json!({"sentNothing": false})),
        json!({"Error": "States.Timeout", "Cause": "after 60 s"}),
        json!({"Error": "Runtime.ExitError"}),
        json!({}),
    ] {
        assert!(!sent_nothing(&other), "{other}");
    }
}
