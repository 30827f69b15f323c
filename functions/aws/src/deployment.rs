//! What AWS says of the resources that a deployment works on, for [`backup_domain::deployment`].
//!
//! Read-only, with an operator's own credentials. What they may not ask is a finding too, so that nothing
//! is taken for fit that was not looked at.

mod bucket;
mod messages;
mod table;

use std::fmt;

use aws_sdk_kms::types::KeyManagerType;
use backup_domain::deployment::{Finding, Key, KeyState, Severity};

pub use bucket::{bucket, default_key};
pub use messages::{queue, queue_url, topic};
pub use table::table;

use crate::{ApiError, Clients};

/// What was asked of a resource, and what could not be.
#[derive(Debug)]
pub struct Inspected<T> {
    /// What AWS says; `None` where there is no such resource.
    pub resource: Option<T>,
    /// What keeps the caller from asking, or that it is not there.
    pub findings: Vec<Finding>,
}

impl<T> Inspected<T> {
    fn of(resource: T) -> Self {
        Self {
            resource: Some(resource),
            findings: vec![],
        }
    }

    fn none(finding: Finding) -> Self {
        Self {
            resource: None,
            findings: vec![finding],
        }
    }
}

/// That a resource could not be looked at: it may be fit all the same.
fn not_checked(on: impl fmt::Display, error: &ApiError) -> Finding {
    let ApiError {
        operation,
        code,
        message,
        ..
    } = error;
    let remedy = if error.is_unknown_caller() {
        "get new credentials, then run this again".to_owned()
    } else if error.is_denied() {
        format!(
            "run this with credentials that may call {operation}; a bucket may also belong to another account"
        )
    } else {
        "check the network and AWS_REGION, then run this again".to_owned()
    };
    Finding::new(
        "NotChecked",
        Severity::Unknown,
        on.to_string(),
        format!("{operation} was refused or got no answer: {code} {message}"),
        remedy,
    )
}

/// The account of the caller.
///
/// # Errors
/// That it is not known.
pub async fn account(clients: &Clients) -> Result<String, Finding> {
    let answer = clients.sts().get_caller_identity().send().await;
    let answer = answer.map_err(|error| {
        let api = ApiError::of("GetCallerIdentity", &error);
        not_checked("account", &api)
    })?;
    Ok(answer.account.unwrap_or_default())
}

/// A key by its ARN, asked in its own region. Of another account's key nothing is asked: its policy may not be read
/// (AWS KMS API Reference, "GetKeyPolicy": cross-account use: no).
pub async fn key(clients: &Clients, arn: &str, account: &str) -> Inspected<Key> {
    let on = format!("key {arn}");
    let mut key = Key {
        arn: arn.to_owned(),
        state: None,
        policy: None,
    };
    if arn.split(':').nth(4) != Some(account) {
        return Inspected::of(key);
    }
    let client = clients.kms(arn.split(':').nth(3).unwrap_or_default());
    let mut findings = Vec::new();
    match client.describe_key().key_id(arn).send().await {
        Ok(answer) => {
            let state = answer.key_metadata.and_then(|it| it.key_state);
            key.state = state.map(|state| match state.as_str() {
                "Enabled" => KeyState::Enabled,
                other => KeyState::Other(other.to_owned()),
            });
        }
        Err(error) => match ApiError::of("DescribeKey", &error) {
            api if api.code == "NotFoundException" => {
                key.state = Some(KeyState::Missing);
                return Inspected::of(key);
            }
            api => findings.push(not_checked(&on, &api)),
        },
    }
    let asked = client.get_key_policy().key_id(arn).policy_name("default");
    match asked.send().await {
        Ok(answer) => {
            let text = answer.policy.unwrap_or_default();
            match serde_json::from_str(&text) {
                Ok(policy) => key.policy = Some(policy),
                Err(problem) => findings.push(Finding::new(
                    "NotChecked",
                    Severity::Unknown,
                    on,
                    format!("its key policy is no JSON: {problem}"),
                    "read it by aws kms get-key-policy",
                )),
            }
        }
        Err(error) => {
            let api = ApiError::of("GetKeyPolicy", &error);
            findings.push(not_checked(on, &api));
        }
    }
    Inspected {
        resource: Some(key),
        findings,
    }
}

/// The ARN of a key by its id, its alias or its ARN; none where AWS manages it.
pub async fn owners_key(clients: &Clients, key: &str, region: &str, on: &str) -> Inspected<String> {
    let asked = clients.kms(region).describe_key().key_id(key);
    match asked.send().await {
        Ok(answer) => {
            let metadata = answer.key_metadata;
            let of_owner = metadata.filter(|it| it.key_manager == Some(KeyManagerType::Customer));
            Inspected {
                resource: of_owner.and_then(|it| it.arn),
                findings: vec![],
            }
        }
        Err(error) => Inspected::none(not_checked(on, &ApiError::of("DescribeKey", &error))),
    }
}
