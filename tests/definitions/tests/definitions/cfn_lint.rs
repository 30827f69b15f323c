//! cfn-lint on what CloudFormation gets: SAM's resources expanded, state machines in their place.
//! In the template as SAM reads it, cfn-lint 1.58 does not look inside a function or a state machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::linters::{expanded, program};
use crate::{read, root};

/// One region of each supported partition.
const REGIONS: [&str; 4] = ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"];

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(folder.join("statemachine")).unwrap();
    folder
}

/// What cfn-lint says of an expanded template, and whether it accepts it.
fn lint(path: &Path) -> (bool, String) {
    let output = program("sam", "cfn-lint")
        .arg("--regions")
        .args(REGIONS)
        .arg("--")
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

/// Roles, permissions and definitions that SAM writes are linted too, for each partition.
#[test]
fn cfn_lint_accepts_what_sam_makes_of_the_template() {
    let path = folder("accepted").join("expanded.json");
    fs::write(&path, expanded().to_string()).unwrap();
    let (accepted, said) = lint(&path);
    assert!(accepted, "{said}");
}

/// Mistakes inside of SAM's resources: in the template, and what cfn-lint then says.
const MISTAKES: [(&str, &str, &str); 5] = [
    ("    Timeout: 60\n", "    Timeout: 901\n", "901 is greater"),
    (
        "!Ref DigestMinutes",
        "!Ref DigestMinute",
        "'DigestMinute' is not",
    ),
    ("Effect: Allow", "Effect: Alow", "'Alow' is not"),
    (
        "provided.al2023",
        "provided.al2024",
        "'provided.al2024' is not",
    ),
    ("LogFormat: JSON", "LogFormat: YAML", "'YAML' is not"),
];

#[test]
fn cfn_lint_finds_mistakes_inside_of_functions() {
    let folder = folder("mistaken");
    let mut template = read("template.yaml");
    for (right, wrong, _) in MISTAKES {
        assert!(template.contains(right), "{right}");
        template = template.replace(right, wrong);
    }
    fs::write(folder.join("template.yaml"), template).unwrap();
    for entry in fs::read_dir(root().join("statemachine")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        fs::copy(&path, folder.join("statemachine").join(name)).unwrap();
    }
    let output = program("sam", "python")
        .arg(root().join("tests/definitions/expand.py"))
        .arg(folder.join("template.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let path = folder.join("expanded.json");
    fs::write(&path, output.stdout).unwrap();
    let (accepted, said) = lint(&path);
    assert!(!accepted);
    for (_, wrong, finding) in MISTAKES {
        assert!(said.contains(finding), "{wrong} is not found: {said}");
    }
}
