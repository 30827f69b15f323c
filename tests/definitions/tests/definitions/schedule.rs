//! What the patterns of parameters take and refuse, by a table. `CloudFormation` matches them against the whole value
//! (AWS `CloudFormation` Template Reference, "Parameters syntax": `AllowedPattern`).

use regex::Regex;
use serde_json::Value;

use crate::linters::expanded;

fn takes(template: &Value, parameter: &str) -> impl Fn(&str) -> bool {
    let pattern = template["Parameters"][parameter]["AllowedPattern"]
        .as_str()
        .unwrap();
    assert!(
        pattern.starts_with('^') && pattern.ends_with('$'),
        "{parameter}"
    );
    // Nothing in which Java's expressions and these differ: no classes of their own, no looking around.
    assert!(
        !pattern.contains(['\\', '&']) && !pattern.contains("(?"),
        "{pattern}"
    );
    let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
    move |value| pattern.is_match(value)
}

fn check(parameter: &str, yes: &[&str], no: &[&str]) {
    let template = expanded();
    let takes = takes(&template, parameter);
    for value in yes {
        assert!(takes(value), "{parameter} refuses {value:?}");
    }
    for value in no {
        assert!(!takes(value), "{parameter} takes {value:?}");
    }
}

/// Amazon `EventBridge` User Guide, "Cron expressions reference" and "Rate expressions reference", with all examples of
/// both pages.
#[test]
fn an_audit_schedule_is_one_that_eventbridge_takes() {
    check(
        "AuditSchedule",
        &[
            "",
            "rate(1 minute)",
            "rate(1 hour)",
            "rate(1 day)",
            "rate(5 minutes)",
            "rate(12 hours)",
            "rate(7 days)",
            "rate(10 days)",
            "rate(99999 minutes)",
            "cron(0 10 * * ? *)",
            "cron(15 12 * * ? *)",
            "cron(0 18 ? * MON-FRI *)",
            "cron(0 8 1 * ? *)",
            "cron(0/10 * ? * MON-FRI *)",
            "cron(0/5 8-17 ? * MON-FRI *)",
            "cron(0 9 ? * 2#1 *)",
            "cron(0 0 ? * FRI#5 2026-2030)",
            "cron(15 10 ? * 6L 2019-2022)",
            "cron(0 3 ? * SUN *)",
            "cron(0 3 ? * 1 *)",
            "cron(0 3 ? * L *)",
            "cron(0 3 L * ? *)",
            "cron(0 3 3W * ? *)",
            "cron(0,30 0-6 1,15 JAN,FEB,DEC ? 2027)",
            "cron(*/30 * 1-7 1-6 ? 2026/2)",
            "cron(0 3 * * ? *)",
            "cron(59 23 31 12 ? 2199)",
        ],
        &[
            " ",
            "rate(0 days)",
            "rate(1 days)",
            "rate(1 minutes)",
            "rate(5 day)",
            "rate(5 hour)",
            "rate(01 days)",
            "rate(100000 minutes)",
            "rate(1.5 days)",
            "rate(1 week)",
            "rate(1day)",
            "rate(1 day",
            "rate(1 day) ",
            "at(2026-12-01T03:00:00)",
            "1 day",
            "0 3 * * ? *",
            "cron(0",
            "cron()",
            // Five fields, as elsewhere; seven, with seconds.
            "cron(0 3 * * *)",
            "cron(0 3 * * ?)",
            "cron(0 3 ? * SUN)",
            "cron(0 0 3 * * ? *)",
            // Of the two days exactly one is `?`.
            "cron(0 3 * * * *)",
            "cron(0 3 ? * ? *)",
            "cron(0 3 1 * SUN *)",
            "cron(0 3 * * SUN *)",
            "cron(0 3 1 * * *)",
            // Out of range.
            "cron(60 3 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 3 0 * ? *)",
            "cron(0 3 32 * ? *)",
            "cron(0 3 * 13 ? *)",
            "cron(0 3 ? * 0 *)",
            "cron(0 3 ? * 8 *)",
            "cron(0 3 ? * SUNDAY *)",
            "cron(0 3 ? * 3#6 *)",
            "cron(0 3 ? * 3#1,6#3 *)",
            "cron(0 3 * * ? 1969)",
            "cron(0 3 * * ? 2200)",
            // A letter in another field.
            "cron(L 3 * * ? *)",
            "cron(0 3 ? * 3W *)",
            "cron(0 3 ? L SUN *)",
            "cron(@daily)",
        ],
    );
}

#[test]
fn a_region_is_one_of_any_partition() {
    check(
        "BackupRegionName",
        &[
            "",
            "eu-central-1",
            "us-east-1",
            "ap-southeast-7",
            "mx-central-1",
            "cn-north-1",
            "cn-northwest-1",
            "us-gov-west-1",
            "eusc-de-east-1",
            "us-iso-east-1",
            "us-isob-west-1",
            "us-isof-south-1",
            "eu-isoe-west-1",
        ],
        &[
            "EU-central-1",
            "eu-central",
            "eu-central-1a",
            "eu",
            "eu central 1",
            "s3.eu-central-1",
            "europe-central-1",
        ],
    );
}

#[test]
fn what_is_there_already_is_named_as_its_service_names_it() {
    check(
        "CatalogTableName",
        &[
            "",
            "abc",
            "s3-backup-Catalog-1A2B3C",
            "my.table_1",
            &"t".repeat(255),
        ],
        &[
            "ab",
            "arn:aws:dynamodb:eu-west-1:111122223333:table/t",
            "a table",
            &"t".repeat(256),
        ],
    );
    check(
        "DeadLetterQueueName",
        &["", "q", "s3-backup-DeadLetterQueue-1A2B3C", &"q".repeat(80)],
        &[
            "queue.fifo",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
            &"q".repeat(81),
        ],
    );
    check(
        "NotificationTopicArn",
        &[
            "",
            "arn:aws:sns:eu-west-1:111122223333:told",
            "arn:aws-cn:sns:cn-north-1:111122223333:told",
            "arn:aws-us-gov:sns:us-gov-west-1:111122223333:told",
            "arn:aws-eusc:sns:eusc-de-east-1:111122223333:told",
        ],
        &[
            "told",
            "arn:aws:sns:eu-west-1:111122223333:told.fifo",
            "arn:aws:sqs:eu-west-1:111122223333:told",
            "arn:aws:sns:eu-west-1:111122223333:told:6b0e71bd-7e97-4d97-80ce-4a0994e55286",
        ],
    );
    check(
        "ReportBucketName",
        &["", "my-reports", "my.reports"],
        &[
            "s3://my-reports",
            "arn:aws:s3:::my-reports",
            "My-Reports",
            "ab",
        ],
    );
    check(
        "KmsKeyArns",
        &[
            "",
            "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
            "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ],
        &[
            "alias/mine",
            "arn:aws:kms:eu-central-1:111122223333:alias/mine",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
        ],
    );
    check(
        "BackupKmsKeyArn",
        &[
            "",
            "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
            "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ],
        &[
            "arn:aws:kms:eu-central-1:111122223333:key/one,arn:aws:kms:eu-central-1:111122223333:key/two",
            "alias/mine",
            "arn:aws:kms:eu-central-1:111122223333:alias/mine",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
        ],
    );
}
