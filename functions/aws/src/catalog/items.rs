//! How items are read and written: the one place for what every request of the catalog has in common.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{Catalog, Item};
use crate::{ApiError, Failure};

/// Where a page begins: a key, its attributes by name.
pub type Start = BTreeMap<String, String>;

impl Catalog {
    /// The item of these keys. `fresh` asks for what was written last, at twice the price.
    pub(super) async fn item(
        &self,
        pk: &str,
        sk: &str,
        fresh: bool,
    ) -> Result<Option<Item>, Failure> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(fresh)
            .key("pk", text(pk))
            .key("sk", text(sk))
            .send()
            .await
            .map_err(|error| ApiError::of("GetItem", &error).at_service(&self.table))?;
        Ok(answer.item)
    }

    /// All items under a partition key whose sort keys begin so.
    pub(super) async fn items_of(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, Failure> {
        let mut request = self
            .client
            .query()
            .consistent_read(true)
            .expression_attribute_values(":pk", text(pk));
        request = if prefix.is_empty() {
            request.key_condition_expression("pk = :pk")
        } else {
            request
                .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                .expression_attribute_values(":sk", text(prefix))
        };
        self.queried(request).await
    }

    /// All items of a query.
    pub(super) async fn queried(&self, request: QueryFluentBuilder) -> Result<Vec<Item>, Failure> {
        let request = request.table_name(&self.table);
        let mut items = request.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found
                .push(item.map_err(|error| ApiError::of("Query", &error).at_service(&self.table))?);
        }
        Ok(found)
    }

    /// Items of a page, and where the next one begins.
    pub(super) async fn scanned(
        &self,
        request: ScanFluentBuilder,
        from: Option<Start>,
    ) -> Result<(Vec<Item>, Option<Start>), Failure> {
        let answer = request
            .table_name(&self.table)
            .set_exclusive_start_key(key_of(from))
            .send()
            .await
            .map_err(|error| ApiError::of("Scan", &error).at_service(&self.table))?;
        let next = answer.last_evaluated_key().map(start_of);
        Ok((answer.items.unwrap_or_default(), next))
    }

    pub(super) fn update(&self, pk: &str, sk: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(pk))
            .key("sk", text(sk))
    }

    /// Whether the condition held.
    pub(super) async fn sent(&self, request: UpdateItemFluentBuilder) -> Result<bool, Failure> {
        let Err(error) = request.send().await else {
            return Ok(true);
        };
        let api = ApiError::of("UpdateItem", &error);
        match error.into_service_error() {
            UpdateItemError::ConditionalCheckFailedException(_) => Ok(false),
            _ => Err(api.at_service(&self.table)),
        }
    }

    /// Whether the condition held.
    pub(super) async fn put_if(&self, request: PutItemFluentBuilder) -> Result<bool, Failure> {
        let Err(error) = request.table_name(&self.table).send().await else {
            return Ok(true);
        };
        let api = ApiError::of("PutItem", &error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(_) => Ok(false),
            _ => Err(api.at_service(&self.table)),
        }
    }
}

/// The key that a page begins after.
pub(super) fn key_of(start: Option<Start>) -> Option<Item> {
    let start = start.unwrap_or_default().into_iter();
    let key: Item = start.map(|(name, it)| (name, text(&it))).collect();
    (!key.is_empty()).then_some(key)
}

/// Where the page after this key begins.
pub(super) fn start_of(key: &Item) -> Start {
    let text = |(name, value): (&String, &AttributeValue)| {
        Some((name.clone(), value.as_s().ok()?.clone()))
    };
    key.iter().filter_map(text).collect()
}

/// An attribute that is text.
pub(super) fn word(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
