//! Clients, made once, and the settings of a function: the only reader of the environment.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use backup_domain::limits::EXPRESS_SECONDS_MAX;

use crate::serve::start_logging;

/// Longest wait for one call, its retries included: below the time-out of the shortest function.
const CALL: Duration = Duration::from_secs(25);
/// Longest wait for one answer.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Longest wait for an EXPRESS execution: behind its own end, below the time-out of the function
/// that waits.
const EXPRESS_CALL: Duration = Duration::from_secs(EXPRESS_SECONDS_MAX as u64 + 5);

/// Client of S3, in one region.
pub type S3 = aws_sdk_s3::Client;
/// Client of Step Functions.
pub type StepFunctions = aws_sdk_sfn::Client;
/// Client of SQS.
pub type Sqs = aws_sdk_sqs::Client;
/// Client of SNS.
pub type Sns = aws_sdk_sns::Client;

/// A setting that is missing or unreadable; the function cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {name} {problem}: deploy the template again")]
pub struct SettingError {
    name: &'static str,
    problem: String,
}

/// Settings of a function: its environment variables, set by the template.
#[derive(Debug, Clone, Copy)]
pub struct Settings;

impl Settings {
    /// A text that must be there.
    ///
    /// # Errors
    /// [`SettingError`] when it is missing or empty.
    pub fn text(self, name: &'static str) -> Result<String, SettingError> {
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .ok_or_else(|| SettingError {
                name,
                problem: "is not set".to_owned(),
            })
    }

    /// Names separated by commas; empty ones are left out.
    ///
    /// # Errors
    /// [`SettingError`] when it is missing or empty.
    pub fn list(self, name: &'static str) -> Result<Vec<String>, SettingError> {
        self.text(name).map(|text| listed(&text))
    }

    /// A number or the like that must be there.
    ///
    /// # Errors
    /// [`SettingError`] when it is missing or of another kind.
    pub fn parse<T: FromStr>(self, name: &'static str) -> Result<T, SettingError> {
        let text = self.text(name)?;
        text.parse().map_err(|_| SettingError {
            name,
            problem: format!("cannot be {text:?}"),
        })
    }
}

/// Names separated by commas; empty ones are left out.
pub(crate) fn listed(text: &str) -> Vec<String> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The function's own name, set by Lambda; none on the command line.
pub(crate) fn own_name() -> Option<String> {
    std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok()
}

/// The function's own name goes into the user agent of every call: CloudTrail and
/// access logs then say which step made it.
fn app_name() -> Option<AppName> {
    let name = own_name()?;
    let made = AppName::new(name);
    made.inspect_err(|problem| tracing::warn!(%problem, "calls do not name the function"))
        .ok()
}

/// SDK clients of one function; clones share them.
#[derive(Clone)]
pub struct Clients {
    config: SdkConfig,
    path_style: bool,
    s3_by_region: Arc<Mutex<HashMap<String, aws_sdk_s3::Client>>>,
}

impl Clients {
    /// Reads credentials, region and endpoint, and starts logging.
    pub async fn from_env() -> Self {
        start_logging();
        Self::load(app_name()).await
    }

    /// The same without a log, for a program whose output is its own; calls name it.
    pub async fn quiet(program: &'static str) -> Self {
        Self::load(AppName::new(program).ok()).await
    }

    async fn load(app: Option<AppName>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(CALL)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        if let Some(name) = app {
            loader = loader.app_name(name);
        }
        let config = loader.load().await;
        // An endpoint that is not AWS has no name per bucket.
        let path_style = std::env::var("AWS_ENDPOINT_URL").is_ok()
            || std::env::var("AWS_ENDPOINT_URL_S3").is_ok();
        Self::new(config, path_style)
    }

    /// Clients of a configuration that is at hand. `path_style` names buckets in the path instead
    /// of the host name.
    pub fn new(config: SdkConfig, path_style: bool) -> Self {
        Self {
            config,
            path_style,
            s3_by_region: Arc::default(),
        }
    }

    /// The same clients in another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let region = Region::new(region.to_owned());
        let config = self.config.to_builder().region(region).build();
        Self::new(config, self.path_style)
    }

    /// S3 in a region: copies are asked of the region that receives them.
    pub fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        let mut clients = self
            .s3_by_region
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        clients
            .entry(region.to_owned())
            .or_insert_with(|| self.new_s3(region))
            .clone()
    }

    /// S3 in the region that the environment names.
    pub fn home_s3(&self) -> aws_sdk_s3::Client {
        self.s3(&self.region())
    }

    fn new_s3(&self, region: &str) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .force_path_style(self.path_style)
            // Verify compares checksums itself; a ranged body has none to validate.
            .response_checksum_validation(
                aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired,
            )
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// DynamoDB of the function's region.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// KMS in a region: a key is described where it is.
    pub fn kms(&self, region: &str) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .build();
        aws_sdk_kms::Client::from_conf(config)
    }

    /// STS of the function's region.
    pub fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }

    /// The region that the environment names, empty where it names none.
    pub fn region(&self) -> String {
        let region = self.config.region().map(ToString::to_string);
        region.unwrap_or_default()
    }

    /// SSM of the function's region.
    pub fn ssm(&self) -> aws_sdk_ssm::Client {
        aws_sdk_ssm::Client::new(&self.config)
    }

    /// Step Functions of the function's region.
    pub fn step_functions(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// Step Functions of the function's region, to wait for the answer of an EXPRESS execution.
    ///
    /// A call is made once: whether a lost one started anything is not known, and the message that
    /// asked for it comes again.
    pub fn step_functions_waiting(&self) -> aws_sdk_sfn::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(EXPRESS_CALL)
            .operation_timeout(EXPRESS_CALL)
            .build();
        let mut config = aws_sdk_sfn::config::Builder::from(&self.config)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        if self.path_style {
            config = config.interceptor(PlainHost);
        }
        aws_sdk_sfn::Client::from_conf(config.build())
    }

    /// SQS of the function's region.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// SNS of the function's region.
    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }
}

/// An endpoint that is not AWS has no host name per operation, such as `sync-states…` of
/// StartSyncExecution.
#[derive(Debug)]
struct PlainHost;

#[dyn_dispatch_hint]
impl Intercept for PlainHost {
    fn name(&self) -> &'static str {
        "PlainHost"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let plain = request.uri().replacen("://sync-", "://", 1);
        Ok(request.set_uri(plain)?)
    }
}
