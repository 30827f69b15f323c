//! Executions of the EXPRESS machine, whose answer is waited for.

use backup_domain::intake::Answer;

use crate::{ApiError, StepFunctions};

/// Runs an input on the EXPRESS machine and waits for its end, five minutes at most. Whatever the
/// call came to is an answer: whether it was throttled, failed or cut off, its message comes again.
///
/// A run that failed is answered with 200 (AWS Step Functions API Reference,
/// "StartSyncExecution").
pub async fn run(client: &StepFunctions, machine: &str, input: &str) -> Answer {
    let answer = client
        .start_sync_execution()
        .state_machine_arn(machine)
        .input(input)
        .send()
        .await;
    match answer {
        Ok(run) => Answer::Ended {
            status: run.status.as_str().to_owned(),
            error: run.error,
            output: run.output,
        },
        Err(error) => Answer::Nothing {
            why: ApiError::of("StartSyncExecution", &error)
                .at_service(machine)
                .message,
        },
    }
}
