//! The whole story: a destination goes away in the middle of a stream of uploads to two, and comes back.

use std::collections::BTreeSet;

use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Objects of the stream before the breaker has opened for certain, and after it.
const FIRST: usize = 12;
const LATER: usize = 8;

fn put(world: &World, key: &str, content: &str) {
    let put = world
        .cloud
        .put_object(world.source(), key, content.as_bytes(), &[]);
    put.unwrap();
}

/// Status and error of the point of a version at a destination, by the version's content.
fn point(world: &World, key: &str, destination: &str) -> Option<(String, String)> {
    let points = world.points(key);
    let point = points
        .iter()
        .find(|it| it["destination"]["S"] == destination)?;
    let text = |name: &str| point[name]["S"].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("error")))
}

fn has_ended(world: &World, key: &str) {
    wait(&format!("{key} has an end at both destinations"), || {
        let points = ["primary", "second"].map(|name| point(world, key, name));
        let over = |it: &Option<(String, String)>| it.as_ref().is_some_and(|it| it.0 != "copying");
        if points.iter().all(over) {
            Ok(())
        } else {
            Err(format!("{points:?}"))
        }
    });
}

fn story(world: &World, name: &str) {
    world.forget_failures();
    let dead_letters = world.outputs["DeadLetterQueueUrl"].clone();
    let told = |needle: &str| world.told(needle).len();
    let before = [told("second cannot be reached"), told("second is back")];
    let all_before = told("");
    world
        .proxy
        .fail("CopyObject", "/second/", Fault::Status(500), 100_000);
    let key = |number: usize| format!("two/{name} é+{number:02}");
    let content = |number: usize| format!("{name} {number}");

    // A stream of uploads, while the destination goes away.
    std::thread::scope(|scope| {
        for worker in 0..3 {
            scope.spawn(move || {
                for number in (worker..FIRST).step_by(3) {
                    put(world, &key(number), &content(number));
                }
            });
        }
    });
    (0..FIRST).for_each(|number| has_ended(world, &key(number)));
    assert!(world.breaker("second").unwrap()["opened"].is_object());
    std::thread::sleep(crate::breaker::BELIEVED);
    for number in FIRST..FIRST + LATER {
        put(world, &key(number), &content(number));
    }
    let keys: Vec<_> = (0..FIRST + LATER).map(key).collect();
    for key in &keys {
        has_ended(world, key);
        // The other destination goes on.
        assert_eq!(point(world, key, "primary").unwrap().0, "stored", "{key}");
        assert_eq!(point(world, key, "second").unwrap().0, "failed", "{key}");
    }
    for key in &keys[FIRST..] {
        assert_eq!(
            point(world, key, "second").unwrap().1,
            "BreakerOpen",
            "{key}"
        );
        let tried = world.proxy.calls(&format!("/second/{}", encoded(key)));
        assert_eq!(tried.len(), 0, "parked without being tried: {key}");
    }
    wait("each is parked", || {
        match world.queue_length(&dead_letters) {
            [waiting, _] if waiting >= keys.len() as u64 => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });

    // A redrive while it is away starts nothing and loses nothing.
    let redriven = world.redrive_all();
    assert_eq!(redriven["started"], 0, "{redriven}");
    assert_eq!(
        redriven["held"],
        keys.len() * 2,
        "messages and points: {redriven}"
    );

    // It comes back: one tries, and the rest follow in the same run.
    world.proxy.mend();
    world.change_breaker("second", |item| {
        item["opened"]["M"]["retryAt"] = json!({"S": "2026-01-01T00:00:00Z"});
    });
    let redriven = world.redrive_all();
    assert_eq!(redriven["started"], keys.len(), "{redriven}");
    for key in &keys {
        world.redrives(key);
        has_ended(world, key);
    }
    assert!(world.breaker("second").unwrap()["opened"].is_null());
    let next = world.redrive_all();
    assert_eq!(
        (&next["started"], &next["left"]),
        (&json!(0), &json!(0)),
        "{next}"
    );
    assert_eq!(
        world.queue_length(&dead_letters),
        [0, 0],
        "the queue is clear"
    );

    // Every version is there, by content, at both destinations.
    for (number, key) in keys.iter().enumerate() {
        for place in [key.clone(), format!("second/{key}")] {
            assert_eq!(
                world.copy_of(&place).body,
                content(number).as_bytes(),
                "{place}"
            );
            assert_eq!(world.versions(world.backup(), &place).len(), 1, "{place}");
        }
        assert_eq!(point(world, key, "second").unwrap().0, "stored", "{key}");
    }

    // Told in a few messages.
    assert_eq!(told("second cannot be reached"), before[0] + 1);
    assert_eq!(told("second is back"), before[1] + 1);
    let count = format!("{} parked backups redriven to second", keys.len());
    assert_eq!(told(&count), 1);
    let news = world.told("");
    let news: BTreeSet<_> = news[all_before..].iter().filter_map(subject).collect();
    assert!(told("") - all_before <= 5, "{news:?}");
}

fn subject(message: &Value) -> Option<String> {
    let envelope: Value = serde_json::from_str(message["Body"].as_str()?).ok()?;
    envelope["Subject"].as_str().map(str::to_owned)
}

/// A key as it stands in a request line.
fn encoded(key: &str) -> String {
    const RAW: AsciiSet = NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_');
    utf8_percent_encode(key, &RAW).to_string()
}

#[test]
fn a_destination_that_goes_away_and_comes_back_is_whole_again_in_direct() {
    let (world, _alone) = crate::breaker::world();
    story(world, "direct");
}

#[test]
fn a_destination_that_goes_away_and_comes_back_is_whole_again_in_queued() {
    story(crate::breaker::queued(), "queued");
}
