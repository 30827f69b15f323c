//! Whether what a deployment works on is fit for it: table, buckets, keys, queue, topic.
//!
//! What AWS describes is compared with what the backup needs; each difference is a [`Finding`] with the
//! command that removes it. Nothing here changes anything: what the owner has brought is the owner's.

mod bucket;
mod encryption;
mod messages;
mod overrides;
mod statement;
mod table;

use std::fmt;

use serde::Serialize;

pub use bucket::{Bucket, Notifications, Role, Versioning, not_named};
pub use encryption::{DefaultKey, Key, KeyState, less_encrypted, named_key, service_key};
pub use messages::{Queue, Topic};
pub use overrides::{OverridesError, overrides};
pub use table::{Index, KeySchema, Table, wanted};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Safer with it; the backup works without.
    Advice,
    /// It could not be looked at.
    Unknown,
    /// Something that the backup promises does not hold.
    Problem,
    /// The backup cannot work.
    Unfit,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advice => "advice",
            Self::Unknown => "unknown",
            Self::Problem => "problem",
            Self::Unfit => "unfit",
        })
    }
}

/// One difference between what is there and what is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its name, such as `WrongKeySchema`; stable, for scripts.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about, such as `table s3-backup-Catalog-1A2B3C`.
    pub resource: String,
    /// What differs.
    pub problem: String,
    /// What to do: a command where there is one.
    pub remedy: String,
}

impl Finding {
    /// A finding about a resource.
    pub fn new(
        name: &'static str,
        severity: Severity,
        resource: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            severity,
            resource: resource.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

/// Characters of a stack's name (AWS CloudFormation API Reference, "CreateStack", StackName).
pub const STACK_NAME_CHARACTERS_MAX: usize = 128;

/// What is wrong with a stack's name, if anything.
pub fn stack_name(name: &str) -> Option<Finding> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let consists = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let problem = if name.len() > STACK_NAME_CHARACTERS_MAX {
        format!(
            "{} characters: CloudFormation takes {STACK_NAME_CHARACTERS_MAX}",
            name.len()
        )
    } else if !starts || !consists {
        "a name starts with a letter and has letters, digits and hyphens only".to_owned()
    } else if ["aws", "ssm"].iter().any(|it| is_begun(name, it)) {
        // AWS Systems Manager User Guide, "Requirements and constraints for parameter names".
        "Parameter Store refuses the parameters of a stack whose name begins with aws or ssm"
            .to_owned()
    } else {
        return None;
    };
    Some(Finding::new(
        "InvalidStackName",
        Severity::Unfit,
        format!("stack {name}"),
        problem,
        "choose another stack name",
    ))
}

fn is_begun(name: &str, prefix: &str) -> bool {
    let begin = name.get(..prefix.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_name_is_what_cloudformation_takes() {
        let longest = "a".repeat(128);
        for name in ["s3-backup", "A", "a1-b", &longest] {
            assert_eq!(stack_name(name), None, "{name}");
        }
        for name in [
            "",
            "1a",
            "-a",
            "a_b",
            "a.b",
            "ä",
            "AWS-backup",
            "ssm1",
            &"a".repeat(129),
        ] {
            assert_eq!(
                stack_name(name).map(|it| it.name),
                Some("InvalidStackName"),
                "{name}"
            );
        }
    }
}
