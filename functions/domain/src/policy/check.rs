//! Reading a policy: the same check at deploy time, in tests, in the Lambda and on the command line.

use std::collections::BTreeSet;

use globset::GlobBuilder;

use super::{Deletes, Destination, Policy, Rule, Verify};
use crate::error::{ErrorName, Named};
use crate::limits::{KEY_BYTES_MAX, SSM_ADVANCED_BYTES_MAX};

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
    if destination
        .object_lock
        .as_ref()
        .is_some_and(|lock| lock.days == 0)
    {
        return Err(wrong(
            at("objectLock.days"),
            "retention lasts at least one day",
        ));
    }
    Ok(())
}

fn check_rule(index: usize, rule: &Rule, policy: &Policy) -> Result<(), PolicyError> {
    let at = |field: &str| format!("rules[{index}].{field}");
    if rule.name.is_empty() {
        return Err(wrong(at("name"), "it is empty"));
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
mod tests {
    use super::*;

    const DESTINATIONS: &str = r#""destinations":{"p":{"bucket":"backup","region":"r"},"cold":{"bucket":"c","region":"r","storageClass":"GLACIER"}}"#;

    fn refused(document: &str) -> String {
        let error = parse(document, &["source".to_owned()]).expect_err(document);
        assert_eq!(error.name(), ErrorName::InvalidPolicy);
        error.to_string()
    }

    #[test]
    fn a_wrong_policy_is_refused_with_the_place() {
        for (document, said) in [
            ("{", "cannot be read"),
            ("{}", "missing field"),
            (
                r#"{"version":1,"destinations":{},"rules":[]} x"#,
                "trailing",
            ),
            (r#"{"version":2,"destinations":{},"rules":[]}"#, "version"),
            (
                r#"{"version":1,"destinations":{},"rules":[],"extra":1}"#,
                "extra",
            ),
            (
                r#"{"version":1,"destinations":{"p":{"bucket":"source","region":"r"}},"rules":[]}"#,
                "source itself",
            ),
            (
                r#"{"version":1,"destinations":{"p":{"bucket":"b","region":"r","storageClas":"X"}},"rules":[]}"#,
                "storageClas",
            ),
            (
                r#"{"version":1,"destinations":{"p":{"bucket":"b","region":"r","storageClass":"TAPE"}},"rules":[]}"#,
                "TAPE",
            ),
            (
                r#"{"version":1,"destinations":{"p q":{"bucket":"b","region":"r"}},"rules":[]}"#,
                "letters",
            ),
            (
                r#"{"version":1,"destinations":{"p":{"bucket":"b","region":"r","account":"1"}},"rules":[]}"#,
                "12 digits",
            ),
        ] {
            let message = refused(document);
            assert!(message.contains(said), "{message}");
        }
        for (rules, said) in [
            (r#"[{"name":"a","destinations":["q"]}]"#, "none of cold, p"),
            (r#"[{"name":"a","destinations":["p","p"]}]"#, "twice"),
            (
                r#"[{"name":"a","destinations":["p"]},{"name":"a","destinations":["p"]}]"#,
                "taken",
            ),
            (
                r#"[{"name":"a","destinations":["p"],"match":{"keys":{"include":["[a"]}}}]"#,
                "rules[0].match.keys.include",
            ),
            (
                r#"[{"name":"a","destinations":["p"],"match":{"size":{"minBytes":2,"maxBytes":1}}}]"#,
                "nothing can match",
            ),
            (
                r#"[{"name":"a","destinations":["cold"],"verify":"read"}]"#,
                "archive",
            ),
            (
                r#"[{"name":"a","destinations":["p"],"verify":{"sample":2}}]"#,
                "share",
            ),
            (
                r#"[{"name":"a","destinations":["p"],"notify":"loud"}]"#,
                "loud",
            ),
            (
                r#"[{"name":"a","destinations":["p"],"deletes":"erase"}]"#,
                "erase",
            ),
            (
                r#"[{"name":"a","destinations":[],"deletes":"mirror"}]"#,
                "nothing to mirror",
            ),
        ] {
            let message = refused(&format!(
                r#"{{"version":1,{DESTINATIONS},"rules":{rules}}}"#
            ));
            assert!(message.contains(said), "{message}");
        }
        assert!(refused(&" ".repeat(SSM_ADVANCED_BYTES_MAX + 1)).contains("8192"));
    }

    #[test]
    fn deletions_are_kept_unless_a_rule_mirrors_them() {
        let rules = r#"[{"name":"a","destinations":["p"]},
            {"name":"b","destinations":["p"],"deletes":"keep"},
            {"name":"c","destinations":["p"],"deletes":"mirror"}]"#;
        let document = format!(r#"{{"version":1,{DESTINATIONS},"rules":{rules}}}"#);
        let policy = parse(&document, &[]).expect("a policy");
        let deletes: Vec<_> = policy.rules.iter().map(|rule| rule.deletes).collect();
        assert_eq!(deletes, [Deletes::Keep, Deletes::Keep, Deletes::Mirror]);
    }
}
