//! The template in each partition that README calls supported, and under the longest name of a stack.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::evaluate::{Deployed, PLACES, Place, plain};
use crate::linters::{expanded, expanded_in, program};
use crate::read;

/// The longest that `CloudFormation` takes (AWS `CloudFormation` API Reference, "`CreateStack`").
const STACK_NAME: usize = 128;

/// Every feature that a parameter switches on, with what the stack makes itself.
pub const EVERYTHING: [(&str, &str); 13] = [
    ("Intake", "QUEUED"),
    ("DrillDays", "1"),
    ("AuditLevel", "read"),
    ("CopyConcurrency", "10"),
    ("RecordExpirations", "yes"),
    ("BackupNoncurrentDays", "30"),
    ("BackupTransitionDays", "30"),
    ("BackupObjectLockMode", "GOVERNANCE"),
    ("BackupObjectLockDays", "1"),
    ("NotificationEmail", "who@example.com"),
    ("MoreBackupBucketNames", "further-one,further-two"),
    ("RestoreBucketNames", "scratch-one,scratch-two"),
    ("InventoryBucketNames", "inventory-one,inventory-two"),
];

/// The same with keys: on the source, and one for the copies.
fn features(place: &Place) -> Vec<(&'static str, String)> {
    let (partition, region) = (place.partition, place.region);
    let key = |name: &str| {
        format!("arn:{partition}:kms:{region}:111122223333:key/1234abcd-12ab-34cd-56ef-{name}")
    };
    let all = EVERYTHING.map(|(name, value)| (name, value.to_owned()));
    let keys = [
        ("KmsKeyArns", key("source000000")),
        ("BackupKmsKeyArn", key("backup000000")),
    ];
    all.into_iter().chain(keys).collect()
}

/// Whether a parameter is of the backup bucket that the stack makes.
fn of_the_bucket(name: &str) -> bool {
    name.starts_with("Backup") && name != "BackupKmsKeyArn"
}

fn borrowed<'a>(parameters: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let pairs = parameters.iter();
    pairs.map(|(name, it)| (*name, it.as_str())).collect()
}

/// The same over what is there already.
fn given(place: &Place) -> Vec<(&'static str, String)> {
    let topic = format!(
        "arn:{}:sns:{}:111122223333:told",
        place.partition, place.region
    );
    let all = features(place);
    let all = all.into_iter().filter(|(name, _)| !of_the_bucket(name));
    all.chain([
        ("SourceBucketName", "my-source".to_owned()),
        ("BackupBucketName", "my-backup".to_owned()),
        ("BackupRegionName", place.region.to_owned()),
        ("CatalogTableName", "my-catalog".to_owned()),
        ("DeadLetterQueueName", "my-dead-letters".to_owned()),
        ("NotificationTopicArn", topic),
        ("ReportBucketName", "my-reports".to_owned()),
    ])
    .collect()
}

