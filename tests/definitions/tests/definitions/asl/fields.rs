//! Which fields a state may have, must have, and may not have together (Amazon States Language,
//! "State Types"; AWS Step Functions Developer Guide, pages of the states).

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use super::walk::{bodies, fields, is_jsonata, items, scopes};

const TYPES: [&str; 8] = [
    "Task", "Parallel", "Map", "Pass", "Wait", "Choice", "Succeed", "Fail",
];
const TOP: [&str; 7] = [
    "Comment",
    "QueryLanguage",
    "StartAt",
    "States",
    "TimeoutSeconds",
    "Version",
    "ProcessorConfig",
];
/// One behind the other these would be both ways to say the same.
const EITHER: [(&str, &str); 12] = [
    ("Next", "End"),
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("ItemProcessor", "Iterator"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    (
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
    ),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("Seconds", "Timestamp"),
    ("Seconds", "SecondsPath"),
    ("ItemSelector", "Parameters"),
];

pub fn checked(definition: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    top(definition, &mut found);
    for scope in scopes(definition) {
        for (name, state) in scope.states() {
            let check = State {
                value: state,
                kind: state["Type"].as_str().unwrap_or_default(),
                jsonata: is_jsonata(definition, state),
                at: scope.named(name),
            };
            check.all(&mut found);
        }
    }
    found
}

fn top(definition: &Value, found: &mut Vec<Finding>) {
    for (name, value) in fields(definition) {
        if !TOP.contains(&name.as_str()) || name == "ProcessorConfig" {
            let says = format!("no state machine has {name}");
            found.push(Finding::new("field-unknown", name, says));
            continue;
        }
        let wanted = if name == "States" {
            value.is_object()
        } else if name == "TimeoutSeconds" {
            value.as_u64().is_some_and(|seconds| seconds > 0)
        } else {
            value.is_string()
        };
        if !wanted {
            found.push(Finding::new("field-type", name, format!("{value}")));
        }
    }
    let languages = scopes(definition)
        .iter()
        .flat_map(|scope| scope.states().map(|(_, state)| &state["QueryLanguage"]))
        .chain([&definition["QueryLanguage"]])
        .filter(|language| !language.is_null())
        .collect::<Vec<_>>();
    for language in &languages {
        if !["JSONata", "JSONPath"].contains(&language.as_str().unwrap_or_default()) {
            let says = format!("{language} is no query language");
            found.push(Finding::new("query-language", "QueryLanguage", says));
        }
    }
    let back = languages.iter().any(|language| **language == "JSONPath");
    if definition["QueryLanguage"] == "JSONata" && back {
        let says = "a JSONata machine has no JSONPath states".to_owned();
        found.push(Finding::new("query-language", "QueryLanguage", says));
    }
}

struct State<'a> {
    value: &'a Value,
    kind: &'a str,
    jsonata: bool,
    at: String,
}

