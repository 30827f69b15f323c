//! `s3-backup check`: what would keep a deployment from working is said before it, and after.

use std::fs;
use std::path::PathBuf;

use backup_e2e::World;
use backup_stack::{REGION, Service};
use serde_json::{Value, json};

/// Names of findings, in their order, of what `check --json` says.
fn names(out: &str) -> Vec<String> {
    let lines = out
        .lines()
        .map(|it| serde_json::from_str::<Value>(it).unwrap());
    let names = lines.map(|it| it["finding"]["name"].as_str().unwrap().to_owned());
    names.collect()
}

/// A samconfig file as `sam deploy --guided` writes it.
fn config(name: &str, stack: &str, parameters: &[(&str, &str)]) -> PathBuf {
    let quoted = parameters.iter().map(|(name, value)| {
        let value = value.replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    });
    let quoted: Vec<_> = quoted.collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("samconfig.{name}.toml"));
    let text = format!(
        "version = 0.1\n[default.deploy.parameters]\nstack_name = {}\nregion = {}\nparameter_overrides = {}\n",
        json!(stack),
        json!(REGION),
        json!(quoted.join(" ")),
    );
    fs::write(&path, text).unwrap();
    path
}

/// Of the stack of all tests: its policy names a bucket that neither exists nor may be written to, its keys
/// are names alone, and nobody has protected the table yet.
const NOT_FIT: [&str; 4] = ["BucketNotNamed", "NoSuchBucket", "NoSuchKey", "NoSuchKey"];

