//! The topic that tells the owner.

use aws_sdk_sns::types::MessageAttributeValue;
use backup_domain::limits::SNS_MESSAGE_BYTES_MAX;
use backup_domain::message::Message;

use crate::{ApiError, Failure};

/// Publishes a message: text for people, JSON as attribute `json` for machines.
///
/// Attributes `outcome`, `bucket` and `destinations` serve subscription filters. The JSON is left
/// out where it would not fit beside the text (256 KiB a message: Amazon SNS Developer Guide,
/// "Message attributes").
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SNS refuses.
pub async fn publish(
    client: &aws_sdk_sns::Client,
    topic: &str,
    message: &Message,
    bucket: &str,
) -> Result<(), Failure> {
    let text = |value: &str| {
        MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()
            .ok()
    };
    let mut request = client
        .publish()
        .topic_arn(topic)
        .subject(&message.subject)
        .message(&message.text);
    let json = if message.json.len() < SNS_MESSAGE_BYTES_MAX / 2 {
        message.json.as_str()
    } else {
        ""
    };
    for (name, value) in [
        ("outcome", message.outcome),
        ("bucket", bucket),
        ("json", json),
    ] {
        if let Some(attribute) = text(value).filter(|_| !value.is_empty()) {
            request = request.message_attributes(name, attribute);
        }
    }
    request
        .send()
        .await
        .map(drop)
        .map_err(|error| ApiError::of("Publish", &error).at_service(topic))
}
