//! Each finding of `s3-backup check` is on the page that says what it means.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::{read, root};

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|it| sources(&it.unwrap().path()))
        .collect()
}

#[test]
fn every_finding_is_on_the_page_and_every_one_there_is_made() {
    let places = [
        "functions/domain/src/deployment",
        "functions/domain/src/deployment.rs",
        "functions/aws/src/deployment",
        "functions/aws/src/deployment.rs",
        "cli/src/check",
    ];
    let name = Regex::new(r#"(?:Finding::new|add)\(\s*"([A-Z][A-Za-z]+)""#).unwrap();
    let mut made = BTreeSet::new();
    for path in places.iter().flat_map(|it| sources(&root().join(it))) {
        let source = fs::read_to_string(path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        made.extend(name.captures_iter(code).map(|it| it[1].to_owned()));
    }
    assert!(made.len() > 25, "{made:?}");
    let page = read("docs/deploy.md");
    let (_, table) = page.split_once("| finding | what differs |").unwrap();
    let table = table.split("\n\n").next().unwrap();
    let cells = table.lines().filter_map(|it| it.split(" | ").next());
    let documented: BTreeSet<_> = cells
        .flat_map(|it| it.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, made);
}
