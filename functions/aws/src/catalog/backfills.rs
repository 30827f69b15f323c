//! Progress of backfills: a run, its slices, the lines of a slice. Each is written whole under its own
//! key, so that work that is done twice counts once.
//!
//! ```text
//! pk                      sk
//! backfills               <run>           who works on it, what is planned, how it ended
//! backfill#<run>          <slice>         counts of a slice that was gone through
//! backfill#<run>#<slice>  <line>          counts of a line
//! ```

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::course::{SHAPE, Summary};
use backup_domain::backfill::report::Verdict;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::items::text;
use super::{Catalog, Item, shape};
use crate::{ErrorName, Failure};

const RUNS: &str = "backfills";
/// How long progress is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its name.
    #[serde(rename = "sk")]
    pub run: String,
    /// ARN of the execution that works on it, or did last.
    pub execution: String,
    /// When it began.
    pub begun: Timestamp,
    /// Keys that it covers, for a reader.
    pub what: String,
    /// Whether it is more than a plan that was shown.
    pub agreed: bool,
    /// Slices that are planned.
    pub slices: u32,
    /// The one that is worked on.
    pub slice: u32,
    /// What is planned.
    pub plan: Summary,
    /// What has become of it, as of the last slice.
    pub done: Counts,
    /// How it ended; absent while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Until when functions of an execution that was stopped may live on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
}

/// A line or a slice that was gone through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gone {
    /// Its number.
    #[serde(skip)]
    pub number: u32,
    /// What became of its versions.
    pub counts: Counts,
    /// Lines of a slice.
    #[serde(skip_serializing_if = "is_none")]
    pub lines: u32,
    /// How often it was worked on in vain.
    pub tries: u32,
    /// Whether there is a document of what did not end well.
    pub rest: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_none(number: &u32) -> bool {
    *number == 0
}

impl Catalog {
    /// Writes a run whole. `before` is who worked on it as far as is known: `None` for a new one.
    /// Says whether that is still so.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_run(&self, run: &Run, before: Option<&str>) -> Result<bool, Failure> {
        let item = self.item_of(RUNS, &run.run, run)?;
        let request = self.client.put_item().set_item(Some(item));
        let request = match before {
            None => request.condition_expression("attribute_not_exists(pk)"),
            Some(execution) => request
                .condition_expression("#execution = :execution")
                .expression_attribute_names("#execution", "execution")
                .expression_attribute_values(":execution", text(execution)),
        };
        self.put_if(request).await
    }

    /// A run.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn run(&self, run: &str) -> Result<Option<Run>, Failure> {
        self.item(RUNS, run, true).await?.map(read).transpose()
    }

    /// All runs.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn runs(&self) -> Result<Vec<Run>, Failure> {
        let items = self.items_of(RUNS, "").await?;
        items.into_iter().map(read).collect()
    }

    /// Notes a slice.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_slice(&self, run: &str, slice: &Gone) -> Result<(), Failure> {
        self.put_gone(&format!("backfill#{run}"), slice).await
    }

    /// The slices that were gone through.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn slices(&self, run: &str) -> Result<BTreeMap<u32, Gone>, Failure> {
        self.gone_of(&format!("backfill#{run}")).await
    }

    /// Notes a line.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_line(&self, run: &str, slice: u32, line: &Gone) -> Result<(), Failure> {
        self.put_gone(&lines_of(run, slice), line).await
    }

    /// What a line has come to.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn line(&self, run: &str, slice: u32, line: u32) -> Result<Option<Gone>, Failure> {
        let item = self.item(&lines_of(run, slice), &sort(line), true).await?;
        let read = item.map(read::<Gone>).transpose()?;
        Ok(read.map(|it| Gone { number: line, ..it }))
    }

    /// The lines of a slice that were worked on.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn lines(&self, run: &str, slice: u32) -> Result<BTreeMap<u32, Gone>, Failure> {
        self.gone_of(&lines_of(run, slice)).await
    }

    async fn put_gone(&self, pk: &str, gone: &Gone) -> Result<(), Failure> {
        let item = self.item_of(pk, &sort(gone.number), gone)?;
        let request = self.client.put_item().set_item(Some(item));
        self.put_if(request).await.map(drop)
    }

    async fn gone_of(&self, pk: &str) -> Result<BTreeMap<u32, Gone>, Failure> {
        let mut found = BTreeMap::new();
        for item in self.items_of(pk, "").await? {
            let number = super::items::word(&item, "sk").and_then(|sk| sk.parse().ok());
            let number: u32 = number.unwrap_or_default();
            found.insert(
                number,
                Gone {
                    number,
                    ..read(item)?
                },
            );
        }
        Ok(found)
    }

    fn item_of(&self, pk: &str, sk: &str, value: &impl Serialize) -> Result<Item, Failure> {
        let mut item: Item = serde_dynamo::to_item(value).map_err(|problem| shape(&problem))?;
        let expires = self.now().saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let number = |number: i64| AttributeValue::N(number.to_string());
        item.insert("pk".to_owned(), text(pk));
        item.insert("sk".to_owned(), text(sk));
        item.insert("shape".to_owned(), number(i64::from(SHAPE)));
        item.insert("expiresAt".to_owned(), number(expires.as_second()));
        Ok(item)
    }
}

fn lines_of(run: &str, slice: u32) -> String {
    format!("backfill#{run}#{}", sort(slice))
}

fn sort(number: u32) -> String {
    format!("{number:05}")
}

fn read<T: DeserializeOwned>(item: Item) -> Result<T, Failure> {
    serde_dynamo::from_item(item).map_err(|problem| {
        let message = format!("the progress of a backfill cannot be read: {problem}");
        let mut failure = Failure::new(ErrorName::DestinationUnavailable, message);
        failure.advice = "another release wrote it: deploy that one, or begin anew".to_owned();
        failure
    })
}
