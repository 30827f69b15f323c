//! What failed is started again, once, and its message goes only then.

use std::collections::BTreeSet;

use backup_domain::event::object_of;
use backup_e2e::World;
use backup_e2e::world::wait;
use serde_json::{Value, json};

/// The sample messages of EventBridge, about this key.
fn undelivered(world: &World, key: &str, sample: &str) -> (String, Vec<(String, String)>) {
    let sample: Value = serde_json::from_str(sample).unwrap();
    let message = &sample["Messages"][0];
    let mut event: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    let faithful: Value = serde_json::from_str(&world.event_of(key)).unwrap();
    event["detail"]["bucket"]["name"] = faithful["detail"]["bucket"]["name"].clone();
    event["detail"]["object"] = faithful["detail"]["object"].clone();
    assert!(object_of(&event).is_some());
    let attributes = message["MessageAttributes"].as_object().unwrap();
    let attributes = attributes.iter().map(|(name, value)| {
        let value = value["StringValue"].as_str().unwrap();
        (name.clone(), value.to_owned())
    });
    (event.to_string(), attributes.collect())
}

fn send(world: &World, (body, attributes): &(String, Vec<(String, String)>)) {
    let attributes: Vec<_> = attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    world.send(body, &attributes);
}

/// A message as the machine parks it.
pub fn park(world: &World, input: &str, destinations: &str, attempt: &str) {
    let attributes = [
        ("destinations", destinations),
        ("error", "AccessDenied"),
        ("attempt", attempt),
    ];
    world.send(input, &attributes);
}

#[test]
fn a_failed_destination_is_redriven_alone_and_its_message_goes() {
    let (world, _alone) = World::redriven();
    let key = "two/a b+%41//é🦀/redriven.txt";
    // In the request line and in no header.
    let refused = "/second/two/a%20b";
    world.upload_refused(key, refused);
    let primary = world.versions(world.backup(), key);
    let redriven = world.redrive_all();
    assert_eq!(
        (&redriven["started"], &redriven["left"]),
        (&json!(1), &json!(0)),
        "{redriven}"
    );
    let started = world.redrives(key);
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].status, "SUCCEEDED", "{started:?}");
    let points = world.points(key);
    assert_eq!(points.len(), 2);
    for point in &points {
        assert_eq!(point["status"]["S"], "stored", "{point}");
        assert!(point["failedAt"].is_null(), "{point}");
    }
    let second = format!("second/{key}");
    assert_eq!(
        world.copy_of(&second).body,
        format!("content of {key}").as_bytes()
    );
    assert_eq!(
        world.versions(world.backup(), key),
        primary,
        "it was not copied again"
    );
    assert_eq!(world.parked(key).len(), 0);
    world.redrive_all();
    assert_eq!(world.redrives(key).len(), 1, "it is done");
}

/// SQS keeps a message for 14 days at most: the point is the record.
#[test]
fn a_failed_point_without_a_message_is_redriven() {
    let (world, _alone) = World::redriven();
    let key = "plain/no-message.txt";
    world.upload_refused(key, key);
    assert_eq!(world.parked(key).len(), 1, "taken off by this test");
    let redriven = world.redrive_all();
    assert_eq!(redriven["started"], 1, "{redriven}");
    world.has_become(key, "stored");
    assert_eq!(world.redrives(key).len(), 1);
}

#[test]
fn an_event_that_eventbridge_could_not_deliver_is_backed_up() {
    let (world, _alone) = World::redriven();
    for (name, sample) in [
        (
            "no-permission",
            include_str!("../../../../events/dead-letter-no-permission.json"),
        ),
        (
            "undelivered",
            include_str!("../../../../events/dead-letter-undelivered.json"),
        ),
    ] {
        let key = format!("plain/{name}.txt");
        world.upload(&key, b"undelivered", &[]);
        world.forget(&key);
        let message = undelivered(world, &key, sample);
        // At least once is what SQS promises.
        send(world, &message);
        send(world, &message);
        let redriven = world.redrive_all();
        // The second finds the first: it runs, or counts as started with it.
        let of = |name: &str| redriven[name].as_u64().unwrap();
        assert_eq!(of("started") + of("running"), 2, "{redriven}");
        assert_eq!(world.redrives(&key).len(), 1);
        world.has_become(&key, "stored");
        assert_eq!(world.parked(&key).len(), 0);
    }
}

