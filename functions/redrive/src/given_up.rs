//! What was tried in vain: told in one message, then marked; only then its messages go.

use backup_aws::catalog::{Claim, Whole};
use backup_aws::{Failure, queue};
use backup_domain::redrive::{GivenUp, Subject, gave_up};
use jiff::Timestamp;

use crate::Run;

/// One run at a time tells and marks: the others leave it to their next one.
const CLAIM: &str = "redrive#given-up";

impl Run<'_> {
    /// Tells and marks what was given up. Cut off between the two, the next run tells once more.
    pub async fn give_up(&mut self) {
        let given_up = std::mem::take(&mut self.given_up);
        if given_up.is_empty() {
            return;
        }
        let closing = &self.redriver.closing;
        let now = closing.catalog.now();
        let told = match closing.catalog.claim(CLAIM, now).await {
            Ok(Claim::Mine { .. }) => {
                let told = self.tell_and_mark(given_up, now).await;
                closing.let_go(CLAIM, now).await;
                told.map(|()| true)
            }
            Ok(Claim::Held | Claim::Done) => Ok(false),
            Err(problem) => {
                closing.let_go(CLAIM, now).await;
                Err(problem)
            }
        };
        let receipts = std::mem::take(&mut self.told_first);
        match told {
            Ok(true) => {
                for (receipt, _) in receipts {
                    let gone = queue::delete(&closing.sqs, &closing.queue, &receipt).await;
                    if let Err(problem) = gone {
                        self.report.fail("a message of what was given up", problem);
                    }
                }
            }
            Ok(false) => self.keep_all(receipts),
            Err(problem) => {
                self.report.fail("what was given up", problem);
                self.keep_all(receipts);
            }
        }
    }

    fn keep_all(&mut self, letters: Vec<(String, Timestamp)>) {
        for (receipt, sent_at) in letters {
            self.keep(receipt, sent_at);
        }
    }

    async fn tell_and_mark(
        &mut self,
        given_up: Vec<GivenUp>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut untold: Vec<GivenUp> = Vec::new();
        for one in given_up {
            // Two messages may be about the same.
            let twice = |it: &GivenUp| (it.pk(), it.sk()) == (one.pk(), one.sk());
            if !untold.iter().any(twice) && self.is_untold(&one).await? {
                untold.push(one);
            }
        }
        if untold.is_empty() {
            return Ok(());
        }
        let closing = &self.redriver.closing;
        let message = gave_up(&untold, self.redriver.attempts_max);
        closing.notices.tell_at_once(&message).await?;
        for one in untold {
            self.mark(&one, now).await?;
            self.report
                .note("exhausted", one.pk(), &one.destination, &one.error);
        }
        Ok(())
    }

    /// Whether another run has told it since this one looked.
    async fn is_untold(&self, one: &GivenUp) -> Result<bool, Failure> {
        let catalog = &self.redriver.closing.catalog;
        Ok(match &one.subject {
            Subject::Point(point) => {
                let there = catalog.get(&point.pk, &point.sk).await?;
                there.is_some_and(|there| {
                    there.exhausted.is_none()
                        && (there.status, &there.owner) == (point.status, &point.owner)
                })
            }
            Subject::Whole { pk, sk } => {
                let there = catalog.whole(pk, sk).await?;
                there.is_none_or(|there| !there.is_exhausted)
            }
        })
    }

    async fn mark(&self, one: &GivenUp, now: Timestamp) -> Result<(), Failure> {
        let catalog = &self.redriver.closing.catalog;
        match &one.subject {
            Subject::Point(point) => catalog.give_up(point, now).await,
            Subject::Whole { pk, sk } => {
                let whole = Whole {
                    event: one.event.clone(),
                    destination: one.destination.clone(),
                    ended_at: now.to_string(),
                    error: one.error.clone(),
                    is_exhausted: true,
                };
                catalog.give_up_whole((pk, sk), &whole, now).await
            }
        }
    }
}
