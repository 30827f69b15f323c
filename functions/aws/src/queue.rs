//! Queues: the dead-letter queue, where events wait for a redrive, and the one of the intake.

use aws_sdk_sqs::types::MessageAttributeValue;
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
