//! A destination that cannot be reached is left alone, and tried by one backup at a time.

use std::sync::{OnceLock, RwLockWriteGuard};
use std::time::Duration;

use backup_e2e::{Fault, World};
use serde_json::json;

use crate::allowed::asked;

const FAILURES: usize = 3;
/// How long a closed breaker is believed, and a little.
pub const BELIEVED: Duration = Duration::from_millis(5200);

const PARAMETERS: [(&str, &str); 6] = [
    ("BreakerFailures", "3"),
    ("BreakerWindowSeconds", "600"),
    ("BreakerCoolDownSeconds", "600"),
    ("DigestMinutes", "60"),
    ("RedriveMinutes", "0"),
    ("SweepMinutes", "60"),
];

/// One whose events wait in a queue.
pub fn queued() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let queued = [&PARAMETERS[..], &[("Intake", "QUEUED")]].concat();
        World::with_parameters(&queued)
    })
}

/// Its breakers open soon; tests have it one after another, each with closed ones.
pub fn world() -> (&'static World, RwLockWriteGuard<'static, ()>) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(|| World::with_parameters(&PARAMETERS));
    let alone = world.policy.write();
    let alone = alone.unwrap_or_else(std::sync::PoisonError::into_inner);
    world.proxy.mend();
    for name in ["primary", "second"] {
        if world.breaker(name).is_some() {
            world.change_breaker(name, |item| {
                let item = item.as_object_mut().unwrap();
                item.remove("opened");
                item.insert("failures".to_owned(), json!({"N": "0"}));
            });
        }
    }
    (world, alone)
}

fn upload(world: &World, key: &str) -> backup_e2e::Ended {
    world.upload(key, key.as_bytes(), &[])
}

/// Fails so often that the breaker of `second` opens.
pub fn open(world: &World, name: &str) {
    world
        .proxy
        .fail("CopyObject", "/second/", Fault::Status(500), 1000);
    for number in 0..FAILURES {
        let ended = upload(world, &format!("two/{name}-{number}"));
        assert_eq!(ended.error, "BackupFailed", "{ended:?}");
    }
    assert!(world.breaker("second").unwrap()["opened"].is_object());
    // Functions believe for a moment that it is closed.
    std::thread::sleep(BELIEVED);
}

/// Lets the cool-down pass.
pub fn cool_down(world: &World) {
    world.change_breaker("second", |item| {
        item["opened"]["M"]["retryAt"] = json!({"S": "2026-01-01T00:00:00Z"});
    });
}

fn errors(world: &World, key: &str) -> Vec<String> {
    let points = world.points(key);
    let errors = points.iter().filter_map(|it| it["error"]["S"].as_str());
    errors.map(str::to_owned).collect()
}

/// Requests to the destination `second` about a key.
fn calls_there(world: &World, key: &str) -> usize {
    world.proxy.calls(&format!("/second/{key}")).len()
}

#[test]
fn a_destination_that_is_away_is_left_alone_and_the_other_goes_on() {
    let (world, _alone) = world();
    let before = world.told("second cannot be reached").len();
    open(world, "away");
    assert_eq!(world.told("second cannot be reached").len(), before + 1);

    let key = "two/away-later";
    let ended = upload(world, key);
    assert_eq!(ended.error, "BackupFailed", "{ended:?}");
    assert_eq!(errors(world, key), ["BreakerOpen"]);
    assert_eq!(calls_there(world, key), 0, "not tried");
    assert_eq!(world.copy_of(key).body, key.as_bytes(), "the other one");
    let parked = world.parked(key);
    let [parked] = &parked[..] else {
        panic!("{parked:?}");
    };
    let attributes = &parked["MessageAttributes"];
    assert_eq!(attributes["destinations"]["StringValue"], "second");
    assert_eq!(attributes["error"]["StringValue"], "BreakerOpen");
    let told = world.told("second cannot be reached").len();
    assert_eq!(told, before + 1, "once");
}

#[test]
fn one_of_many_tries_and_its_success_closes_the_breaker() {
    let (world, _alone) = world();
    open(world, "race");
    world.proxy.mend();
    cool_down(world);
    // The probe takes its time, so that the others come while it tries.
    world
        .proxy
        .fail("CopyObject", "/second/two/raced", Fault::HoldMs(3000), 1);
    let before = world.told("second is back").len();
    let keys: Vec<_> = (0..12)
        .map(|number| format!("two/raced-{number:02}"))
        .collect();
    std::thread::scope(|scope| {
        for key in &keys {
            scope.spawn(|| upload(world, key));
        }
    });
    let stored = |key: &&String| errors(world, key).is_empty();
    let tried: Vec<_> = keys
        .iter()
        .filter(|key| calls_there(world, key) > 0)
        .collect();
    assert_eq!(tried.len(), 1, "{tried:?}");
    assert!(stored(&tried[0]));
    let breaker = world.breaker("second").unwrap();
    assert!(breaker["opened"].is_null(), "{breaker}");
    assert_eq!(world.told("second is back").len(), before + 1);

    let after = upload(world, "two/raced-x");
    assert_eq!(after.status, "SUCCEEDED", "{after:?}");
}

#[test]
fn a_probe_that_fails_keeps_it_open_for_longer() {
    let (world, _alone) = world();
    open(world, "again");
    cool_down(world);
    let told = world.told("second cannot be reached").len();
    let key = "two/again-probe";
    upload(world, key);
    assert_eq!(errors(world, key), ["DestinationUnavailable"]);
    let open = &world.breaker("second").unwrap()["opened"];
    assert_eq!(open["failedProbes"], 1, "{open}");
    assert!(open["probe"].is_null(), "{open}");
    let next = "two/again-next";
    upload(world, next);
    assert_eq!(errors(world, next), ["BreakerOpen"]);
    let news = world.told("second cannot be reached").len();
    assert_eq!(news, told, "that is no news");
}

