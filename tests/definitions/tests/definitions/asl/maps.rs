//! Map states, inline and distributed (AWS Step Functions Developer Guide, "Map state", "Using Map state
//! in Distributed mode", "ItemReader (Map)").

use serde_json::Value;

use super::Finding;
use super::walk::{fields, is_jsonata, scopes};

/// Iterations at once of an inline Map, and of a distributed one.
const INLINE_MAX: u64 = 40;
const DISTRIBUTED_MAX: u64 = 10_000;
const LABEL_CHARS_MAX: usize = 40;
const ITEMS_MAX: u64 = 100_000_000;

/// Fields that only a Distributed Map has.
const OF_DISTRIBUTED: [&str; 9] = [
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ExecutionType",
];

pub fn checked(definition: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for scope in scopes(definition) {
        for (name, state) in scope.states().filter(|(_, state)| state["Type"] == "Map") {
            let at = scope.named(name);
            for (rule, says) in of_map(state, is_jsonata(definition, state)) {
                found.push(Finding::new(rule, &at, says));
            }
        }
    }
    found
}

fn of_map(state: &Value, jsonata: bool) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let config = &state["ItemProcessor"]["ProcessorConfig"];
    let (mode, execution) = (&config["Mode"], &config["ExecutionType"]);
    let distributed = mode == "DISTRIBUTED";
    if !(mode.is_null() || mode == "INLINE" || distributed) {
        found.push(("map-mode", format!("Mode is {mode}")));
    }
    if distributed && execution != "STANDARD" && execution != "EXPRESS" {
        found.push(("map-mode", format!("ExecutionType is {execution}")));
    }
    for (name, _) in fields(config) {
        if name != "Mode" && name != "ExecutionType" {
            found.push(("map-mode", format!("ProcessorConfig has no {name}")));
        }
    }
    for name in OF_DISTRIBUTED {
        let there = state.get(name).or(config.get(name)).is_some();
        if there && !distributed {
            found.push(("map-distributed", format!("an inline Map has no {name}")));
        }
    }
    let limit = if distributed {
        DISTRIBUTED_MAX
    } else {
        INLINE_MAX
    };
    let concurrency = &state["MaxConcurrency"];
    let whole = concurrency.as_u64().is_some_and(|value| value <= limit);
    if !(concurrency.is_null() || concurrency.is_string() || whole) {
        found.push((
            "map-concurrency",
            format!("MaxConcurrency is {concurrency}"),
        ));
    }
    let tolerated = &state["ToleratedFailurePercentage"];
    let percent = tolerated
        .as_f64()
        .is_some_and(|it| (0.0..=100.0).contains(&it));
    if !(tolerated.is_null() || tolerated.is_string() || percent) {
        let says = format!("ToleratedFailurePercentage is {tolerated}");
        found.push(("map-tolerated", says));
    }
    let count = &state["ToleratedFailureCount"];
    if !(count.is_null() || count.is_string() || count.is_u64()) {
        found.push(("map-tolerated", format!("ToleratedFailureCount is {count}")));
    }
    let label = state["Label"].as_str().unwrap_or_default();
    if label.chars().count() > LABEL_CHARS_MAX {
        found.push(("map-label", format!("{label} is too long")));
    }
    if let Some(reader) = state.get("ItemReader") {
        found.extend(
            of_reader(reader, jsonata)
                .into_iter()
                .map(|says| ("map-reader", says)),
        );
    }
    found
}

fn of_reader(reader: &Value, jsonata: bool) -> Vec<String> {
    let mut found = Vec::new();
    let arguments = if jsonata { "Arguments" } else { "Parameters" };
    for (name, _) in fields(reader) {
        if !["Resource", "ReaderConfig", arguments].contains(&name.as_str()) {
            found.push(format!("ItemReader has no {name}"));
        }
    }
    let resource = reader["Resource"].as_str().unwrap_or_default();
    let call = resource.split(":states:::").last().unwrap_or_default();
    let config = &reader["ReaderConfig"];
    let (names, types): (&[&str], &[&str]) = match call {
        "s3:getObject" => (
            &["Bucket", "Key", "VersionId", "ExpectedBucketOwner"],
            &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"],
        ),
        "s3:listObjectsV2" => (&["Bucket", "Prefix", "ExpectedBucketOwner"], &[]),
        other => {
            found.push(format!("ItemReader reads by {other:?}"));
            return found;
        }
    };
    for (name, _) in fields(&reader[arguments]) {
        if !names.contains(&name.trim_end_matches(".$")) {
            found.push(format!("{call} has no {name}"));
        }
    }
    for needed in &names[..if call == "s3:getObject" { 2 } else { 1 }] {
        let evaluated = format!("{needed}.$");
        let there = [*needed, &evaluated].map(|name| reader[arguments].get(name).is_some());
        if !there.contains(&true) {
            found.push(format!("{call} needs {needed}"));
        }
    }
    let input = config["InputType"].as_str().unwrap_or_default();
    if !types.is_empty() && !types.contains(&input) {
        found.push(format!("InputType is {}", config["InputType"]));
    }
    for (name, value) in fields(config) {
        let known = match name.as_str() {
            "InputType" => !types.is_empty(),
            "MaxItems" => {
                value.is_string()
                    || value
                        .as_u64()
                        .is_some_and(|it| (1..=ITEMS_MAX).contains(&it))
            }
            "MaxItemsPath" => !jsonata && config.get("MaxItems").is_none(),
            "CSVDelimiter" | "CSVHeaderLocation" | "CSVHeaders" => input == "CSV",
            "ItemsPointer" => input == "JSON",
            "ManifestType" => input == "MANIFEST",
            "Transformation" => call == "s3:listObjectsV2",
            _ => false,
        };
        if !known {
            found.push(format!("ReaderConfig has no {name} of {value} here"));
        }
    }
    found
}
