//! What a definition promises, read from the definition itself.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod documents;
mod errors;
mod events;
mod intake;
mod linters;
mod machine;
mod parameters;
mod payload;
mod promises;
mod retention;
mod roles;
mod storage;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}
