//! Reading a policy: the same check at deploy time, in tests, in the Lambda and on the command line.

use std::collections::BTreeSet;

use globset::GlobBuilder;

use super::{Deletes, Destination, LockMode, ObjectLock, Policy, Rule, Verify};
use crate::error::{ErrorName, Named};
use crate::limits::{
    KEY_BYTES_MAX, LOCK_DAYS_MAX, NAME_BYTES_MAX, RULE_DESTINATIONS_MAX, SSM_ADVANCED_BYTES_MAX,
};

/// Why a policy is refused; the message names the place in the document.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The parameter that should hold it does not exist.
    #[error("the policy parameter {parameter} does not exist")]
    Missing {
        /// Name of the SSM parameter.
        parameter: String,
    },
    /// Longer than a parameter holds.
    #[error("the policy is {bytes} bytes, an SSM parameter holds {SSM_ADVANCED_BYTES_MAX}")]
    TooLong {
        /// Bytes of the document.
        bytes: usize,
    },
    /// Not JSON, an unknown field, or a value of another type.
    #[error("the policy cannot be read at {path}: {problem}")]
    Unreadable {
        /// Path in the document; `.` is its top.
        path: String,
        /// What the parser says.
        problem: String,
    },
    /// Readable, but it contradicts itself or the deployment.
    #[error("the policy is wrong at {path}: {problem}")]
    Wrong {
        /// Path in the document.
        path: String,
        /// What is wrong, and what is possible instead.
        problem: String,
    },
}

impl Named for PolicyError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Missing { .. }
            | Self::TooLong { .. }
            | Self::Unreadable { .. }
            | Self::Wrong { .. } => ErrorName::InvalidPolicy,
        }
    }
}

/// Storage classes that a copy can be written to (Amazon S3 API Reference, "CopyObject").
const WRITABLE_CLASSES: &[&str] = &[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];
/// Classes whose content cannot be read back without a restore.
const ARCHIVE_CLASSES: &[&str] = &["GLACIER", "DEEP_ARCHIVE"];

/// Reads and checks a policy.
///
/// `sources` are the watched buckets: a destination among them would feed itself.
///
/// # Errors
/// [`PolicyError`], all of them `InvalidPolicy`, naming the place in the document.
pub fn parse(document: &str, sources: &[String]) -> Result<Policy, PolicyError> {
    if document.len() > SSM_ADVANCED_BYTES_MAX {
        return Err(PolicyError::TooLong {
            bytes: document.len(),
        });
    }
    let mut json = serde_json::Deserializer::from_str(document);
    let policy: Policy =
        serde_path_to_error::deserialize(&mut json).map_err(|error| PolicyError::Unreadable {
            path: error.path().to_string(),
            problem: error.inner().to_string(),
        })?;
    json.end().map_err(|error| PolicyError::Unreadable {
        path: ".".to_owned(),
        problem: error.to_string(),
    })?;
    if policy.version != 1 {
        return Err(wrong(
            "version",
            format!("{} is unknown, this release reads 1", policy.version),
        ));
    }
    for (name, destination) in &policy.destinations {
        check_destination(name, destination, sources)?;
    }
    let mut names = BTreeSet::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        check_rule(index, rule, &policy)?;
        if !names.insert(&rule.name) {
            return Err(wrong(
                format!("rules[{index}].name"),
                format!("{:?} is taken by a rule above", rule.name),
            ));
        }
    }
    Ok(policy)
}

fn wrong(path: impl Into<String>, problem: impl Into<String>) -> PolicyError {
    PolicyError::Wrong {
        path: path.into(),
        problem: problem.into(),
    }
}

