//! What a deployed stack is made of, for who knows its name alone.

use backup_domain::breaker::Limits;
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clients::listed;
use crate::{ApiError, ErrorName, Failure};

/// Names of a stack's resources. The deployment writes them, as JSON, into the SSM parameter
/// `/<stack>/resources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Bucket that is backed up.
    pub source: String,
    /// DynamoDB table of recovery points.
    pub catalog: String,
    /// ARN of the state machine.
    pub state_machine: String,
    /// ARN of the state machine that restores.
    pub restore_machine: String,
    /// ARN of the state machine that backs up what was there before.
    pub backfill_machine: String,
    /// ARN of the state machine that audits.
    pub audit_machine: String,
    /// Bucket of plans and reports of restores and audits.
    pub reports: String,
    /// URL of the dead-letter queue.
    pub queue: String,
    /// URL of the queue in which events wait, empty where none does.
    #[serde(default)]
    pub intake_queue: String,
    /// ARN of the topic.
    pub topic: String,
    /// SSM parameter that holds the policy.
    pub policy: String,
    /// Redrives before something is given up.
    pub redrive_attempts_max: u32,
    /// When breakers open, and for how long.
    pub breaker: BreakerLimits,
    /// How long messages of one kind are gathered, in minutes.
    pub digest_minutes: i64,
}

/// What the roles of a stack may use. The deployment writes it, as JSON, into the SSM parameter
/// `/<stack>/access`: beside the resources, since a standard parameter holds 4 KB.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Access {
    /// ARNs of KMS keys, separated by commas.
    keys: String,
    /// Buckets that copies may go to, separated by commas.
    buckets: String,
}

impl Access {
    /// ARNs of KMS keys.
    pub fn keys(&self) -> Vec<String> {
        listed(&self.keys)
    }

    /// Buckets that copies may go to.
    pub fn buckets(&self) -> Vec<String> {
        listed(&self.buckets)
    }
}

/// The limits of breakers as the deployment writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerLimits {
    /// Failures that open one; 0 where there is none.
    pub failures: u32,
    /// How long they are counted together.
    pub window_seconds: i64,
    /// How long it stays open.
    pub cool_down_seconds: i64,
}

impl From<BreakerLimits> for Limits {
    fn from(limits: BreakerLimits) -> Self {
        Self {
            failures: limits.failures,
            window: SignedDuration::from_secs(limits.window_seconds),
            cool_down: SignedDuration::from_secs(limits.cool_down_seconds),
        }
    }
}

/// The resources of a stack, or `None` where this region and account have none of that name.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SSM does not say, the last also
/// when another release wrote what is there.
pub async fn find(client: &aws_sdk_ssm::Client, stack: &str) -> Result<Option<Resources>, Failure> {
    read(client, &format!("/{stack}/resources")).await
}

/// What the roles of a stack may use, or `None` where a release wrote the stack that does not say.
///
/// # Errors
/// As [`find`].
pub async fn access(client: &aws_sdk_ssm::Client, stack: &str) -> Result<Option<Access>, Failure> {
    read(client, &format!("/{stack}/access")).await
}

async fn read<T: DeserializeOwned>(
    client: &aws_sdk_ssm::Client,
    name: &str,
) -> Result<Option<T>, Failure> {
    let answer = match client.get_parameter().name(name).send().await {
        Ok(answer) => answer,
        Err(error) => {
            return match ApiError::of("GetParameter", &error) {
                api if api.code == "ParameterNotFound" => Ok(None),
                api => Err(api.at_service(name)),
            };
        }
    };
    let text = answer.parameter.and_then(|it| it.value);
    let text = text.unwrap_or_default();
    serde_json::from_str(&text).map(Some).map_err(|problem| {
        let mut failure = Failure::new(
            ErrorName::DestinationUnavailable,
            format!("the parameter {name} cannot be read: {problem}"),
        );
        failure.advice = "deploy the stack with the release of this command".to_owned();
        failure
    })
}
