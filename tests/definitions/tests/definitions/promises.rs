//! Promises in the documents name the tests that show them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{read, root};

/// Names of all functions under `#[test]`, `#[tokio::test]` or in a `proptest!` block.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace("#[tokio::test]", "#[test]");
            for block in text.split("#[test]").skip(1) {
                let name = block
                    .split("fn ")
                    .nth(1)
                    .and_then(|rest| rest.split('(').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

/// What stands in backticks and looks like the name of a test: three words at least.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| {
        name.matches('_').count() >= 2
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

#[test]
fn every_promise_names_tests_that_exist() {
    let mut known = BTreeSet::new();
    for folder in ["cli", "functions", "tests"] {
        tests(&root().join(folder), &mut known);
    }
    let guarantees = read("docs/guarantees.md");
    let promised = guarantees.split("\n## Not promised").next().unwrap();
    for promise in promised.split("\n- **").skip(1) {
        let name = promise.split("**").next().unwrap();
        assert!(named(promise).count() > 0, "no test shows: {name}");
    }
    for document in [
        "docs/guarantees.md",
        "docs/large-objects.md",
        "docs/operations.md",
        "docs/watching.md",
        "docs/state-machine.md",
        "README.md",
    ] {
        for name in named(&read(document)) {
            assert!(known.contains(name), "{document}: there is no test {name}");
        }
    }
}
