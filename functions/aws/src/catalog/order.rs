//! What settling reads and writes in the catalog.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use backup_domain::catalog::{RecoveryPoint, Status};
use backup_domain::error::Cause;
use backup_domain::multipart::Upload;
use jiff::Timestamp;

use super::items::text;
use super::{Catalog, Item, shape};
use crate::{ApiError, Failure};

/// A write to the backup that is noted before it is sent, since a Lambda that dies cannot note it
/// any more.
#[derive(Debug, Clone)]
pub struct Owed {
    /// Sort key of the point that notes it.
    pub sk: String,
    /// The moment from which on it can no longer land.
    pub after: Timestamp,
    /// Whether the point noted an older one already, of somebody else.
    pub shared: bool,
}

impl Catalog {
    /// All points of a key, of every destination; deletions are among them.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn points_of_key(&self, pk: &str) -> Result<Vec<RecoveryPoint>, Failure> {
        self.query(pk, "").await
    }

    /// The points of the versions of a key at one destination.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn points_at(
        &self,
        pk: &str,
        destination: &str,
    ) -> Result<Vec<RecoveryPoint>, Failure> {
        let mut points = self.query(pk, &format!("{destination}#")).await?;
        points.retain(|point| point.object.deletion.is_none());
        Ok(points)
    }

    /// Events that were rejected whole stand under `*` and are no points.
    async fn query(&self, pk: &str, prefix: &str) -> Result<Vec<RecoveryPoint>, Failure> {
        let items = self.items_of(pk, prefix).await?.into_iter();
        let is_point = |item: &Item| {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok());
            !sk.is_some_and(|sk| sk.starts_with('*'))
        };
        items.filter(is_point).map(|item| self.read(item)).collect()
    }

    /// Notes a write before it is sent.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn owe(&self, pk: &str, sk: &str, after: Timestamp) -> Result<Owed, Failure> {
        let answer = self
            .update(pk, sk)
            .update_expression("SET owedAfter = :after")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":after", text(&after.to_string()))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await
            .map_err(|error| ApiError::of("UpdateItem", &error).at_service(&self.table))?;
        let before: HashMap<_, _> = answer.attributes.unwrap_or_default();
        Ok(Owed {
            sk: sk.to_owned(),
            after,
            shared: before.contains_key("owedAfter"),
        })
    }

    /// Takes a note back once its answer has come, unless somebody has noted another write since.
    /// A point that was `unsettled` is `stored` again.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn settled(&self, pk: &str, sk: &str, after: Timestamp) -> Result<(), Failure> {
        for (expression, status) in [
            (
                "SET #status = :stored REMOVE owedAfter, #error, message",
                Some(Status::Unsettled),
            ),
            ("REMOVE owedAfter", None),
        ] {
            let mut request = self
                .update(pk, sk)
                .update_expression(expression)
                .expression_attribute_values(":after", text(&after.to_string()));
            request = match status {
                Some(status) => request
                    .condition_expression("owedAfter = :after AND #status = :status")
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_names("#error", "error")
                    .expression_attribute_values(":status", text(status.as_str()))
                    .expression_attribute_values(":stored", text(Status::Stored.as_str())),
                None => request.condition_expression("owedAfter = :after"),
            };
            if self.sent(request).await? {
                break;
            }
        }
        Ok(())
    }

    /// Records a promotion. A point whose copies had all expired is `stored` again by a good one.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn promoted(
        &self,
        pk: &str,
        sk: &str,
        version_id: &str,
        good: bool,
    ) -> Result<(), Failure> {
        let list = if good { "promotions" } else { "bad" };
        let mut request = self
            .update(pk, sk)
            .update_expression(
                "SET #list = list_append(if_not_exists(#list, :none), :ids) REMOVE #upload",
            )
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#list", list)
            .expression_attribute_names("#upload", "upload")
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":ids", AttributeValue::L(vec![text(version_id)]));
        if good {
            request = request
                .condition_expression("attribute_exists(pk) AND #status <> :expired")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":expired", text(Status::Expired.as_str()));
        }
        if self.sent(request).await? || !good {
            return Ok(());
        }
        // All its copies had expired; now it has one again.
        let request = self
            .update(pk, sk)
            .update_expression(
                "SET #status = :stored, #backup.#version = :id REMOVE expiredAt, #backup.#class, #upload",
            )
            .condition_expression("#status = :expired")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#backup", "backup")
            .expression_attribute_names("#version", "versionId")
            .expression_attribute_names("#class", "storageClass")
            .expression_attribute_names("#upload", "upload")
            .expression_attribute_values(":stored", text(Status::Stored.as_str()))
            .expression_attribute_values(":expired", text(Status::Expired.as_str()))
            .expression_attribute_values(":id", text(version_id));
        self.sent(request).await.map(drop)
    }

    /// Notes the upload of a promotion in parts, so that a retry goes on with it.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn note_promotion(&self, pk: &str, sk: &str, upload: &Upload) -> Result<(), Failure> {
        let upload = serde_dynamo::to_attribute_value(upload).map_err(|problem| shape(&problem))?;
        let request = self
            .update(pk, sk)
            .update_expression("SET #upload = :upload")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#upload", "upload")
            .expression_attribute_values(":upload", upload);
        self.sent(request).await.map(drop)
    }

    /// Marks what `owner` has stored as `unsettled`, to be settled once more from `owed` on, or later
    /// where a later write was noted. Says whether it was there.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn unsettle(
        &self,
        point: &RecoveryPoint,
        cause: &Cause,
        owed: Timestamp,
    ) -> Result<bool, Failure> {
        let status = "SET #status = :unsettled, #error = :error, message = :message";
        let mine = "#status IN (:stored, :unsettled) AND #owner = :owner";
        let request = || {
            self.update(&point.pk, &point.sk)
                .expression_attribute_names("#status", "status")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_names("#error", "error")
                .expression_attribute_values(":unsettled", text(Status::Unsettled.as_str()))
                .expression_attribute_values(":stored", text(Status::Stored.as_str()))
                .expression_attribute_values(":owner", text(&point.owner))
                .expression_attribute_values(":error", text(&cause.error))
                .expression_attribute_values(":message", text(&cause.message))
        };
        let with_debt = request()
            .update_expression(format!("{status}, owedAfter = :owed"))
            .condition_expression(format!(
                "{mine} AND (attribute_not_exists(owedAfter) OR owedAfter < :owed)"
            ))
            .expression_attribute_values(":owed", text(&owed.to_string()));
        if self.sent(with_debt).await? {
            return Ok(true);
        }
        let indebted = request()
            .update_expression(status)
            .condition_expression(format!("{mine} AND attribute_exists(owedAfter)"));
        self.sent(indebted).await
    }

    /// Ends a deletion whose lease `point.owner` holds; a second time changes nothing. What its point
    /// has noted meanwhile, before a delete marker was sent, stays noted.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn end_deletion(&self, point: &RecoveryPoint) -> Result<bool, Failure> {
        let now = point.ended_at.unwrap_or_else(|| self.now()).to_string();
        let day = point.day.as_deref().unwrap_or_default();
        let request = self
            .update(&point.pk, &point.sk)
            .update_expression(
                "SET #status = :deleted, #day = :day, endedAt = :now REMOVE #open, openSince",
            )
            .condition_expression("#status = :copying AND #owner = :owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#day", "day")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":deleted", text(Status::Deleted.as_str()))
            .expression_attribute_values(":copying", text(Status::Copying.as_str()))
            .expression_attribute_values(":owner", text(&point.owner))
            .expression_attribute_values(":day", text(day))
            .expression_attribute_values(":now", text(&now));
        self.sent(request).await
    }
}
