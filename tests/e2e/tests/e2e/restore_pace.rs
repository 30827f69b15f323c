//! The pace of a restore against that of `rclone sync`, on the same objects in the same run; on demand.
//! Copies and points are written as the backup writes them, since to make them by as many executions
//! would take longer than the rest. `OBJECTS` says how many, 20,000 where it says nothing:
//!
//! ```console
//! $ OBJECTS=2000 cargo test -p backup-e2e --test e2e -- --ignored --nocapture restore_pace
//! ```

#![expect(
    clippy::cast_precision_loss,
    reason = "paces to be read, of numbers far below 2^52"
)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use backup_e2e::World;
use backup_e2e::restoring::SCRATCH;
use backup_stack::{Seaweed, Silent, Toolchain};
use serde_json::{Value, json};

/// Makes so many copies with their points, after the pattern of one that the backup has made.
fn make(world: &World, objects: usize) {
    world.change(&[("pace/pattern".to_owned(), Some(b"pattern".to_vec()))]);
    let pattern = world.points("pace/pattern").remove(0);
    let head = world
        .cloud
        .head_object(world.backup(), "pace/pattern", None);
    let head = head.unwrap();
    let mut marker: Vec<_> = head
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-meta-s3-backup-"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    marker.sort_unstable();
    for number in 0..objects {
        let key = format!("pace/{:03}/object {number:06}", number % 100);
        let body = format!("content of {number}");
        let copy = world
            .cloud
            .put_object(world.backup(), &key, body.as_bytes(), &marker)
            .unwrap();
        let mut point = pattern.clone();
        let version = format!("version-{number}");
        point["pk"] = json!({"S": format!("{}/{key}", world.source())});
        point["sk"] = json!({"S": format!("primary#{version}")});
        point["object"]["M"]["key"] = json!({"S": key});
        point["object"]["M"]["versionId"] = json!({"S": version});
        point["object"]["M"]["size"] = json!({"N": body.len().to_string()});
        point["backup"]["M"]["key"] = json!({"S": key});
        point["backup"]["M"]["versionId"] = json!({"S": copy.version_id()});
        let etag = copy.header("etag").unwrap().trim_matches('"');
        point["evidence"]["M"] =
            json!({"kind": {"S": "etag"}, "algorithm": {"S": "MD5"}, "value": {"S": etag}});
        world.put_point(&point);
    }
}

pub fn told(what: &str, objects: usize, took: Duration, calls: &BTreeMap<String, usize>) {
    let pace = objects as f64 / took.as_secs_f64();
    let requests: usize = calls.values().sum();
    let each = requests as f64 / objects as f64;
    println!(
        "{what}: {objects} objects in {took:.1?}, {pace:.0}/s, {each:.2} requests an object: {calls:?}"
    );
}

pub fn counted(world: &World, needle: &str) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in world.proxy.calls(needle) {
        *calls.entry(call.operation).or_default() += 1;
    }
    calls
}

/// Syncs a prefix of a bucket to a place of another by rclone; returns how long that took.
pub fn rclone_sync(world: &World, bucket: &str, prefix: &str, to: &str) -> Duration {
    // The witness is set up by what uses it first.
    let toolchain = Toolchain::ensure(&Silent).unwrap();
    drop(Seaweed::start(&toolchain, &Silent).unwrap());
    let rclone = toolchain.layout().local().join("venv/witness/bin/rclone");
    let through = |endpoint: &str| {
        format!(
            ":s3,provider=Other,endpoint='{endpoint}',access_key_id=test,secret_access_key=test,region=us-east-1:"
        )
    };
    let remote = through(world.proxy.endpoint());
    let begun = Instant::now();
    let output = Command::new(rclone)
        .args([
            "sync",
            "--config",
            "/dev/null",
            "--transfers",
            "16",
            "--checkers",
            "16",
        ])
        .arg(format!("{remote}{bucket}/{prefix}"))
        .arg(format!("{remote}{to}"))
        .output()
        .unwrap();
    let took = begun.elapsed();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

#[test]
#[ignore = "on demand: 20,000 objects, see the first lines of the file"]
fn a_restore_keeps_pace_with_rclone() {
    let objects = std::env::var("OBJECTS").map_or(20_000, |text| text.parse().unwrap());
    let world = World::restoring();
    let _alone = world.alone();
    make(world, objects);
    let at = world.moment();
    let input = json!({"prefix": "pace/", "at": at, "to": {"bucket": SCRATCH, "prefix": "paced/"}});
    let begun = Instant::now();
    let machine = &world.outputs["RestoreStateMachineArn"];
    let execution = world.begin_on(machine, &input.to_string());
    assert_eq!(world.long_wait(&execution), "SUCCEEDED");
    let took = begun.elapsed();
    let ended = world.finish(&execution);
    assert_eq!(
        ended.output["done"]["restored"]["objects"],
        objects + 1,
        "{}",
        ended.output
    );
    println!(
        "lines: {}, keys: {}",
        ended.output["plan"]["lines"], ended.output["plan"]["keys"]
    );
    told(
        "restore",
        objects,
        took,
        &counted(world, "RestoreBatchFunction"),
    );

    let took = rclone_sync(world, world.backup(), "pace", &format!("{SCRATCH}/rclone"));
    told("rclone sync", objects, took, &counted(world, "rclone/"));
    let restored: Value = json!(world.contents(SCRATCH, "paced/pace/").len());
    assert_eq!(restored, world.contents(SCRATCH, "rclone/").len());
}
