//! The policy that the tests share.

use backup_stack::Service;
use serde_json::{Value, json};

use crate::World;

impl World {
    /// The policy of all tests: what a key begins with decides.
    pub fn usual_policy(&self) -> String {
        let rule = |name: &str, destinations: &[&str], more: Value| {
            let mut rule = json!({"name": name, "match": {"keys": {"include": [format!("{name}/**")]}}, "destinations": destinations});
            if let (Some(rule), Some(more)) = (rule.as_object_mut(), more.as_object()) {
                rule.extend(more.clone());
            }
            rule
        };
        json!({
            "version": 1,
            "destinations": {
                "primary": {"bucket": self.backup(), "region": self.outputs["BackupRegion"]},
                "second": {"bucket": self.backup(), "region": self.outputs["BackupRegion"], "prefix": "second/"},
                "nowhere": {"bucket": "no-such-bucket-at-all", "region": self.outputs["BackupRegion"]},
            },
            "rules": [
                rule("skip", &[], json!({})),
                rule("read", &["primary"], json!({"verify": "read"})),
                {"name": "only-tagged", "match": {"keys": {"include": ["only-tagged/**"]}, "tags": {"keep": "yes"}}, "destinations": ["primary"]},
                {"name": "untagged", "match": {"keys": {"include": ["only-tagged/**"]}}, "destinations": []},
                rule("mirror", &["primary"], json!({"deletes": "mirror"})),
                rule("annotated", &["primary"], json!({"annotations": "carry"})),
                rule("told", &["primary"], json!({"notify": "all"})),
                rule("two", &["primary", "second"], json!({})),
                rule("half", &["nowhere", "primary"], json!({})),
                {"name": "tagged", "match": {"keys": {"include": ["tagged/**"]}, "tags": {"keep": "yes"}}, "destinations": ["primary"]},
                {"name": "everything", "destinations": ["primary"]},
            ],
        })
        .to_string()
    }

    /// Puts a policy in force.
    pub fn put_policy(&self, document: &str) {
        let input = json!({"Name": self.outputs["PolicyParameter"], "Value": document, "Type": "String", "Overwrite": true});
        self.cloud
            .json(Service::Ssm, "PutParameter", &input)
            .expect("the policy is written");
    }

    /// Takes the policy away.
    pub fn delete_policy(&self) {
        let input = json!({"Name": self.outputs["PolicyParameter"]});
        self.cloud
            .json(Service::Ssm, "DeleteParameter", &input)
            .expect("the policy is gone");
    }
}
