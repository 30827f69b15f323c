//! Which error names each function can raise, read from the sources, and where the machine sends them.
//!
//! A function raises what its own code names, what the modules of `functions/aws` that it uses name,
//! and the errors of the domain's functions that either of them calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use backup_domain::ErrorName;
use serde_json::Value;

use crate::machine::{MACHINES, definition, names, tasks};
use crate::{page, read, root};

/// What the platform itself raises (AWS Step Functions Developer Guide, "Handling errors in Step
/// Functions workflows" and "Handle transient Lambda service exceptions"; AWS Lambda Developer
/// Guide, "Understanding retry behavior").
const PLATFORM: &[&str] = &[
    "States.ALL",
    "States.Timeout",
    "States.TaskFailed",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Lambda.Unknown",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
];

type Names = BTreeSet<&'static str>;

/// One file without its tests.
struct Source {
    /// `copy` of `…/src/copy.rs`; `check` belongs to `policy`.
    module: String,
    text: String,
}

fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap()
                .to_owned();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let folder = path.parent().unwrap().file_name().unwrap();
            let module = if folder == "src" || folder == "s3" {
                stem
            } else {
                folder.to_string_lossy().into_owned()
            };
            found.push(Source { module, text });
        }
    }
    found
}

fn named(text: &str) -> Names {
    let written = |name: &ErrorName| {
        text.match_indices(&format!("ErrorName::{name}"))
            .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_alphanumeric()))
    };
    ErrorName::ALL
        .iter()
        .filter(|name| written(name))
        .map(|name| name.as_str())
        .collect()
}

/// The item that begins with `head`, up to the line that closes it.
fn item<'t>(text: &'t str, head: &str, indent: &str) -> &'t str {
    let start = text.find(head).unwrap();
    let end = text[start..].find(&format!("\n{indent}}}\n")).unwrap();
    &text[start..start + end]
}

/// The domain's functions that can fail: module, function, and the names of their error type.
fn fallible(domain: &[Source]) -> Vec<(String, String, Names)> {
    let mut found = Vec::new();
    for source in domain {
        for implementation in source.text.split("impl Named for ").skip(1) {
            let kind = implementation.split(' ').next().unwrap();
            let raises = named(item(implementation, "fn name", "    "));
            assert!(!raises.is_empty(), "{kind} has no name");
            for function in source.text.split("\npub fn ").skip(1) {
                let signature = function.split(" {\n").next().unwrap();
                if signature.contains(&format!("{kind}>")) {
                    let name = signature.split(['(', '<']).next().unwrap();
                    found.push((source.module.clone(), name.to_owned(), raises.clone()));
                }
            }
            // An error that a function makes by itself.
            found.push((kind.to_owned(), String::new(), raises));
        }
    }
    found
}

/// Names that a text raises by itself or by the domain's functions and errors it uses.
fn raised(
    text: &str,
    domain: &[(String, String, Names)],
    answers: &BTreeMap<&str, Names>,
) -> Names {
    let mut names = named(text);
    for (call, answered) in answers {
        if text.contains(&format!(".{call}(")) {
            names.extend(answered);
        }
    }
    for (module, function, raises) in domain {
        let used = if function.is_empty() {
            text.contains(&format!("{module}::"))
        } else {
            let mut uses = text.split("use backup_domain::").skip(1);
            let imported = uses.any(|rest| {
                let line = rest.split(';').next().unwrap();
                line.contains(&format!("{module}::")) && line.contains(function)
            });
            let calls = |name: &str| {
                text.match_indices(&format!("{name}(")).any(|(at, _)| {
                    !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_:.".contains(c))
                })
            };
            text.contains(&format!("{module}::{function}(")) || imported && calls(function)
        };
        if used {
            names.extend(raises);
        }
    }
    names
}

/// What each function can raise, by its folder.
fn raises() -> BTreeMap<String, Names> {
    let functions = root().join("functions");
    let domain = fallible(&sources(&functions.join("domain/src")));
    let failure = read("functions/aws/src/failure.rs");
    let answers = ["at_source", "at_destination", "at_service"];
    let answers = answers.map(|call| {
        (
            call,
            named(item(&failure, &format!("pub fn {call}"), "    ")),
        )
    });
    let answers = BTreeMap::from(answers);
    assert!(answers.values().all(|names| names.len() > 2), "{answers:?}");
    let aws: Vec<_> = sources(&functions.join("aws/src"))
        .into_iter()
        .filter(|source| !["failure", "lib"].contains(&source.module.as_str()))
        .map(|source| (source.module, raised(&source.text, &domain, &answers)))
        .collect();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&functions).unwrap() {
        let folder = entry.unwrap().file_name().into_string().unwrap();
        if !functions.join(&folder).join("src/main.rs").exists() {
            continue;
        }
        let own = sources(&functions.join(&folder).join("src"));
        let mut names = Names::new();
        for source in &own {
            names.extend(raised(&source.text, &domain, &answers));
            let used = |module: &str| {
                let uses = source
                    .text
                    .split("use backup_aws::")
                    .skip(1)
                    .chain(source.text.split("backup_aws::").skip(1));
                let imported = uses.flat_map(|text| {
                    text.split(';')
                        .next()
                        .unwrap()
                        .split(['{', '}', ',', ':', ' ', '\n'])
                });
                imported.into_iter().any(|word| word == module)
            };
            for (module, raises) in &aws {
                if used(module) {
                    names.extend(raises);
                }
            }
        }
        found.insert(folder, names);
    }
    found
}

