//! The windows in which messages are counted instead of being told one by one.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use backup_domain::catalog::SHAPE;
use backup_domain::digest::{Digest, EXAMPLES_MAX};
use jiff::Timestamp;

use super::items::{text, word};
use super::{Catalog, Item};
use crate::{ApiError, Failure};

const PK: &str = "digest";

/// A window of one kind.
#[derive(Debug, Clone)]
pub struct Window {
    /// What has been counted in it.
    pub digest: Digest,
    /// When it ends.
    pub until: Timestamp,
}

impl Catalog {
    /// Counts one more of a kind; `false` where no window is open for it.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn count(&self, kind: &str, example: &str) -> Result<bool, Failure> {
        let full = usize_of(EXAMPLES_MAX);
        let request = self
            .update(PK, kind)
            .update_expression("SET examples = list_append(examples, :example) ADD waiting :one")
            .condition_expression("attribute_not_exists(closed) AND size(examples) < :full")
            .expression_attribute_values(
                ":example",
                AttributeValue::L(vec![AttributeValue::S(example.to_owned())]),
            )
            .expression_attribute_values(":one", usize_of(1))
            .expression_attribute_values(":full", full)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = request.send().await else {
            return Ok(true);
        };
        let api = ApiError::of("UpdateItem", &error);
        let UpdateItemError::ConditionalCheckFailedException(old) = error.into_service_error()
        else {
            return Err(api.at_service(&self.table));
        };
        if old.item.is_none_or(|item| item.contains_key("closed")) {
            return Ok(false);
        }
        // It has examples enough.
        let request = self
            .update(PK, kind)
            .update_expression("ADD waiting :one")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(closed)")
            .expression_attribute_values(":one", usize_of(1));
        self.sent(request).await
    }

    /// Opens a window; `false` where one is open. What opens it, known by `first`, is counted until it is
    /// told, see [`Catalog::told_first`].
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn open_window(
        &self,
        kind: &str,
        first: &str,
        until: Timestamp,
    ) -> Result<bool, Failure> {
        let request = self
            .client
            .put_item()
            .item("pk", text(PK))
            .item("sk", text(kind))
            .item("shape", AttributeValue::N(SHAPE.to_string()))
            .item("since", text(&self.now().to_string()))
            .item("until", text(&until.to_string()))
            .item("waiting", usize_of(1))
            .item("first", text(first))
            .item("examples", AttributeValue::L(vec![]))
            .condition_expression("attribute_not_exists(pk) OR attribute_exists(closed)");
        self.put_if(request).await
    }

    /// Takes off what opened the window: it has been told by itself. Once, however often it is noted.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn told_first(&self, kind: &str) -> Result<bool, Failure> {
        let request = self
            .update(PK, kind)
            .update_expression("REMOVE #first ADD waiting :less")
            .condition_expression("attribute_exists(#first)")
            .expression_attribute_names("#first", "first")
            .expression_attribute_values(":less", AttributeValue::N("-1".to_owned()));
        self.sent(request).await
    }

    /// The windows that have not been closed.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn windows(&self) -> Result<Vec<Window>, Failure> {
        let items = self.items_of(PK, "").await?;
        let open = items.iter().filter(|item| !item.contains_key("closed"));
        Ok(open.filter_map(window_of).collect())
    }

    /// Takes off what has been told, and opens the window anew; `false` where another has meanwhile, or
    /// this very request did and its answer was lost.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn told(&self, digest: &Digest, until: Timestamp) -> Result<bool, Failure> {
        let request = self
            .update(PK, &digest.kind)
            .update_expression(
                "SET #until = :until, since = :since, examples = :none REMOVE #first ADD waiting :less",
            )
            .condition_expression("since = :seen")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#first", "first")
            .expression_attribute_values(":seen", text(&digest.since.to_string()))
            .expression_attribute_values(":until", AttributeValue::S(until.to_string()))
            .expression_attribute_values(":since", AttributeValue::S(self.now().to_string()))
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":less", AttributeValue::N(format!("-{}", digest.count)));
        self.sent(request).await
    }

    /// Closes a window in which nothing was counted: the next of its kind is told at once.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn close_window(&self, kind: &str) -> Result<bool, Failure> {
        let request = self
            .update(PK, kind)
            .update_expression("SET closed = :true")
            // Below it where a release before took off the same twice.
            .condition_expression("waiting < :one")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":one", usize_of(1));
        self.sent(request).await
    }
}

fn usize_of(number: usize) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn window_of(item: &Item) -> Option<Window> {
    let examples = item.get("examples")?.as_l().ok()?.iter();
    let examples = examples.filter_map(|it| it.as_s().ok().cloned());
    Some(Window {
        digest: Digest {
            kind: word(item, "sk")?,
            // Below nothing where two took off the same.
            count: item.get("waiting")?.as_n().ok()?.parse().unwrap_or(0),
            since: word(item, "since")?.parse().ok()?,
            examples: word(item, "first")
                .into_iter()
                .chain(examples)
                .take(EXAMPLES_MAX)
                .collect(),
        },
        until: word(item, "until")?.parse().ok()?,
    })
}
