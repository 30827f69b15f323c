//! Expressions as the reference implementation of JSONata sees them.

use std::collections::{BTreeMap, BTreeSet};

use backup_stack::{Silent, Toolchain};
use serde_json::{Value, json};

use super::walk::{fields, scopes};
use crate::linters::answer;
use crate::root;

/// Functions of Step Functions beside those of JSONata (AWS Step Functions Developer Guide,
/// "Transforming data with JSONata").
const OF_STEP_FUNCTIONS: [&str; 6] = ["partition", "range", "hash", "random", "uuid", "parse"];

/// What the reference implementation says.
pub struct Reference {
    pub version: String,
    /// Names that stand for functions in Step Functions, `eval` too, which it refuses.
    pub functions: BTreeSet<String>,
    parsed: BTreeMap<String, Result<Value, String>>,
}

impl Reference {
    /// Parses every expression of the definitions, in one process.
    pub fn of<'a>(definitions: impl IntoIterator<Item = &'a Value>) -> Self {
        let texts: BTreeSet<String> = definitions
            .into_iter()
            .flat_map(sites)
            .filter_map(|site| site.expression().map(str::to_owned))
            .collect();
        let texts: Vec<_> = texts.into_iter().collect();
        let answer = asked(&json!({"parse": texts, "evaluate": []}));
        let results = answer["parsed"].as_array().unwrap().iter().map(|result| {
            let problem = result["problem"].as_str().map(str::to_owned);
            problem.map_or_else(|| Ok(result["ast"].clone()), Err)
        });
        let functions = answer["functions"].as_array().unwrap().iter();
        let functions = functions.map(|name| name.as_str().unwrap().to_owned());
        Self {
            version: answer["version"].as_str().unwrap().to_owned(),
            functions: functions
                .chain(OF_STEP_FUNCTIONS.map(str::to_owned))
                .collect(),
            parsed: texts.into_iter().zip(results).collect(),
        }
    }

    /// The syntax tree of an expression, or what is wrong with it.
    pub fn tree(&self, expression: &str) -> Result<&Value, &str> {
        self.parsed[expression].as_ref().map_err(String::as_str)
    }
}

/// What expressions come to: `Ok(None)` of one that is undefined.
pub fn evaluated(expressions: &[(String, Value)]) -> Vec<Result<Option<Value>, String>> {
    let asked_for: Vec<_> = expressions
        .iter()
        .map(|(text, bindings)| json!({"text": text, "bindings": bindings}))
        .collect();
    let answer = asked(&json!({"parse": [], "evaluate": asked_for}));
    let results = answer["evaluated"].as_array().unwrap().iter();
    let read = |result: &Value| match result["problem"].as_str() {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(result.get("value").cloned()),
    };
    results.map(read).collect()
}

fn asked(question: &Value) -> Value {
    let toolchain = Toolchain::ensure(&Silent).unwrap();
    let mut node = toolchain.node().unwrap();
    node.arg(root().join("tests/definitions/jsonata.js"));
    answer(&mut node, question)
}

/// A string of a state.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// The state, with the scopes that lead to it.
    pub state: String,
    /// Path of the field in the state, such as `Catch[0]/Assign/failure`.
    pub field: String,
    pub text: &'a str,
    pub jsonata: bool,
}

impl<'a> Site<'a> {
    /// What stands between `{%` and `%}`, where it is an expression.
    pub fn expression(&self) -> Option<&'a str> {
        expression(self.text).filter(|_| self.jsonata)
    }

    pub fn at(&self) -> String {
        format!("{}/{}", self.state, self.field)
    }
}

/// What stands between `{%` and `%}`.
pub fn expression(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{%")?.strip_suffix("%}")?;
    Some(inner.trim())
}

/// All strings of all states, but for those of states inside, which are sites of their own.
pub fn sites(definition: &Value) -> Vec<Site<'_>> {
    let mut found = Vec::new();
    for scope in scopes(definition) {
        for (name, state) in scope.states() {
            let jsonata = super::walk::is_jsonata(definition, state);
            let state_at = scope.named(name);
            let mut strings = Vec::new();
            for (field, value) in fields(state) {
                if !["ItemProcessor", "Iterator", "Branches"].contains(&field.as_str()) {
                    strings_of(value, field, &mut strings);
                }
            }
            found.extend(strings.into_iter().map(|(field, text)| Site {
                state: state_at.clone(),
                field,
                text,
                jsonata,
            }));
        }
    }
    found
}

/// The strings inside a value, each with its path.
pub fn strings_of<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => found.push((at.to_owned(), text)),
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                strings_of(value, &format!("{at}[{place}]"), found);
            }
        }
        Value::Object(values) => {
            for (name, value) in values {
                strings_of(value, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}
