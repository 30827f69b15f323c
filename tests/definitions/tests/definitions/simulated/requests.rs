//! What is asked of the roles, and what must be denied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Keyed, OTHER_ACCOUNT};
use crate::evaluate::{ACCOUNT, plain};
use crate::machine::definition;
use crate::read;

#[derive(Deserialize)]
struct Row {
    asked: BTreeSet<String>,
    #[serde(default)]
    excused: BTreeSet<String>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub role: String,
    action: String,
    resource: String,
    account: String,
    context: BTreeMap<String, String>,
    resource_policy: Value,
    why: String,
}

impl Keyed {
    fn request(&self, role: &str, action: &str, resource: &str, why: &str) -> Request {
        let is_further = resource == self.keys[2];
        let mut context = BTreeMap::new();
        let mut policy = Value::Null;
        if action.starts_with("s3:") {
            context.insert("s3:ResourceAccount".to_owned(), ACCOUNT.to_owned());
            policy = self.bucket_policy(resource);
        }
        let owner = if resource.contains(OTHER_ACCOUNT) {
            OTHER_ACCOUNT
        } else {
            ACCOUNT
        };
        if action.starts_with("kms:") {
            // The key policy that KMS makes; that of another account's key as the documentation asks.
            let root = format!("arn:{}:iam::{owner}:root", self.place.partition);
            let mut statements = vec![
                json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}),
            ];
            if is_further {
                statements.push(self.documented());
            }
            policy = json!({"Version": "2012-10-17", "Statement": statements});
        }
        Request {
            role: role.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            account: owner.to_owned(),
            context,
            resource_policy: policy,
            why: why.to_owned(),
        }
    }

    /// The statement of docs/errors.md that lets the roles in.
    fn documented(&self) -> Value {
        let page = read("docs/errors.md");
        let (_, section) = page.split_once("### KMS keys").unwrap();
        let (_, json) = section.split_once("```json").unwrap();
        let text = json.split("```").next().unwrap();
        let partition = format!("\"arn:{}:", self.place.partition);
        serde_json::from_str(&text.replace("\"arn:aws:", &partition)).unwrap()
    }

    /// The policy of a bucket that the stack makes.
    fn bucket_policy(&self, resource: &str) -> Value {
        let of = |policy: &Value| {
            let bucket = self.bucket(&plain(&policy["Properties"]["Bucket"]));
            resource == bucket || resource.starts_with(&format!("{bucket}/"))
        };
        let mut policies = self.resources.values();
        let found = policies.find(|it| it["Type"] == "AWS::S3::BucketPolicy" && of(it));
        found.map_or(Value::Null, |it| it["Properties"]["PolicyDocument"].clone())
    }

    /// What is asked, and the same elsewhere.
    pub fn requests(&self) -> (Vec<Request>, Vec<Request>) {
        let (mut asked, mut probes) = (Vec::new(), Vec::new());
        for (role, action, kind) in table().into_iter().chain(of_machines()) {
            if kind == "*" {
                asked.push(self.request(&role, &action, "*", ""));
                continue;
            }
            for (own, other) in self.those(&role, &action, &kind) {
                asked.push(self.request(&role, &action, &own, ""));
                probes.push(self.request(&role, &action, &other, "elsewhere"));
                if action.starts_with("kms:") {
                    let mut shut = self.request(&role, &action, &own, "by a key policy for others");
                    let others = format!("arn:{}:iam::777788889999:root", self.place.partition);
                    shut.resource_policy["Statement"] = json!([{"Effect": "Allow", "Principal": {"AWS": others}, "Action": "kms:*", "Resource": "*"}]);
                    probes.push(shut);
                }
                if action.starts_with("s3:") && !self.bucket_policy(&own).is_null() {
                    let mut plain = self.request(&role, &action, &own, "without TLS");
                    let context = &mut plain.context;
                    context.insert("aws:SecureTransport".to_owned(), "false".to_owned());
                    probes.push(plain);
                }
            }
        }
        (asked, probes)
    }

    /// The functions that state machines invoke.
    pub fn invocations(&self) -> (Vec<Request>, Vec<Request>) {
        let (mut asked, mut probes) = (Vec::new(), Vec::new());
        for name in ["backup", "restore", "audit", "backfill"] {
            let (first, rest) = name.split_at(1);
            let role = format!("{}{rest}StateMachineRole", first.to_uppercase());
            let definition = definition(name);
            let named = definition.split("${").skip(1);
            let named = named.map(|part| part.split('}').next().unwrap());
            for function in named.filter_map(|name| name.strip_suffix("Arn")) {
                let arn = self.get(function, "Arn");
                asked.push(self.request(&role, "lambda:InvokeFunction", &arn, ""));
            }
            let other = self.arn("lambda", "function:another");
            probes.push(self.request(&role, "lambda:InvokeFunction", &other, "elsewhere"));
        }
        (asked, probes)
    }
}

/// The table: role, action, kind of resource.
fn table() -> Vec<(String, String, String)> {
    let table: BTreeMap<String, Row> =
        serde_json::from_str(&read("tests/e2e/iam/requests.json")).unwrap();
    let mut found = Vec::new();
    for (name, row) in table {
        let function = name.split('@').next().unwrap();
        for request in row.asked.iter().chain(&row.excused) {
            let (action, kind) = request.split_once(' ').unwrap();
            found.push((
                format!("{function}FunctionRole"),
                action.to_owned(),
                kind.to_owned(),
            ));
        }
    }
    found
}

/// What state machines and rules do, by their definitions.
fn of_machines() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for name in ["backup", "restore", "audit", "backfill"] {
        let (first, rest) = name.split_at(1);
        let role = format!("{}{rest}StateMachineRole", first.to_uppercase());
        let definition = definition(name);
        let mut add = |action: &str, kind: &str| {
            found.push((role.clone(), action.to_owned(), kind.to_owned()));
        };
        if definition.contains(":::sqs:sendMessage") {
            add("sqs:SendMessage", "dead-letter-queue");
        }
        if definition.contains(":::s3:getObject") {
            add("s3:GetObject", &format!("reports/{name}s/*"));
        }
        if definition.contains("\"DISTRIBUTED\"") {
            add("states:StartExecution", &format!("{name}-machine"));
            for action in ["states:DescribeExecution", "states:StopExecution"] {
                add(action, &format!("{name}-machine/children"));
            }
        }
        // AWS Step Functions Developer Guide, "Logging to CloudWatch Logs".
        for action in [
            "CreateLogDelivery",
            "GetLogDelivery",
            "UpdateLogDelivery",
            "DeleteLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "DescribeResourcePolicies",
            "DescribeLogGroups",
        ] {
            add(&format!("logs:{action}"), "*");
        }
    }
    for (role, machine) in [
        ("RuleRole", "backup-machine"),
        ("AuditRuleRole", "audit-machine"),
        ("DrillRuleRole", "restore-machine"),
    ] {
        let start = "states:StartExecution".to_owned();
        found.push((role.to_owned(), start, machine.to_owned()));
    }
    found
}
