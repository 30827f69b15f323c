//! The queued way in: its numbers against each other and against the code.

use backup_domain::copy::seconds_max;
use backup_domain::intake::{EXPRESS_MIB_MAX, RECEIVES_MAX, RETRY_SECONDS_MIN};
use backup_domain::limits::EXPRESS_SECONDS_MAX;
use serde_json::{Value, json};

use crate::linters::expanded;
use crate::machine::{names, tasks};

/// An EXPRESS execution ends before the call that waits for it, that before the function, and a
/// message stays hidden six times as long (AWS Lambda Developer Guide, "Creating and configuring an
/// Amazon SQS event source mapping").
#[test]
fn whoever_waits_waits_longer_than_what_it_waits_for() {
    let template = expanded();
    let of = |name: &str| template["Resources"][name]["Properties"].clone();
    let machine: Value = serde_json::from_str(
        of("ExpressStateMachine")["DefinitionString"]
            .as_str()
            .unwrap(),
    )
    .unwrap();
    let machine = machine["TimeoutSeconds"].as_u64().unwrap();
    assert_eq!(machine, u64::from(EXPRESS_SECONDS_MAX));
    let timeout = of("IntakeFunction")["Timeout"].as_u64().unwrap();
    assert!(timeout > machine + 5, "the call waits 5 seconds longer");
    let visibility = of("IntakeQueue")["VisibilityTimeout"].as_u64().unwrap();
    assert!(visibility >= 6 * timeout, "{visibility}");
    let redrive = of("IntakeQueue")["RedrivePolicy"].clone();
    assert_eq!(redrive["maxReceiveCount"], RECEIVES_MAX);
    let first = &of("IntakeFunction")["Environment"]["Variables"]["RETRY_SECONDS"];
    assert_eq!(first.as_str(), Some(RETRY_SECONDS_MIN.to_string().as_str()));
}

/// Both machines are one definition, but for what they are.
#[test]
fn both_machines_run_the_same_definition() {
    let template = expanded();
    let machine = |name: &str| {
        let properties = &template["Resources"][name]["Properties"];
        let mut substitutions = properties["DefinitionSubstitutions"].clone();
        let own = substitutions.as_object_mut().unwrap();
        let own = [
            "MachineType",
            "TimeoutSeconds",
            "ThrottledAttempts",
            "UnavailableAttempts",
        ]
        .map(|name| own.remove(name).unwrap());
        assert_eq!(own[0], properties["StateMachineType"]);
        let definition = properties["DefinitionString"].as_str().unwrap();
        let mut definition: Value = serde_json::from_str(definition).unwrap();
        assert_eq!(
            definition["TimeoutSeconds"].to_string(),
            own[1].as_str().unwrap()
        );
        let payload = &mut definition["States"]["Filter"]["Arguments"]["Payload"];
        assert_eq!(payload["machine"].take(), own[0]);
        definition["TimeoutSeconds"].take();
        let tries = own[2..]
            .iter()
            .map(|it| it.as_str().unwrap().parse().unwrap());
        assert!(forget_tries(&mut definition, &tries.collect::<Vec<u64>>()) > 20);
        (definition, substitutions, properties["RoleArn"].clone())
    };
    assert_eq!(
        machine("BackupStateMachine"),
        machine("ExpressStateMachine")
    );
}

/// Forgets how often a step is tried, where that is one of these; says how often it was.
fn forget_tries(definition: &mut Value, tries: &[u64]) -> usize {
    let known = |it: &Value| it.as_u64().is_some_and(|it| tries.contains(&it));
    match definition {
        Value::Object(fields) => fields
            .iter_mut()
            .map(|(name, value)| {
                if name == "MaxAttempts" && known(value) {
                    value.take();
                    return 1;
                }
                forget_tries(value, tries)
            })
            .sum(),
        Value::Array(list) => list.iter_mut().map(|it| forget_tries(it, tries)).sum(),
        _ => 0,
    }
}

/// All waits of a retrier, each as long as it can be, in seconds.
fn waits(retrier: &Value) -> f64 {
    let field = |field: &str| retrier[field].as_f64().unwrap();
    let (mut wait, mut sum) = (field("IntervalSeconds"), 0.0);
    for _ in 0..retrier["MaxAttempts"].as_u64().unwrap() {
        sum += wait.min(field("MaxDelaySeconds"));
        wait *= field("BackoffRate");
    }
    sum
}

