use serde_json::json;

use super::*;
use crate::catalog::{SHAPE, partition_key, sort_key};
use crate::object::SourceObject;
use crate::task::fixtures::object;

fn policy(rules: &serde_json::Value) -> Policy {
    let policy = json!({
        "version": 1,
        "destinations": {
            "primary": {"bucket": "backup", "region": "eu-west-1"},
            "second": {"bucket": "other", "region": "eu-west-1"},
        },
        "rules": rules,
    });
    serde_json::from_value(policy).expect("a policy")
}

fn everywhere() -> Policy {
    policy(&json!([
        {"name": "none", "match": {"keys": {"include": ["scratch/**"]}}, "destinations": []},
        {"name": "all", "destinations": ["primary", "second"]},
    ]))
}

fn point(object: &SourceObject, destination: &str, status: Status, owner: &str) -> RecoveryPoint {
    let now = "2026-11-02T00:00:00Z";
    serde_json::from_value(json!({
        "pk": partition_key(&object.bucket, &object.key), "sk": sort_key(destination, object),
        "shape": SHAPE, "status": status, "object": object, "destination": destination,
        "rule": "all", "owner": owner, "until": now, "attempts": 1,
    }))
    .expect("a point")
}

/// The version that `object` is of.
fn version(id: Option<&str>) -> Version {
    let object = object("k", id);
    Version {
        id: object.version_id,
        size: object.size,
        etag: object.etag,
        modified: object.last_modified.expect("known"),
        marker: false,
        rank: 0,
    }
}

fn decide(version: &Version, points: &[RecoveryPoint]) -> Known {
    known(version, "k", points, &everywhere(), "me")
}

#[test]
fn only_what_has_ended_at_every_destination_is_done() {
    for id in [Some("v1"), None] {
        let at = |destination, status| point(&object("k", id), destination, status, "other");
        let version = version(id);
        let open = Known::Open { begun: false };
        assert_eq!(decide(&version, &[]), open);
        assert_eq!(decide(&version, &[at("primary", Status::Stored)]), open);
        for status in [Status::Copying, Status::Failed] {
            let points = [at("primary", Status::Stored), at("second", status)];
            assert_eq!(decide(&version, &points), open, "{status:?}");
        }
        for status in [Status::Gone, Status::Superseded] {
            // The listing shows that it is there; what this owner has found since is believed.
            let points = |owner| {
                let second = point(&object("k", id), "second", status, owner);
                [at("primary", Status::Stored), second]
            };
            assert_eq!(decide(&version, &points("other")), open, "{status:?}");
            assert!(matches!(decide(&version, &points("me")), Known::Done(_)));
        }
        for status in [Status::Stored, Status::Unsettled, Status::Skipped] {
            let points = [at("primary", Status::Stored), at("second", status)];
            let done = Known::Done(vec![
                (Status::Stored, "other".to_owned()),
                (status, "other".to_owned()),
            ]);
            assert_eq!(decide(&version, &points), done);
        }
    }
}

#[test]
fn another_version_of_the_key_says_nothing() {
    let stored = |object: SourceObject| point(&object, "primary", Status::Stored, "other");
    let mut overwritten = object("k", None);
    overwritten.etag = "other".into();
    let mut earlier = object("k", None);
    earlier.last_modified = Some("2026-10-01T00:00:00Z".parse().expect("a time"));
    for (id, other) in [
        (Some("v1"), object("k", Some("v2"))),
        (None, overwritten),
        (None, earlier),
    ] {
        assert!(!is_of(&stored(other), &version(id)));
    }
}

#[test]
fn what_this_owner_has_begun_may_be_copied_already() {
    let copying = |owner| point(&object("k", Some("v1")), "primary", Status::Copying, owner);
    let version = version(Some("v1"));
    let begun = |owner| decide(&version, &[copying(owner)]);
    assert_eq!(begun("me"), Known::Open { begun: true });
    assert_eq!(begun("other"), Known::Open { begun: false });
}

#[test]
fn what_no_rule_wants_is_not_asked_for() {
    let wanted = known(&version(Some("v1")), "scratch/k", &[], &everywhere(), "me");
    assert_eq!(wanted, Known::Unwanted);
}

#[test]
fn a_rule_on_tags_that_stored_it_still_tells_where_it_goes() {
    let tags = policy(&json!([
        {"name": "all", "match": {"tags": {"keep": "yes"}}, "destinations": ["primary"]},
    ]));
    let version = version(Some("v1"));
    let decide = |points: &[RecoveryPoint]| known(&version, "k", points, &tags, "me");
    assert_eq!(decide(&[]), Known::Open { begun: false });
    let stored = point(&object("k", Some("v1")), "primary", Status::Stored, "other");
    assert!(matches!(decide(&[stored]), Known::Done(_)));
}

#[test]
fn a_deletion_is_done_where_every_destination_has_recorded_it() {
    let marker = Version {
        id: Some("m1".into()),
        size: 0,
        etag: String::new(),
        marker: true,
        ..version(None)
    };
    let stored = |name| point(&object("k", Some("v1")), name, Status::Stored, "other");
    let deleted = |name| {
        let mut object = object("k", Some("m1"));
        object.deletion = Some("m1".into());
        point(&object, name, Status::Deleted, "other")
    };
    let open = Known::Open { begun: false };
    assert_eq!(decide(&marker, &[]), open);
    let one = [stored("primary"), stored("second"), deleted("primary")];
    assert_eq!(decide(&marker, &one), open);
    let both = [&one[..], &[deleted("second")]].concat();
    assert!(matches!(decide(&marker, &both), Known::Done(ended) if ended.len() == 2));
}
