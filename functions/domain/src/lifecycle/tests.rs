use serde_json::json;

use super::*;

fn lifecycle(value: Value) -> Lifecycle {
    serde_json::from_value(value).expect("a lifecycle")
}

fn refused(value: Value, lock_days: Option<u32>) -> &'static str {
    let problem = lifecycle(value).check(lock_days).expect_err("refused");
    assert!(problem.1.len() > 10, "{problem:?}");
    problem.0
}

#[test]
fn what_s3_would_refuse_or_could_not_do_is_refused_by_field() {
    for (value, lock_days, field) in [
        (json!({}), None, ""),
        (json!({"noncurrentDays": 0}), None, "noncurrentDays"),
        (json!({"noncurrentDays": 30}), Some(31), "noncurrentDays"),
        (
            json!({"newerNoncurrentVersions": 3}),
            None,
            "newerNoncurrentVersions",
        ),
        (
            json!({"noncurrentDays": 1, "newerNoncurrentVersions": 101}),
            None,
            "newerNoncurrentVersions",
        ),
        (
            json!({"transition": {"days": 0, "storageClass": "STANDARD_IA"}}),
            None,
            "transition",
        ),
        (
            json!({"transition": {"days": 30, "storageClass": "STANDARD"}}),
            None,
            "transition",
        ),
        (
            json!({"noncurrentDays": 30, "noncurrentTransition": {"days": 30, "storageClass": "GLACIER_IR"}}),
            None,
            "noncurrentTransition",
        ),
    ] {
        assert_eq!(refused(value.clone(), lock_days), field, "{value}");
    }
    for (value, lock_days) in [
        (json!({"noncurrentDays": 30}), Some(30)),
        (
            json!({"noncurrentDays": 1, "newerNoncurrentVersions": 100}),
            None,
        ),
        (
            json!({"transition": {"days": 1, "storageClass": "GLACIER_IR"}}),
            None,
        ),
        // S3 asks for no 30 days before an infrequent access class any more, since July 2026.
        (
            json!({"transition": {"days": 1, "storageClass": "STANDARD_IA"}}),
            None,
        ),
        (
            json!({"noncurrentDays": 8, "noncurrentTransition": {"days": 7, "storageClass": "ONEZONE_IA"}}),
            None,
        ),
        (
            json!({"noncurrentDays": 31, "noncurrentTransition": {"days": 30, "storageClass": "ONEZONE_IA"}}),
            None,
        ),
    ] {
        assert_eq!(lifecycle(value.clone()).check(lock_days), Ok(()), "{value}");
    }
}

#[test]
fn a_configuration_is_what_the_destinations_of_a_bucket_want() {
    let all = lifecycle(json!({
        "noncurrentDays": 90, "newerNoncurrentVersions": 2,
        "transition": {"days": 60, "storageClass": "STANDARD_IA"},
        "noncurrentTransition": {"days": 30, "storageClass": "GLACIER"},
    }));
    let some = lifecycle(json!({"noncurrentDays": 7}));
    let configuration = configuration([("primary", "", &all), ("cold", "from-shop/", &some)]);
    assert_eq!(
        configuration,
        json!({"Rules": [
            {"ID": "AbortStrayUploads", "Status": "Enabled", "Filter": {"Prefix": ""},
             "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
            {"ID": "ExpireNoncurrent-primary", "Status": "Enabled", "Filter": {"Prefix": ""},
             "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 2},
             "Expiration": {"ExpiredObjectDeleteMarker": true}},
            {"ID": "TransitionCurrent-primary", "Status": "Enabled", "Filter": {"Prefix": ""},
             "Transitions": [{"Days": 60, "StorageClass": "STANDARD_IA"}]},
            {"ID": "TransitionNoncurrent-primary", "Status": "Enabled", "Filter": {"Prefix": ""},
             "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER"}]},
            {"ID": "ExpireNoncurrent-cold", "Status": "Enabled", "Filter": {"Prefix": "from-shop/"},
             "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
             "Expiration": {"ExpiredObjectDeleteMarker": true}},
        ]})
    );
}

