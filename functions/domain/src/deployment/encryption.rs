//! KMS keys of source and destinations: whether they are usable, named, and let the roles in.

use serde_json::Value;

use super::statement::{Access, is_about, statements, texts};
use super::{Finding, Severity};

/// What AWS says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// It can be used.
    Enabled,
    /// It cannot, as it is in this state: `Disabled`, `PendingDeletion`, …
    Other(String),
    /// There is no such key.
    Missing,
}

/// A key as KMS describes it. What could not be asked is `None`, and is no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its ARN.
    pub arn: String,
    /// Its state.
    pub state: Option<KeyState>,
    /// Its policy.
    pub policy: Option<Value>,
}

/// The KMS key of a bucket's default encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultKey {
    /// The one that AWS manages for S3: its own policy lets everybody of the account in.
    OfAws,
    /// One of the owner's, by its ARN.
    OfOwner(String),
}

/// What the backup does with keys.
const ACTIONS: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// A part of an ARN, counted from 0: `arn:partition:service:region:account:resource`.
pub(super) fn part(arn: &str, at: usize) -> &str {
    arn.split(':').nth(at).unwrap_or_default()
}

/// Whether a key policy leaves it to the policies of the account's roles who may use the key.
///
/// A role may use a key by its own policy only where the key policy lets the account do so (AWS KMS
/// Developer Guide, "Default key policy", "Allows access to the AWS account and enables IAM policies"), or
/// names the role.
fn key_policy(policy: &Value, account: &str) -> Access {
    let statements = statements(policy);
    let denies = statements.iter().any(|it| it["Effect"] == "Deny");
    let allowed = |action: &str, who: fn(&str, &str) -> bool, plain: bool| {
        statements.iter().any(|statement| {
            let principal = &statement["Principal"];
            let named = principal.get("AWS").unwrap_or(principal);
            statement["Effect"] == "Allow"
                && texts(named).into_iter().any(|it| who(it, account))
                && is_about(statement, action)
                && (!plain || statement.get("Condition").is_none())
        })
    };
    let all = |who, plain| ACTIONS.iter().all(|action| allowed(action, who, plain));
    if all(is_account, true) && !denies {
        Access::Allowed
    } else if all(is_account, false) || all(is_of_account, false) {
        Access::Undecided
    } else {
        Access::No
    }
}

fn is_account(principal: &str, account: &str) -> bool {
    let root = format!(":iam::{account}:root");
    principal == "*" || principal == account || principal.ends_with(&root)
}

/// The account, or a role or user of it.
fn is_of_account(principal: &str, account: &str) -> bool {
    is_account(principal, account) || principal.contains(&format!(":{account}:"))
}

impl Key {
    /// What keeps roles of `account` from using it.
    pub fn findings(&self, account: &str) -> Vec<Finding> {
        let arn = &self.arn;
        let (partition, region, owner) = (part(arn, 1), part(arn, 3), part(arn, 4));
        let on = format!("key {arn}");
        let mut found = Vec::new();
        let mut add = |name, severity, problem: String, remedy: String| {
            found.push(Finding::new(name, severity, on.as_str(), problem, remedy));
        };
        let statement = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:{partition}:iam::{account}:root"}},"Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*"}}"#
        );
        let of = |command: &str| format!("aws kms {command} --key-id {arn} --region {region}");
        match &self.state {
            None | Some(KeyState::Enabled) => {}
            Some(KeyState::Missing) => add(
                "NoSuchKey",
                Severity::Unfit,
                "there is no such key".to_owned(),
                "correct the ARN in BackupKmsKeyArn, in KmsKeyArns or in the policy".to_owned(),
            ),
            Some(KeyState::Other(state)) => {
                let remedy = match state.as_str() {
                    "Disabled" => of("enable-key"),
                    "PendingDeletion" => {
                        format!("{}, then {}", of("cancel-key-deletion"), of("enable-key"))
                    }
                    _ => of("describe-key") + " says why",
                };
                let problem = format!("it is {state}: nothing under it can be read or written");
                add("KeyNotEnabled", Severity::Unfit, problem, remedy);
            }
        }
        if owner != account {
            add(
                "KeyOfAnotherAccount",
                Severity::Advice,
                "it belongs to another account, whose key policy this account may not read"
                    .to_owned(),
                format!(
                    "its owner adds this statement to the key policy (docs/errors.md, \"KMS keys\"): {statement}"
                ),
            );
            return found;
        }
        let read = of("get-key-policy") + " --policy-name default --query Policy --output text";
        match self.policy.as_ref().map(|it| key_policy(it, account)) {
            None | Some(Access::Allowed) => {}
            Some(Access::No) => add(
                "KeyPolicyRefusesRoles",
                Severity::Unfit,
                "its key policy does not let roles of its account decrypt and encrypt with it".to_owned(),
                format!(
                    "{read} > key-policy.json, add the statement {statement} to it, then {} --policy-name default --policy file://key-policy.json",
                    of("put-key-policy")
                ),
            ),
            Some(Access::Undecided) => add(
                "KeyPolicyHasConditions",
                Severity::Advice,
                "its key policy names single roles, has conditions, or denies something: whether it lets the roles of the stack in, the first backup shows".to_owned(),
                read,
            ),
        }
        found
    }
}

