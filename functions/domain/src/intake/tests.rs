use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::limits::{EXECUTION_NAME_CHARS_MAX, MIB};

fn event(id: &str, size: &Value) -> String {
    json!({"id": id, "detail": {"object": {"key": "k", "size": size}}}).to_string()
}

fn ended(status: &str, error: Option<&str>, output: Option<&str>) -> Answer {
    Answer::Ended {
        status: status.to_owned(),
        error: error.map(str::to_owned),
        output: output.map(str::to_owned),
    }
}

#[test]
fn small_objects_run_on_express_and_all_else_on_the_standard_machine() {
    let threshold = 8 * MIB;
    for size in [0, 1, threshold - 1] {
        assert_eq!(way(&event("i", &json!(size)), 8), Way::Express);
    }
    for size in [
        json!(threshold),
        json!(u64::MAX),
        json!(-1),
        json!("5"),
        json!(null),
    ] {
        let way = way(&event("i", &size), 8);
        assert!(matches!(way, Way::Standard(_)), "{size}");
    }
    // JSON that is no event: Filter says so.
    for body in ["{}", "[]", "null", "5", "\"text\"", "{\"detail\":{}}"] {
        assert!(matches!(way(body, 8), Way::Standard(_)), "{body}");
    }
    // What is no JSON is started as a text that is.
    for body in ["", "text", "{", "{} {}", "\u{0}"] {
        let Way::Standard(named) = way(body, 8) else {
            panic!("{body:?}");
        };
        let input: String = serde_json::from_str(&named.input).expect("a JSON text");
        assert_eq!(input, body);
    }
    let named = standard("[1]");
    assert_eq!(named.input, "[1]");
    // A copy that may take long is not waited for, however large the threshold.
    let large = EXPRESS_MIB_MAX * MIB;
    for (size, express) in [(large - 1, true), (large, false)] {
        let way = way(&event("i", &json!(size)), 5120);
        assert_eq!(way == Way::Express, express, "{size}");
    }
}

#[test]
fn an_event_has_one_name_whatever_its_message_and_no_other_event_has_it() {
    let name = |body: &str| match way(body, 8) {
        Way::Standard(named) => named.name,
        Way::Express => panic!("{body} is small"),
    };
    let large = json!(8 * MIB);
    let first = name(&event("a", &large));
    assert_eq!(first, name(&event("a", &large)));
    assert_ne!(first, name(&event("b", &large)));
    assert_ne!(name("{}"), name("[]"), "told apart by what they say");
    let long = name(&event(&"🦀".repeat(999), &large));
    assert!(long.is_ascii() && long.len() <= EXECUTION_NAME_CHARS_MAX);
}

