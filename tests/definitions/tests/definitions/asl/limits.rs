//! Quotas, time-outs, what EXPRESS machines lack, partitions, and the calls that states make (AWS Step
//! Functions Developer Guide, "Service quotas", "Choosing workflow type", "Task state", "Integrating
//! services").

use serde_json::Value;

use super::Finding;
use super::deployed::{Kind, Machine};
use super::jsonata::strings_of;
use super::walk::{fields, scopes};

/// Bytes of a definition.
const DEFINITION_BYTES_MAX: usize = 1024 * 1024;
/// Seconds of a time-out or wait.
const SECONDS_MAX: u64 = 99_999_999;
/// Seconds of an EXPRESS execution.
const EXPRESS_SECONDS_MAX: u64 = 300;
/// Seconds of a Standard execution: a year.
const STANDARD_SECONDS_MAX: u64 = 365 * 24 * 60 * 60;

/// Optimized integrations that are used, with the arguments that each must and may have.
type Call = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);
const CALLS: [Call; 2] = [
    (
        "lambda:invoke",
        &["FunctionName"],
        &[
            "Payload",
            "InvocationType",
            "ClientContext",
            "LogType",
            "Qualifier",
        ],
    ),
    (
        "sqs:sendMessage",
        &["QueueUrl", "MessageBody"],
        &[
            "DelaySeconds",
            "MessageAttributes",
            "MessageDeduplicationId",
            "MessageGroupId",
        ],
    ),
];

pub fn checked(machine: &Machine, partition: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut report = |rule, at: &str, says| found.push(Finding::new(rule, at, says));
    let definition = &machine.definition;
    let bytes = machine.text.len();
    if bytes > DEFINITION_BYTES_MAX {
        report("definition-size", "", format!("it has {bytes} bytes"));
    }
    let limit = match machine.kind {
        Kind::Standard => STANDARD_SECONDS_MAX,
        Kind::Express => EXPRESS_SECONDS_MAX,
    };
    if let Some(seconds) = definition["TimeoutSeconds"].as_u64()
        && seconds > limit
    {
        let rule = match machine.kind {
            Kind::Standard => "timeout",
            Kind::Express => "express",
        };
        report(rule, "TimeoutSeconds", format!("{seconds} s"));
    }
    let mut strings = Vec::new();
    strings_of(definition, "", &mut strings);
    for (at, text) in strings {
        let foreign = text.split("arn:").skip(1).any(|rest| {
            let named = rest.split(':').next().unwrap_or_default();
            rest.contains(':') && named != partition
        });
        if foreign {
            report("partition", &at, format!("{text} is of another partition"));
        }
    }
    for scope in scopes(definition) {
        if scope.distributed && machine.kind == Kind::Express {
            let says = "an EXPRESS machine has no Distributed Map".to_owned();
            report("express", &scope.at, says);
        }
        for (name, state) in scope.states() {
            let at = scope.named(name);
            for (rule, says) in of_state(state, machine.kind) {
                report(rule, &at, says);
            }
        }
    }
    found
}

fn of_state(state: &Value, kind: Kind) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let seconds = |name: &str| state[name].as_u64();
    for name in ["TimeoutSeconds", "HeartbeatSeconds"] {
        let value = &state[name];
        let good = value.is_null()
            || value.is_string()
            || seconds(name).is_some_and(|value| (1..=SECONDS_MAX).contains(&value));
        if !good {
            found.push(("timeout", format!("{name} is {value}")));
        }
    }
    if let (Some(beat), Some(timeout)) = (seconds("HeartbeatSeconds"), seconds("TimeoutSeconds"))
        && beat >= timeout
    {
        let says = format!("HeartbeatSeconds {beat} is no less than TimeoutSeconds {timeout}");
        found.push(("heartbeat", says));
    }
    let wait = &state["Seconds"];
    if !(wait.is_null() || wait.is_string() || wait.as_u64().is_some_and(|it| it <= SECONDS_MAX)) {
        found.push(("wait", format!("Seconds is {wait}")));
    }
    if state["Type"] == "Task" {
        found.extend(of_task(state, kind));
    }
    found
}

fn of_task(state: &Value, kind: Kind) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let resource = state["Resource"].as_str().unwrap_or_default();
    let service = resource
        .split_once(":states:::")
        .map(|(_, service)| service);
    let pattern = [".sync", ".sync:2", ".waitForTaskToken"];
    let waits = pattern.iter().find(|end| resource.ends_with(*end));
    if let (Some(pattern), Kind::Express) = (waits, kind) {
        found.push(("express", format!("an EXPRESS machine has no {pattern}")));
        return found;
    }
    let call = CALLS.iter().find(|(name, ..)| service == Some(name));
    let Some((name, required, more)) = call else {
        let says = format!("{resource} is no call that is known here");
        found.push(("resource", says));
        return found;
    };
    for (argument, _) in fields(&state["Arguments"]) {
        if !required.contains(&argument.as_str()) && !more.contains(&argument.as_str()) {
            found.push(("arguments", format!("{name} has no {argument}")));
        }
    }
    for argument in *required {
        if state["Arguments"].get(argument).is_none() {
            found.push(("arguments", format!("{name} needs {argument}")));
        }
    }
    found
}
