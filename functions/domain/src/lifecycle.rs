//! How long a destination keeps what is no longer the latest: the lifecycle of its bucket.
//!
//! S3 itself expires and transitions; no role of the backup may delete a version. Only noncurrent
//! versions ever expire, so that the latest copy of a key stays as long as it is the latest.

mod event;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::limits::{LIFECYCLE_DAYS_MAX, NEWER_NONCURRENT_VERSIONS_MAX};

pub use event::{Happened, LifecycleEvent, parse};

/// What the bucket's lifecycle does with the copies of one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// Days after which a noncurrent version expires; absent: it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent_days: Option<u32>,
    /// Newest noncurrent versions of a key that are kept beyond those days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_noncurrent_versions: Option<u32>,
    /// Where current versions go, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// Where noncurrent versions go, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent_transition: Option<Transition>,
}

/// A change of the storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transition {
    /// Days since a current version was written, or since a noncurrent one became that.
    pub days: u32,
    /// The class.
    pub storage_class: String,
}

/// Classes that lifecycle rules lead to (Amazon S3 API Reference, "Transition").
const CLASSES: [&str; 6] = [
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];

/// Rules of one bucket (Amazon S3 User Guide, "Lifecycle configuration elements").
const LIFECYCLE_RULES_MAX: usize = 1000;

/// Days after which S3 aborts an upload that nobody completes.
const ABORT_DAYS: u32 = 7;

impl Lifecycle {
    /// Looks for what S3 would refuse, or what could not come true; `lock_days` is the retention by
    /// Object Lock.
    ///
    /// # Errors
    /// The field, and what is wrong with it.
    pub fn check(&self, lock_days: Option<u32>) -> Result<(), (&'static str, String)> {
        if *self == Self::default() {
            return Err(("", "it says nothing: leave it out".to_owned()));
        }
        if let Some(days) = self.noncurrent_days {
            if !(1..=LIFECYCLE_DAYS_MAX).contains(&days) {
                let problem = format!("{days} is not from 1 to {LIFECYCLE_DAYS_MAX}");
                return Err(("noncurrentDays", problem));
            }
            if let Some(locked) = lock_days.filter(|locked| *locked > days) {
                let problem = format!(
                    "Object Lock keeps each version for {locked} days, so that none could expire after {days}"
                );
                return Err(("noncurrentDays", problem));
            }
        }
        if let Some(versions) = self.newer_noncurrent_versions {
            if !(1..=NEWER_NONCURRENT_VERSIONS_MAX).contains(&versions) {
                let problem =
                    format!("{versions} is not from 1 to {NEWER_NONCURRENT_VERSIONS_MAX}");
                return Err(("newerNoncurrentVersions", problem));
            }
            if self.noncurrent_days.is_none() {
                let problem = "it goes with noncurrentDays: what is older than those versions expires only after some days".to_owned();
                return Err(("newerNoncurrentVersions", problem));
            }
        }
        for (field, transition) in [
            ("transition", &self.transition),
            ("noncurrentTransition", &self.noncurrent_transition),
        ] {
            if let Some(transition) = transition {
                transition.check().map_err(|problem| (field, problem))?;
            }
        }
        let transition = self.noncurrent_transition.as_ref();
        if let Some((transition, days)) = transition.zip(self.noncurrent_days)
            && transition.days >= days
        {
            let problem = format!("after {days} days a noncurrent version expires");
            return Err(("noncurrentTransition", problem));
        }
        Ok(())
    }

    /// The rules of S3's lifecycle configuration for the copies under a prefix; `name` ends their ids.
    pub fn rules(&self, prefix: &str, name: &str) -> Vec<Value> {
        let rule = |id: &str, action: Value| {
            let mut rule = json!({
                "ID": format!("{id}-{name}"), "Status": "Enabled", "Filter": {"Prefix": prefix},
            });
            if let (Some(rule), Value::Object(action)) = (rule.as_object_mut(), action) {
                rule.extend(action);
            }
            rule
        };
        let mut rules = Vec::new();
        if let Some(days) = self.noncurrent_days {
            let mut expiration = json!({"NoncurrentDays": days});
            if let Some(versions) = self.newer_noncurrent_versions {
                expiration["NewerNoncurrentVersions"] = json!(versions);
            }
            // A delete marker under which nothing is left hides nothing.
            rules.push(rule(
                "ExpireNoncurrent",
                json!({
                    "NoncurrentVersionExpiration": expiration,
                    "Expiration": {"ExpiredObjectDeleteMarker": true},
                }),
            ));
        }
        if let Some(Transition {
            days,
            storage_class,
        }) = &self.transition
        {
            let transitions = json!([{"Days": days, "StorageClass": storage_class}]);
            rules.push(rule(
                "TransitionCurrent",
                json!({"Transitions": transitions}),
            ));
        }
        if let Some(Transition {
            days,
            storage_class,
        }) = &self.noncurrent_transition
        {
            let transitions = json!([{"NoncurrentDays": days, "StorageClass": storage_class}]);
            rules.push(rule(
                "TransitionNoncurrent",
                json!({"NoncurrentVersionTransitions": transitions}),
            ));
        }
        rules
    }
}

impl Transition {
    fn check(&self) -> Result<(), String> {
        let Self {
            days,
            storage_class,
        } = self;
        if !CLASSES.contains(&storage_class.as_str()) {
            return Err(format!("{storage_class} is none of {}", CLASSES.join(", ")));
        }
        if (1..=LIFECYCLE_DAYS_MAX).contains(days) {
            return Ok(());
        }
        Err(format!(
            "{days} days: a transition takes 1 to {LIFECYCLE_DAYS_MAX}"
        ))
    }
}

/// A bucket's whole lifecycle configuration, as PutBucketLifecycleConfiguration takes it: what its
/// destinations want, and an end of uploads that nobody completes.
pub fn configuration<'a>(
    destinations: impl IntoIterator<Item = (&'a str, &'a str, &'a Lifecycle)>,
) -> Value {
    let mut rules = vec![json!({
        "ID": "AbortStrayUploads", "Status": "Enabled", "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
    })];
    for (name, prefix, lifecycle) in destinations {
        rules.extend(lifecycle.rules(prefix, name));
    }
    json!({"Rules": rules})
}

/// What a bucket has, with `ours` in it: every rule of somebody else's stays, and so does whatever
/// stands beside the rules. A rule that ours have the id of gives way to it.
///
/// # Errors
/// What is wrong with `there`, which is what GetBucketLifecycleConfiguration answers.
pub fn merged(there: &Value, ours: &Value) -> Result<Value, String> {
    let rules = there["Rules"].as_array();
    let rules =
        rules.ok_or("it has no list of Rules, as get-bucket-lifecycle-configuration answers")?;
    let own = ours["Rules"].as_array().cloned().unwrap_or_default();
    let is_ours = |rule: &&Value| own.iter().any(|one| one["ID"] == rule["ID"]);
    let foreign = rules.iter().filter(|rule| !is_ours(rule)).cloned();
    let all: Vec<_> = foreign.chain(own.iter().cloned()).collect();
    if all.len() > LIFECYCLE_RULES_MAX {
        return Err(format!(
            "{} rules together: S3 takes {LIFECYCLE_RULES_MAX}",
            all.len()
        ));
    }
    let mut merged = there.clone();
    merged["Rules"] = json!(all);
    Ok(merged)
}

#[cfg(test)]
mod tests;
