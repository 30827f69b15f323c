//! What somebody asks for: these keys, these versions, found like this.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ErrorName, Named};
use crate::lag::IN_TIME;
use crate::limits::KEY_BYTES_MAX;

/// One backfill: the input of its state machine. Unknown fields are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Request {
    /// Keys that begin with this; empty is the whole bucket.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Which versions of a key.
    pub versions: Versions,
    /// S3 Inventory to read instead of listing: `s3://bucket/…/manifest.json`, or the folder whose
    /// newest is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<String>,
    /// Plans only: nothing is copied.
    pub dry_run: bool,
    /// Copies anew what the backup holds, where the catalog that knew it is lost for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Which versions of a key are backed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versions {
    /// Every version, the oldest first, and delete markers.
    #[default]
    All,
    /// What a plain GET finds.
    Latest,
}

/// What an execution's input asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// To plan a backfill, and to carry it out unless `dryRun`.
    New(Request),
    /// To carry out what was planned, or to go on where it stopped: the name of its run.
    Resume(String),
}

/// Why a backfill cannot be asked for like that. Nothing has been copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackfillError {
    /// No request can be read.
    #[error("the input is no backfill: {problem}")]
    Unreadable {
        /// What the parser says.
        problem: String,
    },
    /// A field out of bounds.
    #[error("{field} cannot be {value}")]
    OutOfBounds {
        /// Name of the field.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// The source has no such keys.
    #[error("the source {bucket} has nothing under {what}")]
    Nothing {
        /// The source.
        bucket: String,
        /// The prefix.
        what: String,
    },
    /// The source does not let itself be listed.
    #[error("the source {bucket} cannot be listed: {problem}")]
    Unlistable {
        /// The source.
        bucket: String,
        /// What S3 says.
        problem: String,
    },
    /// A listing or a catalog that nothing can be built on.
    #[error("{what} cannot be gone by: {problem}")]
    Unusable {
        /// The listing, the inventory or the catalog.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An inventory that does not reach to where events were watched.
    #[error("{inventory} was begun at {begun}, {}: what came between is in neither", said(since.as_ref()))]
    TooOld {
        /// The inventory.
        inventory: String,
        /// When S3 began it.
        begun: Timestamp,
        /// Since when events are watched; `None` where nothing has noted it yet.
        since: Option<Timestamp>,
    },
    /// The catalog knows no version, and the backup has copies.
    #[error(
        "the catalog holds no recovery point, and {copy} is a copy of this source: all of it would be copied again"
    )]
    EmptyCatalog {
        /// A copy of this backup.
        copy: String,
    },
    /// Another execution is at the same run.
    #[error("the run {run} is worked on by {execution}")]
    Running {
        /// The run.
        run: String,
        /// Who works on it.
        execution: String,
    },
    /// No such run.
    #[error("there is no plan of a run {run}")]
    NoRun {
        /// The run.
        run: String,
    },
}

fn said(since: Option<&Timestamp>) -> String {
    since.map_or_else(
        || "and it is not noted yet since when events are watched".to_owned(),
        |since| format!("and events are watched since {since}"),
    )
}

/// Refuses an inventory that does not reach to where events were watched. S3 is eventually consistent in
/// what it takes into one, so that it must be younger by a little (Amazon S3 User Guide, "Cataloging and
/// analyzing your data with S3 Inventory").
///
/// # Errors
/// [`BackfillError::TooOld`].
pub fn check_age(
    inventory: &str,
    begun: Timestamp,
    since: Option<Timestamp>,
) -> Result<(), BackfillError> {
    let reaches = |since: Timestamp| begun.duration_since(since) >= IN_TIME;
    if since.is_some_and(reaches) {
        return Ok(());
    }
    let inventory = inventory.to_owned();
    Err(BackfillError::TooOld {
        inventory,
        begun,
        since,
    })
}

impl Named for BackfillError {
    fn name(&self) -> ErrorName {
        ErrorName::InvalidBackfill
    }

