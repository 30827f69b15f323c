//! An SQS queue on the topic, which collects what a subscriber by e-mail would read.

use std::thread;
use std::time::{Duration, Instant};

use backup_stack::{Cloud, Service};
use serde_json::{Value, json};

use super::objects::{DemoObject, Expected};
use crate::failure::{Failure, Result};

const QUEUE: &str = "demo-inbox";
/// Told before an execution ends, but handed on behind it.
const QUIET: Duration = Duration::from_millis(500);

pub struct Inbox {
    queue: String,
}

/// One notification.
#[derive(Debug, Clone)]
pub struct Message {
    pub subject: String,
    pub text: String,
}

impl Inbox {
    pub fn subscribe(cloud: &Cloud, topic: &str) -> Result<Self> {
        let created = cloud.json(Service::Sqs, "CreateQueue", &json!({"QueueName": QUEUE}))?;
        let queue = text(&created["QueueUrl"], "the queue's address", cloud)?;
        let name = "QueueArn";
        let input = json!({"QueueUrl": queue, "AttributeNames": [name]});
        let attributes = cloud.json(Service::Sqs, "GetQueueAttributes", &input)?;
        let arn = text(&attributes["Attributes"][name], "the queue's ARN", cloud)?;
        let subscription = [("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", &arn)];
        cloud.query(Service::Sns, "Subscribe", &subscription)?;
        Ok(Self { queue })
    }

    /// All messages so far; waits until no more come.
    pub fn messages(&self, cloud: &Cloud) -> Result<Vec<Message>> {
        let input = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
        let mut messages = Vec::new();
        let mut last = Instant::now();
        while last.elapsed() < QUIET {
            let answer = cloud.json(Service::Sqs, "ReceiveMessage", &input)?;
            let received = answer["Messages"].as_array().into_iter().flatten();
            for envelope in received.filter_map(|message| message["Body"].as_str()) {
                messages.push(opened(envelope));
                last = Instant::now();
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(messages)
    }
}

/// Takes the message out of the envelope that SNS puts it in.
fn opened(envelope: &str) -> Message {
    let parsed: Value = serde_json::from_str(envelope).unwrap_or_default();
    Message {
        subject: parsed["Subject"].as_str().unwrap_or("(none)").into(),
        text: parsed["Message"].as_str().unwrap_or(envelope).into(),
    }
}

/// What should have been told and was not: every copy and every failure, and nothing of the rest.
pub fn missing(messages: &[Message], objects: &[DemoObject]) -> Vec<String> {
    let told = |object: &DemoObject| messages.iter().any(|it| it.text.contains(object.key));
    objects
        .iter()
        .filter(|object| told(object) != (object.expected != Expected::Skipped))
        .map(|object| {
            let should = if told(object) {
                "none should"
            } else {
                "one should"
            };
            format!("notifications: {should} be about {}", object.key)
        })
        .collect()
}

fn text(value: &Value, what: &str, cloud: &Cloud) -> Result<String> {
    let text = value.as_str().map(String::from);
    text.ok_or_else(|| Failure::Answer {
        what: format!("{what}, as {} gave it,", cloud.endpoint()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::objects;

    #[test]
    fn every_object_but_the_skipped_one_must_be_told_of() {
        let message = |object: &DemoObject| Message {
            subject: String::new(),
            text: format!("Object: {}", object.key),
        };
        let objects = objects::all();
        let all: Vec<_> = objects.iter().map(message).collect();
        assert_eq!(
            missing(&all, &objects),
            ["notifications: none should be about scratch/session.tmp"]
        );
        assert_eq!(missing(&[], &objects).len(), objects.len() - 1);
    }
}