/// EventBridge could not tell the watcher: what it would have done is done, and redriven.
#[test]
fn a_status_change_that_never_reached_the_watcher_is_closed() {
    let (world, _alone) = World::redriven();
    world.deliver_status(false);
    let key = "plain/unheard.txt";
    let (dead, _) = world.stopped_in_the_middle(key);
    let change = json!({"source": "aws.states", "detail-type": "Step Functions Execution Status Change",
                        "detail": {"executionArn": dead, "status": "ABORTED"}});
    world.send(
        &change.to_string(),
        &[(
            "RULE_ARN",
            "arn:aws:events:us-east-1:000000000000:rule/watcher",
        )],
    );
    let redriven = world.redrive_all();
    assert_eq!(
        (&redriven["closed"], &redriven["left"]),
        (&json!(1), &json!(0)),
        "{redriven}"
    );
    let point = world.has_become(key, "failed");
    assert_eq!(point["error"]["S"], "Aborted", "{point}");
    wait("it is told", || match world.told(key).len() {
        1 => Ok(()),
        told => Err(told.to_string()),
    });
    // Parked by that run, so the next one takes it up.
    let redriven = world.redrive_all();
    assert_eq!(redriven["started"], 1, "{redriven}");
    world.has_become(key, "stored");
    assert_eq!(world.parked(key).len(), 0);
    assert_eq!(world.parked(&dead).len(), 0, "the status change has gone");
}

/// An event that cannot be understood is parked whole, and started whole.
#[test]
fn an_event_that_was_recorded_whole_is_started_whole() {
    let (world, _alone) = World::redriven();
    let key = "plain/whole.txt";
    let first = world.upload(key, b"whole", &[]);
    world.forget(key);
    world.delete_policy();
    let ended = world.start_with(&world.input_of(&first.arn));
    world.put_policy(&world.usual_policy());
    assert_eq!(ended.error, "BackupFailed", "{ended:?}");
    let status = world.s3_backup(&["status", key]);
    assert_eq!(status.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&status.stdout).contains("InvalidPolicy"));
    let redriven = world.redrive_all();
    assert_eq!(redriven["started"], 1, "{redriven}");
    let started = world.redrives(key);
    assert_eq!(
        (started.len(), started[0].status.as_str()),
        (1, "SUCCEEDED")
    );
    assert_eq!(world.parked(key).len(), 0);
    assert_eq!(world.copy_of(key).body, b"whole");
    // Its record is failed until a redrive sees that it has come through.
    world.redrive_all();
    let points = world.points(key);
    let statuses: BTreeSet<_> = points
        .iter()
        .filter_map(|it| it["status"]["S"].as_str())
        .collect();
    assert_eq!(
        statuses,
        BTreeSet::from(["redriven", "stored"]),
        "{points:?}"
    );
    assert_eq!(world.redrives(key).len(), 1);
}