#[test]
fn of_a_deployed_stack_only_what_is_not_fit_is_found() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let said = world.says(&["--json", "check"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let all = [&NOT_FIT[..], &["NoDeletionProtection"]].concat();
    assert_eq!(names(&said.out), all);
    let said = world.says(&["check"]);
    let command = "aws dynamodb update-table --region us-east-1 --table-name s3-backup-Catalog-";
    assert!(said.out.contains(command), "{}", said.out);
}

#[test]
fn what_a_deployment_would_stumble_over_is_said_before_it() {
    let world = World::get();
    for bucket in ["check-source", "check-backup"] {
        world.cloud.create_bucket(bucket).unwrap();
    }
    let key = || {
        let made = world.cloud.json(Service::Kms, "CreateKey", &json!({}));
        let made = made.unwrap()["KeyMetadata"].clone();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("KeyId"), text("Arn"))
    };
    let ((closed, closed_arn), (disabled, disabled_arn), (_, used_arn)) = (key(), key(), key());
    let nobody = json!({"Version": "2012-10-17", "Statement": []});
    let policy = json!({"KeyId": closed, "PolicyName": "default", "Policy": nobody.to_string()});
    let ask = |service, action: &str, input: &Value| {
        world.cloud.json(service, action, input).unwrap();
    };
    ask(Service::Kms, "PutKeyPolicy", &policy);
    ask(Service::Kms, "DisableKey", &json!({"KeyId": disabled}));
    world.encrypt_bucket("check-source", Some(&used_arn));
    let table = json!({
        "TableName": "check-other", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    });
    ask(Service::DynamoDb, "CreateTable", &table);
    ask(
        Service::Sqs,
        "CreateQueue",
        &json!({"QueueName": "check-queue"}),
    );
    let topic = [("Name", "check-topic")];
    world
        .cloud
        .query(Service::Sns, "CreateTopic", &topic)
        .unwrap();
    let no_key = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000";
    let foreign = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000";
    let keys = [closed_arn.as_str(), &disabled_arn, no_key, foreign].join(",");
    let file = config(
        "check",
        &"long".repeat(33),
        &[
            ("SourceBucketName", "check-source"),
            ("BackupBucketName", "check-backup"),
            ("ReportBucketName", "check-no-bucket"),
            ("KmsKeyArns", &keys),
            ("CatalogTableName", "check-other"),
            ("DeadLetterQueueName", "check-queue"),
            (
                "NotificationTopicArn",
                "arn:aws:sns:us-east-1:000000000000:check-topic",
            ),
            ("AuditSchedule", "cron(0 3 ? * SUN *)"),
            ("DrilDays", "7"),
        ],
    );
    let said = world.says(&["--json", "check", "--config-file", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let mut found = names(&said.out);
    found.sort();
    assert_eq!(
        found,
        [
            "CopiesLessEncrypted",
            "InvalidStackName",
            "KeyNotEnabled",
            "KeyNotNamed",
            "KeyOfAnotherAccount",
            "KeyPolicyRefusesRoles",
            "MissingIndex",
            "MissingIndex",
            "MissingIndex",
            "MissingIndex",
            "NoDeletionProtection",
            "NoEventBridgeNotifications",
            "NoPointInTimeRecovery",
            "NoSuchBucket",
            "NoSuchKey",
            "NoTimeToLive",
            "NoVersioning",
            "NobodySubscribed",
            "QueueRefusesEvents",
            "ShortRetention",
            "SourceUnversioned",
            "UnknownParameter",
            "WrongKeySchema",
        ],
        "{}",
        said.out
    );
}

#[test]
fn names_that_are_not_there_are_said_before_a_deployment() {
    let world = World::get();
    let file = config(
        "nothing",
        "s3-backup",
        &[
            ("SourceBucketName", "check-nothing-source"),
            ("MoreBackupBucketNames", "check-nothing-more"),
            ("CatalogTableName", "check-nothing"),
            ("DeadLetterQueueName", "check-nothing"),
            (
                "NotificationTopicArn",
                "arn:aws:sns:eu-west-1:000000000000:check-nothing",
            ),
        ],
    );
    let said = world.says(&["--json", "check", "--config-file", file.to_str().unwrap()]);
    let mut found = names(&said.out);
    found.sort();
    assert_eq!(
        found,
        [
            "NoSuchBucket",
            "NoSuchBucket",
            "NoSuchQueue",
            "NoSuchTable",
            "NoSuchTopic",
            "WrongRegion"
        ],
        "{}",
        said.out
    );
}

/// SSE-KMS with the key that AWS manages for S3 is SSE-KMS too: a copy without a key would be refused.
#[test]
fn a_source_under_the_key_of_aws_needs_a_key_for_its_copies_and_nothing_else() {
    let world = World::get();
    world.cloud.create_bucket("check-managed").unwrap();
    world.encrypt_bucket("check-managed", None);
    let file = config(
        "managed",
        "s3-backup",
        &[("SourceBucketName", "check-managed")],
    );
    let said = world.says(&["--json", "check", "--config-file", file.to_str().unwrap()]);
    let found = names(&said.out);
    assert!(
        found.contains(&"CopiesLessEncrypted".to_owned()),
        "{}",
        said.out
    );
    assert!(!found.iter().any(|it| it.contains("Key")), "{}", said.out);
}

#[test]
fn a_policy_and_a_file_that_cannot_be_read_are_said() {
    let world = World::get();
    let file = config(
        "policy",
        "s3-backup",
        &[("PolicyDocument", "{\"version\": 1, \"rulez\": []}")],
    );
    let said = world.says(&["--json", "check", "--config-file", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(names(&said.out), ["InvalidPolicy"]);
    assert!(said.out.contains("rulez"), "{}", said.out);
    let said = world.says(&["check", "--config-file", "no-such-file.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("no-such-file.toml"), "{}", said.err);
}

/// Only the wrong table is another than the stack's own: nothing is begun on it.
#[test]
fn nothing_begins_on_a_table_that_cannot_be_the_catalog() {
    let world = World::get();
    let table = json!({
        "TableName": "no-catalog", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    });
    world
        .cloud
        .json(Service::DynamoDb, "CreateTable", &table)
        .unwrap();
    let name = json!({"Name": "/s3-backup/resources"});
    let resources = world.cloud.json(Service::Ssm, "GetParameter", &name);
    let resources = resources.unwrap()["Parameter"]["Value"].clone();
    let mut resources: Value = serde_json::from_str(resources.as_str().unwrap()).unwrap();
    resources["catalog"] = json!("no-catalog");
    let other =
        json!({"Name": "/unfit/resources", "Type": "String", "Value": resources.to_string()});
    world
        .cloud
        .json(Service::Ssm, "PutParameter", &other)
        .unwrap();
    for verb in [
        &["status"][..],
        &["redrive"],
        &["audit"],
        &["backfill", "--yes"],
        &[
            "restore",
            "--prefix",
            "x",
            "--at",
            "2026-11-01T00:00:00Z",
            "--to",
            "elsewhere/x/",
            "--yes",
        ],
    ] {
        let said = world.says(&[&["--stack", "unfit"][..], verb].concat());
        assert_eq!(said.code, Some(8), "{verb:?}: {}{}", said.out, said.err);
        assert!(said.err.contains("WrongKeySchema"), "{}", said.err);
        assert!(said.err.contains("hint: "), "{}", said.err);
    }
}

/// A caller who may not ask is told so, and nothing is taken for fit that was not looked at.
#[test]
fn what_could_not_be_asked_is_said() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let file = config("dead", "s3-backup", &[("CatalogTableName", "check-dead")]);
    let dead = backup_e2e::typed::says_at(
        "http://127.0.0.1:9",
        &["--json", "check", "--config-file", file.to_str().unwrap()],
    );
    assert_eq!(names(&dead.out), ["NotChecked"], "{}", dead.out);
    assert_eq!(dead.code, Some(1), "{}", dead.out);
    assert!(dead.out.contains("check the network"), "{}", dead.out);
    world.proxy.fail(
        "DescribeTimeToLive",
        "",
        backup_e2e::Fault::Error(400, "AccessDeniedException"),
        1,
    );
    let said = world.s3_backup_by_proxy(&["--json", "check"]);
    let out = String::from_utf8(said.stdout).unwrap();
    assert_eq!(
        names(&out),
        [&NOT_FIT[..], &["NotChecked", "NoDeletionProtection"]].concat(),
        "{out}"
    );
    assert!(out.contains("DescribeTimeToLive"), "{out}");
}
