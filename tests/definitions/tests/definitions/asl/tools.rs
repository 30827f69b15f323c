//! What the linters of others see of a definition.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use backup_stack::{Silent, Toolchain};
use serde_json::{Value, json};

use super::deployed::Machine;
use crate::linters::{answer, program};
use crate::root;

/// Tools by name, in the order of the documentation.
pub const TOOLS: [&str; 3] = ["statelint", "asl-validator", "cfn-lint"];

/// The tools that refuse each definition.
pub fn refusals(machines: &[Machine]) -> Vec<BTreeSet<&'static str>> {
    let told = [
        statelint(machines),
        asl_validator(machines),
        cfn_lint(machines),
    ];
    (0..machines.len())
        .map(|place| {
            let refused = told
                .iter()
                .zip(TOOLS)
                .filter(|(told, _)| !told[place].is_empty());
            refused.map(|(_, tool)| tool).collect()
        })
        .collect()
}

/// What statelint says of each. It knows the readers of a Distributed Map by their first release,
/// without JSON Lines: this line of it is no refusal, and nothing else is left out.
pub fn statelint(machines: &[Machine]) -> Vec<String> {
    let paths: Vec<_> = machines
        .iter()
        .enumerate()
        .map(|(place, machine)| written(&format!("statelint-{place}.json"), &machine.text))
        .collect();
    let output = program("sam", "statelint").args(&paths).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut told = vec![String::new(); machines.len()];
    let mut at = None;
    for line in said.lines() {
        if let Some(place) = paths
            .iter()
            .position(|path| *line == *path.to_string_lossy())
        {
            at = Some(place);
            continue;
        }
        let line = line.trim();
        let heading = line.ends_with(" errors:") || line == "One error:";
        let behind = line.starts_with("Field \"InputType\" not allowed in ")
            && line.ends_with(".ItemReader.ReaderConfig");
        if !heading && !behind {
            told[at.unwrap()] += line;
        }
    }
    told
}

/// What asl-validator says of each.
pub fn asl_validator(machines: &[Machine]) -> Vec<String> {
    let definitions: Vec<_> = machines.iter().map(|machine| &machine.definition).collect();
    let toolchain = Toolchain::ensure(&Silent).unwrap();
    let mut node = toolchain.node().unwrap();
    node.arg(root().join("tests/definitions/asl-validator.js"));
    answer(&mut node, &json!(definitions))
}

/// What cfn-lint says of each, where they stand in a template as the translator of SAM leaves them.
pub fn cfn_lint(machines: &[Machine]) -> Vec<String> {
    let resources = machines.iter().enumerate().map(|(place, machine)| {
        let properties = json!({
            "DefinitionString": machine.text,
            "RoleArn": "arn:aws:iam::111122223333:role/machine",
            "StateMachineType": if machine.kind == super::deployed::Kind::Express { "EXPRESS" } else { "STANDARD" },
        });
        let resource = json!({"Type": "AWS::StepFunctions::StateMachine", "Properties": properties});
        (format!("M{place}"), resource)
    });
    let template = json!({"Resources": resources.collect::<serde_json::Map<_, _>>()});
    let path = written("machines.json", &template.to_string());
    let output = program("sam", "cfn-lint")
        .args([
            "--format",
            "json",
            "--regions",
            "us-east-1",
            "--ignore-checks",
            "W",
            "I",
            "--template",
        ])
        .arg(path)
        .output()
        .unwrap();
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    (0..machines.len())
        .map(|place| {
            let name = format!("M{place}");
            let own = found
                .iter()
                .filter(|it| it["Location"]["Path"][1] == name.as_str());
            let said = own.filter_map(|it| it["Message"].as_str());
            said.collect::<Vec<_>>().join("\n")
        })
        .collect()
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}
