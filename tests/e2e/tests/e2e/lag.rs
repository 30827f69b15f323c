//! How far the backup is behind: measured by the clock, told once when late, once when it arrives.

use backup_e2e::World;
use serde_json::{Value, json};

use crate::allowed::{asked, check, step};

/// Messages of this kind that name a key.
fn told(world: &World, key: &str, outcome: &str) -> usize {
    let told = world.told(key);
    let of_kind = |message: &&Value| {
        message["MessageAttributes"]["outcome"]["StringValue"] == outcome
            || message.to_string().contains(outcome)
    };
    told.iter().filter(of_kind).count()
}

fn lag(reported: &Value, destination: &str) -> Value {
    assert!(reported["errorType"].is_null(), "{reported}");
    reported["lags"][destination].clone()
}

#[test]
fn what_is_late_is_measured_told_once_and_told_once_more_when_it_arrives() {
    let (world, _alone) = World::watched();
    let key = "half/lag.txt";
    world.upload(key, b"never reaches nowhere", &[]);
    let first = world.invoke("ReportLag", &json!({}));
    let nowhere = lag(&first, "nowhere");
    assert!(nowhere["failed"].as_u64() >= Some(1), "{first}");
    let before = nowhere["failed"].as_u64().unwrap();
    assert_eq!(
        told(world, key, "missed-15-minutes"),
        0,
        "its time is not over"
    );

    // Twenty minutes later.
    let points = world.points(key);
    let failed = points
        .iter()
        .find(|point| point["status"]["S"] == "failed")
        .unwrap();
    let mut old = failed.clone();
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(20);
    old["openSince"] = json!({"S": then.to_string()});
    world.put_point(&old);
    for _ in 0..3 {
        let again = lag(&world.invoke("ReportLag", &json!({})), "nowhere");
        assert_eq!(again["failed"].as_u64(), Some(before), "{again}");
        let oldest: jiff::Timestamp = again["oldest"].as_str().unwrap().parse().unwrap();
        assert!(oldest <= then, "{again}");
    }
    assert_eq!(told(world, key, "missed-15-minutes"), 1);
    assert_eq!(told(world, key, "arrived-late"), 0);

    let mut stored = old.clone();
    stored["status"] = json!({"S": "stored"});
    // What ended within the last half minute is left to the next measurement.
    stored["endedAt"] = json!({"S": then.to_string()});
    for field in ["open", "openSince"] {
        stored.as_object_mut().unwrap().remove(field);
    }
    world.put_point(&stored);
    for _ in 0..2 {
        let after = lag(&world.invoke("ReportLag", &json!({})), "nowhere");
        assert_eq!(after["failed"].as_u64(), Some(before - 1), "{after}");
    }
    assert_eq!(told(world, key, "arrived-late"), 1);
    assert_eq!(told(world, key, "missed-15-minutes"), 1);
}

/// Figures are lines of the log that CloudWatch takes metrics from; a stored version is open no more.
#[test]
fn a_stored_version_is_open_no_more_and_the_figures_are_metrics() {
    let (world, _alone) = World::watched();
    let key = "plain/lag-stored.txt";
    world.upload(key, b"stored", &[]);
    let point = world.has_become(key, "stored");
    assert!(
        point["open"].is_null() && point["eventAt"]["S"].is_string(),
        "{point}"
    );
    // Indexes are given half a minute: what ended before that is counted, unless a measurement of the
    // last seconds has been there already.
    world.forget_item(&json!({"pk": {"S": "lag"}, "sk": {"S": "marks"}}));
    world.edit_point(key, |point| {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(40);
        point["endedAt"] = json!({"S": then.to_string()});
        point["eventAt"] = json!({"S": then.to_string()});
    });
    let primary = lag(&world.invoke("ReportLag", &json!({})), "primary");
    let share = primary["inTimePercent"].as_f64().unwrap();
    assert!(share > 0.0 && share <= 100.0, "{primary}");
    let lines = world.logged("report-lag");
    let metric = lines
        .iter()
        .rfind(|line| line["Destination"] == "primary")
        .unwrap();
    assert_eq!(metric["InTimePercent"].as_f64(), Some(share), "{metric}");
    assert_eq!(
        metric["OperationsPending"].as_f64(),
        primary["pending"].as_f64()
    );
    assert!(
        metric["_aws"]["CloudWatchMetrics"][0]["Metrics"].is_array(),
        "{metric}"
    );
}

/// What takes longer than 15 minutes and ends between two looks was never open when it was late.
#[test]
fn what_arrived_late_between_two_looks_is_told_once() {
    let (world, _alone) = World::watched();
    let key = "plain/lag-between.txt";
    world.upload(key, b"late", &[]);
    world.has_become(key, "stored");
    // As if nothing had been counted for a while.
    world.forget_item(&json!({"pk": {"S": "lag"}, "sk": {"S": "marks"}}));
    world.edit_point(key, |point| {
        let ended = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(40);
        let told = ended - jiff::SignedDuration::from_mins(17);
        point["endedAt"] = json!({"S": ended.to_string()});
        point["eventAt"] = json!({"S": told.to_string()});
    });
    for _ in 0..2 {
        lag(&world.invoke("ReportLag", &json!({})), "primary");
    }
    assert_eq!(told(world, key, "arrived-late"), 1);
    assert_eq!(told(world, key, "missed-15-minutes"), 0);
}

/// As [`crate::allowed`].
#[test]
fn the_lag_report_may_do_what_it_does_and_nothing_more() {
    let (world, _alone) = World::watched();
    what_is_late(world);
    let function = world.function("ReportLag");
    check(
        world,
        step(&function),
        &world.grants(&function),
        &asked(world)[&function],
    );
}

/// Every call: something late that arrives.
fn what_is_late(world: &World) {
    let key = "half/lag-allowed.txt";
    world.upload(key, b"late", &[]);
    let points = world.points(key);
    let mut late = points
        .iter()
        .find(|point| point["status"]["S"] == "failed")
        .unwrap()
        .clone();
    late["openSince"] = json!({"S": "2026-01-01T00:00:00Z"});
    world.put_point(&late);
    lag(&world.invoke("ReportLag", &json!({})), "nowhere");
    late["status"] = json!({"S": "stored"});
    late["endedAt"] = json!({"S": "2026-01-01T00:20:00Z"});
    late.as_object_mut().unwrap().remove("open");
    world.put_point(&late);
    lag(&world.invoke("ReportLag", &json!({})), "nowhere");
}
