//! Objects larger than what a test run should carry each time, and the figures of large objects.
//! They print what they measure, and want some 40 GiB of disk for a while:
//!
//! ```console
//! $ cargo test -p backup-e2e --test e2e -- --ignored --nocapture --test-threads 1 on_demand
//! ```

#![expect(
    clippy::cast_precision_loss,
    reason = "paces and ratios to be read, of numbers far below 2^52"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use backup_e2e::World;
use backup_e2e::gauge::{Peaks, own_peak_kib};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Uploads an object of so many bytes, backs it up, and returns how long that took and the calls for
/// its key that were served, by operation. What a server refuses that has too much to do is asked again;
/// how often is printed.
fn back_up(world: &World, key: &str, bytes: u64) -> (Duration, BTreeMap<String, usize>) {
    world.upload_content(key, bytes);
    let begun = Instant::now();
    let execution = world.begin(&world.event_of(key));
    assert_eq!(world.long_wait(&execution), "SUCCEEDED", "{key}");
    let took = begun.elapsed();
    let point = &world.points(key)[0];
    assert_eq!(point["status"]["S"], "stored", "{point}");
    let (mut calls, mut refused) = (BTreeMap::new(), 0);
    for call in world.proxy.calls(key) {
        if call.answered.is_some_and(|status| status < 500) {
            *calls.entry(call.operation).or_default() += 1;
        } else {
            refused += 1;
        }
    }
    if refused > 0 {
        println!("{key}: {refused} calls were refused or cut off, and made again");
    }
    (took, calls)
}

fn is_of_s3(operation: &str) -> bool {
    !["PutItem", "GetItem", "UpdateItem", "Query", "Publish"].contains(&operation)
}

fn free(world: &World, key: &str) {
    world
        .objects
        .delete_object(world.source(), key, None)
        .unwrap();
    world.forget(key);
}

/// More than one CopyObject could copy, through the whole machine, with the sizes of a deployment;
/// read on both sides, and compared once more by rclone.
#[test]
#[ignore = "on demand: moves 6 GiB, see the first lines of the file"]
fn an_object_of_several_gib_is_copied_and_proven() {
    let world = World::with_default_sizes();
    let key = "read/several-gib.bin";
    let bytes = 6 * GIB + 12_345;
    let peaks = Peaks::watch(world);
    let (took, calls) = back_up(world, key, bytes);
    println!("{bytes} bytes copied and read in {took:.1?}; calls: {calls:?}");
    println!("peak KiB of the functions: {:?}", peaks.end());
    println!("peak KiB of the test with its proxy: {}", own_peak_kib());
    assert_eq!(calls["UploadPartCopy"], 97);
    assert!(!calls.contains_key("CopyObject"));
    assert!(
        own_peak_kib() < 1024 * 1024,
        "no object passes through memory"
    );
    let evidence = &world.points(key)[0]["evidence"];
    assert_eq!(evidence["M"]["kind"]["S"], "read", "{evidence}");
    pace_of_reading(world, key);
    let seaweed = world.seaweed.as_ref().unwrap();
    let said = seaweed.compare("weed-source/read", "weed-backup/read");
    assert!(said.unwrap().contains("1 matching files"));
    free(world, key);
}

