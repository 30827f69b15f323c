//! One batch of messages, each on its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_aws::catalog::{Catalog, Copy, CopyOf};
use backup_aws::policy_store::PolicyStore;
use backup_domain::Policy;
use backup_domain::catalog::partition_key;
use backup_domain::lifecycle::{Happened, LifecycleEvent, parse};
use serde_json::Value;
use tracing::{info, warn};

/// Messages that are worked on at once.
const AT_ONCE: usize = 10;

/// The function's clients and settings.
pub struct Follow {
    pub policy: PolicyStore,
    pub catalog: Catalog,
    /// Source bucket: recovery points are found by its keys.
    pub source: String,
}

impl Follow {
    /// Follows each message's event, and names those that come again (AWS Lambda Developer Guide,
    /// "Handling errors for an SQS event source in Lambda": a partial batch response).
    ///
    /// # Errors
    /// As reading the policy: then all of them come again.
    pub async fn take(self: Arc<Self>, batch: SqsEvent) -> Result<SqsBatchResponse, Failure> {
        let policy = self.policy.load().await?;
        let messages = batch.records.len();
        let done = each(batch.records, AT_ONCE, |message| {
            let (follow, policy) = (Arc::clone(&self), Arc::clone(&policy));
            async move { follow.one(&policy, message).await }
        });
        let mut response = SqsBatchResponse::default();
        for id in done.await.into_iter().flatten() {
            let mut back = BatchItemFailure::default();
            back.item_identifier = id;
            response.batch_item_failures.push(back);
        }
        let back = response.batch_item_failures.len();
        info!(messages, back, "followed");
        Ok(response)
    }

    /// Returns the message's id where it comes again.
    async fn one(&self, policy: &Policy, message: SqsMessage) -> Option<String> {
        let body = message.body.as_deref().unwrap_or_default();
        let event: Value = serde_json::from_str(body).unwrap_or_default();
        let Some(event) = parse(&event) else {
            warn!(message = ?message.message_id, "no catalog follows such an event");
            return None;
        };
        match self.follow(policy, &event).await {
            Ok(changed) => {
                let (version_id, happened) = (&event.version_id, &event.happened);
                info!(key = %event.key, %version_id, ?happened, changed, "lifecycle");
                None
            }
            Err(problem) => {
                warn!(key = %event.key, problem = %problem.message, "comes again");
                Some(message.message_id.unwrap_or_default())
            }
        }
    }

    /// Several destinations may lie in one bucket, each under its prefix: a copy is that of the point
    /// that has recorded it.
    async fn follow(&self, policy: &Policy, event: &LifecycleEvent) -> Result<bool, Failure> {
        let destinations = policy.destinations.values();
        let own = destinations.filter(|it| it.bucket == event.bucket);
        let keys: BTreeSet<_> = own
            .filter_map(|it| event.key.strip_prefix(it.prefix.as_str()))
            .collect();
        let copy = Copy {
            of: CopyOf::Bucket {
                bucket: &event.bucket,
                key: &event.key,
            },
            version_id: &event.version_id,
        };
        for key in keys {
            let pk = partition_key(&self.source, key);
            let changed = match &event.happened {
                Happened::Expired => self.catalog.expire(&pk, copy, event.at).await?,
                Happened::Transitioned(class) => self.catalog.transition(&pk, copy, class).await?,
            };
            if changed {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