/// What the key of a bucket's copies or objects asks of the deployment: `key` is an ARN, `keys` are those
/// that the roles may use, where that is known, `region` is the bucket's.
pub fn named_key(bucket: &str, key: &str, keys: Option<&[String]>, region: &str) -> Vec<Finding> {
    let on = format!("bucket {bucket}");
    let mut found = Vec::new();
    if keys.is_some_and(|keys| !keys.iter().any(|it| it == key)) {
        found.push(Finding::new(
            "KeyNotNamed",
            Severity::Unfit,
            on.as_str(),
            format!("its objects are encrypted with {key}, which the roles may not use"),
            "add the ARN of the key to KmsKeyArns, and deploy",
        ));
    }
    let of = part(key, 3);
    if of != region && !of.is_empty() {
        found.push(Finding::new(
            "WrongKeyRegion",
            Severity::Unfit,
            on,
            format!("its objects are to be encrypted with {key}, and it is in {region}"),
            "name a key of the bucket's region: S3 takes no other",
        ));
    }
    found
}

/// That a source under KMS would be copied to where its copies are encrypted less.
pub fn less_encrypted(source: &str) -> Finding {
    Finding::new(
        "CopiesLessEncrypted",
        Severity::Unfit,
        format!("bucket {source}"),
        "its objects are encrypted with a KMS key, and a destination of the policy names none: each would fail with InvalidPolicy",
        "name a key for the copies: BackupKmsKeyArn for the default policy, kmsKey in one of your own; or allowWeakerEncryption there, if that is meant",
    )
}

/// That something is encrypted with a key which neither the roles nor the services that use it may use.
pub fn service_key(on: impl Into<String>) -> Finding {
    Finding::new(
        "KeyOfService",
        Severity::Unfit,
        on,
        "it is encrypted with a KMS key that the roles, EventBridge and CloudWatch may not use",
        "give one without a KMS key of its own: SSE-SQS for a queue, SSE-S3 for the bucket of reports, none for a topic, the key of DynamoDB or of AWS for a table",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "111122223333";
    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/one";

    fn allow(principal: &Value, action: &Value) -> Value {
        json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}]})
    }

    #[test]
    fn a_key_policy_leaves_it_to_roles_where_it_names_the_account() {
        let root = json!({"AWS": "arn:aws:iam::111122223333:root"});
        for policy in [
            allow(&root, &json!("kms:*")),
            allow(&root, &json!(["kms:Decrypt", "kms:GenerateDataKey*"])),
            allow(&json!({"AWS": ["111122223333"]}), &json!("kms:*")),
            allow(
                &json!({"AWS": "arn:aws-cn:iam::111122223333:root"}),
                &json!("KMS:*"),
            ),
        ] {
            assert_eq!(key_policy(&policy, ACCOUNT), Access::Allowed, "{policy}");
        }
        for policy in [
            json!({}),
            allow(&root, &json!("kms:Decrypt")),
            allow(
                &json!({"AWS": "arn:aws:iam::444455556666:root"}),
                &json!("kms:*"),
            ),
            allow(&json!({"Service": "logs.amazonaws.com"}), &json!("kms:*")),
        ] {
            assert_eq!(key_policy(&policy, ACCOUNT), Access::No, "{policy}");
        }
        let mut guarded = allow(&root, &json!("kms:*"));
        guarded["Statement"][0]["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}});
        let mut denying = allow(&root, &json!("kms:*"));
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt"});
        denying["Statement"]
            .as_array_mut()
            .expect("a list")
            .push(deny);
        let one_role = json!({"AWS": "arn:aws:iam::111122223333:role/copy"});
        for policy in [guarded, denying, allow(&one_role, &json!("kms:*"))] {
            assert_eq!(key_policy(&policy, ACCOUNT), Access::Undecided, "{policy}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_found_before_the_first_copy() {
        let key = |state, policy| Key {
            arn: ARN.to_owned(),
            state,
            policy,
        };
        let names = |key: &Key, account| {
            let found = key.findings(account);
            found.iter().map(|it| it.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&key(None, None), ACCOUNT), [""; 0]);
        assert_eq!(names(&key(Some(KeyState::Enabled), None), ACCOUNT), [""; 0]);
        assert_eq!(
            names(&key(Some(KeyState::Missing), None), ACCOUNT),
            ["NoSuchKey"]
        );
        for (state, command) in [
            ("Disabled", "aws kms enable-key --key-id arn"),
            (
                "PendingDeletion",
                "aws kms cancel-key-deletion --key-id arn",
            ),
            ("PendingImport", "aws kms describe-key --key-id arn"),
        ] {
            let found = key(Some(KeyState::Other(state.to_owned())), None).findings(ACCOUNT);
            assert_eq!(found[0].name, "KeyNotEnabled");
            assert!(found[0].remedy.starts_with(command), "{found:?}");
            assert!(found[0].remedy.contains("--region eu-west-1"), "{found:?}");
        }
        let closed = key(None, Some(json!({"Statement": []})));
        assert_eq!(names(&closed, ACCOUNT), ["KeyPolicyRefusesRoles"]);
        assert_eq!(names(&closed, "444455556666"), ["KeyOfAnotherAccount"]);
        let told = &closed.findings("444455556666")[0].remedy;
        assert!(told.contains("arn:aws:iam::444455556666:root"), "{told}");
    }

    #[test]
    fn a_key_must_be_named_and_be_in_the_region_of_its_bucket() {
        let names = |keys: Option<&[String]>, region| {
            let found = named_key("shop", ARN, keys, region);
            found.iter().map(|it| it.name).collect::<Vec<_>>()
        };
        let known = [ARN.to_owned()];
        assert_eq!(names(Some(&known), "eu-west-1"), [""; 0]);
        assert_eq!(names(None, "eu-west-1"), [""; 0], "not known");
        assert_eq!(names(Some(&[]), "eu-west-1"), ["KeyNotNamed"]);
        assert_eq!(names(Some(&known), "us-east-1"), ["WrongKeyRegion"]);
    }
}
