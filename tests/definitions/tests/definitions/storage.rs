//! What holds data is kept, closed and encrypted: every bucket, table and queue of the template.

use serde_json::{Value, json};

use crate::linters::expanded;

const HOLDS_DATA: [&str; 4] = [
    "AWS::S3::Bucket",
    "AWS::DynamoDB::GlobalTable",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
];

/// What says who may use something that is kept: the field that names it.
const GUARDS: [(&str, &str); 2] = [
    ("AWS::S3::BucketPolicy", "/Bucket/Ref"),
    ("AWS::SQS::QueuePolicy", "/Queues/0/Ref"),
];

/// Tells that events wait in a queue that is kept, when nothing takes from it any more.
const WATCHES: &str = "IntakeAgeAlarm";

/// A creation that fails leaves nothing behind that the next attempt would not find; whatever was in use stays (AWS
/// `CloudFormation` Template Reference, "`DeletionPolicy` attribute": `RetainExceptOnCreate`). What guards it stays
/// with it; nothing else does, since a second deployment of the same name would make it twice.
#[test]
fn what_holds_data_is_kept_with_what_guards_it_and_nothing_else_is() {
    let template = expanded();
    let resources = template["Resources"].as_object().unwrap();
    let kept = |name: &str| HOLDS_DATA.contains(&resources[name]["Type"].as_str().unwrap());
    let mut guarded = 0;
    for (name, resource) in resources {
        let guard = GUARDS.iter().find(|(kind, _)| resource["Type"] == *kind);
        let guards = guard.is_some_and(|(_, field)| {
            let of = resource["Properties"].pointer(field).unwrap();
            guarded += 1;
            kept(of.as_str().unwrap())
        });
        let policies = (
            &resource["DeletionPolicy"],
            &resource["UpdateReplacePolicy"],
        );
        if kept(name) || guards || name == WATCHES {
            // `RetainExceptOnCreate` is no value of an UpdateReplacePolicy.
            assert_eq!(
                policies,
                (&json!("RetainExceptOnCreate"), &json!("Retain")),
                "{name}"
            );
        } else {
            assert_eq!(policies, (&Value::Null, &Value::Null), "{name}");
        }
    }
    assert!(guarded >= 6, "{guarded}");
}

/// What a second deployment is given is the owner's: under the same condition nothing of it is made, guards included.
#[test]
fn what_is_given_is_left_alone() {
    let template = expanded();
    let resources = template["Resources"].as_object().unwrap();
    for (parameter, condition, made) in [
        (
            "SourceBucketName",
            "CreateSource",
            &["SourceBucket", "SourceBucketPolicy"][..],
        ),
        (
            "BackupBucketName",
            "CreateBackup",
            &["BackupBucket", "BackupBucketPolicy"],
        ),
        ("CatalogTableName", "CreateCatalog", &["Catalog"]),
        (
            "DeadLetterQueueName",
            "CreateDeadLetters",
            &["DeadLetterQueue", "DeadLetterQueuePolicy"],
        ),
        ("NotificationTopicArn", "CreateTopic", &["Topic"]),
        (
            "ReportBucketName",
            "CreateReports",
            &["ReportBucket", "ReportBucketPolicy"],
        ),
    ] {
        assert_eq!(
            template["Conditions"][condition],
            json!({"Fn::Equals": [{"Ref": parameter}, ""]})
        );
        let under: Vec<_> = resources
            .iter()
            .filter(|(_, it)| it["Condition"] == condition)
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(under, made, "{condition}");
    }
}

