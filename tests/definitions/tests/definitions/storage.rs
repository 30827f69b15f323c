//! What holds data is kept, closed and encrypted: every bucket, table and queue of the template.

use serde_json::{Value, json};

use crate::linters::expanded;

const HOLDS_DATA: [&str; 3] = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue"];

#[test]
fn what_holds_data_outlives_the_stack_and_its_own_replacement() {
    let template = expanded();
    let mut seen = 0;
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        if !HOLDS_DATA.contains(&kind) {
            continue;
        }
        seen += 1;
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(resource[policy], "Retain", "{name}: {policy}");
        }
        let properties = &resource["Properties"];
        match kind {
            "AWS::S3::Bucket" => {
                // What lies in the scratch bucket of drills is there to go: see below.
                let keeps = &properties["VersioningConfiguration"]["Status"];
                assert_eq!(keeps == "Enabled", name != "DrillBucket", "{name}");
                bucket(&template, name, properties);
            }
            "AWS::DynamoDB::Table" => {
                let recovery = &properties["PointInTimeRecoverySpecification"];
                assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{name}");
                assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{name}");
            }
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
