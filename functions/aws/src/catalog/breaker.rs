//! The breakers of the destinations.

use aws_sdk_dynamodb::types::AttributeValue;
use backup_domain::breaker::Breaker;
use backup_domain::catalog::SHAPE;

use super::items::{text, word};
use super::{Catalog, Item, shape};
use crate::Failure;

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
        let item = self.item(PK, destination, fresh).await?;
        let read = |item: Item| serde_dynamo::from_item(item).map_err(|problem| shape(&problem));
        item.map(read).transpose()
    }

    /// Writes it where nobody has since it was read: `false` where somebody has.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_breaker(&self, destination: &str, next: &Breaker) -> Result<bool, Failure> {
        let item: Item = serde_dynamo::to_item(next).map_err(|problem| shape(&problem))?;
        let seen = next.revision.saturating_sub(1);
        let request = self
            .client
            .put_item()
            .set_item(Some(item))
            .item("pk", text(PK))
            .item("sk", text(destination))
            .item("shape", AttributeValue::N(SHAPE.to_string()))
            .condition_expression("attribute_not_exists(pk) OR revision = :seen")
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        self.put_if(request).await
    }

    /// All breakers that have ever counted a failure, by destination.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn breakers(&self) -> Result<Vec<(String, Breaker)>, Failure> {
        let mut found = Vec::new();
        for item in self.items_of(PK, "").await? {
            let Some(name) = word(&item, "sk") else {
                continue;
            };
            let breaker = serde_dynamo::from_item(item).map_err(|problem| shape(&problem))?;
            found.push((name, breaker));
        }
        Ok(found)
    }
}
