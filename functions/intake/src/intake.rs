//! One batch of messages, each on its own.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use backup_aws::{Failure, Sqs, StepFunctions, executions, express, queue};
use backup_domain::intake::{Named, Verdict, Way, standard, verdict, wait_seconds, way};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::{info, warn};

/// The function's clients and settings.
#[derive(Clone)]
pub struct Intake {
    pub waiting: StepFunctions,
    pub executions: StepFunctions,
    pub sqs: Sqs,
    pub express: String,
    pub standard: String,
    pub queue: String,
    pub multipart_mib: u64,
    /// Wait of a message that goes back for the first time; `0` never lets one wait.
    pub retry_seconds: u32,
}

impl Intake {
    /// Runs all messages side by side and names those that go back (AWS Lambda Developer Guide,
    /// "Handling errors for an SQS event source in Lambda": a partial batch response).
    ///
    /// # Errors
    /// None: what goes wrong sends its own message back, and no other.
    pub async fn take(&self, batch: SqsEvent) -> Result<SqsBatchResponse, Failure> {
        let mut running = JoinSet::new();
        let messages = batch.records.len();
        let oldest = batch.records.iter().filter_map(sent_at).min();
        let age = |sent: Timestamp| Timestamp::now().duration_since(sent).as_secs().max(0);
        let oldest_seconds = oldest.map(age).unwrap_or_default();
        for message in batch.records {
            let intake = self.clone();
            running.spawn(async move { intake.one(message).await });
        }
        let mut response = SqsBatchResponse::default();
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(None) => {}
                Ok(Some(id)) => {
                    let mut back = BatchItemFailure::default();
                    back.item_identifier = id;
                    response.batch_item_failures.push(back);
                }
                // A panic ends the invocation: then the whole batch comes again.
                Err(problem) => std::panic::resume_unwind(problem.into_panic()),
            }
        }
        let back = response.batch_item_failures.len();
        info!(messages, back, oldest_seconds, "taken");
        Ok(response)
    }

    /// Returns the message's id where it goes back.
    async fn one(&self, message: SqsMessage) -> Option<String> {
        let body = message.body.as_deref().unwrap_or_default();
        let receives = message.attributes.get("ApproximateReceiveCount");
        let receives = receives.and_then(|count| count.parse().ok()).unwrap_or(1);
        let id = message.message_id.unwrap_or_default();
        let why = match self.run(body, receives).await {
            Verdict::Acknowledge => return None,
            Verdict::GoBack(why) => why,
            Verdict::HandOn(why) => {
                warn!(message = %id, receives, %why, "handed on to the Standard machine");
                match self.start(&standard(body)).await {
                    Verdict::Acknowledge => return None,
                    Verdict::GoBack(why) | Verdict::HandOn(why) => why,
                }
            }
        };
        let seconds = wait_seconds(receives, &id, self.retry_seconds);
        warn!(message = %id, receives, seconds, %why, "goes back");
        let handle = message.receipt_handle.unwrap_or_default();
        if let Err(problem) = queue::postpone(&self.sqs, &self.queue, &handle, seconds).await {
            warn!(message = %id, problem = %problem.message, "comes again when its visibility time-out ends");
        }
        Some(id)
    }

    async fn run(&self, body: &str, receives: u32) -> Verdict {
        match way(body, self.multipart_mib) {
            Way::Express => {
                let answer = express::run(&self.waiting, &self.express, body).await;
                verdict(&answer, receives)
            }
            Way::Standard(named) => self.start(&named).await,
        }
    }

    async fn start(&self, Named { name, input }: &Named) -> Verdict {
        // A name that is taken was started before.
        match executions::start(&self.executions, &self.standard, name, input).await {
            Ok(_) => Verdict::Acknowledge,
            Err(problem) => Verdict::GoBack(problem.message),
        }
    }
}

fn sent_at(message: &SqsMessage) -> Option<Timestamp> {
    let sent_ms = message.attributes.get("SentTimestamp")?.parse().ok()?;
    Timestamp::from_millisecond(sent_ms).ok()
}
