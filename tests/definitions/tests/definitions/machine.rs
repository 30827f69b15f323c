//! State machine and template against each other and against the code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{read, root};

/// Definitions in `statemachine/`.
pub const MACHINES: [&str; 4] = ["backup", "restore", "audit", "backfill"];

/// As it is deployed, but for the ARNs.
pub fn definition(name: &str) -> String {
    read(&format!("statemachine/{name}.asl.json"))
        .replace("${TimeoutSeconds}", &substituted("TimeoutSeconds")[0])
        .replace("${ThrottledAttempts}", &substituted("ThrottledAttempts")[0])
        .replace(
            "${UnavailableAttempts}",
            &substituted("UnavailableAttempts")[0],
        )
        .replace("${MachineType}", "STANDARD")
        .replace("${BackfillConcurrency}", "40")
        .replace("${Partition}", "aws")
}

/// What the template substitutes for a name: in the Standard machine, then in the EXPRESS one.
fn substituted(name: &str) -> Vec<String> {
    let template = read("template.yaml");
    let lines = template.lines();
    let values = lines.filter_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
    values
        .map(|value| value.trim_matches('"').to_owned())
        .collect()
}

pub fn machine(name: &str) -> Value {
    serde_json::from_str(&definition(name)).unwrap()
}

/// All of them, one behind the other.
fn definitions() -> String {
    MACHINES.map(definition).concat()
}

/// All states by name, those inside a Map too.
fn states(machine: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, state) in machine["States"].as_object().unwrap() {
        if let Some(inner) = state.get("ItemProcessor") {
            found.extend(states(inner));
        }
        assert!(
            found.insert(name.clone(), state.clone()).is_none(),
            "{name} stands there twice"
        );
    }
    found
}

/// The tasks of all machines: a state's name is its function's, so that no two have one.
pub fn tasks() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, task) in MACHINES.into_iter().flat_map(tasks_of) {
        let before = found.insert(name.clone(), task);
        assert!(before.is_none(), "{name} stands in two machines");
    }
    found
}

fn tasks_of(machine_name: &str) -> BTreeMap<String, Value> {
    states(&machine(machine_name))
        .into_iter()
        .filter(|(_, state)| state["Type"] == "Task")
        .collect()
}

