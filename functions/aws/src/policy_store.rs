//! The policy, from its SSM parameter, cached in the Lambda.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backup_domain::Policy;
use backup_domain::policy::{self, PolicyError};
use tracing::warn;

use crate::{ApiError, Failure};

/// Reads the policy; a stale copy serves while SSM fails.
pub struct PolicyStore {
    client: aws_sdk_ssm::Client,
    parameter: String,
    sources: Vec<String>,
    keep: Duration,
    cached: Mutex<Option<(Instant, Arc<Policy>)>>,
}

impl PolicyStore {
    /// `keep` is how long a copy is taken for fresh.
    pub fn new(
        client: aws_sdk_ssm::Client,
        parameter: String,
        sources: Vec<String>,
        keep: Duration,
    ) -> Self {
        Self {
            client,
            parameter,
            sources,
            keep,
            cached: Mutex::default(),
        }
    }

    /// The watched buckets.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The policy in force.
    ///
    /// # Errors
    /// `InvalidPolicy` when it is missing or wrong, even if an older one is at hand: going on by
    /// rules that the owner has replaced would be a silent surprise. `AccessDenied`, `Throttled` or
    /// `DestinationUnavailable` when SSM fails and no copy is at hand.
    pub async fn load(&self) -> Result<Arc<Policy>, Failure> {
        let cached = self
            .cached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((at, policy)) = &cached
            && at.elapsed() < self.keep
        {
            return Ok(policy.clone());
        }
        match (self.fetch().await, cached) {
            (Ok(document), cached) => {
                let policy = Arc::new(policy::parse(&document, &self.sources)?);
                if cached.is_none_or(|(_, before)| before != policy) {
                    for remark in policy::remarks(&policy) {
                        warn!(remark, "the policy costs more than it may be meant to");
                    }
                }
                let fresh = Some((Instant::now(), policy.clone()));
                *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
                Ok(policy)
            }
            (Err(error), Some((_, stale))) if error.code != "ParameterNotFound" => {
                warn!(problem = %error.message, "the policy could not be read anew; the last one serves");
                Ok(stale)
            }
            (Err(error), _) if error.code == "ParameterNotFound" => Err(PolicyError::Missing {
                parameter: self.parameter.clone(),
            }
            .into()),
            (Err(error), _) => Err(error.at_service(&self.parameter)),
        }
    }

    async fn fetch(&self) -> Result<String, ApiError> {
        let answer = self
            .client
            .get_parameter()
            .name(&self.parameter)
            .send()
            .await;
        let answer = answer.map_err(|error| ApiError::of("GetParameter", &error))?;
        Ok(answer
            .parameter
            .and_then(|parameter| parameter.value)
            .unwrap_or_default())
    }
}
