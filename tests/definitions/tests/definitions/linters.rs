//! Definitions as the linters of others read them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use backup_stack::{Silent, Toolchain};
use serde_json::Value;

use crate::{read, root};

/// A program of one of the two virtual environments.
fn program(venv: &str, name: &str) -> Command {
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

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The state machines as they are deployed: every substitution filled in.
pub fn machines() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("statemachine")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let mut text = String::new();
        let source = read(&format!("statemachine/{name}"));
        let mut parts = source.split("${");
        text.push_str(parts.next().unwrap());
        for part in parts {
            let (substitution, rest) = part.split_once('}').unwrap();
            let value = match substitution {
                "TimeoutSeconds" => "86400",
                "MachineType" => "STANDARD",
                "ThrottledAttempts" => "12",
                "UnavailableAttempts" => "6",
                "BackfillConcurrency" => "40",
                url if url.ends_with("Url") => {
                    "https://sqs.eu-west-1.amazonaws.com/111122223333/queue"
                }
                _ => "arn:aws:lambda:eu-west-1:111122223333:function:step",
            };
            text.push_str(value);
            text.push_str(rest);
        }
        found.push((name, text));
    }
    assert!(!found.is_empty());
    found
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
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

/// Roles, permissions and definitions that SAM writes are linted too.
#[test]
fn cfn_lint_accepts_what_sam_makes_of_the_template() {
    let path = written("expanded.json", &expanded().to_string());
    let output = program("sam", "cfn-lint").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// The template as CloudFormation gets it.
pub fn expanded() -> Value {
    let output = program("sam", "python")
        .arg(root().join("tests/definitions/expand.py"))
        .arg(root().join("template.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn statelint_accepts_every_state_machine() {
    let lint = |name: &str, text: &str| {
        program("sam", "statelint")
            .arg(written(name, text))
            .output()
            .unwrap()
    };
    // It knows the readers of a Distributed Map by their first release, without JSON Lines.
    let behind = |line: &&str| !line.contains("ReaderConfig") && line.contains("States.");
    for (name, text) in machines() {
        let output = lint(&name, &text);
        let said = said(&output);
        let refused: Vec<_> = said.lines().filter(behind).collect();
        assert!(
            output.status.success() || refused.is_empty(),
            "{name}: {said}"
        );

        // It does read what it accepts: each of these is refused.
        for (right, wrong) in [
            ("\"Next\": \"", "\"Next\": \"Not"),
            ("\"FULL\"", "\"HALF\""),
            ("\"Arguments\"", "\"Parameters\""),
        ] {
            let output = lint(&format!("wrong-{name}"), &text.replacen(right, wrong, 1));
            let said = self::said(&output);
            let refused = said.lines().filter(behind).count();
            assert!(refused > 0, "{name}: {wrong} is accepted: {said}");
        }
    }
}

/// By the parser that the local stack evaluates them with.
#[test]
fn every_expression_of_the_state_machines_is_jsonata() {
    let expressions = |text: &str| {
        fn walk(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::String(text) => {
                    let inner = text
                        .strip_prefix("{%")
                        .and_then(|text| text.strip_suffix("%}"));
                    found.extend(inner.map(str::to_owned));
                }
                Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
                Value::Object(fields) => fields.values().for_each(|value| walk(value, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk(&serde_json::from_str(text).unwrap(), &mut found);
        found
    };
    for (name, text) in machines() {
        let found = expressions(&text);
        assert!(found.len() > 10, "{name}: {found:?}");
        let output = parse(&found);
        assert!(output.status.success(), "{name}: {}", said(&output));
    }
    assert!(!parse(&["$count($rejected <".to_owned()]).status.success());
}

fn parse(expressions: &[String]) -> Output {
    const PARSE: &str = "import sys, json, jsonata\nfor text in json.load(sys.stdin):\n  print(text)\n  jsonata.Jsonata(text)";
    let mut python = program("stack", "python")
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    input
        .write_all(serde_json::to_string(expressions).unwrap().as_bytes())
        .unwrap();
    drop(input);
    python.wait_with_output().unwrap()
}
