//! Reading the whole catalog, page by page.

use backup_domain::audit::finding::AuditError;
use backup_domain::catalog::{RecoveryPoint, SHAPE, partition_key};

use super::items::text;
use super::{Catalog, Start};
use crate::Failure;

impl Catalog {
    /// A page of the recovery points of a bucket whose keys begin with `prefix`, from 1 MB of the table,
    /// and where the next one begins. What else lies in the table is left out, and ends nothing.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`, the last also for an item of another
    /// shape.
    pub async fn scan(
        &self,
        bucket: &str,
        prefix: &str,
        from: Option<Start>,
    ) -> Result<(Vec<RecoveryPoint>, Option<Start>), Failure> {
        let request = self
            .client
            .scan()
            .filter_expression(
                "begins_with(pk, :begins) AND attribute_exists(destination) AND attribute_exists(#object)",
            )
            .expression_attribute_values(":begins", text(&partition_key(bucket, prefix)))
            .expression_attribute_names("#object", "object");
        let (items, next) = self.scanned(request, from).await?;
        let mut points = Vec::new();
        for item in items {
            points.push(known_shape(self.read(item)?)?);
        }
        Ok((points, next))
    }

    /// The points of a key, of every destination; of a known shape all of them.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub async fn known_points(&self, pk: &str) -> Result<Vec<RecoveryPoint>, Failure> {
        let points = self.points_of_key(pk).await?;
        points.into_iter().map(known_shape).collect()
    }
}

fn known_shape(point: RecoveryPoint) -> Result<RecoveryPoint, Failure> {
    if point.shape == SHAPE {
        return Ok(point);
    }
    let RecoveryPoint { pk, sk, shape, .. } = point;
    Err(AuditError::Shape {
        pk,
        sk,
        shape,
        known: SHAPE,
    }
    .into())
}
