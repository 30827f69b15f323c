//! Which sample event passes which rule of EventBridge, and what the filter makes of it.

use std::collections::BTreeMap;

use backup_domain::error::Named;
use backup_domain::event::{S3Event, parse_any};
use serde_json::{Value, json};

use crate::events::files;
use crate::{linters, page, root};

const SOURCE: &str = "amzn-s3-demo-source";
const BACKUP: &str = "amzn-s3-demo-backup";

/// One rule as a stack with given buckets has it.
struct Rule {
    name: &'static str,
    record_expirations: bool,
    bucket: &'static str,
}

/// The columns of the table.
const RULES: [Rule; 3] = [
    Rule {
        name: "SourceRule",
        record_expirations: false,
        bucket: SOURCE,
    },
    Rule {
        name: "SourceRule",
        record_expirations: true,
        bucket: SOURCE,
    },
    Rule {
        name: "FollowLifecycleRule",
        record_expirations: false,
        bucket: BACKUP,
    },
];

impl Rule {
    fn pattern(&self, template: &Value) -> Value {
        let properties = &template["Resources"][self.name]["Properties"];
        self.rendered(&properties["EventPattern"]).unwrap()
    }

    /// As CloudFormation renders it; none where the key is left out.
    fn rendered(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => Some(items.iter().filter_map(|it| self.rendered(it)).collect()),
            Value::Object(fields) => match fields.iter().next() {
                Some((function, arguments)) if function == "Ref" || function.contains("::") => {
                    self.call(function, arguments)
                }
                _ => {
                    let rendered = fields
                        .iter()
                        .filter_map(|(name, it)| Some((name.clone(), self.rendered(it)?)));
                    Some(Value::Object(rendered.collect()))
                }
            },
            plain => Some(plain.clone()),
        }
    }

    fn call(&self, function: &str, arguments: &Value) -> Option<Value> {
        let part = |at: usize| self.rendered(&arguments[at]).unwrap();
        match function {
            "Ref" => match arguments.as_str().unwrap() {
                "AWS::NoValue" => None,
                "SourceBucketName" => Some(json!(SOURCE)),
                "BackupBucketName" => Some(json!(BACKUP)),
                "MoreBackupBucketNames" => Some(json!(["amzn-s3-demo-archive"])),
                other => panic!("what is {other} here?"),
            },
            "Fn::If" => {
                let holds = match arguments[0].as_str().unwrap() {
                    "CreateSource" | "CreateBackup" => false,
                    "RecordsExpirations" => self.record_expirations,
                    other => panic!("does {other} hold here?"),
                };
                self.rendered(&arguments[if holds { 1 } else { 2 }])
            }
            "Fn::Join" => {
                let parts = part(1);
                let parts = parts.as_array().unwrap().iter();
                let parts: Vec<_> = parts.map(|it| it.as_str().unwrap()).collect();
                Some(json!(parts.join(part(0).as_str().unwrap())))
            }
            "Fn::Split" => {
                let parts = part(1);
                let parts = parts.as_str().unwrap();
                Some(parts.split(part(0).as_str().unwrap()).collect())
            }
            "Fn::Sub" => {
                let mut text = arguments[0].as_str().unwrap().to_owned();
                for (name, value) in arguments[1].as_object().unwrap() {
                    let value = self.rendered(value).unwrap();
                    text = text.replace(&format!("${{{name}}}"), value.as_str().unwrap());
                }
                Some(json!(text))
            }
            other => panic!("{other} is not rendered yet"),
        }
    }
}

/// By the matcher of the local stack.
fn matches(pairs: &[(Value, Value)]) -> Vec<bool> {
    let mut python = linters::program("stack", "python");
    python.arg(root().join("tests/definitions/matches.py"));
    linters::answer(&mut python, &json!(pairs))
}

/// Every sample that EventBridge may deliver, by name: dead letters are no events.
fn delivered() -> BTreeMap<String, Value> {
    let all = files("events").into_iter();
    all.filter(|(_, event)| event["detail-type"].is_string())
        .collect()
}

/// The event as if it came from this bucket; what is of another bucket stays so.
fn from(bucket: &str, event: &Value) -> Value {
    let text = event.to_string().replace(SOURCE, bucket);
    serde_json::from_str(&text).unwrap()
}

/// Sample events by name: for each rule, whether it passes.
fn passes() -> BTreeMap<String, Vec<bool>> {
    let template = linters::expanded();
    let mut passes: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for rule in &RULES {
        let pattern = rule.pattern(&template);
        let events = delivered();
        let pairs: Vec<_> = events
            .values()
            .map(|event| (pattern.clone(), from(rule.bucket, event)))
            .collect();
        for (name, passed) in events.into_keys().zip(matches(&pairs)) {
            passes.entry(name).or_default().push(passed);
        }
    }
    passes
}

/// What becomes of an execution that is started with it.
fn outcome(event: &Value) -> String {
    match parse_any(event, &[SOURCE.to_owned()]) {
        Ok(S3Event::Created(_)) => "backs up the object".to_owned(),
        Ok(S3Event::Deleted(_)) => "records the deletion".to_owned(),
        Ok(S3Event::Tagged(_)) => "updates the tags".to_owned(),
        Err(refused) => format!("fails: `{}`", refused.name()),
    }
}

#[test]
fn each_rule_passes_what_its_functions_understand_and_nothing_else() {
    let events = delivered();
    for (name, passed) in passes() {
        let event = &events[&name];
        let kind = event["detail-type"].as_str().unwrap();
        let expired = event["detail"]["reason"] == "Lifecycle Expiration";
        let ours = event["detail"]["bucket"]["name"] == SOURCE;
        let understood = match kind {
            "Object Created" | "Object Deleted" | "Object Tags Added" | "Object Tags Deleted" => {
                ours
            }
            _ => false,
        };
        let followed =
            (kind == "Object Deleted" && expired) || kind == "Object Storage Class Changed";
        let expected = vec![understood && !expired, understood, ours && followed];
        assert_eq!(passed, expected, "{name}");

        // A rule reads neither key nor size: what is malformed in them is refused by name.
        let refused = outcome(event).starts_with("fails");
        let malformed = name.starts_with("malformed-");
        assert_eq!(refused, malformed || !understood, "{name}");
    }
}

/// Without its filter of reasons the source's rule would start an execution for each expiry.
#[test]
fn the_filter_of_reasons_is_what_keeps_expirations_out() {
    let template = linters::expanded();
    let expired = delivered()
        .remove("object-deleted-expired-version")
        .unwrap();
    let mut pattern = RULES[0].pattern(&template);
    let filtered = pattern.clone();
    pattern["detail"].as_object_mut().unwrap().remove("reason");
    let answers = matches(&[(filtered, expired.clone()), (pattern, expired)]);
    assert_eq!(answers, [false, true]);
}

fn table() -> String {
    let events = delivered();
    let mut table = String::from(
        "| event | source's rule | with `RecordExpirations` | a backup bucket's rule | an execution that is started with it |\n\
         |---|---|---|---|---|\n",
    );
    for (name, passed) in passes() {
        let cells: Vec<_> = passed
            .into_iter()
            .map(|passed| if passed { "passes" } else { "–" })
            .collect();
        let cells = cells.join(" | ");
        let outcome = outcome(&events[&name]);
        table.extend(["| ", &name, " | ", &cells, " | ", &outcome, " |\n"]);
    }
    table
}

/// `UPDATE_DOCS=1 cargo test -p backup-definitions` writes the table.
#[test]
fn the_page_of_the_sample_events_says_which_rule_passes_each() {
    page::says("events/README.md", "rules", &table());
}
