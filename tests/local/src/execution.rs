//! Executions of the state machine, read from Step Functions.

use std::collections::HashMap;
use std::time::Duration;

use backup_stack::{Cloud, Result, Service};
use serde_json::{Value, json};

/// An execution as far as it has come.
#[derive(Debug)]
pub struct Execution {
    pub arn: String,
    pub name: String,
    pub status: String,
    /// Seconds since 1970.
    pub started_at: f64,
    /// The object it is about.
    pub key: String,
    pub output: Value,
    pub error: String,
    /// The cause of a failure: our own JSON, or the text as a JSON string.
    pub cause: Value,
}

impl Execution {
    pub fn is_over(&self) -> bool {
        self.status != "RUNNING"
    }
}

/// The ARNs of the machine's executions, the newest first.
pub fn list(cloud: &Cloud, machine: &str, count_max: u32) -> Result<Vec<String>> {
    let input = json!({"stateMachineArn": machine, "maxResults": count_max});
    let answer = cloud.json(Service::StepFunctions, "ListExecutions", &input)?;
    let executions = answer["executions"].as_array().into_iter().flatten();
    Ok(executions
        .filter_map(|execution| execution["executionArn"].as_str())
        .map(String::from)
        .collect())
}

pub fn describe(cloud: &Cloud, arn: &str) -> Result<Execution> {
    let input = json!({"executionArn": arn});
    let answer = cloud.json(Service::StepFunctions, "DescribeExecution", &input)?;
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let event = parsed(text("input"));
    Ok(Execution {
        arn: arn.into(),
        name: text("name").into(),
        status: text("status").into(),
        started_at: answer["startDate"].as_f64().unwrap_or_default(),
        key: event["detail"]["object"]["key"]
            .as_str()
            .unwrap_or_default()
            .into(),
        output: parsed(text("output")),
        error: text("error").into(),
        cause: parsed(text("cause")),
    })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// One state an execution went through.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub state: String,
    /// None while the execution is still in it.
    pub took: Option<Duration>,
}

/// The steps of an execution so far, in the order they were entered.
pub fn steps(cloud: &Cloud, arn: &str) -> Result<Vec<Step>> {
    let input = json!({
        "executionArn": arn,
        "maxResults": 1000,
        "includeExecutionData": false,
    });
    let answer = cloud.json(Service::StepFunctions, "GetExecutionHistory", &input)?;
    Ok(steps_of(
        answer["events"].as_array().map_or(&[], Vec::as_slice),
    ))
}

/// States that only route or hold others are left out: they take no time of their own.
fn steps_of(events: &[Value]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open: HashMap<&str, (usize, f64)> = HashMap::new();
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        let at = event["timestamp"].as_f64().unwrap_or_default();
        if kind.starts_with("Map") || kind.starts_with("Choice") {
            continue;
        }
        if let Some(state) = event["stateEnteredEventDetails"]["name"].as_str() {
            open.insert(state, (steps.len(), at));
            steps.push(Step {
                state: state.into(),
                took: None,
            });
        } else if let Some(state) = event["stateExitedEventDetails"]["name"].as_str()
            && let Some((index, entered)) = open.remove(state)
        {
            steps[index].took = Some(Duration::from_secs_f64((at - entered).max(0.0)));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(kind: &str, state: &str, timestamp: f64) -> Value {
        json!({"type": format!("{kind}StateEntered"), "timestamp": timestamp,
            "stateEnteredEventDetails": {"name": state}})
    }

    fn exited(kind: &str, state: &str, timestamp: f64) -> Value {
        json!({"type": format!("{kind}StateExited"), "timestamp": timestamp,
            "stateExitedEventDetails": {"name": state}})
    }

    #[test]
    fn steps_are_the_working_states_with_their_times() {
        let events = [
            json!({"type": "ExecutionStarted", "timestamp": 0.5}),
            entered("Task", "Filter", 1.0),
            exited("Task", "Filter", 1.25),
            entered("Choice", "Plan", 1.25),
            exited("Choice", "Plan", 1.25),
            entered("Map", "MapSmall", 1.25),
            entered("Task", "Copy", 1.5),
        ];
        let step = |state: &str, took| Step {
            state: state.into(),
            took,
        };
        assert_eq!(
            steps_of(&events),
            [
                step("Filter", Some(Duration::from_millis(250))),
                step("Copy", None)
            ]
        );
    }
}
