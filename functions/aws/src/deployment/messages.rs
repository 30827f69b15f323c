//! A queue and a topic as SQS and SNS describe them.

use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use backup_domain::deployment::{Finding, Queue, Severity, Topic};

use super::{Inspected, not_checked};
use crate::{ApiError, Clients};

/// A queue by its URL.
pub async fn queue(clients: &Clients, url: &str) -> Inspected<Queue> {
    let name = url.rsplit('/').next().unwrap_or_default();
    let on = format!("queue {name}");
    let client = clients.sqs();
    let asked = client.get_queue_attributes().queue_url(url);
    let asked = asked.set_attribute_names(Some(vec![
        Attribute::Policy,
        Attribute::MessageRetentionPeriod,
        Attribute::QueueArn,
        Attribute::KmsMasterKeyId,
    ]));
    let attributes = match asked.send().await {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(error) => {
            let api = ApiError::of("GetQueueAttributes", &error);
            return Inspected::none(if is_gone(&api) {
                no_queue(name)
            } else {
                not_checked(on, &api)
            });
        }
    };
    let text = |name: &Attribute| attributes.get(name).map(String::as_str);
    let policy = text(&Attribute::Policy).map(serde_json::from_str);
    let retention = text(&Attribute::MessageRetentionPeriod).and_then(|it| it.parse().ok());
    match (policy.transpose(), retention) {
        (Ok(policy), Some(retention_seconds)) => Inspected::of(Queue {
            arn: text(&Attribute::QueueArn).unwrap_or_default().to_owned(),
            policy,
            retention_seconds,
            has_key: text(&Attribute::KmsMasterKeyId).is_some_and(|it| !it.is_empty()),
        }),
        (policy, retention) => Inspected::none(Finding::new(
            "NotChecked",
            Severity::Unknown,
            on,
            format!("its attributes cannot be read: policy {policy:?}, retention {retention:?}"),
            "read them by aws sqs get-queue-attributes",
        )),
    }
}

fn is_gone(api: &ApiError) -> bool {
    api.code.ends_with("QueueDoesNotExist") || api.code.ends_with("NonExistentQueue")
}

/// The URL of a queue by its name, or that there is none.
///
/// # Errors
/// The finding.
pub async fn queue_url(clients: &Clients, name: &str) -> Result<String, Finding> {
    match clients.sqs().get_queue_url().queue_name(name).send().await {
        Ok(answer) => answer.queue_url.ok_or_else(|| no_queue(name)),
        Err(error) => {
            let api = ApiError::of("GetQueueUrl", &error);
            Err(if is_gone(&api) {
                no_queue(name)
            } else {
                not_checked(format!("queue {name}"), &api)
            })
        }
    }
}

fn no_queue(name: &str) -> Finding {
    Finding::new(
        "NoSuchQueue",
        Severity::Unfit,
        format!("queue {name}"),
        "there is no such queue in this account and region",
        "correct its name, or leave the parameter empty to create one",
    )
}

/// A topic by its ARN.
pub async fn topic(clients: &Clients, arn: &str) -> Inspected<Topic> {
    let on = format!("topic {}", arn.rsplit(':').next().unwrap_or_default());
    let asked = clients.sns().get_topic_attributes().topic_arn(arn);
    match asked.send().await {
        Ok(answer) => {
            let attributes = answer.attributes.unwrap_or_default();
            let confirmed = attributes.get("SubscriptionsConfirmed");
            let key = attributes.get("KmsMasterKeyId");
            Inspected::of(Topic {
                arn: arn.to_owned(),
                confirmed: confirmed.and_then(|it| it.parse().ok()).unwrap_or_default(),
                has_key: key.is_some_and(|it| !it.is_empty()),
            })
        }
        Err(error) => Inspected::none(match ApiError::of("GetTopicAttributes", &error) {
            api if api.code.starts_with("NotFound") => Finding::new(
                "NoSuchTopic",
                Severity::Unfit,
                on,
                "there is no such topic",
                "correct NotificationTopicArn, or leave it empty to create one",
            ),
            api => not_checked(on, &api),
        }),
    }
}
