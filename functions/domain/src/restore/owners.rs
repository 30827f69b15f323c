//! Who owns the buckets that a restore touches, by the policy and the deployment: S3 then refuses a
//! bucket of that name that is somebody else's.

use std::collections::BTreeMap;

use crate::policy::{Annotations, Destination, Policy};

/// What the policy says, as far as a restore asks it.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    /// Account of the deployment: the owner of a target that names none.
    pub account: String,
    destinations: BTreeMap<String, Destination>,
    /// Whether annotations are brought back: where a rule carries some, or nobody can say.
    pub annotations: Annotations,
}

impl Owners {
    /// By the policy of a deployment in `account`.
    pub fn by(policy: &Policy, account: &str) -> Self {
        let mut rules = policy.rules.iter();
        let carries = rules.any(|rule| rule.annotations == Annotations::Carry);
        Self {
            account: account.to_owned(),
            destinations: policy.destinations.clone(),
            annotations: if carries {
                Annotations::Carry
            } else {
                Annotations::Exclude
            },
        }
    }

    /// Where the policy cannot be read, which stops no restore: nothing is known of the backup's
    /// owners, and nothing checked.
    pub fn unknown(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            destinations: BTreeMap::new(),
            annotations: Annotations::Carry,
        }
    }

    /// Account that owns a backup bucket; `None` where the policy does not name the bucket.
    pub fn of(&self, bucket: &str) -> Option<String> {
        let mut named = self.destinations.values().filter(|it| it.bucket == bucket);
        let owner = named.next()?.account.as_ref();
        Some(owner.unwrap_or(&self.account).clone())
    }
}

/// The account in an execution's ARN; empty where it is none.
pub fn account_of(execution: &str) -> &str {
    execution.split(':').nth(4).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(annotations: &str) -> Policy {
        let document = json!({
            "version": 1,
            "destinations": {
                "near": {"bucket": "near", "region": "eu-west-1"},
                "far": {"bucket": "far", "region": "eu-west-1", "account": "444455556666"},
            },
            "rules": [
                {"name": "one", "match": {"keys": {"include": ["one/**"]}}, "destinations": ["near"], "annotations": annotations},
                {"name": "others", "destinations": ["near", "far"]},
            ],
        });
        crate::policy::parse(&document.to_string(), &[]).expect("a policy")
    }

    #[test]
    fn owners_are_those_of_the_policy_else_the_deployments_and_unknown_buckets_are_not_checked() {
        let owners = Owners::by(&policy("exclude"), "111122223333");
        assert_eq!(owners.of("near").as_deref(), Some("111122223333"));
        assert_eq!(owners.of("far").as_deref(), Some("444455556666"));
        assert_eq!(owners.of("renamed"), None);
        assert_eq!(Owners::unknown("111122223333").of("near"), None);
        let arn = "arn:aws:states:eu-west-1:111122223333:execution:s3-backup-restore:x";
        assert_eq!(account_of(arn), "111122223333");
        assert_eq!(account_of(""), "");
    }

    #[test]
    fn annotations_come_back_where_any_rule_carries_some_or_nobody_can_say() {
        let by = |annotations| Owners::by(&policy(annotations), "1").annotations;
        assert_eq!(
            (by("carry"), by("exclude")),
            (Annotations::Carry, Annotations::Exclude)
        );
        assert_eq!(Owners::unknown("1").annotations, Annotations::Carry);
    }
}