fn check_destination(
    name: &str,
    destination: &Destination,
    sources: &[String],
) -> Result<(), PolicyError> {
    let at = |field: &str| format!("destinations.{name}.{field}");
    if name.is_empty()
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err(wrong(
            format!("destinations.{name}"),
            "a name has letters, digits and hyphens only",
        ));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(wrong(
            format!("destinations.{name}"),
            format!("a name has at most {NAME_BYTES_MAX} characters"),
        ));
    }
    if destination.bucket.is_empty() {
        return Err(wrong(at("bucket"), "it is empty"));
    }
    if destination.region.is_empty() {
        return Err(wrong(at("region"), "it is empty"));
    }
    if sources.contains(&destination.bucket) {
        return Err(wrong(
            at("bucket"),
            format!(
                "{} is the source itself: each copy would be an upload to back up again",
                destination.bucket
            ),
        ));
    }
    if destination.prefix.len() >= KEY_BYTES_MAX {
        return Err(wrong(
            at("prefix"),
            format!("a key holds {KEY_BYTES_MAX} bytes, nothing is left for the object"),
        ));
    }
    if let Some(class) = destination
        .storage_class
        .as_deref()
        .filter(|class| !WRITABLE_CLASSES.contains(class))
    {
        return Err(wrong(
            at("storageClass"),
            format!("{class} is none of {}", WRITABLE_CLASSES.join(", ")),
        ));
    }
    if destination
        .account
        .as_ref()
        .is_some_and(|id| id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(wrong(at("account"), "an account id has 12 digits"));
    }
    if let Some(lock) = &destination.object_lock {
        check_lock(lock).map_err(|(field, problem)| wrong(at(field), problem))?;
    }
    let lock_days = destination.object_lock.as_ref().map(|lock| lock.days);
    if let Some(lifecycle) = &destination.lifecycle
        && let Err((field, problem)) = lifecycle.check(lock_days)
    {
        let path = format!("lifecycle.{field}");
        return Err(wrong(at(path.trim_end_matches('.')), problem));
    }
    Ok(())
}

fn check_lock(lock: &ObjectLock) -> Result<(), (&'static str, String)> {
    if lock.days == 0 {
        let problem = "retention lasts at least one day".to_owned();
        return Err(("objectLock.days", problem));
    }
    if lock.days > LOCK_DAYS_MAX {
        let problem = format!("{} days: {LOCK_DAYS_MAX} are the most", lock.days);
        return Err(("objectLock.days", problem));
    }
    if lock.mode == LockMode::Compliance && !lock.confirmed {
        let problem = "COMPLIANCE cannot be undone by anybody until its days are over: read docs/retention.md, then write \"confirmed\": true beside it".to_owned();
        return Err(("objectLock.confirmed", problem));
    }
    Ok(())
}

fn check_rule(index: usize, rule: &Rule, policy: &Policy) -> Result<(), PolicyError> {
    let at = |field: &str| format!("rules[{index}].{field}");
    if rule.name.is_empty() {
        return Err(wrong(at("name"), "it is empty"));
    }
    if rule.name.len() > NAME_BYTES_MAX {
        return Err(wrong(
            at("name"),
            format!("a name has at most {NAME_BYTES_MAX} bytes"),
        ));
    }
    if rule.destinations.len() > RULE_DESTINATIONS_MAX {
        return Err(wrong(
            at("destinations"),
            format!(
                "{} are named, a rule has at most {RULE_DESTINATIONS_MAX}",
                rule.destinations.len()
            ),
        ));
    }
    let mut seen = BTreeSet::new();
    for name in &rule.destinations {
        let Some(destination) = policy.destinations.get(name) else {
            let known: Vec<_> = policy.destinations.keys().map(String::as_str).collect();
            return Err(wrong(
                at("destinations"),
                format!("{name:?} is none of {}", known.join(", ")),
            ));
        };
        if !seen.insert(name) {
            return Err(wrong(
                at("destinations"),
                format!("{name:?} stands there twice"),
            ));
        }
        let archive = destination
            .storage_class
            .as_deref()
            .is_some_and(|class| ARCHIVE_CLASSES.contains(&class));
        if archive && rule.verify != Verify::Stored {
            return Err(wrong(
                at("verify"),
                format!("copies in {name} cannot be read: they go to an archive class"),
            ));
        }
    }
    if rule.deletes == Deletes::Mirror && rule.destinations.is_empty() {
        return Err(wrong(
            at("deletes"),
            "a rule without destinations has nothing to mirror into",
        ));
    }
    if let Verify::Sample(share) = rule.verify
        && !(0.0..=1.0).contains(&share)
    {
        return Err(wrong(
            at("verify.sample"),
            format!("{share} is no share between 0 and 1"),
        ));
    }
    if let Some(size) = &rule.matching.size
        && size
            .min_bytes
            .zip(size.max_bytes)
            .is_some_and(|(min, max)| min > max)
    {
        return Err(wrong(
            at("match.size"),
            "minBytes is larger than maxBytes: nothing can match",
        ));
    }
    let keys = rule.matching.keys.iter().flat_map(|keys| {
        keys.include
            .iter()
            .map(|glob| ("match.keys.include", glob))
            .chain(keys.exclude.iter().map(|glob| ("match.keys.exclude", glob)))
    });
    for (field, glob) in keys.chain(
        rule.matching
            .content_types
            .iter()
            .map(|glob| ("match.contentTypes", glob)),
    ) {
        GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map_err(|error| wrong(at(field), error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
