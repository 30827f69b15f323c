//! What an expression may name: functions, the input document, fields of `$states`, variables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;
use super::jsonata::{Reference, Site, sites};
use super::walk::{assigned, scopes};

/// Fields of the Context object (AWS Step Functions Developer Guide, "Accessing execution data from
/// the Context object"). `Map` is there for the fields of a Map state alone, `Task` for a task token.
const CONTEXT: [(&str, &[&str]); 5] = [
    (
        "Execution",
        &[
            "Id",
            "Input",
            "Name",
            "RoleArn",
            "StartTime",
            "RedriveCount",
        ],
    ),
    ("State", &["EnteredTime", "Name", "RetryCount"]),
    ("StateMachine", &["Id", "Name"]),
    ("Task", &["Token"]),
    ("Map", &["Item"]),
];

/// Fields whose strings may be expressions, of a state or of what stands inside.
const EVALUATED: [&str; 19] = [
    "Arguments",
    "Assign",
    "BatchInput",
    "Cause",
    "Condition",
    "Credentials",
    "Error",
    "HeartbeatSeconds",
    "ItemSelector",
    "Items",
    "MaxConcurrency",
    "MaxInputBytesPerBatch",
    "MaxItems",
    "MaxItemsPerBatch",
    "Output",
    "Seconds",
    "TimeoutSeconds",
    "Timestamp",
    "ToleratedFailurePercentage",
];

/// All rules about what stands in an expression.
pub fn checked(definition: &Value, reference: &Reference) -> Vec<Finding> {
    let mut found = Vec::new();
    let visible = visible(definition);
    let types = types(definition);
    for site in sites(definition) {
        delimited(&site, &mut found);
        let Some(expression) = site.expression() else {
            continue;
        };
        let mut report = |rule, says: String| found.push(Finding::new(rule, &site.at(), says));
        if !is_evaluated(&site.field) {
            report(
                "expression-field",
                format!("{} takes no expression", site.field),
            );
        }
        let tree = match reference.tree(expression) {
            Ok(tree) => tree,
            Err(problem) => {
                report("jsonata", format!("{expression}: {problem}"));
                continue;
            }
        };
        let mut locals = BTreeSet::new();
        bound(tree, &mut locals);
        let known = Known {
            functions: &reference.functions,
            variables: &visible[&site.state],
            locals: &locals,
            kind: types[&site.state],
            field: &site.field,
        };
        known.walk(tree, false, &mut report);
    }
    found
}

/// A string is an expression whole, or not at all.
fn delimited(site: &Site, found: &mut Vec<Finding>) {
    let (text, trimmed) = (site.text, site.text.trim());
    let (begins, ends) = (text.starts_with("{%"), text.ends_with("%}"));
    let meant = trimmed.starts_with("{%") || trimmed.ends_with("%}");
    if site.jsonata && meant && !(begins && ends) {
        let says = format!("{text:?} is no whole expression");
        found.push(Finding::new("expression-delimiters", &site.at(), says));
    }
}

fn is_evaluated(field: &str) -> bool {
    let mut parts = field.split(['/', '[']);
    let first = parts.next().unwrap_or_default();
    // What counts is the field of the catcher, rule, reader or batcher.
    let inside = [
        "Catch",
        "Choices",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
    ];
    if !inside.contains(&first) {
        return EVALUATED.contains(&first);
    }
    field.split('/').any(|part| EVALUATED.contains(&part))
}

/// Variables that the states of each scope may name: its own, and those around it up to the border of
/// an execution.
fn visible(definition: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let scopes = scopes(definition);
    let mut found = BTreeMap::new();
    for scope in &scopes {
        let mut names = BTreeSet::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            names.extend(assigned(scope).into_iter().map(|(name, _)| name));
            at = scope
                .outer
                .filter(|_| !scope.distributed)
                .map(|outer| &scopes[outer]);
        }
        for (state, _) in scope.states() {
            found.insert(scope.named(state), names.clone());
        }
    }
    found
}

fn types(definition: &Value) -> BTreeMap<String, &str> {
    let scopes = scopes(definition);
    let states = scopes.iter().flat_map(|scope| {
        let states = scope.states();
        states.map(|(name, state)| (scope.named(name), state["Type"].as_str().unwrap_or("")))
    });
    states.collect()
}

