//! What an operator wants no more: taken off, recorded as that, and started by nobody.

use backup_aws::catalog::{Failed, Whole};
use backup_aws::queue::Message;
use backup_aws::{Failure, queue};
use backup_domain::catalog::Status;
use backup_domain::redrive::{Letter, read, whole_keys};
use serde_json::Value;

use crate::Run;
use crate::letters::HIDDEN_SECONDS;

/// Points of one answer.
const PAGE: i32 = 200;

impl Run<'_> {
    /// First the record, then the messages. Cut off between the two, a message is left that asks for
    /// nothing.
    pub async fn dismiss(&mut self) {
        let dismissed = async {
            let failed_cut = self.dismiss_failed().await?;
            let letters_cut = self.dismiss_letters().await?;
            Ok::<_, Failure>(failed_cut || letters_cut)
        };
        match dismissed.await {
            Ok(is_cut) => self.report.more = is_cut,
            Err(problem) => self.report.fail("what is to be dismissed", problem),
        }
    }

    async fn dismiss_failed(&mut self) -> Result<bool, Failure> {
        let catalog = &self.redriver.closing.catalog;
        let mut next = None;
        loop {
            let page = catalog.failed(next, Some(PAGE)).await?;
            for item in &page.items {
                if self.is_over() {
                    return Ok(!self.is_at_limit());
                }
                if self.request.wants_object(&item.pk) {
                    self.dismiss_one(item).await?;
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(false);
            }
        }
    }

    async fn dismiss_one(&mut self, item: &Failed) -> Result<(), Failure> {
        let catalog = &self.redriver.closing.catalog;
        let now = catalog.now();
        self.report.looked += 1;
        if item.is_whole() {
            let whole = catalog.whole(&item.pk, &item.sk).await?;
            let whole = whole.filter(|it| self.request.wants_destination(&it.destination));
            if let Some(whole) = whole {
                let keys = (item.pk.as_str(), item.sk.as_str());
                catalog.dismiss_whole(keys, &whole, now).await?;
                self.note_dismissed(&item.pk, &whole.destination, &whole.error);
            }
            return Ok(());
        }
        let point = catalog.get(&item.pk, &item.sk).await?;
        let point = point.filter(|point| {
            point.status == Status::Failed && self.request.wants_destination(&point.destination)
        });
        if let Some(point) = point
            && catalog.dismiss(&point, now).await?
        {
            let error = point.error.unwrap_or_default();
            self.note_dismissed(&item.pk, &point.destination, &error);
        }
        Ok(())
    }

    fn note_dismissed(&mut self, object: &str, destination: &str, error: &str) {
        self.report.note("dismissed", object, destination, error);
    }

    /// Messages of what is dismissed go; those of others stay.
    async fn dismiss_letters(&mut self) -> Result<bool, Failure> {
        let closing = &self.redriver.closing;
        while !self.is_over() {
            let messages = queue::receive(&closing.sqs, &closing.queue, HIDDEN_SECONDS).await?;
            if messages.is_empty() {
                return Ok(false);
            }
            for message in messages {
                if self.dismiss_letter(&message).await? {
                    queue::delete(&closing.sqs, &closing.queue, &message.receipt).await?;
                } else {
                    self.keep(message.receipt, message.sent_at);
                }
            }
        }
        Ok(!self.is_at_limit())
    }

    /// Whether the message may go: all that it asks for is dismissed.
    async fn dismiss_letter(&mut self, message: &Message) -> Result<bool, Failure> {
        let attribute = |name: &str| message.attributes.get(name).cloned();
        let (event, destinations, error) = match read(&message.body, attribute) {
            Letter::Parked {
                event,
                destinations,
                error,
                ..
            } => (event, destinations, error),
            Letter::Undelivered { event, why } => (event, vec!["*".to_owned()], why),
            // The end of an execution: what it leaves is not known yet.
            Letter::Ended(_) => return Ok(false),
            Letter::Rubbish(reason) => {
                let goes = !self.request.is_filtered();
                if goes {
                    self.note_dismissed(&format!("message {}", message.id), "", &reason);
                }
                return Ok(goes);
            }
        };
        let (pk, sk) = whole_keys(&event);
        let wanted = |name: &String| self.request.wants_destination(name);
        if !self.request.wants_object(&pk) || !destinations.iter().all(wanted) {
            return Ok(false);
        }
        for destination in destinations {
            self.dismiss_unrecorded((&pk, &sk), &event, destination, &error)
                .await?;
        }
        Ok(true)
    }

    /// An event that the catalog knows nothing of is recorded whole: nothing goes without a trace.
    async fn dismiss_unrecorded(
        &mut self,
        (pk, sk): (&str, &str),
        event: &Value,
        destination: String,
        error: &str,
    ) -> Result<(), Failure> {
        let catalog = &self.redriver.closing.catalog;
        let sk = match destination.as_str() {
            "*" => sk.to_owned(),
            name => format!("{sk}#{name}"),
        };
        let points = catalog.points_of_key(pk).await?;
        let is_known = points.iter().any(|point| point.destination == destination);
        if is_known || catalog.is_rejected(pk, &sk).await? {
            return Ok(());
        }
        let now = catalog.now();
        let whole = Whole {
            event: event.clone(),
            destination,
            ended_at: now.to_string(),
            error: error.to_owned(),
            is_exhausted: true,
        };
        catalog.dismiss_whole((pk, &sk), &whole, now).await?;
        self.note_dismissed(pk, &whole.destination, error);
        Ok(())
    }
}
