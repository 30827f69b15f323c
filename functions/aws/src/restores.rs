//! Executions of the restore and the backfill machine, for who starts and follows one from outside.

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use backup_domain::error::{Cause, cause_of};
use backup_domain::restore::course::Work;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{ApiError, ErrorName, Failure, S3, StepFunctions};

/// How one is.
#[derive(Debug, Clone)]
pub enum State<C> {
    /// It runs.
    Running,
    /// It ended well, with this output.
    Ended(Box<C>),
    /// It ended badly.
    Failed(Cause),
}

/// Starts one and returns the ARN of its execution.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions refuses.
pub async fn start(
    client: &StepFunctions,
    machine: &str,
    input: &Value,
) -> Result<String, Failure> {
    let answer = client
        .start_execution()
        .state_machine_arn(machine)
        .input(input.to_string())
        .send()
        .await
        .map_err(|error| ApiError::of("StartExecution", &error).at_service(machine))?;
    Ok(answer.execution_arn)
}

/// What one was started with.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions does not say.
pub async fn input(client: &StepFunctions, execution: &str) -> Result<Value, Failure> {
    let answer = describe(client, execution).await?;
    let input = answer.input().unwrap_or_default();
    Ok(serde_json::from_str(input).unwrap_or_default())
}

async fn describe(
    client: &StepFunctions,
    execution: &str,
) -> Result<DescribeExecutionOutput, Failure> {
    let answer = client
        .describe_execution()
        .execution_arn(execution)
        .send()
        .await;
    answer.map_err(|error| ApiError::of("DescribeExecution", &error).at_service(execution))
}

/// How one is.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions does not say.
pub async fn state<C: DeserializeOwned>(
    client: &StepFunctions,
    execution: &str,
) -> Result<State<C>, Failure> {
    let answer = describe(client, execution).await?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match answer.status() {
        ExecutionStatus::Running => Ok(State::Running),
        ExecutionStatus::Succeeded => {
            let course = serde_json::from_str(&text(answer.output()));
            course.map(State::Ended).map_err(|problem| {
                let message = format!("the output of {execution} cannot be read: {problem}");
                Failure::new(ErrorName::DestinationUnavailable, message)
            })
        }
        status => {
            let error = answer.error().unwrap_or(status.as_str());
            let raised = json!({"errorMessage": text(answer.cause())}).to_string();
            let output = json!({"Error": error, "Cause": raised});
            Ok(State::Failed(cause_of(&output)))
        }
    }
}

/// How many lines of a plan have results: a function that begins with one leaves an empty document.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when S3 does not say.
pub async fn lines_done(client: &S3, work: &Work) -> Result<u64, Failure> {
    let mut pages = client
        .list_objects_v2()
        .bucket(&work.bucket)
        .prefix(work.results_of_all())
        .into_paginator()
        .send();
    let mut done = 0;
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| ApiError::of("ListObjectsV2", &error).at_service(&work.bucket))?;
        let ended = page.contents().iter().filter(|it| it.size() > Some(2));
        done += ended.count() as u64;
    }
    Ok(done)
}