#[test]
fn rubbish_stays_in_the_queue_and_is_named() {
    let (world, _alone) = World::redriven();
    world.send("rubbish, and no JSON", &[]);
    world.send(r#"{"rubbish": "of somebody else", "source": "shop"}"#, &[]);
    for _ in 0..2 {
        let redriven = world.redrive_all();
        assert_eq!(
            (&redriven["rubbish"], &redriven["left"]),
            (&json!(2), &json!(0)),
            "{redriven}"
        );
    }
    let lines = world.logged("redrive");
    let named = lines.iter().filter(|line| line["outcome"] == "rubbish");
    assert_eq!(
        named
            .filter(|line| line["object"].as_str().is_some())
            .count(),
        4
    );
    assert_eq!(world.parked("rubbish").len(), 2, "seen again at once");
}

/// Attempts are used up, it is told once, and only force takes it up again.
#[test]
fn what_failed_in_every_redrive_is_given_up_and_told_once() {
    let (world, _alone) = World::redriven();
    let keys = ["plain/given-up.txt", "plain/given-up-too.txt"];
    for key in keys {
        let first = world.upload(key, b"in vain", &[]);
        world.make_failed(key, 6);
        park(world, &world.input_of(&first.arn), "primary", "5");
    }
    let redriven = world.redrive_all();
    assert_eq!(
        (&redriven["exhausted"], &redriven["started"]),
        (&json!(2), &json!(0)),
        "{redriven}"
    );
    for _ in 0..2 {
        let redriven = world.redrive_all();
        assert_eq!(
            (&redriven["exhausted"], &redriven["looked"]),
            (&json!(0), &json!(0)),
            "{redriven}"
        );
    }
    for key in keys {
        let point = world.has_become(key, "failed");
        assert!(point["exhausted"]["S"].is_string(), "{point}");
        assert_eq!(world.parked(key).len(), 0);
        assert_eq!(world.redrives(key).len(), 0);
    }
    let told = wait(
        "it is told",
        || match &world.told("GAVE UP: 2 backups")[..] {
            [told] => Ok(told.clone()),
            told => Err(format!("{told:?}")),
        },
    );
    for key in keys {
        assert!(told.to_string().contains(key), "{told}");
    }
    let of_key = world.s3_backup(&["status", keys[0]]);
    assert!(String::from_utf8_lossy(&of_key.stdout).contains("failed, given up"));
    let status = world.s3_backup(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (&status["exhausted"], &status["failed"]),
        (&json!(2), &json!(0)),
        "{status}"
    );

    let redriven = world.redrive(&json!({"force": true, "key": keys[0]}));
    assert_eq!(redriven["started"], 1, "{redriven}");
    let point = world.has_become(keys[0], "stored");
    assert!(point["exhausted"].is_null(), "{point}");
    world.has_become(keys[1], "failed");
}

/// An execution that ended before it took a lease leaves its point as it was: the next has another name.
#[test]
fn a_redrive_that_came_to_nothing_is_tried_under_the_next_name() {
    let (world, _alone) = World::redriven();
    let key = "plain/came-to-nothing.txt";
    world.upload(key, b"nothing", &[]);
    world.make_failed(key, 1);
    world.delete_policy();
    world.redrive_all();
    assert_eq!(world.redrives(key)[0].status, "FAILED");
    world.put_policy(&world.usual_policy());
    world.parked(key);
    world.redrive(&json!({"key": key}));
    let started = world.redrives(key);
    assert!(
        started.iter().any(|it| it.status == "SUCCEEDED"),
        "{started:?}"
    );
    assert_eq!(world.copy_of(key).body, b"nothing");
}

#[test]
fn filters_and_the_limit_choose_what_is_started() {
    let (world, _alone) = World::redriven();
    for key in [
        "plain/filter/a.txt",
        "plain/filter/b.txt",
        "plain/other.txt",
    ] {
        world.upload(key, b"filtered", &[]);
        world.make_failed(key, 1);
    }
    let started = |request: Value| world.redrive(&request)["started"].clone();
    assert_eq!(started(json!({"destination": "second"})), 0);
    assert_eq!(started(json!({"prefix": "plain/filter/", "limit": 1})), 1);
    world.is_quiet();
    assert_eq!(started(json!({"prefix": "plain/filter/"})), 1);
    world.has_become("plain/other.txt", "failed");
    assert_eq!(
        started(json!({"key": "plain/other.txt", "destination": "primary"})),
        1
    );
    world.has_become("plain/other.txt", "stored");
    let refused = world.redrive(&json!({"perfix": "plain/"}));
    assert_eq!(refused["errorType"], "InvalidEvent", "{refused}");
}
