use super::*;
use crate::plan::Tally;
use crate::restore::report::Outcome;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn drilled(objects: u64, busy_us: u64) -> Drilled {
    let restored = Tally {
        objects,
        bytes: objects * 1000,
    };
    let done = Counts {
        restored,
        busy_us,
        ..Counts::default()
    };
    Drilled {
        passed: has_passed(&done),
        done,
        seen: Seen {
            keys: 200,
            points: 300,
        },
        report: Some("s3://reports/restores/x/report/report.md".to_owned()),
        ..Drilled::unfinished("arn:x", at(0), at(20))
    }
}

#[test]
fn a_drill_passes_when_all_of_it_is_back_and_there_was_something() {
    assert!(drilled(3, 1).passed);
    assert!(!drilled(0, 1).passed, "nothing was shown");
    for outcome in [
        Outcome::Failed,
        Outcome::Missing,
        Outcome::Waiting,
        Outcome::Conflict,
    ] {
        let mut done = drilled(3, 1).done;
        done.count(&Restored::because("k", outcome, "why"));
        assert!(!has_passed(&done), "{outcome:?}");
    }
    let mut done = drilled(3, 1).done;
    done.count(&Restored::new("k", Outcome::Archived, 0));
    assert!(has_passed(&done), "left on purpose");
}

#[test]
fn one_is_overdue_after_twice_the_time_since_it_succeeded_or_was_switched_on() {
    let day = 86_400;
    let mut mark = Mark::default();
    assert_eq!(mark.periods_since(at(day), 1), None, "switched off");
    mark.since = Some(at(0));
    assert_eq!(mark.periods_since(at(2 * day - 1), 1), Some(1));
    assert_eq!(mark.periods_since(at(2 * day), 1), Some(2));
    assert_eq!(mark.periods_since(at(13 * day), 7), Some(1));
    mark.succeeded = Some(at(day));
    assert_eq!(mark.periods_since(at(3 * day - 1), 1), Some(1));
    // Switched off for long and on again: what was before is no fault.
    mark.since = Some(at(100 * day));
    assert_eq!(mark.periods_since(at(101 * day), 1), Some(1));
    assert_eq!(
        mark.periods_since(at(0), 1),
        Some(0),
        "a clock that is behind"
    );
}

#[test]
fn the_whole_is_told_by_the_pace_of_the_sample_and_the_bounds_of_s3() {
    // 100 objects took 5 ms of a function each: 40 functions restore 8,000 a second, S3 takes 3,200.
    let whole = drilled(100, 500_000).whole(3_000_000).expect("known");
    assert_eq!(
        whole,
        Whole {
            keys: 2_000_000,
            bytes: 2_000_000_000,
            seconds: 625
        }
    );
    // A second each: 40 a second.
    let slow = drilled(100, 100_000_000).whole(3_000_000).expect("known");
    assert_eq!(slow.seconds, 50_000);
    assert_eq!(drilled(0, 0).whole(3_000_000), None);
    assert!(drilled(1, u64::MAX).whole(u64::MAX).is_some());
}

#[test]
fn levels_decide_what_is_told_and_a_failure_names_its_objects() {
    let passed = drilled(3, 1);
    let tell = |drilled: &Drilled, level| message(drilled, &[], None, level);
    assert_eq!(tell(&passed, NotifyLevel::None), None);
    assert_eq!(tell(&passed, NotifyLevel::Failures), None);
    let told = tell(&passed, NotifyLevel::All).expect("told");
    assert_eq!(told.subject, "s3-backup: restore drill passed");
    insta::assert_snapshot!("a_drill_that_passed_reads_well", told.text);

    let mut failed = drilled(3, 1);
    let damaged = Restored {
        error: "ChecksumMismatch".to_owned(),
        ..Restored::because(
            "reports/a\nb.csv",
            Outcome::Failed,
            "the copy's MD5 is 1, the source's is 2",
        )
    };
    failed.done.count(&damaged);
    failed.passed = has_passed(&failed.done);
    assert_eq!(message(&failed, &[], None, NotifyLevel::None), None);
    let told = message(&failed, &[damaged], None, NotifyLevel::Failures).expect("told");
    insta::assert_snapshot!("a_drill_that_failed_reads_well", told.text);

    let cause = Cause {
        error: "AccessDenied".to_owned(),
        object: None,
        destination: None,
        message: "no".to_owned(),
        advice: "grant it".to_owned(),
        side: None,
    };
    let unfinished = Drilled::unfinished("arn:x", at(0), at(1));
    let told = message(&unfinished, &[], Some(&cause), NotifyLevel::Failures).expect("told");
    assert!(
        told.text.contains("AccessDenied: no") && told.text.contains("grant it"),
        "{}",
        told.text
    );
}

#[test]
fn a_mark_is_read_back_and_an_empty_one_is_no_mark() {
    let mark = Mark {
        since: Some(at(1)),
        succeeded: None,
        last: Some(drilled(2, 3)),
    };
    let text = serde_json::to_string(&mark).expect("JSON");
    assert_eq!(serde_json::from_str::<Mark>(&text).expect("a mark"), mark);
    assert_eq!(
        serde_json::from_str::<Mark>("{}").expect("a mark"),
        Mark::default()
    );
}
