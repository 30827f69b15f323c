use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::cause_of;

const LIMITS: Limits = Limits {
    failures: 3,
    window: SignedDuration::from_secs(60),
    cool_down: SignedDuration::from_secs(10),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

fn failed(breaker: &Breaker, times: usize, seconds: i64) -> Breaker {
    (0..times).fold(breaker.clone(), |breaker, _| {
        breaker.failed("e", at(seconds), &LIMITS).expect("counted")
    })
}

fn probe(breaker: &Breaker, owner: &str, seconds: i64) -> Breaker {
    match breaker.admit(owner, at(seconds), &LIMITS) {
        Admission::Probe(next) => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_opens_at_the_limit_within_the_window_and_not_before() {
    let breaker = failed(&Breaker::closed(at(0)), 2, 0);
    assert_eq!(breaker.admit("e", at(0), &LIMITS), Admission::Go);
    // The window has passed: they are counted anew.
    let late = failed(&breaker, 1, 61);
    assert_eq!((late.failures, late.open.is_some()), (1, false));
    let open = failed(&breaker, 1, 60);
    assert!(open.untold && open.last_change().expect("one").opened);
    let refused = Admission::Refused {
        since: at(60),
        retry_at: at(70),
    };
    assert_eq!(open.admit("e", at(69), &LIMITS), refused);
    // Executions that were on their way when it opened change nothing.
    assert_eq!(open.failed("e", at(61), &LIMITS), None);
}

/// A destination that some copies get through to is not away.
#[test]
fn failures_with_copies_between_them_open_nothing() {
    let mut breaker = Breaker::closed(at(0));
    for second in 0..20 {
        breaker = failed(&breaker, 2, second);
        breaker = breaker.reached().expect("noted");
    }
    assert_eq!((breaker.failures, breaker.open.is_some()), (0, false));
    assert_eq!(breaker.reached(), None, "nothing to write when all is well");
    let open = failed(&breaker, 3, 21);
    assert!(open.open.is_some());
    assert_eq!(open.reached(), None, "its probe closes it");
}

#[test]
fn one_probe_at_a_time_and_a_dead_one_makes_way() {
    let open = failed(&Breaker::closed(at(0)), 3, 0);
    let half = probe(&open, "first", 10);
    let refused = |breaker: &Breaker, owner: &str, seconds| {
        let admission = breaker.admit(owner, at(seconds), &LIMITS);
        matches!(admission, Admission::Refused { .. })
    };
    // Twenty minutes, though three cool-downs are thirty seconds: a step of it may take fifteen.
    assert!(refused(&half, "second", 10 + 1199));
    let other = probe(&half, "second", 10 + 1200);
    assert!(refused(&other, "first", 10 + 1201));
    // One that asks again goes on being the probe.
    let Admission::Probing(longer) = half.admit("first", at(1000), &LIMITS) else {
        panic!("{half:?}");
    };
    assert!(refused(&longer, "second", 1000 + 1199));
}

#[test]
fn a_failed_probe_waits_longer_and_longer() {
    let mut breaker = failed(&Breaker::closed(at(0)), 3, 0);
    let mut now = 10;
    for waits in [20, 40, 80, 80] {
        breaker = probe(&breaker, "p", now);
        breaker = breaker.failed("p", at(now), &LIMITS).expect("noted");
        let open = breaker.open.as_ref().expect("open");
        assert_eq!((open.retry_at, &open.probe), (at(now + waits), &None));
        now += waits;
    }
    assert_eq!(breaker.history.len(), 1, "still the same opening");
}

#[test]
fn a_probe_that_is_stored_closes_it_and_both_changes_are_remembered() {
    let open = failed(&Breaker::closed(at(0)), 3, 0);
    let opening = open.last_change().expect("one").clone();
    let told = open.told(&opening).expect("to be told");
    assert_eq!(told.told(&opening), None);
    let closed = probe(&told, "p", 10).succeeded(at(12)).expect("closed");
    assert_eq!(closed.told(&opening), None, "its note comes late");
    assert!(closed.untold && closed.open.is_none() && closed.failures == 0);
    let change = closed.last_change().expect("one");
    assert_eq!((change.opened, change.since), (false, Some(at(0))));
    assert_eq!(
        closed.succeeded(at(13)),
        None,
        "nothing to write when all is well"
    );
}

/// Without an opening nothing was waited for, and what fails later has not been either.
#[test]
fn only_a_destination_that_was_away_is_back_and_what_waited_is_counted_until_told() {
    let few = failed(&Breaker::closed(at(0)), 2, 0);
    assert_eq!(few.back_at(), None);
    let open = failed(&few, 1, 1);
    assert_eq!(open.back_at(), None);
    let closed = probe(&open, "p", 20).succeeded(at(30)).expect("closed");
    assert_eq!(closed.back_at(), Some(at(30)));
    assert_eq!(failed(&closed, 3, 40).back_at(), None, "away again");
    let counted = closed
        .redriven(1)
        .expect("noted")
        .redriven(20)
        .expect("noted");
    let opened = failed(&counted, 3, 50);
    assert_eq!(opened.redriven, 21, "kept until it is told");
    let told = counted.told_redriven(21).expect("noted");
    assert_eq!((told.redriven, told.told_redriven(21)), (0, None));
    assert_eq!(told.redriven(0), None);
}

#[test]
fn a_probe_that_says_nothing_makes_way_at_once() {
    let half = probe(&failed(&Breaker::closed(at(0)), 3, 0), "p", 10);
    assert_eq!(half.released("another"), None);
    let released = half.released("p").expect("released");
    assert!(matches!(
        released.admit("q", at(10), &LIMITS),
        Admission::Probe(_)
    ));
}

#[test]
fn only_what_could_not_be_reached_counts() {
    let counts = |cause: &Cause| super::counts(cause, false);
    let cause = |error: &str, side| Cause {
        side,
        ..cause_of(&json!({"Error": error, "Cause": ""}))
    };
    let away = "DestinationUnavailable";
    assert!(counts(&cause(away, Some(Side::Destination))) && counts(&cause(away, None)));
    assert!(counts(&cause("States.Timeout", None)));
    for side in [Side::Source, Side::Service] {
        assert!(!counts(&cause(away, Some(side))), "{side:?}");
    }
    for error in ["AccessDenied", "BreakerOpen", "SourceUnreadable"] {
        assert!(!counts(&cause(error, Some(Side::Destination))), "{error}");
    }
    // A 503 that outlived its retries is no answer either; Lambda's own limits are nobody's.
    assert!(counts(&cause("Throttled", Some(Side::Destination))));
    assert!(!counts(&cause("Throttled", Some(Side::Service))));
    assert!(!counts(&cause("Throttled", None)));
    assert!(!counts(&cause("Lambda.TooManyRequestsException", None)));
    // Once the copy is there, a step that runs out of time is reading or recording.
    assert!(!super::counts(&cause("States.Timeout", None), true));
    assert!(super::counts(&cause(away, Some(Side::Destination)), true));
}

#[test]
fn both_changes_read_well() {
    let opened = Change {
        at: at(0),
        opened: true,
        failures: 10,
        since: None,
    };
    let closed = Change {
        at: at(1400),
        opened: false,
        failures: 2,
        since: Some(at(0)),
    };
    let told = [opened, closed].map(|change| news("primary", &change));
    insta::assert_snapshot!(
        told.map(|it| format!("{}\n\n{}", it.subject, it.text))
            .join("---\n")
    );
}

/// What an execution of the race does next; it writes only on what it has read.
#[derive(Debug, Clone, Copy)]
enum Step {
    Admit,
    Write,
    Fail,
    Succeed,
    Release,
    Reach,
    /// It dies, and its probe with it.
    Die,
    /// A second passes, or half a minute.
    Wait(bool),
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Admit),
        4 => Just(Step::Write),
        3 => Just(Step::Fail),
        1 => Just(Step::Succeed),
        1 => Just(Step::Release),
        1 => Just(Step::Reach),
        1 => Just(Step::Die),
        2 => any::<bool>().prop_map(Step::Wait),
    ];
    prop::collection::vec((0..4_usize, step), 1..120)
}

proptest! {
    /// Four executions race: each reads, decides, and writes on condition that nobody else has.
    #[test]
    fn there_is_one_probe_at_a_time_and_never_none_for_ever(steps in steps()) {
        let mut now = 0;
        let mut stored = Breaker::closed(at(0));
        let mut pending: [Option<(u64, Breaker)>; 4] = Default::default();
        // Until when each believes itself to be the probe.
        let mut probing: [Option<Timestamp>; 4] = [None; 4];
        for (who, step) in steps {
            let owner = format!("e{who}");
            let mut decide = |next: Option<Breaker>| {
                pending[who] = next.map(|next| (stored.revision, next));
            };
            match step {
                Step::Admit => match stored.admit(&owner, at(now), &LIMITS) {
                    Admission::Probe(next) => decide(Some(next)),
                    _ => decide(None),
                },
                Step::Fail => decide(stored.failed(&owner, at(now), &LIMITS)),
                Step::Succeed => decide(stored.succeeded(at(now)).filter(|_| probing[who].is_some())),
                Step::Release => decide(stored.released(&owner)),
                Step::Reach => decide(stored.reached()),
                Step::Write => {
                    let Some((seen, next)) = pending[who].take() else { continue };
                    if seen == stored.revision {
                        prop_assert_eq!(next.revision, seen + 1);
                        // Told at a change of state, and only then.
                        let changed = next.open.is_some() != stored.open.is_some();
                        prop_assert_eq!(changed, next.history.len() > stored.history.len());
                        stored = next;
                        let probe = stored.open.as_ref().and_then(|open| open.probe.as_ref());
                        probing[who] = probe.filter(|probe| probe.owner == owner).map(|probe| probe.until);
                    }
                }
                Step::Die => (pending[who], probing[who]) = (None, None),
                Step::Wait(long) => now += if long { 30 } else { 1 },
            }
            // A probe that failed, was released or closed the breaker is none any more.
            let held = stored.open.as_ref().and_then(|open| open.probe.clone());
            for (other, until) in probing.iter_mut().enumerate() {
                until.take_if(|_| held.as_ref().is_none_or(|held| held.owner != format!("e{other}")));
            }
            let alive = probing.iter().flatten().filter(|until| **until > at(now));
            prop_assert!(alive.count() <= 1);
        }
        // Whatever died: after the longest waits somebody may try, and a success closes it.
        let later = at(now + 2000);
        match stored.admit("last", later, &LIMITS) {
            Admission::Go => prop_assert!(stored.open.is_none()),
            Admission::Probe(next) => {
                prop_assert!(next.succeeded(later).expect("closes").open.is_none());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
