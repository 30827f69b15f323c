//! What the measurement of the lag reads and writes in the catalog.

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use backup_domain::catalog::{RecoveryPoint, SHAPE, Status, day_at, open_at};
use backup_domain::lag::{Late, Marks, Open};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::items::{key_of, start_of, text, word};
use super::{Catalog, Item, Start};
use crate::{ApiError, Failure};

/// Partition of what was late and is followed.
const LATE: &str = "late";
/// How long something late is followed: longer than anything lies in the queue.
const FOLLOWED: SignedDuration = SignedDuration::from_hours(24 * 100);

/// How long whoever tells of something late has it for itself.
const CLAIMED: SignedDuration = SignedDuration::from_mins(10);

/// A version that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Keys of its recovery point.
    pub pk: String,
    /// See `pk`.
    pub sk: String,
    /// Name of the destination.
    pub destination: String,
    /// When S3 told of it.
    pub since: Timestamp,
    /// When it ended.
    pub at: Timestamp,
}

/// Something late that is followed until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// Its sort key.
    pub id: String,
    /// Keys of its recovery point.
    pub point: (String, String),
    /// As it is told.
    pub late: Late,
    /// Whether it was told.
    pub told: bool,
}

/// Adds what the indexes go by: when S3 told of the version, and where it stands while it is open. One
/// that S3 never told of is open from when it is taken up, and says nothing of what arrives in time.
pub(super) fn index(item: &mut Item, point: &RecoveryPoint, now: Timestamp) {
    let told = Some(point.object.event_at).filter(|_| !point.object.is_untold());
    if let Some(open) = point.open() {
        item.insert("open".to_owned(), text(&open));
        let since = told.unwrap_or(now).to_string();
        item.insert("openSince".to_owned(), text(&since));
    }
    if let Some(told) = told {
        item.insert("eventAt".to_owned(), text(&told.to_string()));
    }
}

