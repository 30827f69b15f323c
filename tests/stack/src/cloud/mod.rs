//! A small client for the local stack: what the demo, the status page and the deployment need.
//!
//! The local stack checks no signature, but it reads service and region out of the header that
//! would carry one.

mod json;
mod query;
mod s3;

use std::time::Duration;

use ureq::Agent;
use ureq::http::{Request, Response};

pub use s3::Object;

use crate::REGION;
use crate::error::{Error, Result};

/// Long enough for any single call, short enough that a hung stack is noticed.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The services that are called, each by the protocol the local stack understands best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    CloudFormation,
    DynamoDb,
    Events,
    Iam,
    Kms,
    Lambda,
    S3,
    Sns,
    Sqs,
    Ssm,
    StepFunctions,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::CloudFormation => "CloudFormation",
            Self::DynamoDb => "DynamoDB",
            Self::Events => "EventBridge",
            Self::Iam => "IAM",
            Self::Kms => "KMS",
            Self::Lambda => "Lambda",
            Self::S3 => "S3",
            Self::Sns => "SNS",
            Self::Sqs => "SQS",
            Self::Ssm => "SSM",
            Self::StepFunctions => "Step Functions",
        }
    }

    /// The name inside a signature.
    fn scope(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::DynamoDb => "dynamodb",
            Self::Events => "events",
            Self::Iam => "iam",
            Self::Kms => "kms",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Ssm => "ssm",
            Self::StepFunctions => "states",
        }
    }
}

/// A client of one local stack, in one region.
#[derive(Debug, Clone)]
pub struct Cloud {
    endpoint: String,
    region: String,
    agent: Agent,
}

impl Cloud {
    pub fn new(endpoint: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(CALL_TIMEOUT))
            // A user's proxy has no business with loopback.
            .proxy(None)
            .build();
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            region: REGION.into(),
            agent: config.into(),
        }
    }

    /// The same stack in another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.into(),
            ..self.clone()
        }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the stack says of itself; none while it does not answer.
    pub(crate) fn health(&self) -> Option<serde_json::Value> {
        let answer = self
            .agent
            .get(format!("{}/_ministack/health", self.endpoint))
            .config()
            .timeout_global(Some(Duration::from_secs(2)))
            .build()
            .call()
            .ok()?;
        let mut body = answer.into_body();
        serde_json::from_slice(&body.read_to_vec().ok()?).ok()
    }

    fn authorization(&self, service: Service) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/{}/{}/aws4_request, SignedHeaders=host, \
             Signature=0",
            self.region,
            service.scope()
        )
    }

    fn send(&self, action: &str, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let unreachable = |cause: Box<dyn std::error::Error + Send + Sync>| Error::Unreachable {
            endpoint: self.endpoint.clone(),
            action: action.to_owned(),
            cause,
        };
        let answer = if request.body().is_empty() {
            let (parts, _) = request.into_parts();
            self.agent.run(Request::from_parts(parts, ()))
        } else {
            self.agent.run(request)
        };
        let answer = answer.map_err(|cause| unreachable(cause.into()))?;
        let (parts, mut body) = answer.into_parts();
        let bytes = body
            .with_config()
            .limit(u64::MAX)
            .read_to_vec()
            .map_err(|cause| unreachable(cause.into()))?;
        Ok(Response::from_parts(parts, bytes))
    }
}

/// What an invalid header or address of a request is turned into.
fn unsendable(action: &str) -> impl FnOnce(ureq::http::Error) -> Error + '_ {
    move |cause| Error::Answer {
        action: action.to_owned(),
        what: format!("the request itself is invalid: {cause}"),
    }
}