/// ReadRange against a plain HTTP client, on the same bytes of the same server.
fn pace_of_reading(world: &World, key: &str) {
    let bytes = 2 * GIB;
    let event: Value = serde_json::from_str(&world.event_of(key)).unwrap();
    let point = &world.points(key)[0];
    let version = point["backup"]["M"]["versionId"]["S"].as_str().unwrap();
    let copy = world
        .objects
        .head_object(world.backup(), key, None)
        .unwrap();
    let etag = copy.header("etag").unwrap().trim_matches('"').to_owned();
    let task = |bytes: u64| {
        json!({
            "object": {
                "bucket": world.source(), "key": key, "size": event["detail"]["object"]["size"],
                "etag": "", "sequencer": "0A", "eventAt": event["time"],
                "account": event["account"], "region": event["region"],
            },
            "target": {
                "name": "primary", "key": key, "read": true, "archived": "fail", "rule": "read", "attempts": 1,
                "destination": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]},
            },
            "copied": {"outcome": "copied", "versionId": version, "at": event["time"]},
            "range": {"side": "copy", "etag": etag, "first": 0, "bytes": bytes},
        })
    };
    let invoked = |bytes: u64| {
        let begun = Instant::now();
        let read = world.invoke("ReadRange", &task(bytes));
        assert_eq!(read["read"], bytes, "{read}");
        begun.elapsed()
    };
    let start = invoked(1);
    let ours = invoked(bytes).saturating_sub(start);
    let url = format!("{}/{}/{key}", world.objects.endpoint(), world.backup());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let url = &url;
            scope.spawn(move || plain(url, lane, bytes));
        }
    });
    let plain = begun.elapsed();
    let pace = |took: Duration| (bytes / MIB) as f64 / took.as_secs_f64();
    println!(
        "ReadRange {:.0} MiB/s, plain HTTP client {:.0} MiB/s (both 8 GETs of 16 MiB at once): {:.0} %",
        pace(ours),
        pace(plain),
        100.0 * plain.as_secs_f64() / ours.as_secs_f64()
    );
}

/// Every eighth run of 16 MiB, read and thrown away.
fn plain(url: &str, lane: u64, bytes: u64) {
    let agent = ureq::Agent::new_with_defaults();
    let mut buffer = vec![0; 64 * 1024];
    for first in (lane * 16 * MIB..bytes).step_by(128 << 20) {
        let range = format!("bytes={first}-{}", first + 16 * MIB - 1);
        let answer = agent.get(url).header("range", range).call().unwrap();
        let mut body = answer.into_body().into_reader();
        let mut seen = 0;
        loop {
            match body.read(&mut buffer).unwrap() {
                0 => break,
                read => seen += read as u64,
            }
        }
        assert_eq!(seen, 16 * MIB);
    }
}

/// Calls to S3 for each GiB that is backed up, by size of the objects, where a stored checksum of the
/// source makes reading needless, and where it must be read.
#[test]
#[ignore = "on demand: moves 4 GiB, see the first lines of the file"]
fn requests_for_each_gib_by_size() {
    let world = World::with_default_sizes();
    for (mib, rule) in [
        (1, "plain"),
        (16, "plain"),
        (128, "plain"),
        (1023, "plain"),
        (1024, "plain"),
        (2048, "plain"),
    ] {
        let key = format!("{rule}/requests-{mib}.bin");
        let (took, calls) = back_up(world, &key, mib * MIB);
        let of_s3 = calls.iter().filter(|(name, _)| is_of_s3(name));
        let (read, other): (Vec<_>, Vec<_>) = of_s3.partition(|(name, _)| *name == "GetObject");
        let sum =
            |calls: &[(&String, &usize)]| calls.iter().map(|(_, times)| **times).sum::<usize>();
        let per_gib = |calls: usize| calls as f64 * 1024.0 / mib as f64;
        println!(
            "{mib} MiB: {:.1} calls a GiB, and {:.1} GETs a GiB of a source without checksum; {took:.1?}; {calls:?}",
            per_gib(sum(&other)),
            per_gib(sum(&read)),
        );
        free(world, &key);
    }
}

/// Memory of the functions at 1, 10 and 40 segments, each of some 16 parts.
#[test]
#[ignore = "on demand: moves 4 GiB, see the first lines of the file"]
fn memory_at_1_10_and_40_segments() {
    let world = World::on_seaweed();
    for (segments, parts) in [(1, 16), (10, 160), (40, 640)] {
        let key = format!("plain/segments-{segments}.bin");
        let peaks = Peaks::watch(world);
        let (took, calls) = back_up(world, &key, parts * 5 * MIB);
        println!(
            "{segments} segments, {parts} parts: peak KiB {:?}; {took:.1?}",
            peaks.end()
        );
        let parts = usize::try_from(parts).unwrap();
        assert_eq!(calls["UploadPartCopy"], parts, "no part is copied twice");
        free(world, &key);
    }
}