/// A destination that refuses all with 503, and one that answers nothing at all: a run on the EXPRESS
/// machine has its failure recorded, parked and told, before the machine's time is over.
#[test]
fn an_express_run_has_time_left_to_record_what_its_destination_does_not_answer() {
    const OTHER_CALL_SECONDS: f64 = 25.0; // `CALL` of the clients, with their own retries
    const THROTTLED_CALL_SECONDS: f64 = 10.0; // three tries of the SDK, and its waits between them
    const TO_THE_END_SECONDS: f64 = 60.0; // Filter before it, RecordFailure, Park and Notify after it
    let template = expanded();
    let machine = &template["Resources"]["ExpressStateMachine"]["Properties"]["DefinitionString"];
    let machine: Value = serde_json::from_str(machine.as_str().unwrap()).unwrap();
    let states = &machine["States"]["MapSmall"]["ItemProcessor"]["States"];
    let copy_seconds = seconds_max((EXPRESS_MIB_MAX << 20) - 1);
    let copy_seconds = f64::from(u32::try_from(copy_seconds).unwrap());
    for state in ["Copy", "Verify", "Record"] {
        let retriers = states[state]["Retry"].as_array().unwrap();
        let of = |name: &str| {
            retriers
                .iter()
                .find(|it| names(it).iter().any(|it| it == name))
                .unwrap()
        };
        let tries = |retrier: &Value| retrier["MaxAttempts"].as_f64().unwrap() + 1.0;
        let throttled = of("Throttled");
        let throttled = waits(throttled) + tries(throttled) * THROTTLED_CALL_SECONDS;
        let away = of("DestinationUnavailable");
        // A try after the first one looks for what the one before has left, and hangs there.
        let first = if state == "Copy" {
            copy_seconds
        } else {
            OTHER_CALL_SECONDS
        };
        let away = waits(away) + first + (tries(away) - 1.0) * OTHER_CALL_SECONDS;
        let longest = throttled.max(away) + TO_THE_END_SECONDS;
        assert!(
            longest < f64::from(EXPRESS_SECONDS_MAX),
            "{state}: {longest} s"
        );
    }
}

/// DIRECT deploys no part of the queue, and the rule always has one target: the same one.
#[test]
fn direct_deploys_no_part_of_the_queue() {
    let template = expanded();
    let resources = template["Resources"].as_object().unwrap();
    let mut parts = 0;
    for (name, resource) in resources {
        let part = name.starts_with("Intake") || name.starts_with("Express");
        assert_eq!(part, resource["Condition"] == "HasQueue", "{name}");
        parts += usize::from(part);
    }
    assert!(parts >= 9, "{parts}");
    let targets = &resources["SourceRule"]["Properties"]["Targets"];
    assert_eq!(targets.as_array().map(Vec::len), Some(1), "{targets}");
    assert_eq!(targets[0]["Id"], "backup");
    assert_eq!(
        targets[0]["Arn"]["Fn::If"],
        json!([
            "IsQueued",
            {"Fn::Select": [0, [{"Fn::GetAtt": ["IntakeQueue", "Arn"]}, {"Ref": "IntakeQueuePolicy"}]]},
            {"Ref": "BackupStateMachine"}
        ])
    );
    for kept in ["IntakeQueue", "IntakeAgeAlarm"] {
        let policy = &resources[kept]["DeletionPolicy"];
        assert_eq!(*policy, "RetainExceptOnCreate", "{kept}");
    }
}

/// Too many at once, at AWS or at Lambda: the next try waits longer each time, for over half an hour.
#[test]
fn throttling_is_answered_by_a_long_backoff() {
    let throttled = |name: &String| name == "Throttled" || name.contains("TooManyRequests");
    let mut seen = 0;
    for (name, task) in tasks() {
        if task["Arguments"].get("FunctionName").is_none() {
            continue;
        }
        let retriers = task["Retry"].as_array().unwrap().iter();
        let own: Vec<_> = retriers
            .filter(|retrier| names(retrier).iter().any(throttled))
            .collect();
        let [own] = own[..] else {
            panic!("{name}: {own:?}");
        };
        assert!(
            names(own).iter().filter(|it| throttled(it)).count() == 2,
            "{name}"
        );
        let sum = waits(own);
        assert!(sum > 1800.0, "{name}: {sum} s");
        seen += 1;
    }
    assert!(seen >= 15, "{seen}");
}
