//! The messages of the dead-letter queue.

use backup_aws::Failure;
use backup_aws::executions::{State, describe};
use backup_aws::queue::{self, Message};
use backup_domain::catalog::partition_key;
use backup_domain::event::object_of;
use backup_domain::redrive::{Letter, Todo, of_parked, of_undelivered, read};
use backup_domain::watch::{Known, StatusChange};
use jiff::Timestamp;
use tracing::info;

use crate::Run;
use crate::start::Fate;

/// How long a message is hidden from other runs: longer than one can last, so that a run meets each
/// message once.
pub const HIDDEN_SECONDS: i32 = 360;

impl Run<'_> {
    /// Goes through the queue until it is empty, or so many hundredths of the run's time are over; says whether it
    /// was cut short.
    pub async fn letters(&mut self, hundredths: u32) -> bool {
        while !self.is_over() && self.deadline.hundredths() < hundredths {
            let closing = &self.redriver.closing;
            let received = queue::receive(&closing.sqs, &closing.queue, HIDDEN_SECONDS).await;
            let messages = match received {
                Ok(messages) if messages.is_empty() => return false,
                Ok(messages) => messages,
                Err(problem) => {
                    self.report.fail("the dead-letter queue", problem);
                    return false;
                }
            };
            for message in messages {
                if self.is_over() {
                    self.keep(message.receipt, message.sent_at);
                    continue;
                }
                self.report.looked += 1;
                if let Err(problem) = self.message(&message).await {
                    self.report
                        .fail(&format!("message {}", message.id), problem);
                    self.keep(message.receipt, message.sent_at);
                }
            }
        }
        !self.is_at_limit()
    }

    /// Leaves a message in the queue.
    pub fn keep(&mut self, receipt: String, sent_at: Timestamp) {
        self.kept.push(receipt);
        self.oldest = self.oldest.into_iter().chain([sent_at]).min();
    }

    async fn message(&mut self, message: &Message) -> Result<(), Failure> {
        let closing = &self.redriver.closing;
        let before = self.report.items.len();
        match self.letter(message).await? {
            Fate::Gone => {
                queue::delete(&closing.sqs, &closing.queue, &message.receipt).await?;
                if self.report.items.len() == before {
                    self.report.done += 1;
                }
            }
            Fate::GoneOnceTold => {
                let letter = (message.receipt.clone(), message.sent_at);
                self.told_first.push(letter);
            }
            Fate::Kept => self.keep(message.receipt.clone(), message.sent_at),
        }
        Ok(())
    }

    /// What a message asks for is begun; it may go only then.
    async fn letter(&mut self, message: &Message) -> Result<Fate, Failure> {
        let attribute = |name: &str| message.attributes.get(name).cloned();
        let letter = read(&message.body, attribute);
        let todo = match letter {
            Letter::Rubbish(reason) => {
                let name = format!("message {}", message.id);
                self.report.note("rubbish", &name, "", &reason);
                return Ok(Fate::Kept);
            }
            Letter::Ended(change) => return self.close(&change).await,
            // Parked meanwhile, perhaps by what this very run has started.
            _ if message.sent_at > self.limits.begun => return Ok(Fate::Kept),
            Letter::Undelivered { event, why } => {
                info!(message = %message.id, why, "EventBridge could not deliver it");
                Todo {
                    starts: vec![of_undelivered(&event)],
                    ..Todo::default()
                }
            }
            Letter::Parked {
                event,
                destinations,
                error,
                attempt,
            } => {
                let points = match object_of(&event) {
                    Some(object) => {
                        let pk = partition_key(&object.bucket, &object.key);
                        self.redriver.closing.catalog.points_of_key(&pk).await?
                    }
                    None => vec![],
                };
                let last = (attempt, error.as_str());
                let mut todo = of_parked(&event, &destinations, last, &points, self.limits);
                for given_up in &mut todo.given_up {
                    if given_up.error.is_empty() {
                        given_up.error.clone_from(&error);
                    }
                }
                todo
            }
        };
        self.apply(todo).await
    }

    /// Does what the watcher would have done, had the status change reached it.
    async fn close(&mut self, change: &StatusChange) -> Result<Fate, Failure> {
        let arn = &change.detail.execution_arn;
        if let State::Dead(dead) = describe(&self.redriver.executions, arn).await?
            && matches!(dead.known(), Known::Silent | Known::Unparked)
            && self.redriver.closing.close(&dead).await?
        {
            self.report.note("closed", arn, "", &dead.cause().error);
        }
        Ok(Fate::Gone)
    }
}