/// `record-failure` of `${RecordFailureFunctionArn}`.
fn folder_of(task: &Value) -> Option<String> {
    let arn = task["Arguments"]["FunctionName"].as_str()?;
    let name = arn
        .trim_start_matches("${")
        .trim_end_matches("FunctionArn}");
    Some(crate::machine::folder(name))
}

/// Where an error of a task goes: how often it is tried again, then the state that catches it.
fn way(task: &Value, error: &str) -> (u64, String) {
    let first = |field: &str| {
        let list = task[field].as_array().into_iter().flatten();
        list.clone().find(|one| {
            names(one)
                .iter()
                .any(|name| name == error || name == "States.ALL")
        })
    };
    let retries = first("Retry").map_or(0, |retry| retry["MaxAttempts"].as_u64().unwrap());
    let caught = first("Catch").unwrap();
    (retries, caught["Next"].as_str().unwrap().to_owned())
}

/// The table of the documentation.
fn table() -> String {
    let raises = raises();
    let mut lines = vec![
        "| state | raised by its function | tried again | then |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for (state, task) in tasks() {
        let Some(folder) = folder_of(&task) else {
            continue;
        };
        let mut ways: BTreeMap<(u64, String), Vec<&str>> = BTreeMap::new();
        for name in &raises[&folder] {
            ways.entry(way(&task, name)).or_default().push(name);
        }
        for ((retries, next), names) in ways {
            let again = match retries {
                0 => "no".to_owned(),
                times => format!("{times} times"),
            };
            lines.push(format!(
                "| {state} | {} | {again} | {next} |",
                names.join(", ")
            ));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A name that is new in a function, or that the machine treats otherwise, fails here until somebody
/// has looked at where it goes. `UPDATE_DOCS=1 cargo test -p backup-definitions` writes the table.
#[test]
fn the_documentation_says_where_each_error_of_each_state_goes() {
    page::says("docs/state-machine.md", "errors of each state", &table());
}

#[test]
fn every_name_is_raised_by_some_function_or_state() {
    let raised: Names = raises().into_values().flatten().collect();
    let machines = MACHINES.map(definition).concat();
    for name in ErrorName::ALL {
        // By a function, or by a Fail state.
        let raised = raised.contains(name.as_str()) || machines.contains(&format!("'{name}'"));
        assert!(raised, "nobody raises {name}");
    }
}

/// A retrier or catcher of a name that its function never raises would be dead text.
#[test]
fn every_name_that_a_state_treats_is_one_that_it_can_meet() {
    let raises = raises();
    for (state, task) in tasks() {
        let own = folder_of(&task)
            .map(|folder| raises[&folder].clone())
            .unwrap_or_default();
        for field in ["Retry", "Catch"] {
            for name in task[field].as_array().unwrap().iter().flat_map(names) {
                let known = PLATFORM.contains(&name.as_str()) || own.contains(name.as_str());
                assert!(
                    known,
                    "{state}: {field} names {name}, which its function does not raise"
                );
            }
        }
    }
}

/// What can pass is tried again wherever it can be raised; what cannot is not.
#[test]
fn what_can_pass_is_tried_again_and_nothing_else() {
    let raises = raises();
    for (state, task) in tasks() {
        let Some(folder) = folder_of(&task) else {
            continue;
        };
        for name in &raises[&folder] {
            let (retries, _) = way(&task, name);
            // A backfill waits for a destination instead of parking all that is behind.
            let waits = state == "BackfillBatch" && *name == "BreakerOpen";
            let passing = PASSING.contains(name) || waits;
            assert_eq!(
                retries > 0,
                passing,
                "{state}: {name} is tried again {retries} times"
            );
        }
    }
}

/// Names of what may be over a moment later.
const PASSING: &[&str] = &[
    "Throttled",
    "DestinationUnavailable",
    "OutOfTime",
    "Unsettled",
];
