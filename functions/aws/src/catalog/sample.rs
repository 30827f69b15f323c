//! A few keys from anywhere in the table: what a drill is chosen from.
//!
//! A Scan of one of many segments begins at a place of its own in the table (Amazon DynamoDB Developer
//! Guide, "Parallel scan"), so that a hundred keys of a hundred million cost a few hundred small requests
//! and nobody reads the rest.

use std::collections::BTreeSet;

use backup_domain::catalog::partition_key;

use super::Catalog;
use super::items::{text, word};
use crate::Failure;

/// Partition keys of a segment.
#[derive(Debug, Clone, Default)]
pub struct Segment {
    /// Of keys of the bucket asked for, each once.
    pub keys: BTreeSet<String>,
    /// Whether the segment holds more.
    pub more: bool,
}

impl Catalog {
    /// Keys of a bucket in the first `limit` items of a segment of the table, one of `of`.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn segment(
        &self,
        bucket: &str,
        segment: u32,
        of: u32,
        limit: u32,
    ) -> Result<Segment, Failure> {
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let request = self
            .client
            .scan()
            .segment(number(segment))
            .total_segments(number(of))
            .limit(number(limit))
            .filter_expression("begins_with(pk, :begins) AND attribute_exists(destination)")
            .expression_attribute_values(":begins", text(&partition_key(bucket, "")))
            .projection_expression("pk");
        let (items, next) = self.scanned(request, None).await?;
        let keys = items.iter().filter_map(|item| word(item, "pk"));
        Ok(Segment {
            keys: keys.collect(),
            more: next.is_some(),
        })
    }
}
