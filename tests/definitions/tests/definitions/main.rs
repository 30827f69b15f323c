//! What a definition promises, read from the definition itself.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod asl;
mod catalog_table;
mod cfn_lint;
mod deploy;
mod documents;
mod encryption;
mod errors;
mod evaluate;
mod event_rules;
mod events;
mod finding_names;
mod intake;
mod linters;
mod machine;
mod page;
mod parameters;
mod payload;
mod places;
mod promises;
mod quotas;
mod retention;
mod roles;
mod schedule;
mod simulated;
mod storage;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}
