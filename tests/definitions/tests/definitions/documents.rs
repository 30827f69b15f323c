//! Documents, sample events and house rules against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use backup_domain::{ErrorName, policy};

use crate::{read, root};

#[test]
fn every_error_has_a_section_in_the_documentation() {
    let documentation = read("docs/errors.md");
    for name in ErrorName::ALL {
        assert!(
            documentation.contains(&format!("## {name}\n")),
            "docs/errors.md has no section {name}"
        );
    }
    for heading in documentation
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
    {
        assert!(
            heading.parse::<ErrorName>().is_ok(),
            "nobody raises {heading}"
        );
    }
}

/// Whoever is woken finds what to do.
#[test]
fn every_alarm_and_every_error_has_a_row_in_the_operations_page() {
    let operations = read("docs/operations.md");
    let template = read("template.yaml");
    let lines: Vec<_> = template.lines().collect();
    let alarms = lines.windows(2).filter_map(|pair| {
        let is_alarm = pair[1].trim() == "Type: AWS::CloudWatch::Alarm";
        is_alarm.then(|| pair[0].trim().split(':').next().unwrap())
    });
    let alarms: Vec<_> = alarms.collect();
    assert!(alarms.len() >= 6, "{alarms:?}");
    let errors = ErrorName::ALL.iter().map(|name| name.as_str());
    for name in alarms.into_iter().chain(errors) {
        let row = format!("\n| {name} |");
        assert!(operations.contains(&row), "docs/operations.md: {name}");
    }
}

/// The policies in the README are ones that the functions take.
#[test]
fn the_policies_of_the_readme_are_valid() {
    let readme = read("README.md");
    let mut seen = 0;
    for block in readme
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
    {
        policy::parse(block, &["source".to_owned()]).unwrap();
        seen += 1;
    }
    assert!(seen >= 1);
}

/// Ignored tests by name, with the reason.
fn ignored() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in ["cli", "functions", "tests"] {
        walk(&root().join(folder), &mut |path| {
            let text = fs::read_to_string(path).unwrap();
            for part in text.split("\n#[ignore = \"").skip(1) {
                let (reason, rest) = part.split_once('"').unwrap();
                let name = rest.split("fn ").nth(1).unwrap();
                let name = name.split('(').next().unwrap();
                found.insert(name.to_owned(), reason.to_owned());
            }
        });
    }
    found
}

/// What `cargo test` leaves out for the minutes it takes is run by `.ci/run --all`, and a name that no
/// test has would run nothing.
#[test]
fn every_test_on_demand_is_run_by_ci() {
    let ignored = ignored();
    assert!(ignored.len() > 10, "{ignored:?}");
    let on_demand: BTreeSet<&str> = ignored
        .iter()
        .filter(|(_, reason)| !reason.starts_with("part of") && !reason.starts_with("repeats"))
        .map(|(name, _)| name.as_str())
        .collect();
    let ci = read(".ci/run");
    let run: BTreeSet<&str> = ci
        .lines()
        .filter_map(|line| line.strip_prefix("on_demand "))
        .map(|arguments| arguments.split(' ').nth(2).unwrap())
        .collect();
    assert_eq!(run, on_demand);
}

fn walk(folder: &Path, look: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, look);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            look(&path);
        }
    }
}

/// House rules that a machine can check.
#[test]
fn files_are_short_and_one_crate_alone_sees_the_sdk() {
    for folder in ["cli", "functions", "tests"] {
        walk(&root().join(folder), &mut |path| {
            let lines = fs::read_to_string(path).unwrap().lines().count();
            assert!(lines <= 400, "{} has {lines} lines", path.display());
            if path.ends_with("src/main.rs") && path.starts_with(root().join("functions")) {
                assert!(lines <= 45, "{} has {lines} lines", path.display());
            }
        });
    }
    for entry in fs::read_dir(root().join("functions")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let only_there = manifest.parent().unwrap().ends_with("aws");
        let sees_the_sdk = fs::read_to_string(&manifest).unwrap().contains("aws-sdk");
        assert_eq!(sees_the_sdk, only_there, "{}", manifest.display());
    }
}
