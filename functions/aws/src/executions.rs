//! Whether the owner of a lease is still alive.

use aws_sdk_sfn::types::ExecutionStatus;
use backup_domain::task::Execution;

use crate::{ApiError, Failure};

/// Whether the execution in `owner` still runs; one that Step Functions does not know does not.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when Step Functions does not say.
pub async fn is_running(client: &aws_sdk_sfn::Client, owner: &str) -> Result<bool, Failure> {
    let arn = Execution::arn_of(owner);
    match client.describe_execution().execution_arn(arn).send().await {
        Ok(answer) => Ok(matches!(
            answer.status(),
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive
        )),
        Err(error) => match ApiError::of("DescribeExecution", &error) {
            api if matches!(api.code.as_str(), "ExecutionDoesNotExist" | "InvalidArn") => Ok(false),
            api => Err(api.at_service(arn)),
        },
    }
}