/// Copy cannot look at the source: that is no fault of the destinations.
#[test]
fn trouble_of_the_source_opens_no_breaker() {
    let (world, _alone) = world();
    let failed = Fault::Status(500);
    let of_copy = [world.source(), "two/source", "-CopyFunction"];
    world
        .proxy
        .fail_all_of("HeadObject", &of_copy, failed, 1000);
    for number in 0..FAILURES {
        let key = format!("two/source-{number}");
        let ended = upload(world, &key);
        assert_eq!(ended.error, "BackupFailed", "{ended:?}");
        let away = "DestinationUnavailable";
        assert_eq!(errors(world, &key), [away, away]);
    }
    for name in ["primary", "second"] {
        let breaker = world.breaker(name).unwrap_or_default();
        assert!(breaker["opened"].is_null(), "{breaker}");
        assert_eq!(breaker["failures"].as_u64().unwrap_or_default(), 0);
    }
}

/// Whoever tried is dead: its time passes, and another tries.
#[test]
fn a_dead_probe_makes_way() {
    let (world, _alone) = world();
    open(world, "dead");
    world.proxy.mend();
    let probe = |until: &str| json!({"M": {"owner": {"S": "nobody@2026"}, "until": {"S": until}}});
    cool_down(world);
    world.change_breaker("second", |item| {
        item["opened"]["M"]["probe"] = probe("2999-01-01T00:00:00Z");
    });
    let key = "two/dead-waits";
    upload(world, key);
    assert_eq!(errors(world, key), ["BreakerOpen"]);
    world.change_breaker("second", |item| {
        item["opened"]["M"]["probe"] = probe("2026-01-01T00:00:00Z");
    });
    let ended = upload(world, "two/dead-tries");
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(world.breaker("second").unwrap()["opened"].is_null());
}

/// A probe whose source is gone says nothing of the destination: the next may try at once.
#[test]
fn a_probe_that_says_nothing_makes_way_at_once() {
    let (world, _alone) = world();
    open(world, "nothing");
    world.proxy.mend();
    cool_down(world);
    let key = "two/nothing-probe";
    let gone = Fault::Error(404, "NoSuchKey");
    world.proxy.fail(
        "HeadObject",
        &format!("{}/{key}", world.source()),
        gone,
        1000,
    );
    let ended = upload(world, key);
    assert_eq!(ended.status, "SUCCEEDED", "gone is no failure: {ended:?}");
    let open = &world.breaker("second").unwrap()["opened"];
    assert!(open.is_object() && open["probe"].is_null(), "{open}");
    world.proxy.mend();
    let ended = upload(world, "two/nothing-next");
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(world.breaker("second").unwrap()["opened"].is_null());
}

/// The change was written and its execution died: the sweep tells.
#[test]
fn a_change_that_nobody_told_is_told_by_the_sweep() {
    let (world, _alone) = world();
    open(world, "untold");
    let before = world.told("second cannot be reached").len();
    world.change_breaker("second", |item| {
        item["untold"] = json!({"BOOL": true});
        let last = item["history"]["L"]
            .as_array_mut()
            .unwrap()
            .last_mut()
            .unwrap();
        last["M"]["at"] = json!({"S": "2026-01-01T00:00:00Z"});
    });
    for _ in 0..2 {
        world.sweep();
        assert_eq!(world.told("second cannot be reached").len(), before + 1);
    }
}

/// In parts as by one CopyObject: BeginMultipart asks too.
#[test]
fn large_objects_are_not_begun_while_it_is_open() {
    let (world, _alone) = world();
    open(world, "large");
    let key = "two/large-waits";
    let body = vec![7; 9 << 20];
    world.upload(key, &body, &[]);
    assert_eq!(errors(world, key), ["BreakerOpen"]);
    assert_eq!(calls_there(world, key), 0);
    world.proxy.mend();
    cool_down(world);
    let ended = world.upload("two/large-tries", &body, &[]);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert!(world.breaker("second").unwrap()["opened"].is_null());
}

/// The catalog does not say: backups are tried as if there were no breaker.
#[test]
fn a_breaker_that_does_not_answer_holds_nobody_up() {
    let (world, _alone) = world();
    world
        .proxy
        .fail("GetItem", "\"breaker\"", Fault::Status(500), 1000);
    let ended = upload(world, "two/unanswered");
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
}

/// As in [`crate::allowed`], for the functions that look at breakers.
#[test]
fn copy_and_begin_may_claim_the_probe_and_nothing_more() {
    let (world, _alone) = world();
    for (key, bytes) in [("two/allowed-small", 1), ("two/allowed-large", 9 << 20)] {
        open(world, key.rsplit('/').next().unwrap());
        world.proxy.mend();
        cool_down(world);
        let ended = world.upload(key, &vec![1; bytes], &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    }
    let asked = asked(world);
    for name in ["Copy", "BeginMultipart"] {
        let function = world.function(name);
        let breaker: Vec<_> = asked[&function]
            .iter()
            .filter(|it| it.action.starts_with("dynamodb:"))
            .cloned()
            .collect();
        let grants = world.grants(&function);
        for permission in &breaker {
            assert!(
                grants.iter().any(|grant| grant.allows(permission)),
                "{permission:?}"
            );
        }
        for action in ["dynamodb:GetItem", "dynamodb:PutItem"] {
            assert!(
                breaker.iter().any(|it| it.action == action),
                "{name} {action}"
            );
        }
    }
}
