//! What passes between states, at its worst, measured: the longest keys of the characters that JSON
//! writes longest, under a policy as long as a parameter holds, to as many destinations as a rule
//! takes, each failed with the longest cause.

use backup_domain::error::{self, Cause, cause_of, one_line};
use backup_domain::event;
use backup_domain::limits::{
    CAUSE_CHARS_MAX, CAUSE_MESSAGE_BYTES_MAX, KEY_BYTES_MAX, MAP_ITERATIONS_MAX, NAME_BYTES_MAX,
    OBJECT_BYTES_MAX, PART_BYTES_MIN, RULE_DESTINATIONS_MAX, SNS_MESSAGE_BYTES_MAX,
    SSM_ADVANCED_BYTES_MAX, STATE_PAYLOAD_BYTES_MAX,
};
use backup_domain::message::{Story, compose};
use backup_domain::multipart::{Begun, Side, Upload, reading};
use backup_domain::parts::plan_parts;
use backup_domain::policy::{self, NotifyLevel};
use backup_domain::task::{Decision, Outcome, Target};
use serde::Serialize;
use serde_json::{Value, json};

/// Percent of a limit that is used at most; the rest is room for what a release to come adds.
const PAYLOAD_SHARE_MAX: usize = 50;
/// The same for what people read at its end: causes and mails.
const TEXT_SHARE_MAX: usize = 75;

/// JSON writes a control character at six times its length, a quote at twice, and twice again at
/// each further level; other characters stay as they are.
const WORST: [&str; 3] = ["\u{1}", "\"", "🦀"];

struct Worst {
    event: Value,
    object: Value,
    execution: Value,
    targets: Vec<Target>,
    /// What each destination's failure says, before anything cuts it.
    message: String,
}

fn filled(with: &str, bytes: usize) -> String {
    with.repeat(bytes / with.len())
}

fn worst(with: &str) -> Worst {
    let (bucket, key, version) = (
        "b".repeat(63),
        filled(with, KEY_BYTES_MAX),
        "v".repeat(1024),
    );
    let arn = format!(
        "arn:aws:states:ap-southeast-1:111122223333:execution:{}:{}",
        "m".repeat(80),
        "e".repeat(80)
    );
    let object = json!({
        "bucket": bucket, "key": key, "versionId": version, "size": 50_000_000_000_000_u64,
        "etag": "e".repeat(64), "sequencer": "F".repeat(64), "lastModified": "2026-11-01T00:00:00Z",
        "eventAt": "2026-11-01T00:00:00Z", "account": "111122223333", "region": "ap-southeast-1",
    });
    let event = json!({
        "version": "0", "id": "11111111-2222-3333-4444-555555555555", "detail-type": "Object Created",
        "source": "aws.s3", "account": "111122223333", "time": "2026-11-01T00:00:00Z",
        "region": "ap-southeast-1", "resources": [format!("arn:aws:s3:::{bucket}")],
        "detail": {
            "version": "0", "bucket": {"name": bucket},
            "object": {"key": key, "size": 50_000_000_000_000_u64, "etag": "e".repeat(64), "version-id": version, "sequencer": "F".repeat(64)},
            "request-id": "R".repeat(64), "requester": "r".repeat(256), "source-ip-address": "s".repeat(45), "reason": "PutObject",
        },
    });
    Worst {
        execution: json!({"id": arn, "startTime": "2026-11-01T00:00:00.000Z"}),
        targets: targets(with, &key),
        event,
        object,
        message: filled(with, 4 * CAUSE_CHARS_MAX),
    }
}

/// Under a policy whose prefixes fill the parameter, checked as in the function.
fn targets(with: &str, key: &str) -> Vec<Target> {
    let name = |number: usize| format!("{number:0>NAME_BYTES_MAX$}");
    let document = |prefix: &str| {
        let destination = |number| {
            (
                name(number),
                json!({"bucket": "b".repeat(63), "region": "ap-southeast-1", "account": "111122223333", "prefix": prefix}),
            )
        };
        let destinations: serde_json::Map<_, _> =
            (0..RULE_DESTINATIONS_MAX).map(destination).collect();
        let names: Vec<_> = destinations.keys().collect();
        let rules = json!([{"name": filled(with, NAME_BYTES_MAX), "destinations": names}]);
        json!({"version": 1, "destinations": destinations, "rules": rules}).to_string()
    };
    let fits = |prefix: &String| document(prefix).len() <= SSM_ADVANCED_BYTES_MAX;
    let prefix = (1..KEY_BYTES_MAX / with.len()).map(|times| with.repeat(times));
    let document = document(&prefix.take_while(fits).last().unwrap());
    assert!(
        document.len() > SSM_ADVANCED_BYTES_MAX - 256,
        "{}",
        document.len()
    );
    let policy = policy::parse(&document, &[]).unwrap();
    let rule = &policy.rules[0];
    assert_eq!(rule.destinations.len(), RULE_DESTINATIONS_MAX);
    let target = |name: &String| {
        let destination = &policy.destinations[name];
        let target = json!({
            "name": name, "destination": destination, "key": format!("{}{key}", destination.prefix),
            "read": true, "archived": "fail", "rule": rule.name, "attempts": u32::MAX,
        });
        serde_json::from_value(target).unwrap()
    };
    rule.destinations.iter().map(target).collect()
}