pub fn names(list: &Value) -> Vec<String> {
    list["ErrorEquals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_task_has_a_comment_a_time_limit_careful_retries_and_a_last_catcher() {
    for (name, task) in tasks() {
        assert!(
            task["Comment"].as_str().is_some_and(|text| text.len() > 30),
            "{name}: Comment"
        );
        assert!(task["TimeoutSeconds"].is_u64(), "{name}: TimeoutSeconds");
        for retry in task["Retry"].as_array().unwrap() {
            assert_eq!(retry["JitterStrategy"], "FULL", "{name}");
            assert!(
                retry["MaxDelaySeconds"].is_u64() && retry["BackoffRate"].is_number(),
                "{name}"
            );
        }
        let last = task["Catch"].as_array().unwrap().last().unwrap();
        assert_eq!(names(last), ["States.ALL"], "{name}");
    }
}

#[test]
fn every_transition_leads_to_a_state() {
    fn check(scope: &Value) {
        let names: BTreeSet<_> = scope["States"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for (name, state) in scope["States"].as_object().unwrap() {
            let mut next: Vec<&Value> = vec![&state["Next"], &state["Default"]];
            for field in ["Catch", "Choices"] {
                next.extend(
                    state[field]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|one| &one["Next"]),
                );
            }
            for target in next.into_iter().filter_map(Value::as_str) {
                assert!(names.contains(target), "{name} leads to {target}");
            }
            if let Some(inner) = state.get("ItemProcessor") {
                check(inner);
            }
        }
    }
    for name in MACHINES {
        check(&machine(name));
    }
}

/// `Timeout` of a function in the template, 60 where it has none of its own.
fn timeouts() -> BTreeMap<String, u64> {
    let template = read("template.yaml");
    let mut found = BTreeMap::new();
    for block in template.split("\n  # ---- Step ").skip(1) {
        let name = block.split(' ').next().unwrap().to_owned();
        let block = block.split("\n  # ---- ").next().unwrap();
        let own = block
            .lines()
            .find_map(|line| line.strip_prefix("      Timeout: "));
        found.insert(name, own.map_or(60, |text| text.parse().unwrap()));
    }
    found
}

/// A live function beside its own retry would be two of them.
#[test]
fn a_task_waits_longer_than_its_function_can_run_and_the_machine_longer_still() {
    let timeouts = timeouts();
    let machine_limit = |name| machine(name)["TimeoutSeconds"].as_u64().unwrap();
    let of_each = MACHINES.into_iter().flat_map(|machine| {
        let limit = machine_limit(machine);
        tasks_of(machine).into_iter().map(move |task| (task, limit))
    });
    for ((name, task), longest) in of_each {
        let Some(arn) = task["Arguments"]["FunctionName"].as_str() else {
            continue;
        };
        let function = arn
            .trim_start_matches("${")
            .trim_end_matches("FunctionArn}");
        let limit = task["TimeoutSeconds"].as_u64().unwrap();
        assert!(
            limit > timeouts[function],
            "{name}: {limit} s against {} s",
            timeouts[function]
        );
        assert!(limit < longest);
    }
    let longest = timeouts.values().max().unwrap();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let ends = substituted("TimeoutSeconds");
    let leases = ["LEASE_SECONDS", "EXPRESS_LEASE_SECONDS"].map(|name| {
        let template = read("template.yaml");
        let value = template.split(&format!(" {name}: \"")).nth(1).unwrap();
        number(value.split('"').next().unwrap())
    });
    assert_eq!(ends.len(), leases.len());
    for (end, lease) in ends.iter().zip(leases) {
        assert!(
            lease >= number(end) + longest,
            "an expired lease must have a dead holder"
        );
    }
}

/// `record-failure` of `RecordFailure`.
pub fn folder(name: &str) -> String {
    name.char_indices()
        .map(|(at, c)| {
            if c.is_uppercase() && at > 0 {
                format!("-{}", c.to_lowercase())
            } else {
                c.to_lowercase().to_string()
            }
        })
        .collect()
}

/// Functions that are no state of the machine: name, and what calls them instead.
pub const OUTSIDE: &[(&str, &str)] = &[
    ("Intake", "Lambda itself, with messages of its queue"),
    (
        "FollowLifecycle",
        "Lambda itself, with messages of its queue, that its rule feeds",
    ),
    (
        "Watcher",
        "its rule, with the executions whose end no state can see",
    ),
    ("Sweep", "its rule, by the clock"),
    ("ReportLag", "its rule, by the clock"),
    ("Redrive", "its rule, by the clock, and an operator"),
];

/// What the template says of whoever calls a function: a rule that may, or a queue.
fn caller(name: &str) -> Vec<String> {
    if ["Intake", "FollowLifecycle"].contains(&name) {
        return vec![
            format!("  {name}Source:\n    Type: AWS::Lambda::EventSourceMapping\n"),
            format!("      FunctionName: !GetAtt {name}Function.Arn\n"),
            format!("      EventSourceArn: !GetAtt {name}Queue.Arn\n"),
        ];
    }
    vec![
        format!("          Arn: !GetAtt {name}Function.Arn\n"),
        format!("      SourceArn: !GetAtt {name}Rule.Arn\n"),
    ]
}

/// Each has its caller, which may call it, and an alarm: no execution turns red where it fails.
#[test]
fn every_function_outside_the_machine_has_a_caller_and_an_alarm() {
    let (template, definition) = (read("template.yaml"), definitions());
    let folders = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("CodeUri: functions/"));
    let outside = OUTSIDE.iter().map(|(name, _)| folder(name));
    let known: BTreeSet<_> = timeouts()
        .into_keys()
        .map(|name| folder(&name))
        .chain(outside)
        .collect();
    assert_eq!(known, folders.map(str::to_owned).collect());
    for (name, _) in OUTSIDE {
        let folder = folder(name);
        for part in [
            format!("  # ---- Function {name}: "),
            format!("Binary: {folder} "),
            format!("  {name}Logs:\n"),
            format!("  {name}ErrorsAlarm:\n"),
        ]
        .into_iter()
        .chain(caller(name))
        {
            assert!(template.contains(&part), "{part:?} is not in the template");
        }
        assert!(
            !definition.contains(&format!("{name}Function")),
            "{name} is in a state: take it off the list"
        );
    }
}

/// One step, five spellings: state, folder, binary, resource, substitution.
#[test]
fn every_function_has_its_state_folder_log_group_and_substitution() {
    let (template, definition) = (read("template.yaml"), definitions());
    for name in timeouts().into_keys() {
        let folder = folder(&name);
        assert!(
            root()
                .join("functions")
                .join(&folder)
                .join("src/main.rs")
                .exists(),
            "functions/{folder}"
        );
        for part in [
            format!("CodeUri: functions/{folder}\n"),
            format!("Binary: {folder} "),
            format!("  {name}Logs:\n"),
            format!("{name}FunctionArn: !GetAtt {name}Function.Arn"),
        ] {
            assert!(template.contains(&part), "{part:?} is not in the template");
        }
        assert!(
            definition.contains(&format!("${{{name}FunctionArn}}")),
            "{name} is in no state"
        );
    }
}

/// Nothing in the pipeline ever deletes a backup version, and no role may do all of a kind.
#[test]
fn no_role_may_delete_and_no_action_is_a_wildcard() {
    let template = read("template.yaml");
    for line in template.lines() {
        // Without a version id this puts a delete marker on top, and removes nothing.
        let marker = line.trim() == "- s3:DeleteObject";
        assert!(marker || !line.contains("s3:Delete"), "{line}");
        let action = line
            .trim()
            .trim_start_matches("- ")
            .trim_start_matches("Action: ");
        let denied = line.contains("\"s3:*\"");
        assert!(
            denied || !(action.contains(":*") && line.contains("Action")),
            "{line}"
        );
    }
    assert_eq!(
        template.matches("Action: \"s3:*\"").count(),
        4,
        "those that deny what is not TLS"
    );
    assert_eq!(
        template.matches("Resource: \"*\"").count(),
        MACHINES.len(),
        "log delivery takes no resource"
    );
}