    fn advice(&self) -> String {
        match self {
            Self::Nothing { .. } => {
                "check the spelling; keys are compared byte for byte".to_owned()
            }
            Self::Unlistable { .. } => {
                "let the role of PlanBackfill list the source bucket (s3:ListBucketVersions): its bucket policy may refuse".to_owned()
            }
            Self::Unusable { .. } => {
                "mend what is named, or leave the inventory out: the bucket is listed then".to_owned()
            }
            Self::TooOld { .. } => {
                "leave the inventory out: the bucket is listed then; or wait for one that S3 begins a quarter of an hour after events were watched, or later".to_owned()
            }
            Self::EmptyCatalog { .. } => {
                "restore the catalog's table to a point in time before it was lost; where it is lost for good, --again copies anew".to_owned()
            }
            Self::Running { .. } => {
                "wait for its end, or stop that execution, then resume".to_owned()
            }
            Self::NoRun { .. } => {
                "runs are named by the plan and the report; their documents are kept as long as those of restores".to_owned()
            }
            Self::Unreadable { .. } | Self::OutOfBounds { .. } => self.name().advice().to_owned(),
        }
    }
}

/// Reads an execution's input: a [`Request`], or `{"resume": "<run>"}`.
///
/// # Errors
/// [`BackfillError::Unreadable`] and [`BackfillError::OutOfBounds`].
///
/// # Examples
/// ```
/// use backup_domain::backfill::request::{Input, Versions, parse};
/// let Input::New(request) = parse(&serde_json::json!({"prefix": "photos/"}))? else { panic!("new") };
/// assert_eq!(request.versions, Versions::All);
/// assert!(parse(&serde_json::json!({"prefixes": ["a"]})).is_err());
/// # Ok::<(), backup_domain::backfill::request::BackfillError>(())
/// ```
pub fn parse(input: &Value) -> Result<Input, BackfillError> {
    let unreadable = |problem: String| BackfillError::Unreadable { problem };
    if let Some(run) = input.get("resume") {
        let others = input.as_object().is_some_and(|it| it.len() > 1);
        let run = run.as_str().filter(|run| is_run(run) && !others);
        let run = run.ok_or_else(|| unreadable("resume names a run, and stands alone".into()))?;
        return Ok(Input::Resume(run.to_owned()));
    }
    if !input.is_object() {
        return Err(unreadable(format!("{input} is no JSON object")));
    }
    let request: Request = serde_path_to_error::deserialize(input).map_err(|problem| {
        let path = problem.path().to_string();
        unreadable(format!("{path}: {}", problem.into_inner()))
    })?;
    if request.prefix.len() > KEY_BYTES_MAX {
        let value = crate::error::one_line(&request.prefix, 80);
        return Err(BackfillError::OutOfBounds {
            field: "prefix",
            value,
        });
    }
    Ok(Input::New(request))
}

/// Names of executions, which name runs.
fn is_run(run: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
    !run.is_empty() && run.len() <= 80 && run.bytes().all(plain)
}

impl Request {
    /// The scope for a reader.
    pub fn what(&self) -> String {
        match self.prefix.as_str() {
            "" => "the whole bucket".to_owned(),
            prefix => format!("prefix {prefix:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_understood_is_refused_by_name() {
        for bad in [
            json!([]),
            json!("all"),
            json!({"prefixes": "a"}),
            json!({"versions": "some"}),
            json!({"dryRun": "yes"}),
            json!({"resume": ""}),
            json!({"resume": "../other"}),
            json!({"resume": "run-1", "prefix": "a"}),
            json!({"prefix": "a".repeat(1025)}),
        ] {
            let refused = parse(&bad).expect_err("refused");
            assert_eq!(refused.name(), ErrorName::InvalidBackfill, "{bad}");
            assert!(!refused.advice().is_empty());
        }
    }

    #[test]
    fn an_inventory_of_before_events_were_watched_is_refused_by_name() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).expect("a time");
        assert_eq!(check_age("i", at(100), Some(at(85))), Ok(()));
        for since in [Some(at(86)), Some(at(2000)), None] {
            let refused = check_age("s3://i/manifest.json", at(100), since).expect_err("refused");
            assert_eq!(refused.name(), ErrorName::InvalidBackfill);
            let said = refused.to_string();
            assert!(
                said.starts_with("s3://i/manifest.json was begun at"),
                "{said}"
            );
            assert_eq!(said.contains("watched since"), since.is_some(), "{said}");
        }
    }

    #[test]
    fn nothing_asked_for_is_everything_there_is() {
        assert_eq!(parse(&json!({})), Ok(Input::New(Request::default())));
        assert_eq!(
            parse(&json!({"resume": "backfill-1"})),
            Ok(Input::Resume("backfill-1".to_owned()))
        );
        let all = json!({"prefix": "a b/", "versions": "latest", "inventory": "s3://b/i/", "dryRun": true});
        let Ok(Input::New(request)) = parse(&all) else {
            panic!("understood");
        };
        assert_eq!(json!(request), all);
    }
}
