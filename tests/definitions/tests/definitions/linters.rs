//! Definitions as the linters of others read them.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use backup_stack::{Silent, Toolchain};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::root;

/// A program of one of the two virtual environments.
pub fn program(venv: &str, name: &str) -> Command {
    let toolchain = Toolchain::ensure(&Silent).unwrap();
    let mut command = Command::new(
        toolchain
            .layout()
            .local()
            .join("venv")
            .join(venv)
            .join("bin")
            .join(name),
    );
    command.env("SAM_CLI_TELEMETRY", "0");
    command
}

/// What a program answers on its standard output to a question on its standard input, both in JSON.
///
/// # Panics
/// Where it fails.
pub fn answer<T: DeserializeOwned>(program: &mut Command, question: &Value) -> T {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(question.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program:?}: {question}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn sam_and_cfn_lint_accept_the_template() {
    let output = program("sam", "sam")
        .args(["validate", "--lint", "--region", "us-east-1", "--template"])
        .arg(root().join("template.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// The template as CloudFormation gets it.
pub fn expanded() -> Value {
    expanded_in("us-east-1")
}

/// The same in a region of another partition.
pub fn expanded_in(region: &str) -> Value {
    static DONE: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(template) = done.get(region) {
        return template.clone();
    }
    let output = program("sam", "python")
        .arg(root().join("tests/definitions/expand.py"))
        .arg(root().join("template.yaml"))
        .arg(region)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let template: Value = serde_json::from_slice(&output.stdout).unwrap();
    done.insert(region.to_owned(), template.clone());
    template
}
