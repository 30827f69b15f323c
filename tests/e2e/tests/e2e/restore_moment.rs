//! Restore: a prefix as it was at a moment, compared by content with what the source was then.

use backup_e2e::World;
use backup_e2e::restoring::{Contents, SCRATCH};
use serde_json::json;

use crate::restore::beside;

/// Hundreds of objects with several versions and deletions, and what the source was at some moments.
fn history(world: &World, prefix: &str, keys: usize, deletions: bool) -> Vec<(String, Contents)> {
    let (mut now, mut moments) = (Contents::new(), Vec::new());
    for phase in 0..4_usize {
        let mut changes = Vec::new();
        for number in 0..keys {
            let key = format!("{:02}/object {number:03}é", number % 7);
            let dice = (number * 31 + phase * 17 + number * phase) % 10;
            let body = format!("{key} of phase {phase}: {}", "x".repeat(number)).into_bytes();
            if phase == 0 && dice < 7 || phase > 0 && dice < 4 {
                now.insert(key.clone(), body.clone());
                changes.push((format!("{prefix}{key}"), Some(body)));
            } else if deletions && phase > 0 && dice < 7 && now.remove(&key).is_some() {
                changes.push((format!("{prefix}{key}"), None));
            }
        }
        world.change(&changes);
        moments.push((world.moment(), now.clone()));
    }
    moments
}

#[test]
fn a_prefix_is_what_it_was_at_every_moment() {
    let world = World::restoring();
    let _others = world.among_others();
    let moments = history(world, "history/", 150, true);
    assert_eq!(world.contents(world.source(), "history/"), moments[3].1);
    let mut compared = 0;
    for (number, (at, was)) in moments.iter().enumerate() {
        let to = format!("at-{number}/");
        let ended = world.restore(&beside("history/", at, &to));
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        assert_eq!(ended.output["done"]["restored"]["objects"], was.len());
        let restored = world.contents(SCRATCH, &format!("{to}history/"));
        assert!(
            restored == *was,
            "at moment {number}, {at}: {:?} against {:?}",
            restored.keys(),
            was.keys()
        );
        compared += restored.len();
    }
    assert!(compared > 300, "{compared} objects were compared");
}

#[test]
fn without_the_catalog_the_backup_alone_brings_back_every_moment() {
    let world = World::restoring();
    let _others = world.among_others();
    let moments = history(world, "bare/", 60, false);
    assert!(
        world.empty_catalog("bare/") > 60,
        "every version had a point"
    );
    let (at, _) = &moments[3];
    let ended = world.restore(&beside("bare/", at, "bare-by-catalog/"));
    assert_eq!(ended.error, "InvalidRestore", "{ended:?}");
    for (number, (at, was)) in moments.iter().enumerate() {
        let to = format!("bare-{number}/");
        let mut input = beside("bare/", at, &to);
        input["from"] =
            json!({"backup": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]}});
        let ended = world.restore(&input);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        assert_eq!(
            ended.output["plan"]["unknown"].as_array().map(Vec::len),
            Some(2)
        );
        let restored = world.contents(SCRATCH, &format!("{to}bare/"));
        assert!(restored == *was, "at moment {number}, {at}");
    }
}

#[test]
fn without_the_catalog_mirrored_deletions_are_known() {
    let world = World::restoring();
    let _others = world.among_others();
    let key = |name: &str| format!("mirror/{name}");
    world.change(&[
        (key("kept"), Some(b"kept".to_vec())),
        (key("deleted"), Some(b"deleted".to_vec())),
    ]);
    let before = world.moment();
    world.change(&[(key("deleted"), None)]);
    let after = world.moment();
    world.empty_catalog("mirror/");
    for (at, to, count) in [(&before, "mirrored-0/", 2), (&after, "mirrored-1/", 1)] {
        let mut input = beside("mirror/", at, to);
        input["from"] =
            json!({"backup": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]}});
        let ended = world.restore(&input);
        assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
        assert_eq!(
            world.contents(SCRATCH, &format!("{to}mirror/")).len(),
            count
        );
    }
}