/// The whole table: status, error, output, and whether the message goes.
#[test]
fn every_answer_has_its_verdict() {
    let done = "SUCCEEDED";
    for (status, error, output, acknowledged) in [
        (
            done,
            None,
            Some(r#"{"outcome":"backed-up","destinations":[]}"#),
            true,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"backed-up","held":false}"#),
            true,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"skipped","reason":""}"#),
            true,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"duplicate","reason":"stored already"}"#),
            true,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"recorded","reason":""}"#),
            true,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"held","reason":"x is at it"}"#),
            false,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"backed-up","held":true}"#),
            false,
        ),
        (
            done,
            None,
            Some(r#"{"outcome":"duplicate","held":true}"#),
            false,
        ),
        (done, None, Some(r#"{"outcome":"new to us"}"#), false),
        (
            done,
            None,
            Some(r#"{"outcome":"backed-up","held":"yes"}"#),
            false,
        ),
        (done, None, Some("{}"), false),
        (done, None, Some("null"), false),
        (done, None, Some("{\"outcome\":\"backed-"), false),
        (done, None, None, false),
        ("FAILED", Some("BackupFailed"), None, true),
        ("FAILED", Some("Untold"), None, true),
        ("FAILED", Some("Unparked"), None, false),
        ("FAILED", Some("States.Runtime"), None, false),
        ("FAILED", Some("backupfailed"), None, false),
        ("FAILED", None, None, false),
        ("TIMED_OUT", None, None, false),
        ("TIMED_OUT", Some("BackupFailed"), None, false),
        ("ABORTED", None, None, false),
        ("RUNNING", None, Some(r#"{"outcome":"backed-up"}"#), false),
        ("", None, None, false),
    ] {
        let verdict = verdict(&ended(status, error, output), 1);
        let shown = format!("{status} {error:?} {output:?}: {verdict:?}");
        assert_eq!(verdict == Verdict::Acknowledge, acknowledged, "{shown}");
        assert!(verdict != Verdict::GoBack(String::new()), "{shown}");
    }
    let why = "no answer within 305 s".to_owned();
    let lost = Answer::Nothing { why: why.clone() };
    for receives in [1, RUNS_MAX, RECEIVES_MAX] {
        assert_eq!(verdict(&lost, receives), Verdict::GoBack(why.clone()));
    }
}

/// The intake's own trouble is waited out; runs that end without a word are not repeated for ever.
#[test]
fn what_runs_bring_to_no_end_is_handed_on_and_what_nobody_answers_is_asked_again() {
    let held = ended(
        "SUCCEEDED",
        None,
        Some(r#"{"outcome":"held","reason":"x"}"#),
    );
    assert!(matches!(verdict(&held, 999), Verdict::GoBack(_)));
    for answer in [
        ended("TIMED_OUT", None, None),
        ended("FAILED", Some("States.Runtime"), None),
        ended("FAILED", Some("Unparked"), None),
        ended("SUCCEEDED", None, Some(r#"{"outcome":"new to us"}"#)),
    ] {
        assert!(matches!(verdict(&answer, RUNS_MAX - 1), Verdict::GoBack(_)));
        assert!(matches!(verdict(&answer, RUNS_MAX), Verdict::HandOn(_)));
    }
    let failed = ended("FAILED", Some("BackupFailed"), None);
    assert_eq!(verdict(&failed, RUNS_MAX), Verdict::Acknowledge);
}

proptest! {
    /// Nothing but the answers of the table lets a message go.
    #[test]
    fn nothing_unforeseen_is_acknowledged(
        status in "SUCCEEDED|FAILED|TIMED_OUT|[A-Z_]{0,9}",
        error in proptest::option::of("BackupFailed|Untold|Unparked|[A-Za-z.]{0,12}"),
        outcome in "backed-up|duplicate|skipped|recorded|held|[a-z-]{0,9}",
        held in any::<bool>(),
        whole in any::<bool>(),
        receives in 1..2 * RUNS_MAX,
    ) {
        let output = json!({"outcome": outcome, "held": held}).to_string();
        let cut = if whole { output.len() } else { output.len() - 1 };
        let answer = ended(&status, error.as_deref(), Some(&output[..cut]));
        let done = ["backed-up", "duplicate", "skipped", "recorded"];
        let good = status == "SUCCEEDED" && whole && !held && done.contains(&outcome.as_str());
        let parked = status == "FAILED" && matches!(error.as_deref(), Some("BackupFailed" | "Untold"));
        prop_assert_eq!(verdict(&answer, receives) == Verdict::Acknowledge, good || parked);
    }

    #[test]
    fn a_wait_lies_between_half_and_whole_and_within_what_sqs_takes(
        receives in any::<u32>(),
        id in ".{0,40}",
        first in 0..=RETRY_SECONDS_MAX,
    ) {
        let wait = wait_seconds(receives, &id, first);
        let whole = wait_max(receives, first);
        prop_assert!((whole / 2..=whole).contains(&wait));
        prop_assert!(whole <= RETRY_SECONDS_MAX);
        prop_assert!(wait_max(receives.saturating_add(1), first) >= whole);
    }
}

#[test]
fn waits_double_until_they_are_long_enough() {
    let wholes: Vec<_> = (0..9).map(|receives| wait_max(receives, 30)).collect();
    assert_eq!(wholes, [30, 30, 60, 120, 240, 480, 900, 900, 900]);
    assert_eq!(wait_max(u32::MAX, 30), RETRY_SECONDS_MAX);
    let spread: std::collections::BTreeSet<_> = (0..100)
        .map(|id| wait_seconds(5, &id.to_string(), 30))
        .collect();
    assert!(spread.len() > 30, "{spread:?}");
}
