//! What failed, and what was given up, in the catalog.

use backup_domain::catalog::{RecoveryPoint, SHAPE, Status, day};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::items::{text, word};
use super::watch::keys_of;
use super::{Catalog, Item, Start};
use crate::Failure;

/// A failed point, or the record of a whole event, as the index shows it: a moment behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Partition key.
    pub pk: String,
    /// Sort key; that of a whole event begins with `*`.
    pub sk: String,
    /// When it failed.
    pub failed_at: Option<Timestamp>,
    /// Whether it was given up.
    pub is_exhausted: bool,
    /// Where a page begins that goes on behind it.
    pub behind: Start,
}

impl Failed {
    /// Whether this is the record of a whole event, and no point.
    pub fn is_whole(&self) -> bool {
        self.sk.starts_with('*')
    }
}

/// A page of the index of what failed.
#[derive(Debug, Clone, Default)]
pub struct FailedPage {
    /// In no order.
    pub items: Vec<Failed>,
    /// Where to go on; `None` at the end.
    pub next: Option<Start>,
}

/// The record of an event that no point could be made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Whole {
    /// The event, `null` where a hand has spoilt it.
    pub event: Value,
    /// Name of the destination, `*` for all.
    pub destination: String,
    /// When it failed, as text: what tells this failure from a later one.
    pub ended_at: String,
    /// Name of its error.
    pub error: String,
    /// Whether it was given up.
    pub is_exhausted: bool,
}

impl Catalog {
    /// A page of what failed, of so many items at most, or of as many as go into one: the index holds
    /// nothing else.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn failed(
        &self,
        from: Option<Start>,
        items_max: Option<i32>,
    ) -> Result<FailedPage, Failure> {
        let request = self.client.scan().index_name("by-failed");
        let request = request.set_limit(items_max);
        let (items, next) = self.scanned(request, from).await?;
        Ok(FailedPage {
            items: items.iter().filter_map(failed_of).collect(),
            next,
        })
    }

    /// Sort keys of the whole events that are recorded under a key, as failed.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn wholes_of_key(&self, pk: &str) -> Result<Vec<Failed>, Failure> {
        let items = self.items_of(pk, "*").await?;
        Ok(items
            .iter()
            .filter_map(failed_of)
            .filter(|it| it.failed_at.is_some())
            .collect())
    }

    /// The record of a whole event, where it is still failed.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn whole(&self, pk: &str, sk: &str) -> Result<Option<Whole>, Failure> {
        let item = self.item(pk, sk, true).await?;
        let item = item.filter(|item| item.contains_key("failedAt"));
        Ok(item.map(|item| {
            let event = word(&item, "event").unwrap_or_default();
            Whole {
                event: serde_json::from_str(&event).unwrap_or_default(),
                destination: word(&item, "destination").unwrap_or_else(|| "*".to_owned()),
                ended_at: word(&item, "endedAt").unwrap_or_default(),
                error: word(&item, "error").unwrap_or_default(),
                is_exhausted: item.contains_key("exhausted"),
            }
        }))
    }

    /// Notes that the event of a whole record has come through after all. A record that has failed
    /// anew meanwhile stays.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn came_through(&self, pk: &str, sk: &str, whole: &Whole) -> Result<(), Failure> {
        let request = self
            .update(pk, sk)
            .update_expression("SET #status = :redriven REMOVE failedAt, exhausted")
            .condition_expression("endedAt = :ended")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":redriven", text("redriven"))
            .expression_attribute_values(":ended", text(&whole.ended_at));
        self.sent(request).await.map(drop)
    }

    /// Marks a failed point as given up; one that is being copied again stays as it is.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn give_up(&self, point: &RecoveryPoint, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .update(&point.pk, &point.sk)
            .update_expression("SET exhausted = :now")
            .condition_expression("#status = :failed AND #owner = :owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":now", text(&now.to_string()))
            .expression_attribute_values(":failed", text(Status::Failed.as_str()))
            .expression_attribute_values(":owner", text(&point.owner));
        self.sent(request).await.map(drop)
    }

    /// Takes a failed point out of what is to be done and counted: an operator wants it no more. One
    /// that is being copied again stays as it is, which is `false`.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn dismiss(&self, point: &RecoveryPoint, now: Timestamp) -> Result<bool, Failure> {
        let request = self
            .update(&point.pk, &point.sk)
            .update_expression(
                "SET exhausted = :now, dismissed = :now REMOVE failedAt, #open, openSince",
            )
            .condition_expression("#status = :failed AND #owner = :owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":now", text(&now.to_string()))
            .expression_attribute_values(":failed", text(Status::Failed.as_str()))
            .expression_attribute_values(":owner", text(&point.owner));
        self.sent(request).await
    }

    /// Records a whole event as one that an operator wants no more.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn dismiss_whole(
        &self,
        keys: (&str, &str),
        whole: &Whole,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let dismissed = [
            ("status", "dismissed".to_owned()),
            ("dismissed", now.to_string()),
        ];
        self.put_whole(keys, whole, &dismissed).await
    }

    /// Records a whole event as given up: the message that holds it goes.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn give_up_whole(
        &self,
        keys: (&str, &str),
        whole: &Whole,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let given_up = [
            ("status", Status::Failed.as_str().to_owned()),
            ("message", "failed again in each redrive".to_owned()),
            ("day", day(now, keys.0)),
            ("failedAt", now.to_string()),
            ("exhausted", now.to_string()),
        ];
        self.put_whole(keys, whole, &given_up).await
    }

    async fn put_whole(
        &self,
        (pk, sk): (&str, &str),
        whole: &Whole,
        end: &[(&str, String)],
    ) -> Result<(), Failure> {
        let known = [
            ("pk", pk.to_owned()),
            ("sk", sk.to_owned()),
            ("shape", SHAPE.to_string()),
            ("destination", whole.destination.clone()),
            ("error", whole.error.clone()),
            ("event", whole.event.to_string()),
            ("endedAt", whole.ended_at.clone()),
        ];
        self.put_texts(&[&known, end].concat()).await
    }
}

fn failed_of(item: &Item) -> Option<Failed> {
    let (pk, sk) = keys_of(item)?;
    let keys = ["failedAt", "pk", "sk"];
    let behind = keys.map(|name| Some((name.to_owned(), word(item, name)?)));
    Some(Failed {
        behind: behind.into_iter().flatten().collect(),
        pk,
        sk,
        failed_at: word(item, "failedAt").and_then(|at| at.parse().ok()),
        is_exhausted: item.contains_key("exhausted"),
    })
}