/// What `$states.errorOutput` holds where a function raised: JSON within JSON within JSON.
fn error_output(name: &str, cause: &Cause) -> Value {
    let raised = json!({"errorType": name, "errorMessage": serde_json::to_string(cause).unwrap()});
    json!({"Error": name, "Cause": raised.to_string()})
}

fn stored(target: &Target) -> Outcome {
    let destination = &target.destination;
    let outcome = json!({
        "destination": target.name, "outcome": "stored", "bucket": destination.bucket,
        "region": destination.region, "key": target.key, "versionId": "v".repeat(1024),
        "evidence": {"kind": "stored", "algorithm": "CRC64NVME", "value": "s".repeat(88)},
    });
    serde_json::from_value(outcome).unwrap()
}

impl Worst {
    /// The cause that leaves a function, as `serve` makes it.
    fn cause(&self, target: &Target) -> Cause {
        Cause {
            error: "DestinationUnversioned".to_owned(),
            object: event::object_of(&self.event),
            destination: Some(target.name.clone()),
            message: one_line(&self.message, CAUSE_MESSAGE_BYTES_MAX),
            advice: "a".repeat(256),
            side: Some(error::Side::Destination),
        }
    }

    /// As RecordFailure hands it on: without the object, which all outcomes share.
    fn failed(&self, target: &Target) -> Outcome {
        let destination = &target.destination;
        let cause = Cause {
            object: None,
            ..self.cause(target)
        };
        let outcome = json!({
            "destination": target.name, "outcome": "unparked", "bucket": destination.bucket,
            "region": destination.region, "key": target.key, "cause": cause,
        });
        serde_json::from_value(outcome).unwrap()
    }

    /// What the machine itself says of a destination when the catalog was away too.
    fn unrecorded(&self, target: &Target) -> Value {
        let failure = error_output("DestinationUnversioned", &self.cause(target));
        let said: String = failure["Cause"]
            .as_str()
            .unwrap()
            .chars()
            .take(unrecorded_chars())
            .collect();
        json!({
            "destination": target.name, "outcome": "unparked",
            "cause": {"error": failure["Error"], "message": said, "advice": "a".repeat(256)},
        })
    }
}

/// How much of a raw cause the machine keeps behind this text, as the definition says.
fn kept_chars(before: &str) -> usize {
    let machine = crate::read("statemachine/backup.asl.json");
    // Each scope has a failure of its own name.
    let failures = ["failure", "copyFailure", "partsFailure"];
    let mut said = Vec::new();
    for failure in failures {
        let cut = format!("{before}$exists(${failure}.Cause) ? $substring(${failure}.Cause, 0, ");
        let kept = machine.split(&cut).skip(1);
        said.extend(kept.map(|rest| rest.split(')').next().unwrap()));
        assert!(
            !machine.contains(&format!("? ${failure}.Cause")),
            "a cause is kept whole"
        );
    }
    assert!(!said.is_empty(), "{before} is nowhere");
    assert!(said.iter().all(|chars| *chars == said[0]), "{said:?}");
    said[0].parse().unwrap()
}

/// Where the catalog was away too.
fn unrecorded_chars() -> usize {
    kept_chars("'message': ")
}

/// What the states of a multipart copy carry is a few KB for the largest object, as for any.
#[test]
fn the_largest_object_takes_a_few_kilobytes_of_state() {
    let plan = plan_parts(OBJECT_BYTES_MAX, PART_BYTES_MIN).unwrap();
    let begun = Begun {
        ended: None,
        upload: Some(Upload {
            id: "u".repeat(128),
            plan,
            algorithm: "CRC64NVME".into(),
            marked: true,
        }),
        source: None,
        modified: None,
        cut_off: false,
        probe: true,
        remark: String::new(),
        segments: plan.segments(),
    };
    assert_eq!(begun.segments.len() as u64, MAP_ITERATIONS_MAX);
    let sides = [(Side::Source, "e-10000"), (Side::Copy, "e-10000")];
    let mut ranges = reading(OBJECT_BYTES_MAX, &sides);
    for range in &mut ranges {
        range.read = range.range.bytes;
        range.sum = "f".repeat(16);
    }
    for (what, bytes) in [("begun", bytes(&begun)), ("ranges", bytes(&ranges))] {
        println!("{what}: {bytes} bytes");
        assert!(bytes < 8 * 1024, "{what}: {bytes}");
    }
}

/// Every segment of a multipart copy fails, each with a cause of four bytes a character.
#[test]
fn the_failures_of_all_segments_together_stay_below_the_limit() {
    let cause: String = "🦀".repeat(kept_chars("\"Cause\": \"{% "));
    let failure = json!({"failure": {"Error": "DestinationUnversioned", "Cause": cause}});
    let segments = vec![failure; usize::try_from(MAP_ITERATIONS_MAX).unwrap()];
    bounded(
        "failed segments",
        "four bytes a character",
        bytes(&segments),
        STATE_PAYLOAD_BYTES_MAX,
        75,
    );
}