/// Every text of a value, with the names that lead to it.
fn texts(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(list) => list.iter().for_each(|it| texts(it, path, found)),
        Value::Object(map) => {
            for (name, it) in map {
                texts(it, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// What a deployment makes, as texts.
fn everything(deployed: &Deployed) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in deployed.resources().iter().chain(&deployed.outputs()) {
        texts(value, name, &mut found);
    }
    found
}

fn in_every_partition(check: impl Fn(&Place, &Deployed)) {
    for place in &PLACES {
        let template = expanded_in(place.region);
        let (features, given) = (features(place), given(place));
        for parameters in [&[][..], &borrowed(&features), &borrowed(&given)] {
            check(
                place,
                &Deployed::new(template.clone(), place, "backups", parameters),
            );
        }
    }
}

/// Another partition's ARN names nothing: a role grants nothing, a state machine fails each execution.
#[test]
fn every_arn_is_of_the_partition_it_is_deployed_in() {
    in_every_partition(|place, deployed| {
        let mut seen = 0;
        for (path, text) in everything(deployed) {
            // The first parts of lists of buckets: a join takes no function.
            for arn in text.split("arn:").skip(1) {
                let own = arn.starts_with(&format!("{}:", place.partition));
                assert!(own || arn.starts_with("*:s3:::"), "{path}: arn:{arn}");
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    });
}

/// Names of service principals are the same in every partition; the suffix of endpoints is not (AWS IAM User Guide,
/// "AWS JSON policy elements: Principal").
#[test]
fn every_host_is_of_the_partition_it_is_deployed_in() {
    in_every_partition(|place, deployed| {
        let (mut principals, mut hosts) = (0, 0);
        for (path, text) in everything(deployed) {
            if !text.contains("amazonaws") {
                continue;
            }
            if path.ends_with("/Service") || path.ends_with("Permission/Properties/Principal") {
                assert!(text.ends_with(".amazonaws.com"), "{path}: {text}");
                principals += 1;
            } else if text.contains("https://sqs.") {
                let own = format!("{}.{}/", place.region, place.suffix);
                for host in text.split("https://sqs.").skip(1) {
                    assert!(host.starts_with(&own), "{path}: {text}");
                    hosts += 1;
                }
            } else {
                let own = format!("https://{}/", place.console);
                assert!(text.starts_with(&own), "{path}: {text}");
                hosts += 1;
            }
        }
        assert!(principals > 30 && hosts > 5, "{principals} {hosts}");
        let outputs = deployed.outputs();
        let consoles = outputs.iter().filter(|(name, _)| name.ends_with("Console"));
        for (name, output) in consoles {
            let page = plain(&output["Value"]);
            let own = format!("https://{}/", place.console);
            assert!(page.starts_with(&own), "{name}: {page}");
            assert!(
                page.contains(&format!("region={}#", place.region))
                    || page.ends_with(&format!("region={}", place.region)),
                "{name}: {page}"
            );
        }
    });
}

/// In a partition without a line of its own the deployment fails: the template cannot be evaluated.
#[test]
fn the_partitions_that_are_checked_are_those_that_the_template_knows_and_readme_names() {
    let template = expanded();
    let known = template["Mappings"]["Consoles"].as_object().unwrap();
    let mut known: Vec<_> = known.keys().map(String::as_str).collect();
    known.sort_unstable();
    let mut places = PLACES.map(|place| place.partition);
    places.sort_unstable();
    assert_eq!(known, places);
    let readme = read("README.md");
    for place in PLACES {
        assert!(
            readme.contains(&format!("`{}`", place.partition)),
            "{place:?}"
        );
    }
}

/// By what botocore knows of endpoints: each service of the template's resources, and those that its properties ask for.
#[test]
fn every_service_is_there_in_each_partition() {
    const ENDPOINTS: &str = "import json, os, botocore
with open(os.path.join(os.path.dirname(botocore.__file__), 'data', 'endpoints.json')) as file:
    print(json.dumps({it['partition']: sorted(it['services']) for it in json.load(file)['partitions']}))";
    let output = program("sam", "python")
        .args(["-c", ENDPOINTS])
        .output()
        .unwrap();
    let known: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut wanted = vec!["xray", "kms", "cloudformation", "sts"];
    for resource in expanded()["Resources"].as_object().unwrap().values() {
        let kind = resource["Type"].as_str().unwrap().split("::").nth(1);
        wanted.push(match kind.unwrap() {
            "S3" => "s3",
            "DynamoDB" => "dynamodb",
            "SQS" => "sqs",
            "SNS" => "sns",
            "SSM" => "ssm",
            "Lambda" => "lambda",
            "StepFunctions" => "states",
            "Events" => "events",
            "Logs" => "logs",
            "CloudWatch" => "monitoring",
            "IAM" => continue, // of the partition, not of a region
            other => panic!("what is the endpoint of {other}?"),
        });
    }
    for place in PLACES {
        let there = known[place.partition].as_array().unwrap();
        for service in &wanted {
            assert!(
                there.contains(&json!(service)),
                "{service} in {}",
                place.partition
            );
        }
    }
}

/// Of a policy that is made with its bucket or queue alone.
fn is_guard(path: &str) -> bool {
    ["DeadLetterQueuePolicy/", "ReportBucketPolicy/"]
        .iter()
        .any(|guard| path.starts_with(guard))
}

/// What a role, a queue or an alarm is given follows the parameter: nothing names what the stack would have made.
#[test]
fn what_is_given_is_what_everything_works_on() {
    let place = &PLACES[0];
    let given = given(place);
    let deployed = Deployed::new(expanded(), place, "backups", &borrowed(&given));
    let made = [
        "sourcebucket",
        "backupbucket",
        "Catalog-",
        "DeadLetterQueue-",
        "backups-Topic-",
        "reportbucket",
    ];
    let all = everything(&deployed);
    for (path, text) in &all {
        for name in made {
            assert!(!text.contains(name), "{path}: {text}");
        }
    }
    // The very places that name what the stack makes, where nothing is given.
    let mut alike = features(place);
    alike.retain(|(name, _)| !of_the_bucket(name));
    let created = Deployed::new(expanded(), place, "backups", &borrowed(&alike));
    let named = |deployed: &Deployed, name: &str| -> BTreeSet<String> {
        let all = everything(deployed).into_iter();
        let named = all.filter(|(path, text)| text.contains(name) && !is_guard(path));
        named.map(|(path, _)| path).collect()
    };
    for (given, made, least) in [
        ("my-catalog", "backups-Catalog-", 18),
        ("my-dead-letters", "backups-DeadLetterQueue-", 8),
        (":told", "backups-Topic-", 40),
        ("my-reports", "backups-reportbucket", 10),
    ] {
        let places = named(&deployed, given);
        assert_eq!(places, named(&created, made), "{given}");
        assert!(places.len() >= least, "{given}: {}", places.len());
    }
    let value = plain(&deployed.resources()["Resources"]["Properties"]["Value"]);
    let value: Value = serde_json::from_str(&value).unwrap();
    assert_eq!(
        (&value["catalog"], &value["reports"], &value["topic"]),
        (
            &json!("my-catalog"),
            &json!("my-reports"),
            &json!("arn:aws:sns:eu-west-1:111122223333:told")
        )
    );
    assert_eq!(
        value["queue"],
        "https://sqs.eu-west-1.amazonaws.com/111122223333/my-dead-letters"
    );
}

/// What `CloudFormation` does not shorten: each property that is made from the stack's name, and how long it may be.
const FROM_STACK_NAME: [(&str, usize, &str); 7] = [
    (
        "LogGroupName",
        512,
        "Amazon CloudWatch Logs API Reference, CreateLogGroup",
    ),
    (
        "LogGroupArn",
        256,
        "AWS Step Functions API Reference, CloudWatchLogsLogGroup",
    ),
    (
        "Name",
        1011,
        "AWS Systems Manager API Reference, PutParameter",
    ),
    (
        "Namespace",
        255,
        "Amazon CloudWatch API Reference, PutMetricAlarm",
    ),
    (
        "MetricNamespace",
        255,
        "Amazon CloudWatch Logs API Reference, MetricTransformation",
    ),
    (
        "Value",
        1024,
        "Amazon CloudWatch API Reference, Dimension; an output",
    ),
    ("Resource", 2048, "a resource of a role's policy"),
];

#[test]
fn every_name_fits_under_the_longest_name_of_a_stack() {
    let stack = "s".repeat(STACK_NAME);
    for place in &PLACES {
        let deployed = Deployed::new(expanded_in(place.region), place, &stack, &EVERYTHING);
        fits(&deployed, &stack);
    }
}

fn fits(deployed: &Deployed, stack: &str) {
    let mut seen = 0;
    for (path, text) in everything(deployed) {
        if !text.contains(stack) {
            continue;
        }
        let property = path.rsplit('/').next().unwrap();
        if path.contains("/Variables/") || path.starts_with("Resources/Properties/Value") {
            continue; // their sizes: see the quotas
        }
        let Some((_, most, page)) = FROM_STACK_NAME.iter().find(|(name, ..)| *name == property)
        else {
            assert!(generated(&text), "{path}: how long may {text} be?");
            continue;
        };
        assert!(text.len() <= *most, "{path}: {} of {page}", text.len());
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

/// The name of a table, a topic or a log group that `CloudFormation` makes, which it cuts itself.
fn generated(text: &str) -> bool {
    text.ends_with("-1A2B3C4D5E6F7") || text.contains("-1A2B3C4D5E6F7:*")
}

/// A fixed name is one that a second stack, or the same one after its deletion, cannot have again.
#[test]
fn nothing_has_a_name_that_a_later_deployment_could_find_taken() {
    let template = expanded();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let properties = &resource["Properties"];
        let own = match resource["Type"].as_str().unwrap() {
            "AWS::S3::Bucket" => "BucketName",
            "AWS::DynamoDB::GlobalTable" => "TableName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::SNS::Topic" => "TopicName",
            "AWS::Lambda::Function" => "FunctionName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::Events::Rule" => "Name",
            "AWS::CloudWatch::Alarm" => "AlarmName",
            "AWS::StepFunctions::StateMachine" => "StateMachineName",
            "AWS::Logs::LogGroup" => {
                // Step Functions writes there and cannot make the group: it goes with the stack and stays away. A
                // function's role may make its own, so a late line would make one again.
                let delivered = name.ends_with("StateMachineLogs");
                let fixed = properties["LogGroupName"]["Fn::Sub"].as_str();
                let prefix = "/aws/vendedlogs/states/${AWS::StackName}-";
                assert_eq!(
                    fixed.map(|it| it.starts_with(prefix)),
                    delivered.then_some(true),
                    "{name}"
                );
                continue;
            }
            _ => continue,
        };
        assert!(properties[own].is_null(), "{name}: {own}");
    }
}
