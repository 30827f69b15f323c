//! The catalog in DynamoDB: every write is conditional.

mod backfills;
mod breaker;
mod digest;
mod drill;
mod expire;
mod failed;
mod items;
mod keys;
mod lag;
mod order;
mod sample;
mod scan;
mod watch;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use backup_domain::catalog::{RecoveryPoint, Status};
use backup_domain::lease::Held;
use backup_domain::multipart::Upload;
use jiff::Timestamp;
use std::collections::HashMap;

use items::{text, word};

use crate::{ApiError, ErrorName, Failure};

pub use backfills::{Gone, Run};
pub use expire::{Copy, CopyOf};
pub use failed::{Failed, FailedPage, Whole};
pub use items::Start;
pub use keys::Keys;
pub use lag::{Ended, Tracked};
pub use order::Owed;
pub use sample::Segment;
pub use watch::{Claim, Due, Noted, Page};

type Item = HashMap<String, AttributeValue>;

/// The table.
#[derive(Debug, Clone)]
pub struct Catalog {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// Whether a conditional write took place.
#[derive(Debug, Clone)]
pub enum Written {
    /// It did.
    Yes,
    /// The condition failed; this is there instead.
    Refused(Box<RecoveryPoint>),
}

impl Catalog {
    /// A table by name.
    pub fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }

    /// The time on the clock that requests are signed by: the one to measure leases, claims and what
    /// is owed with.
    pub fn now(&self) -> Timestamp {
        let now = self.client.config().time_source().map(|clock| clock.now());
        now.and_then(|now| Timestamp::try_from(now).ok())
            .unwrap_or_else(Timestamp::now)
    }

    /// Writes a point that is not there yet.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn create(&self, point: &RecoveryPoint) -> Result<Written, Failure> {
        self.put(point, "attribute_not_exists(pk)", &[]).await
    }

    /// Replaces a point that is exactly as `held` showed it.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn take_over(&self, point: &RecoveryPoint, held: &Held) -> Result<Written, Failure> {
        let values = [
            (":status", held.status.as_str()),
            (":owner", held.owner.as_str()),
        ];
        self.put(point, "#status = :status AND #owner = :owner", &values)
            .await
    }

    /// Ends a point whose lease is held by `point.owner`; a second time changes nothing.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn end(&self, point: &RecoveryPoint) -> Result<Written, Failure> {
        let values = [
            (":status", Status::Copying.as_str()),
            (":owner", point.owner.as_str()),
        ];
        self.put(point, "#status = :status AND #owner = :owner", &values)
            .await
    }

    /// Reads a point.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn get(&self, pk: &str, sk: &str) -> Result<Option<RecoveryPoint>, Failure> {
        let item = self.item(pk, sk, true).await?;
        item.map(|item| self.read(item)).transpose()
    }

    /// Notes the multipart upload of a point whose lease `owner` holds.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`, the last also when the lease is
    /// another's by now.
    pub async fn note_upload(
        &self,
        pk: &str,
        sk: &str,
        owner: &str,
        upload: &Upload,
    ) -> Result<(), Failure> {
        let upload = serde_dynamo::to_attribute_value(upload).map_err(|problem| shape(&problem))?;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(pk))
            .key("sk", text(sk))
            .update_expression("SET #upload = :upload")
            .condition_expression("#status = :copying AND #owner = :owner")
            .expression_attribute_names("#upload", "upload")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":upload", upload)
            .expression_attribute_values(":copying", text(Status::Copying.as_str()))
            .expression_attribute_values(":owner", text(owner))
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| ApiError::of("UpdateItem", &error).at_service(&self.table))
    }

    /// Ids of the uploads that the points of a key have noted, but for the point `own_sk`.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn uploads_of_others(&self, pk: &str, own_sk: &str) -> Result<Vec<String>, Failure> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk))
            .filter_expression("attribute_exists(#upload)")
            .projection_expression("sk, #upload.#id")
            .expression_attribute_names("#upload", "upload")
            .expression_attribute_names("#id", "id");
        let items = self.queried(request).await?.into_iter();
        let others = items.filter(|item| word(item, "sk").as_deref() != Some(own_sk));
        Ok(others
            .filter_map(|item| word(item.get("upload")?.as_m().ok()?, "id"))
            .collect())
    }

    /// Writes plain attributes without a condition: the record of an event that no point can be made of,
    /// or what somebody remembers from one run to the next.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_texts(&self, attributes: &[(&str, String)]) -> Result<(), Failure> {
        let mut request = self.client.put_item().table_name(&self.table);
        for (name, value) in attributes {
            request = request.item(*name, AttributeValue::S(value.clone()));
        }
        let answer = request.send().await;
        answer
            .map(drop)
            .map_err(|error| ApiError::of("PutItem", &error).at_service(&self.table))
    }

    async fn put(
        &self,
        point: &RecoveryPoint,
        condition: &str,
        values: &[(&str, &str)],
    ) -> Result<Written, Failure> {
        let mut item: Item = serde_dynamo::to_item(point).map_err(|problem| shape(&problem))?;
        lag::index(&mut item, point, self.now());
        let mut request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, value) in values {
            request =
                request.expression_attribute_values(*name, AttributeValue::S((*value).to_owned()));
        }
        if !values.is_empty() {
            request = request
                .expression_attribute_names("#status", "status")
                .expression_attribute_names("#owner", "owner");
        }
        let Err(error) = request.send().await else {
            return Ok(Written::Yes);
        };
        let api = ApiError::of("PutItem", &error);
        let refused = error.into_service_error();
        match refused {
            aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(old) => {
                match old.item {
                    Some(item) => Ok(Written::Refused(Box::new(self.read(item)?))),
                    // Gone between the two: nothing deletes points but their time to live.
                    None => Err(Failure::new(ErrorName::DestinationUnavailable, "the catalog's item vanished while it was claimed")),
                }
            }
            _ => Err(api.at_service(&self.table)),
        }
    }

    fn read(&self, item: Item) -> Result<RecoveryPoint, Failure> {
        serde_dynamo::from_item(item).map_err(|problem| {
            let mut failure = shape(&problem);
            failure.message = format!("{}: an item of {}", failure.message, self.table);
            failure
        })
    }
}

fn shape(problem: &serde_dynamo::Error) -> Failure {
    let mut failure = Failure::new(
        ErrorName::DestinationUnavailable,
        format!("a recovery point cannot be read: {problem}"),
    );
    failure.advice = "a newer release wrote it, or a hand changed it: deploy that release, or mend the item, then s3-backup redrive".to_owned();
    failure
}
