//! Roles that no call of a function shows: the machine's, the rule's, and what parameters add.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::linters::expanded;
use crate::machine::definition;

/// AWS's own policies that a role may have: to write its log, and its traces.
const MANAGED: [&str; 3] = [
    "AWSLambdaBasicExecutionRole",
    "AWSXrayWriteOnlyAccess",
    "AWSXRayDaemonWriteAccess",
];

fn resources<'t>(
    template: &'t Value,
    kind: &'t str,
) -> impl Iterator<Item = (&'t String, &'t Value)> {
    let all = template["Resources"].as_object().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name, &resource["Properties"]))
}

/// All statements of a role, those under a condition too.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Policies"].as_array().into_iter().flatten();
    policies
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
        .collect()
}

fn many(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map_or_else(|| vec![value], |values| values.iter().collect())
}

#[test]
fn each_function_has_a_role_of_its_own() {
    let template = expanded();
    let mut roles = BTreeSet::new();
    for (name, function) in resources(&template, "AWS::Lambda::Function") {
        let role = function["Role"]["Fn::GetAtt"][0]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(role, format!("{name}Role"));
        assert!(roles.insert(role));
    }
    assert!(roles.len() >= 6, "{roles:?}");
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        for managed in role["ManagedPolicyArns"].as_array().into_iter().flatten() {
            let arn = managed.to_string();
            assert!(MANAGED.iter().any(|own| arn.contains(own)), "{name}: {arn}");
        }
        for statement in statements(role) {
            names_its_actions(name, plain(statement).0);
        }
    }
    for (name, policy) in resources(&template, "AWS::IAM::Policy") {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            names_its_actions(name, statement);
        }
    }
}

fn names_its_actions(name: &str, statement: &Value) {
    for action in many(&statement["Action"]) {
        assert!(!action.as_str().unwrap().contains('*'), "{name}: {action}");
    }
}

/// A statement and the condition it stands under.
fn plain(statement: &Value) -> (&Value, Option<&str>) {
    match statement["Fn::If"].as_array() {
        Some(branches) => {
            assert_eq!(branches[2], json!({"Ref": "AWS::NoValue"}), "{statement}");
            (&branches[1], branches[0].as_str())
        }
        None => (statement, None),
    }
}

/// A machine invokes the functions of its states; what else it may is what its definition says.
#[test]
fn machines_and_the_rule_may_do_what_their_definitions_say() {
    let template = expanded();
    let roles = &template["Resources"];
    for (name, role) in [
        ("backup", "BackupStateMachineRole"),
        ("restore", "RestoreStateMachineRole"),
        ("audit", "AuditStateMachineRole"),
        ("backfill", "BackfillStateMachineRole"),
    ] {
        let definition = definition(name);
        let named = definition
            .split("${")
            .skip(1)
            .map(|part| part.split('}').next().unwrap());
        let called: BTreeSet<_> = named
            .filter_map(|name| name.strip_suffix("FunctionArn"))
            .collect();
        let mut seen = BTreeSet::new();
        for statement in statements(&roles[role]["Properties"]) {
            let on = many(&statement["Resource"]);
            let actions: Vec<_> = many(&statement["Action"])
                .into_iter()
                .filter_map(Value::as_str)
                .collect();
            match actions[..] {
                ["lambda:InvokeFunction"] => {
                    let functions = on.iter().map(|arn| arn["Fn::GetAtt"][0].as_str().unwrap());
                    seen.extend(functions.map(|name| name.strip_suffix("Function").unwrap()));
                }
                ["sqs:SendMessage"] => {
                    assert!(on[0].to_string().contains(":${DeadLetterQueueName}"));
                    assert!(definition.contains(":::sqs:sendMessage"));
                }
                ["s3:GetObject"] => {
                    let documents = format!("arn:${{AWS::Partition}}:s3:::${{Bucket}}/{name}s/*");
                    assert_eq!(on[0]["Fn::Sub"][0], documents);
                    assert!(definition.contains(":::s3:getObject"));
                }
                _ => assert!(
                    actions.iter().all(|action| action.starts_with("logs:")),
                    "the machine may {actions:?}"
                ),
            }
        }
        assert_eq!(seen, called, "functions that may be invoked, and that are");
        children(&template, role, definition.contains("\"DISTRIBUTED\""));
    }
    for (role, machine) in [
        ("RuleRole", "BackupStateMachine"),
        ("AuditRuleRole", "AuditStateMachine"),
        ("DrillRuleRole", "RestoreStateMachine"),
    ] {
        let rule = statements(&roles[role]["Properties"]);
        let [start] = rule[..] else {
            panic!("{rule:?}");
        };
        assert_eq!(start["Action"], "states:StartExecution");
        assert_eq!(start["Resource"], json!({"Ref": machine}));
    }
}

