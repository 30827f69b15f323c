//! Keys with all their points, by prefix: what a restore is planned from.
//!
//! The table is scanned: its partition key is the whole key, so that no query finds a prefix. The
//! backup bucket's listing, which would, knows nothing of keys whose backup failed, nor of recorded
//! deletions, and each key that it finds would take a query besides. At some 1.5 KB a point, reading a
//! million of them is 1.5 GB: $0.05 whatever the prefix, against $0.005 of listing and $0.06 of queries.
//! Units are by the size of the items, not of what is asked of them, so that a projection would save
//! nothing.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use backup_domain::catalog::{RecoveryPoint, partition_key};
use backup_domain::restore::course::Cursor;

use super::{Catalog, Item};
use crate::{ApiError, Failure};

/// A page of keys.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// All points of each key.
    pub keys: Vec<Vec<RecoveryPoint>>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl Catalog {
    /// A page of the keys of a bucket that begin with `prefix`, in the table's own order, each with
    /// all of its points; of `limit` items of the table at most, and 1 MB. May be empty, and yet not the
    /// last.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn keys_of(
        &self,
        bucket: &str,
        prefix: &str,
        limit: usize,
        from: Option<&Cursor>,
    ) -> Result<Keys, Failure> {
        let begins = partition_key(bucket, prefix);
        let mut start = from.map(key_of);
        let mut found: Vec<Vec<RecoveryPoint>> = Vec::new();
        loop {
            let (points, last) = self.scanned_points(&begins, limit, start).await?;
            for point in points {
                match found.last_mut() {
                    Some(points) if points[0].pk == point.pk => points.push(point),
                    _ => found.push(vec![point]),
                }
            }
            let Some(last) = last else {
                return Ok(Keys {
                    keys: found,
                    next: None,
                });
            };
            let is_open = found.last().is_some_and(|points| points[0].pk == last.key);
            if !is_open {
                return Ok(Keys {
                    keys: found,
                    next: Some(last),
                });
            }
            if found.len() > 1 {
                // The last key may go on: it is read again with the next page.
                found.pop();
                let end = found.last().and_then(|points| points.last());
                let next = end.map(|point| Cursor {
                    key: point.pk.clone(),
                    sort: point.sk.clone(),
                });
                return Ok(Keys { keys: found, next });
            }
            start = Some(key_of(&last));
        }
    }

    async fn scanned_points(
        &self,
        begins: &str,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<RecoveryPoint>, Option<Cursor>), Failure> {
        let answer = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            // Events that were rejected whole are no points.
            .filter_expression("begins_with(pk, :begins) AND attribute_exists(destination)")
            .expression_attribute_values(":begins", AttributeValue::S(begins.to_owned()))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| ApiError::of("Scan", &error).at_service(&self.table))?;
        let last = answer.last_evaluated_key().and_then(cursor_of);
        let items = answer.items.unwrap_or_default();
        let points: Result<Vec<_>, _> = items.into_iter().map(|item| self.read(item)).collect();
        Ok((points?, last))
    }
}

fn key_of(cursor: &Cursor) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([
        ("pk".to_owned(), text(&cursor.key)),
        ("sk".to_owned(), text(&cursor.sort)),
    ])
}

fn cursor_of(item: &Item) -> Option<Cursor> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Cursor {
        key: text("pk")?,
        sort: text("sk")?,
    })
}
