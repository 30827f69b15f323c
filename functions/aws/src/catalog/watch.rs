//! What watcher and sweep read and write in the catalog.

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use backup_domain::catalog::{RecoveryPoint, SHAPE, Status};
use jiff::{SignedDuration, Timestamp};

use super::items::{Start, text, word};
use super::{Catalog, Item};
use crate::{ApiError, Failure};

/// How long a claim holds: longer than the watcher can run.
const CLAIM: SignedDuration = SignedDuration::from_secs(75);
/// How long a claim is remembered: as long as Step Functions keeps executions (AWS Step Functions
/// Developer Guide, "Service quotas": 90 days), and a margin.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 100);
/// Open points that one page reads: below 1 MB, what a page holds at most (Amazon DynamoDB API
/// Reference, "Scan"), with the longest keys.
const OPEN_ITEMS: i32 = 500;
/// Debts that one page reads: after each the sweep keeps its place.
const OWED_ITEMS: i32 = 200;

/// Whether something may be closed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Yes, and nobody else may for a while. `parked` says that a holder before has parked it.
    Mine {
        /// Whether the event waits in the queue already.
        parked: bool,
    },
    /// Somebody is at it.
    Held,
    /// It is done.
    Done,
}

/// What is noted of an execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noted {
    /// Whether somebody has closed it, or is at it.
    pub claim: Option<Claim>,
    /// The end by which it told everything itself: it may have been started once more since.
    pub told_at: Option<Timestamp>,
}

impl Noted {
    /// Whether the end at this moment needs nobody any more.
    pub fn is_done(&self, stopped_at: Timestamp) -> bool {
        let told = |at: Timestamp| at.as_millisecond() == stopped_at.as_millisecond();
        self.claim == Some(Claim::Done) || self.told_at.is_some_and(told)
    }
}

/// A debt as its index shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Partition key of its point.
    pub pk: String,
    /// Sort key.
    pub sk: String,
    /// Since when it is due.
    pub after: Timestamp,
}

/// Keys of a page, and where the next one begins.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Partition and sort keys.
    pub keys: Vec<(String, String)>,
    /// Where to go on; `None` at the end.
    pub next: Option<Start>,
}