/// The children of a Distributed Map (AWS Step Functions Developer Guide, "IAM policies for using Distributed Map
/// states"): the machine's own executions, in a policy beside its role, which the machine waits for.
fn children(template: &Value, role: &str, distributed: bool) {
    let own = json!([{"Ref": role}]);
    let policies: Vec<_> = resources(template, "AWS::IAM::Policy")
        .filter(|(_, policy)| policy["Roles"] == own)
        .collect();
    assert_eq!(policies.len(), usize::from(distributed), "{role}");
    let machine = role.trim_end_matches("Role");
    for (name, policy) in policies {
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
        let [start, follow] = &statements[..] else {
            panic!("{name}: {statements:?}");
        };
        assert_eq!(start["Action"], "states:StartExecution");
        assert_eq!(start["Resource"], json!({"Ref": machine}));
        let actions = ["states:DescribeExecution", "states:StopExecution"];
        assert_eq!(follow["Action"], json!(actions));
        let executions = follow["Resource"]["Fn::Sub"].as_str().unwrap();
        assert!(executions.ends_with(&format!(":execution:${{{machine}.Name}}*")));
    }
}

/// What a further destination is granted is what the first one is: the end-to-end tests hold that
/// against the calls. Keys are granted by their parameter alone.
#[test]
fn further_destinations_are_granted_what_the_first_is() {
    let template = expanded();
    let mut seen = 0;
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        let all: Vec<_> = statements(role).into_iter().map(plain).collect();
        for (statement, condition) in &all {
            match *condition {
                None => {}
                Some(keys @ ("HasKeys" | "HasBackupKey")) => {
                    let parameter = match keys {
                        "HasKeys" => "KmsKeyArns",
                        _ => "BackupKmsKeyArn",
                    };
                    assert_eq!(statement["Resource"], json!({"Ref": parameter}), "{name}");
                    let actions = many(&statement["Action"]);
                    let reads = ["kms:Decrypt", "kms:GenerateDataKey"];
                    assert!(
                        actions
                            .iter()
                            .all(|action| reads.contains(&action.as_str().unwrap()))
                    );
                }
                Some(more @ ("HasMoreBuckets" | "HasRestoreBuckets")) => {
                    let (names, own) = match more {
                        "HasMoreBuckets" => ("MoreBackupBucketNames", "BackupBucketName"),
                        _ => ("RestoreBucketNames", "SourceBucketName"),
                    };
                    assert!(statement["Resource"].to_string().contains(names));
                    let first = all.iter().find(|(first, condition)| {
                        condition.is_none()
                            && first["Action"] == statement["Action"]
                            && first["Resource"].to_string().contains(own)
                    });
                    assert!(first.is_some(), "{name}: {statement}");
                    seen += 1;
                }
                // The scratch bucket of drills, and the one item that remembers them.
                Some("HasDrill") => {
                    let on = statement["Resource"].to_string();
                    let marks = json!("dynamodb:UpdateItem");
                    assert!(
                        on.contains("DrillBucket") || *many(&statement["Action"])[0] == marks,
                        "{name}: {on}"
                    );
                }
                // The lag counts the events that wait.
                Some("HasQueue") => {
                    let actions = many(&statement["Action"]);
                    assert_eq!(*actions[0], json!("sqs:GetQueueAttributes"), "{name}");
                    assert!(
                        actions.len() == 1 && name.starts_with("ReportLag"),
                        "{name}"
                    );
                }
                Some("HasInventoryBuckets") => {
                    assert!(
                        statement["Resource"]
                            .to_string()
                            .contains("InventoryBucketNames")
                    );
                    let actions = many(&statement["Action"]);
                    let reads = ["s3:GetObject", "s3:ListBucket"];
                    assert!(
                        actions
                            .iter()
                            .all(|action| reads.contains(&action.as_str().unwrap())),
                        "{name}: {statement}"
                    );
                }
                Some(other) => panic!("{name}: what does {other} add?"),
            }
        }
    }
    assert!(seen >= 4, "Copy and Verify, objects and listings: {seen}");
}
