//! The catalog follows what a bucket's lifecycle has done to copies.
//!
//! Safe to run twice, late and beside itself: each write holds only while the point's copies are those
//! that were read, and a copy that was taken off before is no copy of it any more.

use aws_sdk_dynamodb::types::AttributeValue;
use backup_domain::catalog::{Left, RecoveryPoint, Status};
use jiff::Timestamp;

use super::items::text;
use super::{Catalog, shape};
use crate::{ErrorName, Failure};

/// Rounds of reading and writing; a second one is needed only where a promotion of the key was
/// recorded in between.
const ROUNDS_MAX: u32 = 8;

/// A copy, by where it was.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// Whose copies are meant.
    pub of: CopyOf<'a>,
    /// Version id at the backup.
    pub version_id: &'a str,
}

/// Whose copies are meant.
#[derive(Debug, Clone, Copy)]
pub enum CopyOf<'a> {
    /// A destination's, by its name.
    Destination(&'a str),
    /// Those under a key of a backup bucket.
    Bucket {
        /// The bucket.
        bucket: &'a str,
        /// The key there.
        key: &'a str,
    },
}

impl Copy<'_> {
    fn is_of(&self, point: &RecoveryPoint) -> bool {
        let place = match self.of {
            CopyOf::Destination(name) => point.destination == name,
            CopyOf::Bucket { bucket, key } => {
                let backup = point.backup.as_ref();
                backup.is_some_and(|it| it.bucket == bucket && it.key == key)
            }
        };
        place && point.in_order().has_copy(self.version_id)
    }
}

impl Catalog {
    /// Takes a copy that has expired off the point of its version, among the points under `pk`; a
    /// point that has no other is `expired`. Says whether anything changed: a copy that no stored
    /// point knows changes nothing.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`, the last also while the point keeps
    /// changing.
    pub async fn expire(&self, pk: &str, copy: Copy<'_>, at: Timestamp) -> Result<bool, Failure> {
        for _ in 0..ROUNDS_MAX {
            let points = self.points_of_key(pk).await?;
            let found = points.iter().filter(|point| copy.is_of(point));
            let mut left = found.filter_map(|it| Some((it, it.without(copy.version_id)?)));
            let Some((point, left)) = left.next() else {
                return Ok(false);
            };
            if self.leave(point, &left, at).await? {
                return Ok(true);
            }
        }
        let message = format!("the recovery point of {} kept changing", copy.version_id);
        Err(Failure::new(ErrorName::DestinationUnavailable, message))
    }

    /// Writes what an expiry leaves; `false` where the point is another by now.
    async fn leave(
        &self,
        point: &RecoveryPoint,
        left: &Left,
        at: Timestamp,
    ) -> Result<bool, Failure> {
        let ids = |ids: &[String]| AttributeValue::L(ids.iter().map(|id| text(id)).collect());
        let Some(backup) = &point.backup else {
            return Ok(false);
        };
        let unchanged = if point.promotions.is_empty() {
            "attribute_not_exists(#promotions)"
        } else {
            "#promotions = :promotions"
        };
        let condition = format!(
            "#status IN (:stored, :unsettled) AND #backup.#version = :version AND ({unchanged})"
        );
        let mut request = self
            .update(&point.pk, &point.sk)
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#backup", "backup")
            .expression_attribute_names("#version", "versionId")
            .expression_attribute_names("#promotions", "promotions")
            .expression_attribute_values(":stored", text(Status::Stored.as_str()))
            .expression_attribute_values(":unsettled", text(Status::Unsettled.as_str()))
            .expression_attribute_values(":version", text(&backup.version_id));
        if !point.promotions.is_empty() {
            request = request.expression_attribute_values(":promotions", ids(&point.promotions));
        }
        request = match left {
            Left::Nothing => request
                .update_expression("SET #status = :expired, expiredAt = :at")
                .expression_attribute_values(":expired", text(Status::Expired.as_str()))
                .expression_attribute_values(":at", text(&at.to_string())),
            Left::Copies(backup, promotions) => {
                let backup =
                    serde_dynamo::to_attribute_value(backup).map_err(|problem| shape(&problem))?;
                let request = request.expression_attribute_values(":backup", backup);
                // An absent list and an empty one are not the same to a condition.
                if promotions.is_empty() {
                    request.update_expression("SET #backup = :backup REMOVE #promotions")
                } else {
                    request
                        .update_expression("SET #backup = :backup, #promotions = :left")
                        .expression_attribute_values(":left", ids(promotions))
                }
            }
        };
        self.sent(request).await
    }

    /// Notes the storage class that a recorded copy was moved to. Says whether a point knows it.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn transition(&self, pk: &str, copy: Copy<'_>, class: &str) -> Result<bool, Failure> {
        let points = self.points_of_key(pk).await?;
        let Some(point) = points.iter().find(|point| copy.is_of(point)) else {
            return Ok(false);
        };
        let request = self
            .update(&point.pk, &point.sk)
            .update_expression("SET #backup.storageClass = :class")
            .condition_expression("#backup.versionId = :version")
            .expression_attribute_names("#backup", "backup")
            .expression_attribute_values(":class", text(class))
            .expression_attribute_values(":version", text(copy.version_id));
        self.sent(request).await
    }
}
