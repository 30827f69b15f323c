//! The default policy, and what it makes of a source that is encrypted with KMS.

use backup_domain::copy::{Headed, Plan, plan};
use backup_domain::policy::{self, Policy};
use backup_domain::task::CopyTask;
use backup_domain::{ErrorName, Named};
use serde_json::Value;

use crate::evaluate::{Deployed, PLACES, plain};
use crate::linters::expanded;
use crate::read;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// As the deployment writes it into its parameter.
fn default_policy(parameters: &[(&str, &str)]) -> Policy {
    let deployed = Deployed::new(expanded(), &PLACES[0], "backups", parameters);
    let document = plain(&deployed.resources()["Policy"]["Properties"]["Value"]);
    policy::parse(&document, &["source".to_owned()]).unwrap()
}

/// The task of the sample, to the destination of a policy, and a source version under KMS.
fn under_kms(policy: &Policy) -> (CopyTask, Headed) {
    let sample: Value = serde_json::from_str(&read("events/functions/copy.json")).unwrap();
    let mut task: CopyTask = serde_json::from_value(sample).unwrap();
    task.target.destination = policy.destinations["primary"].clone();
    let mut headed = Headed::default();
    headed.facts.etag.clone_from(&task.object.etag);
    headed.facts.encryption = Some("aws:kms".to_owned());
    (task, headed)
}

#[test]
fn the_default_policy_is_valid_and_takes_everything() {
    for parameters in [&[][..], &[("BackupKmsKeyArn", KEY)]] {
        let policy = default_policy(parameters);
        let everything = policy.choose(policy::Facts {
            key: "any/key",
            size: 0,
            headed: None,
        });
        assert!(matches!(everything, policy::Choice::Rule(_)));
    }
}

#[test]
fn a_source_under_kms_is_backed_up_by_the_default_policy_once_its_parameter_names_a_key() {
    let policy = default_policy(&[("BackupKmsKeyArn", KEY), ("KmsKeyArns", KEY)]);
    assert_eq!(policy.destinations["primary"].kms_key.as_deref(), Some(KEY));
    let (task, headed) = under_kms(&policy);
    assert!(matches!(plan(&task, &headed), Ok(Plan::Copy(_))));

    let (task, headed) = under_kms(&default_policy(&[("KmsKeyArns", KEY)]));
    let refused = plan(&task, &headed).unwrap_err();
    assert_eq!(refused.name(), ErrorName::InvalidPolicy);
    let advice = refused.advice();
    for word in ["BackupKmsKeyArn", "kmsKey", "allowWeakerEncryption"] {
        assert!(advice.contains(word), "{advice}");
        assert!(
            read("docs/errors.md").contains(word),
            "docs/errors.md: {word}"
        );
    }
}