impl State<'_> {
    fn all(&self, found: &mut Vec<Finding>) {
        if !TYPES.contains(&self.kind) {
            let says = format!("{} is no type of state", self.value["Type"]);
            found.push(Finding::new("state-type", &self.at, says));
            return;
        }
        let allowed = self.allowed();
        for (name, _) in fields(self.value) {
            if !allowed.contains(name.as_str()) {
                let rule = if self.of_the_other_language(name) {
                    "field-language"
                } else {
                    "field-unknown"
                };
                let says = format!("a {} state has no {name}", self.kind);
                found.push(Finding::new(rule, &self.at, says));
            }
        }
        for name in self.required() {
            if self.value.get(name).is_none() {
                let says = format!("a {} state needs {name}", self.kind);
                found.push(Finding::new("field-missing", &self.at, says));
            }
        }
        for (one, other) in EITHER {
            if self.value.get(one).is_some() && self.value.get(other).is_some() {
                let says = format!("{one} and {other} exclude each other");
                found.push(Finding::new("field-either", &self.at, says));
            }
        }
        self.parts(found);
        self.types(found);
        self.paths(found);
        if self.kind == "Choice" && self.value.get("Default").is_none() {
            let says = "it has no Default, and nothing catches States.NoChoiceMatched".to_owned();
            found.push(Finding::new("default", &self.at, says));
        }
        self.twice(self.value, found);
    }

    /// Fields of the type in its language.
    fn allowed(&self) -> BTreeSet<&'static str> {
        let mut allowed = BTreeSet::from(["Type", "Comment", "QueryLanguage"]);
        let is = |kinds: &[&str]| kinds.contains(&self.kind);
        if !is(&["Choice", "Succeed", "Fail"]) {
            allowed.extend(["Next", "End"]);
        }
        if !is(&["Succeed", "Fail"]) {
            allowed.insert("Assign");
        }
        if is(&["Task", "Parallel", "Map"]) {
            allowed.extend(["Retry", "Catch"]);
        }
        match (self.kind, self.jsonata) {
            ("Fail", _) | (_, false) => {}
            (_, true) => {
                allowed.insert("Output");
            }
        }
        if !self.jsonata && self.kind != "Fail" {
            allowed.extend(["InputPath", "OutputPath"]);
            if is(&["Task", "Parallel", "Map", "Pass"]) {
                allowed.extend(["ResultPath", "Parameters"]);
            }
            if is(&["Task", "Parallel", "Map"]) {
                allowed.insert("ResultSelector");
            }
        }
        if self.jsonata && is(&["Task", "Parallel"]) {
            allowed.insert("Arguments");
        }
        allowed.extend(self.own());
        allowed
    }

    fn own(&self) -> &'static [&'static str] {
        match (self.kind, self.jsonata) {
            ("Task", true) => &[
                "Resource",
                "TimeoutSeconds",
                "HeartbeatSeconds",
                "Credentials",
            ],
            ("Task", false) => &[
                "Resource",
                "TimeoutSeconds",
                "TimeoutSecondsPath",
                "HeartbeatSeconds",
                "HeartbeatSecondsPath",
                "Credentials",
            ],
            ("Parallel", _) => &["Branches"],
            ("Map", true) => &[
                "ItemProcessor",
                "Items",
                "ItemReader",
                "ItemSelector",
                "ItemBatcher",
                "ResultWriter",
                "MaxConcurrency",
                "ToleratedFailurePercentage",
                "ToleratedFailureCount",
                "Label",
            ],
            ("Map", false) => &[
                "ItemProcessor",
                "Iterator",
                "ItemsPath",
                "ItemReader",
                "ItemSelector",
                "ItemBatcher",
                "ResultWriter",
                "MaxConcurrency",
                "MaxConcurrencyPath",
                "ToleratedFailurePercentage",
                "ToleratedFailurePercentagePath",
                "ToleratedFailureCount",
                "ToleratedFailureCountPath",
                "Label",
            ],
            ("Pass", false) => &["Result"],
            ("Wait", true) => &["Seconds", "Timestamp"],
            ("Wait", false) => &["Seconds", "SecondsPath", "Timestamp", "TimestampPath"],
            ("Choice", _) => &["Choices", "Default"],
            ("Fail", true) => &["Error", "Cause"],
            ("Fail", false) => &["Error", "ErrorPath", "Cause", "CausePath"],
            _ => &[],
        }
    }

    /// Whether the same state has the field in the other language.
    fn of_the_other_language(&self, name: &str) -> bool {
        let other = State {
            jsonata: !self.jsonata,
            at: String::new(),
            ..*self
        };
        other.allowed().contains(name)
    }

    fn required(&self) -> Vec<&'static str> {
        let mut needed = match self.kind {
            "Task" => vec!["Resource"],
            "Parallel" => vec!["Branches"],
            "Choice" => vec!["Choices"],
            _ => vec![],
        };
        if self.kind == "Map" && self.value.get("Iterator").is_none() {
            needed.push("ItemProcessor");
        }
        let waits = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        if self.kind == "Wait" && waits.iter().all(|name| self.value.get(name).is_none()) {
            needed.push("Seconds");
        }
        let ends = ["Choice", "Succeed", "Fail"].contains(&self.kind);
        if !ends && self.value.get("End").is_none() {
            needed.push("Next");
        }
        needed
    }

    /// Fields of rules, retriers, catchers and scopes.
    fn parts(&self, found: &mut Vec<Finding>) {
        let retrier: &[&str] = &[
            "ErrorEquals",
            "IntervalSeconds",
            "MaxAttempts",
            "BackoffRate",
            "MaxDelaySeconds",
            "JitterStrategy",
            "Comment",
        ];
        let catcher: &[&str] = if self.jsonata {
            &["ErrorEquals", "Next", "Assign", "Output", "Comment"]
        } else {
            &["ErrorEquals", "Next", "Assign", "ResultPath", "Comment"]
        };
        let rule: &[&str] = &["Condition", "Next", "Assign", "Output", "Comment"];
        let mut parts = vec![("Retry", retrier, &["ErrorEquals"][..])];
        parts.push(("Catch", catcher, &["ErrorEquals", "Next"]));
        if self.jsonata {
            parts.push(("Choices", rule, &["Condition", "Next"]));
        }
        for (field, allowed, required) in parts {
            for (place, part) in items(&self.value[field]).enumerate() {
                let at = format!("{}/{field}[{place}]", self.at);
                for (name, _) in fields(part) {
                    if !allowed.contains(&name.as_str()) {
                        let says = format!("nothing there is called {name}");
                        found.push(Finding::new("field-unknown", &at, says));
                    }
                }
                for name in required {
                    if part.get(name).is_none() {
                        let says = format!("it needs {name}");
                        found.push(Finding::new("field-missing", &at, says));
                    }
                }
            }
        }
        for body in bodies(self.value) {
            for (name, _) in fields(body) {
                let allowed = ["StartAt", "States", "ProcessorConfig", "Comment"];
                if !allowed.contains(&name.as_str()) {
                    let says = format!("no scope inside has {name}");
                    found.push(Finding::new("field-unknown", &self.at, says));
                }
            }
        }
    }

    /// What a value must be, where it is no expression.
    fn types(&self, found: &mut Vec<Finding>) {
        let mut wrong = |name: &str, wanted: &str| {
            let says = format!("{name} is {}, not {wanted}", self.value[name]);
            found.push(Finding::new("field-type", &self.at, says));
        };
        for (name, value) in fields(self.value) {
            let evaluated = value.as_str().is_some_and(|text| text.starts_with("{%"));
            match name.as_str() {
                "Comment" | "Next" | "Resource" | "Default" | "Label" if !value.is_string() => {
                    wrong(name, "a string");
                }
                "End" if !value.is_boolean() => wrong(name, "true or false"),
                "Assign" if !value.is_object() => wrong(name, "an object"),
                "Error" | "Cause" if !value.is_string() => wrong(name, "a string"),
                "Retry" | "Catch" if !value.is_array() => wrong(name, "an array"),
                "Choices" if items(value).next().is_none() => wrong(name, "a list of rules"),
                "Items" if !evaluated && !value.is_array() && !value.is_object() => {
                    wrong(name, "an array or object");
                }
                _ => {}
            }
        }
    }

    /// Reference Paths lead to one value of the input.
    fn paths(&self, found: &mut Vec<Finding>) {
        let catchers = items(&self.value["Catch"]).flat_map(fields);
        for (name, value) in fields(self.value).chain(catchers) {
            let path = value.as_str().unwrap_or("$");
            let reference =
                name.ends_with("Path") && !["InputPath", "OutputPath"].contains(&name.as_str());
            let unambiguous = path.starts_with('$') && !path.contains(['@', ',', ':', '?', '*']);
            let of_input = name != "ResultPath" || path == "$" || path.starts_with("$.");
            if reference && !(unambiguous && of_input) {
                let says = format!("{name} is {path}");
                found.push(Finding::new("reference-path", &self.at, says));
            }
        }
    }

    /// A name stands once in an object, with `.$` or without.
    fn twice(&self, value: &Value, found: &mut Vec<Finding>) {
        for (name, inner) in fields(value) {
            let plain = name.strip_suffix(".$");
            if let Some(plain) = plain.filter(|plain| value.get(plain).is_some()) {
                let says = format!("{plain} stands there twice");
                found.push(Finding::new("field-twice", &self.at, says));
            }
            if !["ItemProcessor", "Iterator", "Branches"].contains(&name.as_str()) {
                self.twice(inner, found);
            }
        }
    }
}
