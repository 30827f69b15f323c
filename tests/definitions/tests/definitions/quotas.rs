//! How large a template, and what is in it, may be.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evaluate::{Deployed, PLACES, plain};
use crate::linters::expanded;
use crate::places::EVERYTHING;
use crate::read;

/// AWS `CloudFormation` User Guide, "Understand `CloudFormation` quotas".
#[test]
fn the_template_keeps_to_the_quotas_of_cloudformation() {
    let own = read("template.yaml");
    let template = expanded();
    for text in [own.clone(), template.to_string()] {
        assert!(text.len() <= 1_000_000, "{} bytes", text.len());
    }
    let count = |section: &str| template[section].as_object().unwrap().len();
    for (section, most) in [
        ("Resources", 500),
        ("Parameters", 200),
        ("Outputs", 200),
        ("Mappings", 200),
    ] {
        assert!(count(section) <= most, "{section}: {}", count(section));
    }
    for (name, mapping) in template["Mappings"].as_object().unwrap() {
        assert!(mapping.as_object().unwrap().len() <= 200, "{name}");
    }
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        assert!(plain(&parameter["Default"]).len() <= 4096, "{name}");
        assert!(plain(&parameter["Description"]).len() <= 4000, "{name}");
    }
    for (name, output) in template["Outputs"].as_object().unwrap() {
        assert!(plain(&output["Description"]).len() <= 1024, "{name}");
    }
    assert!(plain(&template["Description"]).len() <= 1024);
}

/// How many names README says that the lists have room for: further destinations, and each other list.
const ROOM: (usize, usize) = (25, 10);

#[test]
fn readme_says_for_how_many_names_there_is_room() {
    let (more, few) = ROOM;
    let says = format!("{more} names in `MoreBackupBucketNames` and {few} in each other list");
    assert!(read("README.md").contains(&says), "{says}");
}

/// As many and as long names as README has it.
fn longest() -> Deployed {
    let buckets = |count: usize| {
        let names = (0..count).map(|it| format!("{it:02}-{}", "b".repeat(60)));
        names.collect::<Vec<_>>().join(",")
    };
    let key = "arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    let keys = vec![key; ROOM.1].join(",");
    let (more, few) = (buckets(ROOM.0), buckets(ROOM.1));
    let mut parameters: BTreeMap<_, _> = EVERYTHING.into();
    parameters.extend([
        ("MoreBackupBucketNames", more.as_str()),
        ("RestoreBucketNames", few.as_str()),
        ("InventoryBucketNames", few.as_str()),
        ("KmsKeyArns", keys.as_str()),
        ("BackupKmsKeyArn", key),
    ]);
    let parameters: Vec<_> = parameters.into_iter().collect();
    Deployed::new(expanded(), &PLACES[0], &"s".repeat(128), &parameters)
}

fn of<'r>(
    resources: &'r BTreeMap<String, Value>,
    kind: &'r str,
) -> impl Iterator<Item = (&'r String, &'r Value)> {
    let all = resources.iter().filter(move |(_, it)| it["Type"] == kind);
    all.map(|(name, it)| (name, &it["Properties"]))
}

/// AWS Systems Manager API Reference, "`PutParameter`": 4 KB in the standard tier.
#[test]
fn the_parameters_of_the_command_line_fit_into_the_standard_tier() {
    let resources = longest().resources();
    for name in ["Resources", "Access"] {
        let parameter = &resources[name]["Properties"];
        assert!(parameter["Tier"].is_null(), "standard by default");
        let value = plain(&parameter["Value"]);
        serde_json::from_str::<Value>(&value).unwrap();
        assert!(value.len() <= 4096, "{name}: {}", value.len());
    }
    let policy = plain(&resources["Policy"]["Properties"]["Value"]);
    assert!(policy.len() <= 4096, "{}", policy.len());
}

/// AWS Lambda Developer Guide, "Lambda quotas": 4 KB for all variables of a function.
#[test]
fn the_variables_of_each_function_fit() {
    let resources = longest().resources();
    let mut seen = 0;
    for (name, function) in of(&resources, "AWS::Lambda::Function") {
        let variables = function["Environment"]["Variables"].as_object();
        let sizes = variables.into_iter().flatten();
        let size: usize = sizes.map(|(name, it)| name.len() + plain(it).len()).sum();
        assert!(size <= 4096, "{name}: {size}");
        seen += usize::from(size > 0);
    }
    assert!(seen > 20, "{seen}");
}

/// AWS Step Functions Developer Guide, "Quotas": 1 MB a definition.
#[test]
fn the_definition_of_each_state_machine_fits() {
    let resources = longest().resources();
    let mut seen = 0;
    for (name, machine) in of(&resources, "AWS::StepFunctions::StateMachine") {
        let definition = plain(&machine["DefinitionString"]);
        assert!(
            definition.len() <= 1_000_000,
            "{name}: {}",
            definition.len()
        );
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

/// Amazon `EventBridge` User Guide, "Quotas": 2,048 characters a pattern, five targets a rule.
#[test]
fn the_pattern_of_each_rule_fits() {
    let resources = longest().resources();
    let mut seen = 0;
    for (name, rule) in of(&resources, "AWS::Events::Rule") {
        let pattern = &rule["EventPattern"];
        assert!(
            pattern.is_null() || pattern.to_string().len() <= 2048,
            "{name}"
        );
        assert!(rule["Targets"].as_array().unwrap().len() <= 5, "{name}");
        assert!(plain(&rule["Description"]).len() <= 512, "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

/// AWS IAM User Guide, "IAM and AWS STS quotas": 10,240 characters for all inline policies of a role, white space
/// not counted.
#[test]
fn the_policies_of_each_role_fit() {
    let resources = longest().resources();
    let mut sizes = BTreeMap::new();
    for (name, role) in of(&resources, "AWS::IAM::Role") {
        let policies = role["Policies"].as_array().into_iter().flatten();
        let size: usize = policies
            .map(|it| it["PolicyDocument"].to_string().len())
            .sum();
        sizes.insert(name.clone(), size);
    }
    let template = expanded();
    for (name, policy) in of(&resources, "AWS::IAM::Policy") {
        let role = &template["Resources"][name]["Properties"]["Roles"][0]["Ref"];
        *sizes.get_mut(role.as_str().unwrap()).unwrap() +=
            policy["PolicyDocument"].to_string().len();
    }
    let largest = sizes.iter().max_by_key(|(_, size)| **size).unwrap();
    assert!(*largest.1 <= 10_240, "{sizes:?}");
    assert!(*largest.1 > 3_000, "the documents are read: {largest:?}");
}

/// Amazon `CloudWatch` API Reference, "`PutMetricAlarm`"; AWS Systems Manager API Reference, "`PutParameter`".
#[test]
fn every_description_fits() {
    let resources = longest().resources();
    for (name, alarm) in of(&resources, "AWS::CloudWatch::Alarm") {
        let length = plain(&alarm["AlarmDescription"]).len();
        assert!((1..=1024).contains(&length), "{name}: {length}");
    }
    for (name, parameter) in of(&resources, "AWS::SSM::Parameter") {
        assert!(plain(&parameter["Description"]).len() <= 1024, "{name}");
    }
}
