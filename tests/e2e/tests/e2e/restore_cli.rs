//! `s3-backup restore`, as an operator types it.

use backup_e2e::restoring::{Contents, SCRATCH};
use backup_e2e::{Said, World};
use serde_json::Value;

fn restore(world: &World, arguments: &[&str]) -> Said {
    world.says(&[&["restore"], arguments].concat())
}

#[test]
fn the_command_line_shows_asks_restores_and_reports() {
    let world = World::restoring();
    let _others = world.among_others();
    let changes = ["one", "two"].map(|name| (format!("typed/{name}"), Some(name.into())));
    world.change(&changes);
    let at = world.moment();
    // A folder, with or without its slash.
    let to = format!("{SCRATCH}/typed-again");
    let plain = ["--prefix", "typed/", "--at", &at, "--to", &to];
    let with = |more: &[&'static str]| [&plain[..], more].concat();
    let there = || world.contents(SCRATCH, "typed-again/typed/");

    let planned = restore(world, &with(&["--dry-run"]));
    assert_eq!(planned.code, Some(0), "{}{}", planned.out, planned.err);
    for said in [
        "objects to copy",
        "2, 6 bytes",
        "estimated cost",
        "plan: restores/",
    ] {
        assert!(
            planned.out.contains(said),
            "{said} is not in:\n{}",
            planned.out
        );
    }
    assert!(
        planned
            .out
            .contains("becomes s3://restore-scratch/typed-again/typed/"),
        "{}",
        planned.out
    );
    let folder = planned.out.split("plan: ").nth(1).unwrap().trim();
    let unasked = restore(world, &["--plan", folder]);
    assert_eq!(unasked.code, Some(2), "{}", unasked.err);
    assert!(unasked.out.contains("objects to copy"), "{}", unasked.out);
    let planned_otherwise = restore(world, &["--plan", folder, "--overwrite"]);
    assert_eq!(planned_otherwise.code, Some(2), "{}", planned_otherwise.out);
    let unasked = restore(world, &plain);
    assert_eq!(unasked.code, Some(2), "{}", unasked.err);
    assert!(unasked.err.contains("hint: --yes"), "{}", unasked.err);
    assert_eq!(there(), Contents::new());

    let done = restore(world, &with(&["--yes"]));
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains("Restored: 2 objects"), "{}", done.out);
    assert!(done.out.contains("/report/report.md"), "{}", done.out);
    assert_eq!(there()["two"], b"two");
    let started = done.err.split("started ").last().unwrap();
    let run = started.lines().next().unwrap().rsplit(':').next().unwrap();
    let followed = restore(world, &["--follow", run]);
    assert_eq!(followed.code, Some(0), "{}{}", followed.out, followed.err);
    assert!(done.out.ends_with(&followed.out), "{}", followed.out);
    assert_eq!(followed.out.lines().count(), 2, "{}", followed.out);
    let unknown = restore(world, &["--follow", "never-was"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.err);

    world
        .cloud
        .put_object(SCRATCH, "typed-again/typed/one", b"other", &[])
        .unwrap();
    let refused = restore(world, &with(&["--yes"]));
    assert_eq!(refused.code, Some(2), "{}", refused.out);
    assert!(
        refused.err.contains("the target is not empty"),
        "{}",
        refused.err
    );
    let left = restore(world, &with(&["--yes", "--leave", "--json"]));
    assert_eq!(left.code, Some(1), "{}{}", left.out, left.err);
    let lines: Vec<Value> = left
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[1]["ended"]["conflicts"], 1, "{lines:?}");
    assert_eq!(there()["one"], b"other");
    let covered = restore(world, &with(&["--yes", "--overwrite"]));
    assert_eq!(covered.code, Some(0), "{}{}", covered.out, covered.err);
    assert_eq!(there()["one"], b"one");
}

#[test]
fn the_command_line_says_what_cannot_be_meant() {
    let world = World::restoring();
    let _others = world.among_others();
    let to = format!("{SCRATCH}/unmeant/");
    for (arguments, said) in [
        (
            vec!["--prefix", "p/", "--at", "yesterday", "--to", &to],
            "invalid value",
        ),
        (vec!["--prefix", "p/", "--to", &to], "--at"),
        (
            vec![
                "--prefix",
                "p/",
                "--at",
                "2026-11-01T00:00:00Z",
                "--to",
                "/p",
            ],
            "names no bucket",
        ),
        (
            vec![
                "--prefix",
                "p/",
                "--at",
                "2999-11-01T00:00:00Z",
                "--to",
                &to,
            ],
            "in the future",
        ),
        (
            vec![
                "--prefix",
                "p/",
                "--at",
                "2026-11-01T00:00:00Z",
                "--to",
                "elsewhere",
            ],
            "RestoreBucketNames",
        ),
    ] {
        let refused = restore(world, &arguments);
        assert_eq!(
            refused.code,
            Some(2),
            "{arguments:?}: {}{}",
            refused.out,
            refused.err
        );
        assert!(refused.err.contains(said), "{arguments:?}: {}", refused.err);
    }
    assert!(world.contents(SCRATCH, "unmeant/").is_empty());
}