fn bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).unwrap().len()
}

fn bounded(what: &str, with: &str, bytes: usize, limit: usize, share_max: usize) {
    println!(
        "{what} with {with:?}: {bytes} of {limit}, {} %",
        bytes * 100 / limit
    );
    assert!(
        bytes * 100 <= limit * share_max,
        "{what} with {with:?}: {bytes} of {limit}"
    );
}

/// `cargo test -p backup-definitions payload -- --nocapture` prints each size.
#[test]
fn every_payload_stays_well_below_the_limit() {
    for with in WORST {
        let worst = worst(with);
        let decision: Decision = serde_json::from_value(json!({
            "action": "small", "outcome": "backed-up", "reason": "", "object": worst.object,
            "rule": worst.targets[0].rule, "notify": "all", "targets": worst.targets,
        }))
        .unwrap();
        let state = |what: &str, value: &dyn Fn() -> Value| {
            bounded(
                what,
                with,
                bytes(&value()),
                STATE_PAYLOAD_BYTES_MAX,
                PAYLOAD_SHARE_MAX,
            );
        };
        state("Filter's output", &|| json!(decision));

        let target = &worst.targets[0];
        let failure = error_output("DestinationUnversioned", &worst.cause(target));
        let record_failure = |failure: &Value| json!({"object": worst.object, "target": target, "execution": worst.execution, "event": worst.event, "errorOutput": failure});
        state("RecordFailure's input", &|| record_failure(&failure));
        let said = json!({"errorType": "alloc::string::String", "errorMessage": worst.message});
        let said: String = said.to_string().chars().take(CAUSE_CHARS_MAX).collect();
        let panicked = json!({"Error": "alloc::string::String", "Cause": said});
        let after_a_panic = bytes(&record_failure(&panicked));
        bounded(
            "RecordFailure's input after a panic",
            with,
            after_a_panic,
            STATE_PAYLOAD_BYTES_MAX,
            TEXT_SHARE_MAX,
        );

        let recorded = cause_of(&failure);
        assert_eq!(recorded, worst.cause(target), "nothing is lost on the way");
        let all = |outcome: &dyn Fn(&Target) -> Value| -> Value {
            worst.targets.iter().map(outcome).collect()
        };
        for (what, outcomes) in [
            ("all stored", all(&|target| json!(stored(target)))),
            ("all failed", all(&|target| json!(worst.failed(target)))),
            (
                "all failed, the catalog away",
                all(&|target| worst.unrecorded(target)),
            ),
        ] {
            let notify = json!({"event": worst.event, "execution": worst.execution, "notify": "all", "outcomes": outcomes});
            state(&format!("Notify's input, {what}"), &|| notify.clone());
            let untold = error_output("AccessDenied", &worst.cause(target));
            let output =
                json!({"outcome": "backed-up", "destinations": outcomes, "untold": untold});
            state(
                &format!("Notify's output when it is broken, {what}"),
                &|| output.clone(),
            );
            mail(&worst, with, what, outcomes);
        }
    }
}

fn mail(worst: &Worst, with: &str, what: &str, outcomes: Value) {
    let outcomes: Vec<Outcome> = serde_json::from_value(outcomes).unwrap();
    let object = event::object_of(&worst.event);
    let story = Story {
        object: object.as_ref(),
        size: Some(u64::MAX),
        event_at: worst.event["time"].as_str(),
        outcomes: &outcomes,
        execution: worst.execution["id"].as_str().unwrap(),
        region: "ap-southeast-1",
    };
    let message = compose(&story, NotifyLevel::All).unwrap();
    // As `topic::publish` sends it: the JSON goes along where it is short enough.
    let json = Some(message.json.len()).filter(|bytes| *bytes < SNS_MESSAGE_BYTES_MAX / 2);
    let bytes = message.text.len() + json.unwrap_or_default();
    let what = format!("the mail, {what}");
    bounded(&what, with, bytes, SNS_MESSAGE_BYTES_MAX, TEXT_SHARE_MAX);
}

/// A cause over the limit would be cut by Step Functions, and JSON that is cut cannot be read.
#[test]
fn every_cause_is_short_enough_to_stay_whole() {
    for with in WORST {
        let worst = worst(with);
        let target = &worst.targets[0];
        let raised = error_output("BackupFailed", &worst.cause(target));
        let chars = |text: &str| text.chars().count();
        let cause = |whose: &str, chars: usize| {
            let what = format!("{whose} cause");
            bounded(&what, with, chars, CAUSE_CHARS_MAX, TEXT_SHARE_MAX);
        };
        let whole = chars(raised["Cause"].as_str().unwrap());
        cause("a function's", whole);
        let failed = serde_json::to_string(&worst.cause(target)).unwrap();
        cause("Failed's", chars(&failed));
        let untold = worst.unrecorded(target)["cause"].to_string();
        cause("FailedUntold's", chars(&untold));
    }
}
