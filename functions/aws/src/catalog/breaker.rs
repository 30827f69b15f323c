//! The breakers of the destinations.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use backup_domain::breaker::Breaker;
use backup_domain::catalog::SHAPE;

use super::{Catalog, Item, shape};
use crate::{ApiError, Failure};

const PK: &str = "breaker";

impl Catalog {
    /// The breaker of a destination; none is a closed one. `fresh` asks for what was written last,
    /// at twice the price.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn breaker(
        &self,
        destination: &str,
        fresh: bool,
    ) -> Result<Option<Breaker>, Failure> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(fresh)
            .key("pk", AttributeValue::S(PK.to_owned()))
            .key("sk", AttributeValue::S(destination.to_owned()))
            .send()
            .await
            .map_err(|error| ApiError::of("GetItem", &error).at_service(&self.table))?;
        let read = |item: Item| serde_dynamo::from_item(item).map_err(|problem| shape(&problem));
        answer.item.map(read).transpose()
    }

    /// Writes it where nobody has since it was read: `false` where somebody has.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_breaker(&self, destination: &str, next: &Breaker) -> Result<bool, Failure> {
        let item: Item = serde_dynamo::to_item(next).map_err(|problem| shape(&problem))?;
        let seen = next.revision.saturating_sub(1);
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .item("pk", AttributeValue::S(PK.to_owned()))
            .item("sk", AttributeValue::S(destination.to_owned()))
            .item("shape", AttributeValue::N(SHAPE.to_string()))
            .condition_expression("attribute_not_exists(pk) OR revision = :seen")
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()))
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(true);
        };
        let api = ApiError::of("PutItem", &error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(_) => Ok(false),
            _ => Err(api.at_service(&self.table)),
        }
    }

    /// All breakers that have ever counted a failure, by destination.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn breakers(&self) -> Result<Vec<(String, Breaker)>, Failure> {
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(PK.to_owned()))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            let item =
                item.map_err(|error| ApiError::of("Query", &error).at_service(&self.table))?;
            let Some(name) = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned() else {
                continue;
            };
            let breaker = serde_dynamo::from_item(item).map_err(|problem| shape(&problem))?;
            found.push((name, breaker));
        }
        Ok(found)
    }
}
