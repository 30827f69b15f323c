//! Executions of the state machine, read from Step Functions.

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