/// Whatever a destination asks for: what is on top never goes by age.
#[test]
fn no_rule_ever_expires_a_current_version() {
    for days in [None, Some(1), Some(LIFECYCLE_DAYS_MAX)] {
        for versions in [None, Some(1), Some(100)] {
            let lifecycle = Lifecycle {
                noncurrent_days: days,
                newer_noncurrent_versions: versions,
                ..Lifecycle::default()
            };
            for rule in lifecycle.rules("p/", "primary") {
                let expiration = rule["Expiration"].as_object();
                let fields: Vec<_> = expiration.into_iter().flat_map(|it| it.keys()).collect();
                assert_eq!(fields, ["ExpiredObjectDeleteMarker"], "{rule}");
            }
        }
    }
}

fn event(kind: &str, detail: &Value) -> Value {
    let mut event = json!({
        "detail-type": kind, "source": "aws.s3", "time": "2026-11-12T00:00:00Z",
        "detail": {"bucket": {"name": "backup"}, "object": {"key": "k", "version-id": "b1"}},
    });
    if let (Some(own), Some(more)) = (event["detail"].as_object_mut(), detail.as_object()) {
        own.extend(more.clone());
    }
    event
}

#[test]
fn only_what_the_lifecycle_itself_has_done_for_good_is_followed() {
    let gone = json!({"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"});
    let read = parse(&event("Object Deleted", &gone)).expect("an expiry");
    assert_eq!(
        (
            read.bucket.as_str(),
            read.key.as_str(),
            read.version_id.as_str()
        ),
        ("backup", "k", "b1")
    );
    assert_eq!(read.happened, Happened::Expired);
    let class = json!({"destination-storage-class": "GLACIER"});
    let read = parse(&event("Object Storage Class Changed", &class)).expect("a transition");
    assert_eq!(read.happened, Happened::Transitioned("GLACIER".into()));
    for (kind, detail) in [
        (
            "Object Deleted",
            json!({"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}),
        ),
        (
            "Object Deleted",
            json!({"reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"}),
        ),
        ("Object Deleted", json!({})),
        (
            "Object Deleted",
            json!({"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted", "object": {"key": "k"}}),
        ),
        ("Object Storage Class Changed", json!({})),
        ("Object Created", gone),
    ] {
        assert_eq!(parse(&event(kind, &detail)), None, "{kind} {detail}");
    }
    assert_eq!(parse(&json!("rubbish")), None);
}

#[test]
fn a_merge_keeps_the_rules_of_others_and_is_the_same_when_it_is_done_twice() {
    let days = |noncurrent_days| Lifecycle {
        noncurrent_days: Some(noncurrent_days),
        ..Lifecycle::default()
    };
    let ours = |days: &Lifecycle| configuration([("cold", "p/", days)]);
    let own = json!({"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}});
    let there =
        json!({"Rules": [own], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"});
    let first = merged(&there, &ours(&days(90))).expect("merged");
    assert_eq!(first["Rules"][0], own);
    assert_eq!(first["Rules"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        first["TransitionDefaultMinimumObjectSize"],
        "varies_by_storage_class"
    );
    let second = merged(&first, &ours(&days(30))).expect("merged");
    assert_eq!(second["Rules"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        second["Rules"][2]["NoncurrentVersionExpiration"]["NoncurrentDays"],
        30
    );
    assert_eq!(merged(&second, &ours(&days(30))), Ok(second.clone()));
    assert!(merged(&json!({}), &ours(&days(30))).is_err());
    let many: Vec<_> = (0..999)
        .map(|number| json!({"ID": number.to_string()}))
        .collect();
    assert!(merged(&json!({"Rules": many}), &ours(&days(30))).is_err());
}
