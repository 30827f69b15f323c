//! Queues: the dead-letter queue, where events wait for a redrive, and the one of the intake.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName as System,
    QueueAttributeName,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{ApiError, Failure, Sqs};

/// Parks an event as the state machine's Park does: the event is the body, attributes say for which
/// destinations (names separated by commas, or `*`), for which error, and which attempt it was.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SQS refuses.
pub async fn park(
    client: &Sqs,
    queue: &str,
    event: &Value,
    destinations: &[String],
    error: &str,
) -> Result<(), Failure> {
    let attempt = event.pointer("/redrive/attempt").and_then(Value::as_u64);
    let attempt = attempt.unwrap_or_default().to_string();
    let destinations = destinations.join(",");
    let mut request = client
        .send_message()
        .queue_url(queue)
        .message_body(event.to_string());
    for (name, kind, value) in [
        ("destinations", "String", destinations.as_str()),
        ("error", "String", error),
        ("attempt", "Number", attempt.as_str()),
    ] {
        let attribute = MessageAttributeValue::builder()
            .data_type(kind)
            .string_value(value)
            .build();
        // Only a missing type is refused.
        if let Ok(attribute) = attribute {
            request = request.message_attributes(name, attribute);
        }
    }
    let answer = request.send().await;
    answer
        .map(drop)
        .map_err(|error| ApiError::of("SendMessage", &error).at_service(queue))
}

/// Lets a received message come again after so many seconds.
///
/// # Limits
/// 43,200 seconds (Amazon SQS API Reference, "ChangeMessageVisibility").
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable`: it comes again when the queue's own
/// visibility time-out ends.
pub async fn postpone(
    client: &Sqs,
    queue: &str,
    receipt_handle: &str,
    seconds: u32,
) -> Result<(), Failure> {
    let answer = client
        .change_message_visibility()
        .queue_url(queue)
        .receipt_handle(receipt_handle)
        .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX))
        .send()
        .await;
    answer
        .map(drop)
        .map_err(|error| ApiError::of("ChangeMessageVisibility", &error).at_service(queue))
}

/// Messages of one answer, at most (Amazon SQS API Reference, "ReceiveMessage").
const BATCH: i32 = 10;

/// A message that waits.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// What it says.
    pub body: String,
    /// Its attributes by name, those that are text or numbers.
    pub attributes: BTreeMap<String, String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it is deleted by.
    pub receipt: String,
}

/// How many messages there are, as SQS estimates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Those that wait.
    pub waiting: u64,
    /// Those that somebody has received and not deleted yet.
    pub in_flight: u64,
}

/// Seconds that an answer may wait for messages: asked without a wait, only some of the queue's servers
/// are, and an empty answer would say nothing (Amazon SQS Developer Guide, "Amazon SQS short and long
/// polling").
const WAIT_SECONDS: i32 = 1;

/// Receives up to ten messages, which nobody else sees for `hidden_seconds`; none where none waits.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SQS refuses.
pub async fn receive(
    client: &Sqs,
    queue: &str,
    hidden_seconds: i32,
) -> Result<Vec<Message>, Failure> {
    let answer = client
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(BATCH)
        .visibility_timeout(hidden_seconds)
        .wait_time_seconds(WAIT_SECONDS)
        .message_attribute_names("All")
        .message_system_attribute_names(System::SentTimestamp)
        .send()
        .await
        .map_err(|error| ApiError::of("ReceiveMessage", &error).at_service(queue))?;
    let messages = answer.messages.unwrap_or_default();
    Ok(messages.into_iter().map(read).collect())
}

fn read(message: SqsMessage) -> Message {
    let sent = message
        .attributes
        .as_ref()
        .and_then(|it| it.get(&System::SentTimestamp)?.parse().ok());
    let sent = sent.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let attributes = message.message_attributes.unwrap_or_default();
    Message {
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.string_value?)))
            .collect(),
        sent_at: sent.unwrap_or(Timestamp::UNIX_EPOCH),
        receipt: message.receipt_handle.unwrap_or_default(),
    }
}

/// Deletes a message that was received. A receipt that SQS knows no more is of a message that has gone,
/// or that comes again and is decided over anew.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SQS refuses.
pub async fn delete(client: &Sqs, queue: &str, receipt: &str) -> Result<(), Failure> {
    let request = client.delete_message().queue_url(queue);
    let Err(error) = request.receipt_handle(receipt).send().await else {
        return Ok(());
    };
    match ApiError::of("DeleteMessage", &error) {
        api if api.code == "ReceiptHandleIsInvalid" => Ok(()),
        api => Err(api.at_service(queue)),
    }
}

/// How many messages there are.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SQS refuses.
pub async fn depth(client: &Sqs, queue: &str) -> Result<Depth, Failure> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let answer = client
        .get_queue_attributes()
        .queue_url(queue)
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .map_err(|error| ApiError::of("GetQueueAttributes", &error).at_service(queue))?;
    let attributes = answer.attributes.unwrap_or_default();
    let [waiting, in_flight] = names.map(|name| {
        attributes
            .get(&name)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    });
    Ok(Depth { waiting, in_flight })
}