/// Names that an expression binds itself.
fn bound(tree: &Value, found: &mut BTreeSet<String>) {
    if tree["type"] == "bind"
        && let Some(name) = tree["lhs"]["value"].as_str()
    {
        found.insert(name.to_owned());
    }
    if tree["type"] == "lambda" {
        let arguments = tree["arguments"].as_array().into_iter().flatten();
        found.extend(arguments.filter_map(|it| it["value"].as_str().map(str::to_owned)));
    }
    match tree {
        Value::Array(parts) => parts.iter().for_each(|part| bound(part, found)),
        Value::Object(parts) => parts.values().for_each(|part| bound(part, found)),
        _ => {}
    }
}

struct Known<'a> {
    functions: &'a BTreeSet<String>,
    variables: &'a BTreeSet<String>,
    locals: &'a BTreeSet<String>,
    /// Type of the state.
    kind: &'a str,
    field: &'a str,
}

impl Known<'_> {
    /// `nested`: whether there is a value at hand that unqualified names belong to.
    fn walk(&self, tree: &Value, nested: bool, report: &mut dyn FnMut(&'static str, String)) {
        match tree {
            Value::Array(parts) => {
                for part in parts {
                    self.walk(part, nested, report);
                }
            }
            Value::Object(parts) => {
                self.node(tree, nested, report);
                let kind = tree["type"].as_str().unwrap_or_default();
                for (name, part) in parts {
                    // Filters, groups and sorts see the items; so do the later steps of a path.
                    let inner = ["predicate", "stages", "group", "terms"].contains(&name.as_str());
                    if kind == "path" && name == "steps" {
                        for (place, step) in part.as_array().into_iter().flatten().enumerate() {
                            // `self.states` looks at what is behind it.
                            let states = step["type"] == "variable" && step["value"] == "states";
                            if !(states && place == 0) {
                                self.walk(step, nested || place > 0, report);
                            }
                        }
                    } else if !(kind == "function" && name == "procedure") {
                        self.walk(part, nested || inner, report);
                    }
                }
            }
            _ => {}
        }
    }

    fn node(&self, tree: &Value, nested: bool, report: &mut dyn FnMut(&'static str, String)) {
        let name = tree["value"].as_str().unwrap_or_default();
        match tree["type"].as_str().unwrap_or_default() {
            "function" | "partial" => {
                let called = tree["procedure"]["value"].as_str().unwrap_or_default();
                if called == "eval" {
                    report("jsonata-eval", "$eval is not there, $parse is".to_owned());
                } else if !self.functions.contains(called) && !self.locals.contains(called) {
                    report("jsonata-function", format!("${called} is no function"));
                }
            }
            "variable" if name == "$" => {
                report("jsonata-input", "$$ is the input document: none".to_owned());
            }
            "variable" if name.is_empty() && !nested => {
                report("jsonata-input", "$ is the input document: none".to_owned());
            }
            "name" | "wildcard" | "descendant" | "parent" if !nested => {
                report("jsonata-input", format!("{name:?} is of no variable"));
            }
            "variable" if name == "states" => {
                report("states", "$states is named whole".to_owned());
            }
            "variable" => {
                let known = self.variables.contains(name)
                    || self.locals.contains(name)
                    || self.functions.contains(name);
                if !name.is_empty() && !known {
                    report(
                        "variable-unknown",
                        format!("no state in sight assigns {name}"),
                    );
                }
            }
            "path" => self.states(tree, report),
            _ => {}
        }
    }

    /// `$states.…`, where the first step is that variable.
    fn states(&self, path: &Value, report: &mut dyn FnMut(&'static str, String)) {
        let steps: Vec<_> = path["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|step| step["value"].as_str().unwrap_or_default())
            .collect();
        if path["steps"][0]["type"] != "variable" || steps.first() != Some(&"states") {
            return;
        }
        let calls = ["Task", "Map", "Parallel"].contains(&self.kind);
        let ends = |field: &str| field.starts_with("Assign") || field.starts_with("Output");
        let caught = self.field.strip_prefix("Catch[");
        let caught = caught.and_then(|field| field.split_once('/'));
        match steps.get(1).copied() {
            Some("input") => {}
            Some("context") => {
                let field = CONTEXT.iter().find(|(name, _)| steps.get(2) == Some(name));
                let known = field.is_some_and(|(_, fields)| {
                    steps.get(3).is_none_or(|field| fields.contains(field))
                });
                if !known {
                    report(
                        "context",
                        format!("the context has no {}", steps[2..].join(".")),
                    );
                }
            }
            Some("result") if calls && ends(self.field) => {}
            Some("result") => {
                report("states-result", format!("{} knows no result", self.field));
            }
            Some("errorOutput") if calls && caught.is_some_and(|(_, field)| ends(field)) => {}
            Some("errorOutput") => {
                report("states-error", format!("{} knows no error", self.field));
            }
            other => report("states", format!("$states has no {other:?}")),
        }
    }
}
