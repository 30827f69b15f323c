//! What the parameters of retention make of the backup bucket, and which of them are refused: conditions
//! and rules of the template, evaluated.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use backup_domain::lifecycle::configuration;
use serde_json::{Value, json};

use crate::linters::expanded;

fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(expanded)
}

/// The template with some parameters set.
struct Deployment {
    template: &'static Value,
    parameters: BTreeMap<String, String>,
}

impl Deployment {
    fn with(parameters: &[(&str, &str)]) -> Self {
        let template = template();
        let defaults = template["Parameters"].as_object().unwrap().iter();
        let mut own: BTreeMap<_, _> = defaults
            .map(|(name, it)| (name.clone(), text(&it["Default"])))
            .collect();
        for (name, value) in parameters {
            let allowed = &template["Parameters"][name]["AllowedValues"];
            let allowed = allowed.as_array().map(|it| it.iter().map(text).collect());
            let allowed: Vec<String> = allowed.unwrap_or_else(|| vec![(*value).to_owned()]);
            assert!(allowed.iter().any(|it| it == value), "{name}={value}");
            let known = own.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "there is no parameter {name}");
        }
        Self {
            template,
            parameters: own,
        }
    }

    /// Evaluates a condition function (AWS CloudFormation User Guide, "Condition functions" and
    /// "Rule-specific intrinsic functions").
    fn holds(&self, expression: &Value) -> bool {
        let (function, given) = expression.as_object().unwrap().iter().next().unwrap();
        let list = || given.as_array().unwrap();
        match function.as_str() {
            "Condition" => self.holds(&self.template["Conditions"][given.as_str().unwrap()]),
            "Fn::Equals" => self.text(&list()[0]) == self.text(&list()[1]),
            "Fn::Not" => !self.holds(&list()[0]),
            "Fn::And" => list().iter().all(|it| self.holds(it)),
            "Fn::Or" => list().iter().any(|it| self.holds(it)),
            "Fn::Contains" => {
                let wanted = self.text(&list()[1]);
                let mut strings = list()[0].as_array().unwrap().iter();
                strings.any(|it| it.as_str().unwrap() == wanted)
            }
            other => panic!("{other} is not known here"),
        }
    }

    fn text(&self, value: &Value) -> String {
        match value.as_object().and_then(|it| it.iter().next()) {
            Some((function, name)) if function == "Ref" => {
                self.parameters[name.as_str().unwrap()].clone()
            }
            Some((function, given)) if function == "Fn::Join" => {
                // A list parameter: its text is its items, joined.
                self.text(&given[1])
            }
            Some(other) => panic!("{other:?} is not known here"),
            None => text(value),
        }
    }

    /// With `Fn::If` and `Ref` of a parameter resolved; `None` where nothing is left.
    fn resolved(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(map) => match map.iter().next() {
                Some((name, given)) if name == "Fn::If" => {
                    let condition = json!({"Condition": given[0]});
                    let branch = if self.holds(&condition) { 1 } else { 2 };
                    self.resolved(&given[branch])
                }
                Some((name, given)) if name == "Ref" => {
                    if given == "AWS::NoValue" {
                        return None;
                    }
                    let own = self.parameters.get(given.as_str()?)?;
                    Some(
                        own.parse::<u64>()
                            .map_or(json!(own), |number| json!(number)),
                    )
                }
                _ => Some(
                    map.iter()
                        .filter_map(|(name, it)| Some((name.clone(), self.resolved(it)?)))
                        .collect(),
                ),
            },
            Value::Array(list) => Some(list.iter().filter_map(|it| self.resolved(it)).collect()),
            other => Some(other.clone()),
        }
    }

    fn bucket(&self) -> Value {
        let bucket = &self.template["Resources"]["BackupBucket"]["Properties"];
        self.resolved(bucket).unwrap()
    }

    /// Names of the rules that refuse these parameters.
    fn refused_by(&self) -> Vec<&str> {
        let rules = self.template["Rules"].as_object().unwrap().iter();
        let refusing = rules.filter(|(_, rule)| {
            let applies = rule.get("RuleCondition").is_none_or(|it| self.holds(it));
            let mut assertions = rule["Assertions"].as_array().unwrap().iter();
            applies && assertions.any(|it| !self.holds(&it["Assert"]))
        });
        refusing.map(|(name, _)| name.as_str()).collect()
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A rule of the template in the shape of S3's API, without its id.
fn as_s3_has_it(rule: &Value) -> Value {
    let transitions = |name: &str, days: &str| {
        let list = rule[name].as_array()?.iter();
        let own = list
            .map(|it| json!({days: it["TransitionInDays"], "StorageClass": it["StorageClass"]}));
        Some(own.collect::<Vec<_>>())
    };
    let mut found = json!({"Status": rule["Status"], "Filter": {"Prefix": ""}});
    for (field, value) in [
        (
            "AbortIncompleteMultipartUpload",
            rule.get("AbortIncompleteMultipartUpload").cloned(),
        ),
        (
            "NoncurrentVersionExpiration",
            rule.get("NoncurrentVersionExpiration").cloned(),
        ),
        (
            "Expiration",
            rule.get("ExpiredObjectDeleteMarker")
                .map(|it| json!({"ExpiredObjectDeleteMarker": it})),
        ),
        (
            "Transitions",
            transitions("Transitions", "Days").map(Value::from),
        ),
        (
            "NoncurrentVersionTransitions",
            transitions("NoncurrentVersionTransitions", "NoncurrentDays").map(Value::from),
        ),
    ] {
        if let Some(value) = value {
            found[field] = value;
        }
    }
    found
}

/// By the template and by `s3-backup lifecycle`, for the same numbers.
#[test]
fn the_buckets_lifecycle_is_what_the_parameters_say() {
    let all = [
        ("BackupNoncurrentDays", "90"),
        ("BackupNewerNoncurrentVersions", "3"),
        ("BackupTransitionDays", "60"),
        ("BackupTransitionStorageClass", "GLACIER_IR"),
        ("BackupNoncurrentTransitionDays", "30"),
        ("BackupNoncurrentTransitionStorageClass", "STANDARD_IA"),
    ];
    let said = json!({
        "noncurrentDays": 90, "newerNoncurrentVersions": 3,
        "transition": {"days": 60, "storageClass": "GLACIER_IR"},
        "noncurrentTransition": {"days": 30, "storageClass": "STANDARD_IA"},
    });
    for (parameters, said) in [
        (&all[..0], json!({})),
        (&all[..1], json!({"noncurrentDays": 90})),
        (
            &all[..2],
            json!({"noncurrentDays": 90, "newerNoncurrentVersions": 3}),
        ),
        (
            &all[2..4],
            json!({"transition": {"days": 60, "storageClass": "GLACIER_IR"}}),
        ),
        (&all[..], said),
    ] {
        let deployment = Deployment::with(parameters);
        assert_eq!(deployment.refused_by(), [""; 0], "{parameters:?}");
        let bucket = deployment.bucket();
        let rules = bucket["LifecycleConfiguration"]["Rules"]
            .as_array()
            .unwrap();
        let made: Vec<_> = rules.iter().map(as_s3_has_it).collect();
        let lifecycle = serde_json::from_value(said).unwrap();
        let mut printed = configuration([("primary", "", &lifecycle)]);
        for rule in printed["Rules"].as_array_mut().unwrap() {
            rule.as_object_mut().unwrap().remove("ID");
        }
        assert_eq!(json!({"Rules": made}), printed, "{parameters:?}");
        // Events are paid for where there is something to follow, and only there.
        let told = bucket["NotificationConfiguration"]["EventBridgeConfiguration"].is_object();
        assert_eq!(told, !parameters.is_empty(), "{parameters:?}");
    }
}

#[test]
fn current_versions_never_expire_whatever_the_parameters_say() {
    let bucket = &template()["Resources"]["BackupBucket"];
    let text = bucket.to_string();
    for never in ["ExpirationInDays", "ExpirationDate", "\"Expiration\""] {
        assert!(!text.contains(never), "{never}");
    }
}

#[test]
fn object_lock_is_on_the_bucket_only_when_asked_for() {
    let bucket = Deployment::with(&[]).bucket();
    assert!(bucket.get("ObjectLockEnabled").is_none(), "{bucket}");
    assert!(bucket.get("ObjectLockConfiguration").is_none(), "{bucket}");
    let locked = Deployment::with(&[
        ("BackupObjectLockMode", "GOVERNANCE"),
        ("BackupObjectLockDays", "30"),
    ]);
    assert_eq!(locked.refused_by(), [""; 0]);
    let bucket = locked.bucket();
    assert_eq!(bucket["ObjectLockEnabled"], true);
    assert_eq!(
        bucket["ObjectLockConfiguration"],
        json!({"ObjectLockEnabled": "Enabled",
               "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}})
    );
}

#[test]
fn what_contradicts_itself_is_refused_when_it_is_deployed() {
    let governance = ("BackupObjectLockMode", "GOVERNANCE");
    let compliance = ("BackupObjectLockMode", "COMPLIANCE");
    let confirmed = ("BackupComplianceConfirmed", "yes");
    let locked = |days| ("BackupObjectLockDays", days);
    let expiring = |days| ("BackupNoncurrentDays", days);
    let moving = |days| ("BackupNoncurrentTransitionDays", days);
    let existing = ("BackupBucketName", "my-backup");
    for (parameters, rule) in [
        (vec![compliance, locked("30")], Some("ComplianceIsMeant")),
        (vec![compliance, locked("30"), confirmed], None),
        (vec![governance], Some("ObjectLockHasDays")),
        (vec![locked("30")], Some("ObjectLockHasDays")),
        (
            vec![governance, locked("30"), expiring("14")],
            Some("NothingExpiresWhileItIsLocked"),
        ),
        (vec![governance, locked("30"), expiring("30")], None),
        (
            vec![governance, locked("3650"), expiring("2555")],
            Some("NothingExpiresWhileItIsLocked"),
        ),
        (vec![governance, locked("3650")], None),
        (
            vec![("BackupNewerNoncurrentVersions", "2")],
            Some("KeptVersionsNeedDays"),
        ),
        (
            vec![("BackupNewerNoncurrentVersions", "2"), expiring("1")],
            None,
        ),
        (
            vec![moving("30"), expiring("30")],
            Some("NoncurrentTransitionComesBeforeExpiry"),
        ),
        (
            vec![moving("1095"), expiring("365")],
            Some("NoncurrentTransitionComesBeforeExpiry"),
        ),
        (vec![moving("30"), expiring("60")], None),
        (vec![moving("365")], None),
        (vec![existing], None),
        (
            vec![existing, expiring("30")],
            Some("RetentionIsOfTheCreatedBucket"),
        ),
        (
            vec![existing, governance, locked("30")],
            Some("RetentionIsOfTheCreatedBucket"),
        ),
    ] {
        let refused = Deployment::with(&parameters).refused_by().join(", ");
        assert_eq!(refused, rule.unwrap_or_default(), "{parameters:?}");
    }
}

/// Every pair of values, against what the numbers say.
#[test]
fn every_pair_of_days_is_judged_by_its_numbers() {
    let values = |name: &str| -> Vec<u32> {
        let parameter = &template()["Parameters"][name]["AllowedValues"];
        let values = parameter.as_array().unwrap().iter();
        values.map(|it| text(it).parse().unwrap()).collect()
    };
    let mut deployment = Deployment::with(&[("BackupObjectLockMode", "GOVERNANCE")]);
    let expiries = values("BackupNoncurrentDays");
    for expiry in expiries {
        let days = expiry.to_string();
        deployment
            .parameters
            .insert("BackupNoncurrentDays".into(), days);
        for (name, rule, equal) in [
            (
                "BackupObjectLockDays",
                "NothingExpiresWhileItIsLocked",
                true,
            ),
            (
                "BackupNoncurrentTransitionDays",
                "NoncurrentTransitionComesBeforeExpiry",
                false,
            ),
        ] {
            for first in values(name) {
                let before = deployment.parameters[name].clone();
                deployment.parameters.insert(name.into(), first.to_string());
                let possible =
                    first == 0 || expiry == 0 || first < expiry || equal && first == expiry;
                let refused = deployment.refused_by().contains(&rule);
                assert_eq!(refused, !possible, "{name} {first}, expiry {expiry}");
                deployment.parameters.insert(name.into(), before);
            }
        }
    }
}