impl Catalog {
    /// A page of what is open at a destination, in one shard, the oldest first.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn open(
        &self,
        destination: &str,
        shard: u64,
        from: Option<Start>,
    ) -> Result<(Vec<Open>, Option<Start>), Failure> {
        let request = self
            .client
            .query()
            .index_name("by-open")
            .key_condition_expression("#open = :open")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text(&open_at(destination, shard)));
        let answer = request
            .table_name(&self.table)
            .select(Select::AllProjectedAttributes)
            .set_exclusive_start_key(key_of(from))
            .send()
            .await
            .map_err(|error| ApiError::of("Query", &error).at_service(&self.table))?;
        let next = answer.last_evaluated_key().map(start_of);
        let open = |item: &Item| {
            let object = item.get("object")?.as_m().ok()?;
            Some(Open {
                pk: word(item, "pk")?,
                sk: word(item, "sk")?,
                destination: destination.to_owned(),
                key: word(object, "key")?,
                bytes: object.get("size")?.as_n().ok()?.parse().ok()?,
                since: word(item, "openSince")?.parse().ok()?,
                failed: word(item, "status")? == Status::Failed.as_str(),
            })
        };
        Ok((answer.items().iter().filter_map(open).collect(), next))
    }

    /// A page of what was stored after a moment of a UTC day, in one shard, until the end of that day.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn stored_after(
        &self,
        after: Timestamp,
        day: Timestamp,
        shard: u64,
        from: Option<Start>,
    ) -> Result<(Vec<Ended>, Option<Start>), Failure> {
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-day")
            .key_condition_expression("#day = :day AND endedAt > :after")
            .filter_expression("#status = :stored")
            .expression_attribute_names("#day", "day")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":day", text(&day_at(day, shard)))
            .expression_attribute_values(":after", text(&after.to_string()))
            .expression_attribute_values(":stored", text(Status::Stored.as_str()))
            .set_exclusive_start_key(key_of(from));
        let answer = request
            .send()
            .await
            .map_err(|error| ApiError::of("Query", &error).at_service(&self.table))?;
        let next = answer.last_evaluated_key().map(start_of);
        let ended = |item: &Item| {
            Some(Ended {
                pk: word(item, "pk")?,
                sk: word(item, "sk")?,
                destination: word(item, "destination")?,
                since: word(item, "eventAt")?.parse().ok()?,
                at: word(item, "endedAt")?.parse().ok()?,
            })
        };
        Ok((answer.items().iter().filter_map(ended).collect(), next))
    }

    /// Follows something late from now on; says whether it is new.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn follow(&self, open: &Open, now: Timestamp) -> Result<bool, Failure> {
        let expires = now.saturating_add(FOLLOWED).unwrap_or(Timestamp::MAX);
        let request = self
            .update(LATE, &late_id(&open.pk, &open.sk))
            .update_expression(
                "SET point = :pk, pointSort = :sk, destination = :destination, #key = :key, \
                 since = :since, shape = :shape, expiresAt = :expires",
            )
            .condition_expression("attribute_not_exists(pk)")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":pk", text(&open.pk))
            .expression_attribute_values(":sk", text(&open.sk))
            .expression_attribute_values(":destination", text(&open.destination))
            .expression_attribute_values(":key", text(&open.key))
            .expression_attribute_values(":since", text(&open.since.to_string()))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()))
            .expression_attribute_values(
                ":expires",
                AttributeValue::N(expires.as_second().to_string()),
            );
        self.sent(request).await
    }

    /// A page of what is followed, behind `after`.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn followed(&self, after: Option<String>) -> Result<Vec<Tracked>, Failure> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", text(LATE))
            .expression_attribute_values(":after", text(&after.unwrap_or_else(|| "-".to_owned())))
            .send()
            .await
            .map_err(|error| ApiError::of("Query", &error).at_service(&self.table))?;
        let tracked = |item: &Item| {
            Some(Tracked {
                id: word(item, "sk")?,
                point: (word(item, "point")?, word(item, "pointSort")?),
                late: Late {
                    destination: word(item, "destination")?,
                    key: word(item, "key")?,
                    since: word(item, "since")?.parse().ok()?,
                    status: String::new(),
                },
                told: item.contains_key("told"),
            })
        };
        Ok(answer.items().iter().filter_map(tracked).collect())
    }

    /// Takes it upon itself to tell of something late; says whether nobody else has within the last
    /// minutes.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn claim_late(&self, id: &str, now: Timestamp) -> Result<bool, Failure> {
        let until = now.saturating_add(CLAIMED).unwrap_or(Timestamp::MAX);
        let request = self
            .update(LATE, id)
            .update_expression("SET claimed = :until")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(claimed) OR claimed < :now)",
            )
            .expression_attribute_values(":until", text(&until.to_string()))
            .expression_attribute_values(":now", text(&now.to_string()));
        self.sent(request).await
    }

    /// Notes that something late was told.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn told_late(&self, id: &str) -> Result<(), Failure> {
        let request = self
            .update(LATE, id)
            .update_expression("SET told = :true REMOVE claimed")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":true", AttributeValue::Bool(true));
        self.sent(request).await.map(drop)
    }

    /// Follows something no longer.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn unfollow(&self, id: &str) -> Result<(), Failure> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(LATE))
            .key("sk", text(id))
            .send()
            .await
            .map(drop)
            .map_err(|error| ApiError::of("DeleteItem", &error).at_service(&self.table))
    }

    /// What the measurement remembers, and the last figures of the lag.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn lag_marks(&self) -> Result<Marks, Failure> {
        let item = self.item("lag", "marks", true).await?;
        let marks = item.as_ref().and_then(|item| word(item, "marks"));
        // Of another release: the counting begins anew.
        Ok(marks
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    /// Since when the events of a bucket are watched, as far as anybody has noted it.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn watched_since(&self, bucket: &str) -> Result<Option<Timestamp>, Failure> {
        let item = self.item("lag", &watched(bucket), true).await?;
        Ok(item
            .and_then(|item| word(&item, "since"))
            .and_then(|since| since.parse().ok()))
    }

    /// Notes that the events of a bucket are watched by now; the first note stays.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn watches(&self, bucket: &str, now: Timestamp) -> Result<(), Failure> {
        if self.watched_since(bucket).await?.is_some() {
            return Ok(());
        }
        let request = self
            .update("lag", &watched(bucket))
            .update_expression("SET since = :now, shape = :shape")
            .condition_expression("attribute_not_exists(pk)")
            .expression_attribute_values(":now", text(&now.to_string()))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()));
        self.sent(request).await.map(drop)
    }

    /// Remembers it, unless another measurement has done so since `before`.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn set_lag_marks(&self, marks: &Marks, before: Timestamp) -> Result<bool, Failure> {
        let document = serde_json::to_string(marks).unwrap_or_default();
        let request = self
            .update("lag", "marks")
            .update_expression("SET marks = :marks, counted = :counted, shape = :shape")
            .condition_expression("attribute_not_exists(pk) OR counted = :before")
            .expression_attribute_values(":marks", text(&document))
            .expression_attribute_values(":counted", text(&marks.counted.to_string()))
            .expression_attribute_values(":before", text(&before.to_string()))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()));
        self.sent(request).await
    }
}

/// Sort key of the note about a bucket.
fn watched(bucket: &str) -> String {
    format!("watched#{bucket}")
}

/// Always the same for a point, however long its keys are.
fn late_id(pk: &str, sk: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(pk.as_bytes());
    hash.update([0]);
    hash.update(sk.as_bytes());
    hash.finalize()
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