impl Catalog {
    /// Whether a death has been dealt with. `subject` is an execution's ARN or another unique name.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn claimed(&self, subject: &str, now: Timestamp) -> Result<Option<Claim>, Failure> {
        let item = self.item(subject, "watched", true).await?;
        Ok(item.map(|item| claim_of(&item, now)))
    }

    /// What is noted of an execution.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn noted(&self, arn: &str, now: Timestamp) -> Result<Noted, Failure> {
        let Some(item) = self.item(arn, "watched", true).await? else {
            return Ok(Noted::default());
        };
        let told = item.get("told").and_then(|it| it.as_n().ok()?.parse().ok());
        Ok(Noted {
            claim: Some(claim_of(&item, now)),
            told_at: told.and_then(|at| Timestamp::from_millisecond(at).ok()),
        })
    }

    /// Notes that an execution ended at this moment by telling everything itself, so that the sweep
    /// need not ask for it. Whoever claims it is not kept from that.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn note_told(&self, arn: &str, at: Timestamp, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .update(arn, "watched")
            .update_expression("SET told = :at, #until = if_not_exists(#until, :zero), shape = :shape, expiresAt = :expires")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":at", millis(at))
            .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()))
            .expression_attribute_values(":expires", expiry(now));
        self.sent(request).await.map(drop)
    }

    /// Claims a death: a conditional write that one of several wins. `now`, to the nanosecond, tells
    /// the holder from others where the answer to the write was lost.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn claim(&self, subject: &str, now: Timestamp) -> Result<Claim, Failure> {
        let until = now.saturating_add(CLAIM).unwrap_or(Timestamp::MAX);
        let request = self
            .update(subject, "watched")
            .update_expression("SET #until = :until, holder = :holder, shape = :shape, expiresAt = :expires")
            .condition_expression(
                "attribute_not_exists(pk) OR attribute_not_exists(done) AND (#until < :now OR holder = :holder)",
            )
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":until", millis(until))
            .expression_attribute_values(":holder", AttributeValue::S(now.to_string()))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()))
            .expression_attribute_values(":expires", expiry(now));
        match request.return_values(ReturnValue::AllNew).send().await {
            Ok(answer) => Ok(Claim::Mine {
                parked: answer
                    .attributes()
                    .is_some_and(|it| it.contains_key("parked")),
            }),
            Err(error) => {
                let api = ApiError::of("UpdateItem", &error);
                if !matches!(
                    error.into_service_error(),
                    UpdateItemError::ConditionalCheckFailedException(_)
                ) {
                    return Err(api.at_service(&self.table));
                }
                let there = self.claimed(subject, now).await?;
                Ok(match there {
                    Some(Claim::Done) => Claim::Done,
                    _ => Claim::Held,
                })
            }
        }
    }

    /// Notes that the event of a claimed death is parked.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn note_parked(&self, subject: &str) -> Result<(), Failure> {
        let request = self
            .update(subject, "watched")
            .update_expression("SET parked = :true")
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        self.sent(request).await.map(drop)
    }

    /// Lets a claim go that was made at `now` and came to nothing, so that a retry need not wait for
    /// its end. Another's claim stays.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn release(&self, subject: &str, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .update(subject, "watched")
            .update_expression("SET #until = :zero")
            .condition_expression("attribute_not_exists(done) AND holder = :holder")
            .expression_attribute_values(":holder", AttributeValue::S(now.to_string()))
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()));
        self.sent(request).await.map(drop)
    }

    /// Notes that a death has been dealt with: closed, or started again.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn done(&self, subject: &str, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .update(subject, "watched")
            .update_expression("SET done = :true, shape = :shape, expiresAt = :expires")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()))
            .expression_attribute_values(":expires", expiry(now));
        self.sent(request).await.map(drop)
    }

    /// Notes that the order of what `point` has stored is owed now, unless it owes already.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn owe_settling(&self, point: &RecoveryPoint, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .update(&point.pk, &point.sk)
            .update_expression("SET owedAfter = :now")
            .condition_expression(
                "#status = :status AND #owner = :owner AND attribute_not_exists(owedAfter)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":now", text(&now.to_string()))
            .expression_attribute_values(":status", text(point.status.as_str()))
            .expression_attribute_values(":owner", text(&point.owner));
        self.sent(request).await.map(drop)
    }

    /// Whether an event is recorded whole.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn is_rejected(&self, pk: &str, sk: &str) -> Result<bool, Failure> {
        Ok(self.item(pk, sk, true).await?.is_some())
    }

    /// What `who` remembers from one run to the next.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn marks(&self, who: &str) -> Result<Option<String>, Failure> {
        let item = self.item(who, "marks", true).await?;
        Ok(item.and_then(|mut item| item.remove("marks")?.as_s().ok().cloned()))
    }

    /// Remembers it. The last writer wins: whatever was written is a state to go on from.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn set_marks(&self, who: &str, marks: &str) -> Result<(), Failure> {
        self.put_texts(&[
            ("pk", who.to_owned()),
            ("sk", "marks".to_owned()),
            ("marks", marks.to_owned()),
        ])
        .await
    }

    /// A page of the points that owe a settling: the index holds nothing else.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn owing(&self, from: Option<Start>) -> Result<Page, Failure> {
        let request = self.client.scan().index_name("by-owed");
        self.page(request, from).await
    }

    /// A page of the debts that are due.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn due(
        &self,
        from: Option<Start>,
        now: Timestamp,
    ) -> Result<(Vec<Due>, Option<Start>), Failure> {
        let request = self
            .client
            .scan()
            .index_name("by-owed")
            .limit(OWED_ITEMS)
            .filter_expression("owedAfter < :now")
            .expression_attribute_values(":now", text(&now.to_string()));
        let (items, next) = self.scanned(request, from).await?;
        let due = |item: &Item| {
            let (pk, sk) = keys_of(item)?;
            let after = word(item, "owedAfter")?.parse().ok()?;
            Some(Due { pk, sk, after })
        };
        Ok((items.iter().filter_map(due).collect(), next))
    }

    /// A page of the points that are being copied, from the sparse index of what is open, whatever
    /// their destinations. An index is behind by a moment: whoever acts on a point reads it first.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn copying(&self, from: Option<Start>) -> Result<Page, Failure> {
        let copying = AttributeValue::S(Status::Copying.as_str().to_owned());
        let request = self
            .client
            .scan()
            .index_name("by-open")
            .limit(OPEN_ITEMS)
            .filter_expression("#status = :copying")
            .projection_expression("pk, sk")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":copying", copying);
        self.page(request, from).await
    }

    async fn page(&self, request: ScanFluentBuilder, from: Option<Start>) -> Result<Page, Failure> {
        let (items, next) = self.scanned(request, from).await?;
        Ok(Page {
            keys: items.iter().filter_map(keys_of).collect(),
            next,
        })
    }
}

fn claim_of(item: &Item, now: Timestamp) -> Claim {
    let until = item
        .get("until")
        .and_then(|it| it.as_n().ok()?.parse().ok());
    if item.contains_key("done") {
        Claim::Done
    } else if until.unwrap_or(0_i64) >= now.as_millisecond() {
        Claim::Held
    } else {
        Claim::Mine {
            parked: item.contains_key("parked"),
        }
    }
}

pub(super) fn keys_of(item: &Item) -> Option<(String, String)> {
    Some((word(item, "pk")?, word(item, "sk")?))
}

fn millis(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_millisecond().to_string())
}

fn expiry(now: Timestamp) -> AttributeValue {
    let at = now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
    AttributeValue::N(at.as_second().to_string())
}
