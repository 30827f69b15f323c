//! What is remembered of drills: one item.

use aws_sdk_dynamodb::types::{AttributeValue, TableDescription};
use backup_domain::catalog::SHAPE;
use backup_domain::restore::drill::{Drilled, Mark};
use jiff::Timestamp;

use super::Catalog;
use super::items::{text, word};
use crate::{ApiError, Failure};

const PK: &str = "drill";
const SK: &str = "mark";

impl Catalog {
    /// When drills were switched on, when one succeeded, and how the last one ended.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn drills(&self) -> Result<Mark, Failure> {
        let Some(item) = self.item(PK, SK, true).await? else {
            return Ok(Mark::default());
        };
        let moment = |name: &str| word(&item, name).and_then(|text| text.parse().ok());
        // Of another release: how that drill ended is not known.
        let last = word(&item, "drilled").and_then(|text| serde_json::from_str(&text).ok());
        Ok(Mark {
            since: moment("drillsSince"),
            succeeded: moment("drillPassed"),
            last,
        })
    }

    /// Remembers how a drill ended.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn drilled(&self, drilled: &Drilled) -> Result<(), Failure> {
        let passed = if drilled.passed {
            ", drillPassed = :ended"
        } else {
            ""
        };
        let mut request = self
            .update(PK, SK)
            .update_expression(format!("SET drilled = :drilled, shape = :shape{passed}"))
            .expression_attribute_values(":drilled", text(&serde_json::json!(drilled).to_string()))
            .expression_attribute_values(":shape", AttributeValue::N(SHAPE.to_string()));
        if drilled.passed {
            request =
                request.expression_attribute_values(":ended", text(&drilled.ended.to_string()));
        }
        self.sent(request).await.map(drop)
    }

    /// Remembers since when drills are on, or that they are off.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn drills_on(&self, since: Option<Timestamp>) -> Result<(), Failure> {
        let request = match since {
            Some(since) => self
                .update(PK, SK)
                .update_expression("SET drillsSince = :since")
                .expression_attribute_values(":since", text(&since.to_string())),
            None => self.update(PK, SK).update_expression("REMOVE drillsSince"),
        };
        self.sent(request).await.map(drop)
    }

    /// How many items the table holds, as DynamoDB counted them last: every six hours or so (Amazon
    /// DynamoDB API Reference, "TableDescription").
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn items(&self) -> Result<u64, Failure> {
        let answer = self.client.describe_table().table_name(&self.table).send();
        let answer = answer
            .await
            .map_err(|error| ApiError::of("DescribeTable", &error).at_service(&self.table))?;
        let items = answer.table().and_then(TableDescription::item_count);
        Ok(items
            .and_then(|it| u64::try_from(it).ok())
            .unwrap_or_default())
    }
}
