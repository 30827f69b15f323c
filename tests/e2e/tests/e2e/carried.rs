//! The same object on the other side: what is carried, by one CopyObject and in parts alike.

use backup_e2e::world::wait;
use backup_e2e::{Call, World};
use serde_json::json;

/// Sent with the upload, expected at the copy: in the object, or where the local stack drops it, in
/// the request that makes the copy.
struct Carried {
    header: &'static str,
    value: &'static str,
    seen_in: Seen,
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Object,
    Request,
}

const TABLE: &[Carried] = &[
    object("content-type", "text/csv; charset=utf-8"),
    object("cache-control", "max-age=60, private"),
    object("content-disposition", "attachment; filename=\"a b.csv\""),
    object("content-encoding", "gzip"),
    object("content-language", "de-CH"),
    object("expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
    object("x-amz-meta-owner", "finance"),
    // As S3 hands out what is not ASCII: to be sent back as it came.
    object("x-amz-meta-city", "=?UTF-8?B?WsO8cmljaA==?="),
    object("x-amz-meta-empty", ""),
    object("x-amz-website-redirect-location", "/elsewhere.html"),
    // The local stack keeps no tags that come with CreateMultipartUpload.
    Carried {
        header: "x-amz-tagging",
        value: "class=secret&a%20b=c%2Bd",
        seen_in: Seen::Request,
    },
];

const fn object(header: &'static str, value: &'static str) -> Carried {
    Carried {
        header,
        value,
        seen_in: Seen::Object,
    }
}

/// The call that makes the copy of a key.
fn making(world: &World, key: &str) -> Call {
    let calls = world.proxy.calls(key);
    let making = ["CopyObject", "CreateMultipartUpload"];
    calls
        .into_iter()
        .find(|call| making.contains(&call.operation.as_str()))
        .unwrap()
}

fn upload(world: &World, key: &str, bytes: usize) {
    let headers: Vec<_> = TABLE.iter().map(|row| (row.header, row.value)).collect();
    let ended = world.upload(key, &vec![5; bytes], &headers);
    assert_eq!(
        ended.output["destinations"][0]["outcome"], "stored",
        "{ended:?}"
    );
}

/// Every row of the table, through both paths.
#[test]
fn headers_metadata_tags_and_redirect_are_carried_by_both_paths() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (key, bytes) in [
        ("plain/carried-small", 10),
        ("plain/carried-large", 8 << 20),
    ] {
        upload(world, key, bytes);
        let copy = world.copy_of(key);
        let call = making(world, key);
        for row in TABLE {
            if row.seen_in == Seen::Object {
                assert_eq!(
                    copy.header(row.header),
                    Some(row.value),
                    "{key}: {}",
                    row.header
                );
            } else if call.operation == "CopyObject" {
                assert_eq!(call.header("x-amz-tagging-directive"), Some("COPY"));
            } else {
                let mut sent: Vec<_> = call.header(row.header).unwrap().split('&').collect();
                let mut expected: Vec<_> = row.value.split('&').collect();
                sent.sort_unstable();
                expected.sort_unstable();
                assert_eq!(sent, expected, "{key}");
            }
        }
        assert!(copy.header("x-amz-meta-s3-backup-source-version").is_some());
    }
}

/// Expires need not be a date; it goes along as it is.
#[test]
fn an_expires_that_is_no_date_is_carried_as_text() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (key, bytes) in [
        ("plain/expires-small", 10),
        ("plain/expires-large", 8 << 20),
    ] {
        world.upload(key, &vec![5; bytes], &[("expires", "0")]);
        assert_eq!(world.copy_of(key).header("expires"), Some("0"), "{key}");
    }
}

/// The tags of a small copy are the source's; S3 itself carries them.
#[test]
fn tags_of_a_small_copy_are_the_sources() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let key = "plain/carried-tags";
    upload(world, key, 3);
    let url = format!(
        "{}/{}/{key}?tagging",
        world.objects.endpoint(),
        world.backup()
    );
    let tags = ureq::get(url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    for part in [
        "<Key>class</Key>",
        "<Value>secret</Value>",
        "<Key>a b</Key>",
        "<Value>c+d</Value>",
    ] {
        assert!(tags.contains(part), "{part} is not in {tags}");
    }
}

/// Storage class, KMS key and retention come from the destination, by both paths.
#[test]
fn class_key_and_retention_are_the_destinations_by_both_paths() {
    let world = World::get();
    let _policy = world.policy.write().unwrap();
    let mut policy: serde_json::Value = serde_json::from_str(&world.usual_policy()).unwrap();
    policy["destinations"]["primary"]["storageClass"] = json!("GLACIER_IR");
    policy["destinations"]["primary"]["kmsKey"] = json!("alias/none");
    policy["destinations"]["primary"]["objectLock"] =
        json!({"mode": "COMPLIANCE", "days": 9, "confirmed": true});
    world.put_policy(&policy.to_string());
    let sent: Vec<_> = [("plain/class-small", 10), ("plain/class-large", 8 << 20)]
        .into_iter()
        .map(|(key, bytes)| {
            world.upload(key, &vec![5; bytes], &[]);
            making(world, key)
        })
        .collect();
    world.put_policy(&world.usual_policy());
    for call in sent {
        let operation = &call.operation;
        for (header, value) in [
            ("x-amz-storage-class", "GLACIER_IR"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "alias/none"),
            ("x-amz-object-lock-mode", "COMPLIANCE"),
        ] {
            assert_eq!(call.header(header), Some(value), "{operation}: {header}");
        }
        assert!(
            call.header("x-amz-object-lock-retain-until-date").is_some(),
            "{operation}"
        );
    }
}

/// Annotations stay behind unless the rule carries them; then they come by both paths.
#[test]
fn annotations_are_carried_where_the_rule_says_so() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for (rule, bytes, carried) in [
        ("annotated", 10, true),
        ("annotated", 8 << 20, true),
        ("plain", 10, false),
        ("plain", 8 << 20, false),
    ] {
        let key = format!("{rule}/annotations-{bytes}");
        let first = world.upload(&key, &vec![5; bytes], &[]);
        world.annotate(&key, "note", "as told");
        world.forget(&key);
        world.start_with(&world.input_of(&first.arn));
        // The local stack tells an annotation as an upload, so another execution may be at it.
        wait("it is backed up anew", || {
            let points = world.points(&key);
            match points.first().map(|point| &point["status"]["S"]) {
                Some(status) if status == "stored" => Ok(()),
                status => Err(format!("{status:?}")),
            }
        });
        let found = world.annotation(&key, "note");
        assert_eq!(found.as_deref(), carried.then_some("as told"), "{key}");
    }
}

/// Metadata that leaves no room for the marker goes along whole; the point says that it is unmarked.
#[test]
fn full_metadata_is_carried_without_a_marker_by_both_paths() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let full = "m".repeat(2040);
    for (key, bytes) in [("plain/full-small", 10), ("plain/full-large", 8 << 20)] {
        let ended = world.upload(key, &vec![5; bytes], &[("x-amz-meta-note", &full)]);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        let copy = world.copy_of(key);
        assert_eq!(copy.header("x-amz-meta-note"), Some(full.as_str()));
        assert_eq!(copy.header("x-amz-meta-s3-backup-source-bucket"), None);
        let point = &world.points(key)[0];
        assert_eq!(point["backup"]["M"]["marked"]["BOOL"], false, "{point}");
    }
}
