//! `cargo local status`.

use std::io::{Write, stdout};
use std::time::{Duration, SystemTime};

use backup_stack::{Cloud, Kept, Layout, Service};
use comfy_table::Table;
use console::style;
use serde_json::json;

use crate::execution::{self, Execution};
use crate::failure::{Failure, Result};
use crate::say::{duration, is_of_use_here, printable, table};

const EXECUTIONS_SHOWN: u32 = 10;

pub fn run() -> Result<()> {
    let layout = Layout::of_workspace();
    let kept = Kept::find(&layout)?.ok_or(Failure::NotRunning)?;
    let cloud = kept.cloud();
    let outputs = kept.outputs()?;

    let mut out = stdout().lock();
    let mut facts = table();
    facts.add_row(["endpoint", kept.endpoint()]);
    facts.add_row(["up for", &duration(kept.uptime())]);
    facts.add_row(["process", &kept.pid().to_string()]);
    facts.add_row(["log", &kept.log().display().to_string()]);
    for (name, value) in outputs.iter().filter(|it| is_of_use_here(it.0)) {
        facts.add_row([name, &printable(value)]);
    }
    if let Some(queue) = outputs.get("DeadLetterQueueUrl") {
        facts.add_row(["parked events", &queue_depth(&cloud, queue)?]);
    }
    writeln!(out, "{}\n{facts}", style("s3-backup is up").bold())?;
    if outputs.is_empty() {
        return Err(Failure::NotDeployed);
    }
    if let Some(machine) = outputs.get("StateMachineArn") {
        let executions = latest(&cloud, machine)?;
        if executions.is_empty() {
            writeln!(out, "No object has come in yet.")?;
        } else {
            writeln!(out, "Latest executions:\n{}", shown(&executions))?;
        }
    }
    Ok(())
}

fn latest(cloud: &Cloud, machine: &str) -> Result<Vec<Execution>> {
    let mut executions = Vec::new();
    for arn in execution::list(cloud, machine, EXECUTIONS_SHOWN)? {
        executions.push(execution::describe(cloud, &arn)?);
    }
    Ok(executions)
}

fn shown(executions: &[Execution]) -> Table {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let mut table = table();
    table.set_header(["execution", "object", "status", "began"]);
    for execution in executions {
        let began = Duration::try_from_secs_f64(execution.started_at).unwrap_or_default();
        table.add_row([
            execution.name.clone(),
            printable(&execution.key),
            status(execution),
            format!("{} ago", duration(now.saturating_sub(began))),
        ]);
    }
    table
}

/// The status with what says more: the outcome of a success, the error of a failure.
fn status(execution: &Execution) -> String {
    let more = match execution.status.as_str() {
        "SUCCEEDED" => execution.output["outcome"].as_str(),
        "FAILED" => execution.cause["error"].as_str().or(Some(&execution.error)),
        _ => None,
    };
    match more {
        Some(more) => format!("{}, {}", execution.status, printable(more)),
        None => execution.status.clone(),
    }
}

fn queue_depth(cloud: &Cloud, queue: &str) -> Result<String> {
    let name = "ApproximateNumberOfMessages";
    let input = json!({"QueueUrl": queue, "AttributeNames": [name]});
    let answer = cloud.json(Service::Sqs, "GetQueueAttributes", &input)?;
    let depth = answer["Attributes"][name].as_str().unwrap_or("?");
    Ok(depth.to_owned())
}
