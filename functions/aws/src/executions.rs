//! Executions of the state machine: whether the owner of a lease is still alive, which ended badly,
//! and starting one again.

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use backup_domain::task::Execution;
use backup_domain::watch::{Dead, Ended};
use jiff::Timestamp;
use serde_json::Value;

use crate::{ApiError, Failure, StepFunctions};

/// How an execution is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Step Functions does not know it: its history is gone, or it never was.
    Unknown,
    /// It runs.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Dead(Box<Dead>),
}

/// An execution of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its ARN.
    pub arn: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Timestamp,
}

/// Whether the execution in `owner` still runs; one that Step Functions does not know does not.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions does not say.
pub async fn is_running(client: &StepFunctions, owner: &str) -> Result<bool, Failure> {
    let state = describe(client, Execution::arn_of(owner)).await?;
    Ok(state == State::Running)
}

/// How an execution is.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions does not say.
pub async fn describe(client: &StepFunctions, arn: &str) -> Result<State, Failure> {
    let answer = match client.describe_execution().execution_arn(arn).send().await {
        Ok(answer) => answer,
        Err(error) => {
            return match ApiError::of("DescribeExecution", &error) {
                api if matches!(api.code.as_str(), "ExecutionDoesNotExist" | "InvalidArn") => {
                    Ok(State::Unknown)
                }
                api => Err(api.at_service(arn)),
            };
        }
    };
    Ok(match answer.status() {
        ExecutionStatus::Running | ExecutionStatus::PendingRedrive => State::Running,
        ExecutionStatus::Failed => dead(answer, Ended::Failed),
        ExecutionStatus::TimedOut => dead(answer, Ended::TimedOut),
        ExecutionStatus::Aborted => dead(answer, Ended::Aborted),
        _ => State::Succeeded,
    })
}

/// When an execution ended; now, where it has not.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions does not say.
pub async fn stopped_at(client: &StepFunctions, arn: &str) -> Result<Timestamp, Failure> {
    let answer = client.describe_execution().execution_arn(arn).send().await;
    let answer =
        answer.map_err(|error| ApiError::of("DescribeExecution", &error).at_service(arn))?;
    Ok(answer.stop_date().map_or_else(Timestamp::now, instant))
}

fn dead(answer: DescribeExecutionOutput, ended: Ended) -> State {
    let event: Option<Value> = answer
        .input
        .as_deref()
        .and_then(|input| serde_json::from_str(input).ok());
    State::Dead(Box::new(Dead {
        start_time: instant(&answer.start_date).to_string(),
        arn: answer.execution_arn,
        ended,
        error: answer.error,
        cause: answer.cause,
        event: event.unwrap_or_default(),
    }))
}

fn instant(date: &aws_smithy_types::DateTime) -> Timestamp {
    Timestamp::from_nanosecond(date.as_nanos()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A page of the executions with this status, those first that started last; then the token of the
/// next page.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
pub async fn list(
    client: &StepFunctions,
    machine: &str,
    ended: Ended,
    page: i32,
    token: Option<String>,
) -> Result<(Vec<Listed>, Option<String>), Failure> {
    let status = match ended {
        Ended::Failed => ExecutionStatus::Failed,
        Ended::TimedOut => ExecutionStatus::TimedOut,
        Ended::Aborted => ExecutionStatus::Aborted,
    };
    let answer = client
        .list_executions()
        .state_machine_arn(machine)
        .status_filter(status)
        .max_results(page)
        .set_next_token(token)
        .send()
        .await
        .map_err(|error| ApiError::of("ListExecutions", &error).at_service(machine))?;
    let listed = answer.executions.into_iter().map(|execution| Listed {
        started_at: instant(&execution.start_date),
        stopped_at: execution.stop_date.as_ref().map_or(Timestamp::MAX, instant),
        arn: execution.execution_arn,
    });
    Ok((listed.collect(), answer.next_token))
}

/// Starts an execution under a name. Says whether there was none of that name before; one with the
/// same input that still runs counts as started now (AWS Step Functions API Reference,
/// "StartExecution").
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
pub async fn start(
    client: &StepFunctions,
    machine: &str,
    name: &str,
    input: &str,
) -> Result<bool, Failure> {
    let answer = client
        .start_execution()
        .state_machine_arn(machine)
        .name(name)
        .input(input)
        .send()
        .await;
    match answer {
        Ok(_) => Ok(true),
        Err(error) => match ApiError::of("StartExecution", &error) {
            api if api.code == "ExecutionAlreadyExists" => Ok(false),
            api => Err(api.at_service(machine)),
        },
    }
}

/// The ARN of the execution of this name.
pub fn arn_of(machine: &str, name: &str) -> String {
    let execution = machine.replacen(":stateMachine:", ":execution:", 1);
    format!("{execution}:{name}")
}

/// How many executions run, and whether there are more than one page shows (1,000: AWS Step
/// Functions API Reference, "ListExecutions").
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
pub async fn running(client: &StepFunctions, machine: &str) -> Result<(usize, bool), Failure> {
    let answer = client
        .list_executions()
        .state_machine_arn(machine)
        .status_filter(ExecutionStatus::Running)
        .max_results(1000)
        .send()
        .await
        .map_err(|error| ApiError::of("ListExecutions", &error).at_service(machine))?;
    Ok((answer.executions.len(), answer.next_token.is_some()))
}
