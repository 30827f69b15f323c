//! A backup bucket with Object Lock: copies, refusals, promotions and mirrored deletions all work on what
//! nobody may delete.

use backup_e2e::world::wait;
use backup_e2e::{Fault, World};
use serde_json::{Value, json};

use crate::order::two_versions;

const LOCKED: &str = "locked-backup";
const DEFAULT_RETENTION: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";

/// A bucket as the template makes it with `BackupObjectLockMode=GOVERNANCE`.
fn lock(world: &World) {
    let url = format!("{}/{LOCKED}", world.objects.endpoint());
    let made = ureq::put(&url)
        .header("x-amz-bucket-object-lock-enabled", "true")
        .send_empty();
    made.expect("the bucket is made");
    let set = ureq::put(format!("{url}?object-lock")).send(DEFAULT_RETENTION);
    set.expect("its retention is set");
}

fn stored(world: &World, key: &str) -> Value {
    let points = world.points(key);
    let [point] = &points[..] else {
        panic!("{points:?}")
    };
    assert_eq!(point["status"]["S"], "stored", "{point}");
    assert_eq!(point["backup"]["M"]["bucket"]["S"], LOCKED, "{point}");
    point.clone()
}

/// By the destination's `objectLock`, which is sent, and by the bucket's own default, where nothing is.
#[test]
fn a_locked_bucket_takes_copies_marks_promotions_and_deletions() {
    let world = World::get();
    let _policy = world.policy.write().unwrap();
    lock(world);
    for (name, object_lock) in [
        ("sent", Some(json!({"mode": "GOVERNANCE", "days": 2}))),
        ("default", None),
    ] {
        let mut policy: Value = serde_json::from_str(&world.usual_policy()).unwrap();
        let primary = &mut policy["destinations"]["primary"];
        primary["bucket"] = json!(LOCKED);
        if let Some(lock) = &object_lock {
            primary["objectLock"] = lock.clone();
        }
        world.put_policy(&policy.to_string());
        let key = |rule: &str, what: &str| format!("{rule}/locked-{name}-{what}");

        let large = key("plain", "large");
        let ended = world.upload(&large, &vec![7; 9 << 20], &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        stored(world, &large);
        // A copy that differs is tagged, and stays.
        let differs = key("read", "differs");
        let copy = format!("/{LOCKED}/{differs}");
        world.proxy.fail("GetObject", &copy, Fault::FlipLastByte, 1);
        let ended = world.upload(&differs, b"bytes", &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        stored(world, &differs);
        let tagged = world.proxy.calls(&copy);
        let mut tagged = tagged
            .iter()
            .filter(|it| it.operation == "PutObjectTagging");
        let tagged = tagged.next().expect("the bad copy is tagged");
        assert!(tagged.body().contains("s3-backup"), "{}", tagged.body());
        // The older copy lands last: the newer one is put on top again.
        let promoted = key("plain", "promoted");
        let [older, newer] = two_versions(world, &promoted, [b"older", b"newer"]);
        for event in [&newer, &older] {
            let ended = world.start_with(&event.to_string());
            assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        }
        let top = world.objects.get_object(LOCKED, &promoted, None).unwrap();
        assert_eq!(top.body, b"newer");
        // A delete marker deletes nothing.
        let deleted = key("mirror", "deleted");
        world.upload(&deleted, b"gone", &[]);
        let gone = world.objects.delete_object(world.source(), &deleted, None);
        gone.unwrap();
        wait("the deletion is mirrored", || {
            match world.delete_markers(LOCKED, &deleted) {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        });
        assert_eq!(world.versions(LOCKED, &deleted).len(), 1);
        carries_retention(world, &format!("locked-{name}"), object_lock.is_some());
        for key in [large, differs, promoted, deleted] {
            nobody_may_delete(world, &key, if object_lock.is_some() { 47 } else { 23 });
        }
    }
    world.put_policy(&world.usual_policy());
}

/// Every version of a copy is under a retention that ends in so many hours, and stays when it is deleted.
fn nobody_may_delete(world: &World, key: &str, hours: i64) {
    let versions = world.versions(LOCKED, key);
    assert!(!versions.is_empty(), "{key}");
    for version in versions {
        let url = format!("{}/{LOCKED}/{key}", world.objects.endpoint());
        let asked = ureq::get(format!("{url}?retention&versionId={version}")).call();
        let said = asked.unwrap().body_mut().read_to_string().unwrap();
        assert!(said.contains("<Mode>GOVERNANCE</Mode>"), "{key}: {said}");
        let until = said.split("<RetainUntilDate>").nth(1).unwrap();
        let until: jiff::Timestamp = until.split('<').next().unwrap().parse().unwrap();
        let left = until.duration_since(jiff::Timestamp::now());
        assert_eq!(left.as_hours(), hours, "{key}");
        let deleted = ureq::delete(format!("{url}?versionId={version}")).call();
        assert!(
            matches!(deleted, Err(ureq::Error::StatusCode(403))),
            "{key}: {deleted:?}"
        );
    }
}

/// Each request that makes a version names the retention, or leaves it to the bucket; none lifts it.
fn carries_retention(world: &World, needle: &str, sent: bool) {
    let calls = world.proxy.calls(needle);
    let making = ["CopyObject", "CreateMultipartUpload"];
    let copying: Vec<_> = calls
        .iter()
        .filter(|call| making.contains(&call.operation.as_str()))
        .collect();
    assert!(copying.len() >= 6, "{}", copying.len());
    for call in copying {
        let (mode, until) = (
            call.header("x-amz-object-lock-mode"),
            call.header("x-amz-object-lock-retain-until-date"),
        );
        assert_eq!(mode, sent.then_some("GOVERNANCE"), "{}", call.operation);
        let until: Option<jiff::Timestamp> = until.map(|it| it.parse().unwrap());
        let hours = until.map(|it| it.duration_since(jiff::Timestamp::now()).as_hours());
        assert_eq!(hours, sent.then_some(47), "two days from the copy on");
    }
    for call in &calls {
        let lifts = call.header("x-amz-bypass-governance-retention");
        assert_eq!(lifts, None, "{}", call.operation);
        let deletes = call.operation.starts_with("DeleteObject");
        assert!(
            !deletes || !call.request.contains("versionId"),
            "{}",
            call.request
        );
    }
}