#[test]
fn what_holds_data_is_encrypted_and_kept_as_long_as_can_be() {
    let template = expanded();
    let mut seen = 0;
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        if !HOLDS_DATA.contains(&kind) {
            continue;
        }
        seen += 1;
        let properties = &resource["Properties"];
        match kind {
            "AWS::S3::Bucket" => {
                // What lies in the scratch bucket of drills is there to go: see below.
                let keeps = &properties["VersioningConfiguration"]["Status"];
                assert_eq!(keeps == "Enabled", name != "DrillBucket", "{name}");
                bucket(&template, name, properties);
            }
            "AWS::DynamoDB::GlobalTable" => {
                let replicas = properties["Replicas"].as_array().unwrap();
                let [replica] = &replicas[..] else {
                    panic!("{name}: a second replica is billed");
                };
                assert_eq!(replica["Region"], json!({"Ref": "AWS::Region"}), "{name}");
                let recovery = &replica["PointInTimeRecoverySpecification"];
                assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{name}");
                assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{name}");
                let expiry = &properties["TimeToLiveSpecification"];
                let wanted = json!({"AttributeName": "expiresAt", "Enabled": true});
                assert_eq!(*expiry, wanted, "{name}");
                // A creation that fails could not delete it.
                assert!(replica["DeletionProtectionEnabled"].is_null(), "{name}");
            }
            // Nothing is kept in it but who is told.
            "AWS::SNS::Topic" => {}
            _ => {
                assert_eq!(properties["SqsManagedSseEnabled"], true, "{name}");
                // 14 days, the longest there is (Amazon SQS API Reference, "SetQueueAttributes").
                assert_eq!(properties["MessageRetentionPeriod"], 1_209_600, "{name}");
            }
        }
    }
    assert!(
        seen >= 4,
        "two buckets, the catalog, the dead letters: {seen}"
    );
}

fn bucket(template: &Value, name: &str, properties: &Value) {
    let rules = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"];
    let algorithm = &rules[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"];
    assert!(algorithm.is_string(), "{name} encrypts by default");
    let closed = json!({
        "BlockPublicAcls": true, "BlockPublicPolicy": true,
        "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
    });
    assert_eq!(
        properties["PublicAccessBlockConfiguration"], closed,
        "{name}"
    );
    let ownership = &properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"];
    assert_eq!(ownership, "BucketOwnerEnforced", "{name} takes no ACLs");

    let policies = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .filter(|it| {
            it["Type"] == "AWS::S3::BucketPolicy"
                && it["Properties"]["Bucket"] == json!({"Ref": name})
        });
    let statements: Vec<_> = policies
        .flat_map(|it| {
            it["Properties"]["PolicyDocument"]["Statement"]
                .as_array()
                .unwrap()
        })
        .collect();
    let tls = statements.iter().find(|statement| {
        statement["Condition"] == json!({"Bool": {"aws:SecureTransport": "false"}})
    });
    let tls = tls.unwrap_or_else(|| panic!("{name} can be read without TLS"));
    assert_eq!(
        (&tls["Effect"], &tls["Principal"], &tls["Action"]),
        (&json!("Deny"), &json!("*"), &json!("s3:*")),
        "{name}"
    );
    let whole = tls["Resource"].as_array().unwrap();
    assert_eq!(whole.len(), 2, "{name}: the bucket and its objects");
    assert!(
        statements
            .iter()
            .all(|statement| statement["Effect"] == "Deny"),
        "{name}: what is granted is granted by the roles"
    );
}

/// Nothing backs up what is restored there, and no role needs to delete it.
#[test]
fn the_scratch_bucket_of_drills_empties_itself_and_tells_nobody() {
    let template = expanded();
    let bucket = &template["Resources"]["DrillBucket"]["Properties"];
    assert!(bucket["NotificationConfiguration"].is_null(), "{bucket}");
    let rules = bucket["LifecycleConfiguration"]["Rules"]
        .as_array()
        .unwrap();
    let [rule] = &rules[..] else {
        panic!("{rules:?}");
    };
    assert_eq!(
        (&rule["Status"], &rule["ExpirationInDays"]),
        (&json!("Enabled"), &json!(1))
    );
    assert_eq!(
        rule["NoncurrentVersionExpiration"],
        json!({"NoncurrentDays": 1})
    );
    assert!(
        rule["Prefix"].is_null() && rule["Filter"].is_null(),
        "all of it: {rule}"
    );
}

/// One parameter, off by default, makes all there is of drills.
#[test]
fn without_drills_there_is_nothing_of_them() {
    let template = expanded();
    let days = &template["Parameters"]["DrillDays"];
    assert_eq!(days["Default"].to_string().trim_matches('"'), "0");
    assert_eq!(
        template["Conditions"]["HasDrill"],
        json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "DrillDays"}, 0]}]})
    );
    let drills = template["Resources"].as_object().unwrap().iter();
    let drills: Vec<_> = drills
        .filter(|(name, _)| name.starts_with("Drill"))
        .collect();
    assert!(drills.len() >= 6, "{drills:?}");
    for (name, resource) in drills {
        assert_eq!(resource["Condition"], "HasDrill", "{name}");
    }
}
