//! Whether an expression has a value in every execution: evaluated over shapes instead of values, by
//! the semantics of the reference implementation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::given::{is_of, written};
use super::shape::{Maybe, Shape};

/// What an expression sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// `$states`.
    pub states: Shape,
    pub variables: BTreeMap<String, Maybe>,
    /// Paths that are surely there, as they are written.
    pub proven: BTreeSet<String>,
}

/// Functions that have a value where all their arguments have one. Others, such as `$max` and `$keys`,
/// may come to nothing over something.
const OF_THEIR_ARGUMENTS: [&str; 16] = [
    "abs", "boolean", "ceil", "clone", "distinct", "floor", "join", "not", "number", "parse",
    "reverse", "round", "shuffle", "string", "sum", "type",
];
/// The same, where the first argument is a string: of anything else they take the input document for
/// their subject, and there is none.
const OF_TEXT: [&str; 8] = [
    "contains",
    "length",
    "lowercase",
    "substring",
    "substringAfter",
    "substringBefore",
    "trim",
    "uppercase",
];
const BOOLEAN: [&str; 4] = ["boolean", "contains", "exists", "not"];
const NUMBER: [&str; 12] = [
    "abs", "average", "ceil", "count", "floor", "length", "max", "min", "number", "power", "round",
    "sum",
];
const TEXT: [&str; 12] = [
    "hash",
    "join",
    "lowercase",
    "pad",
    "replace",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "trim",
    "type",
    "uppercase",
];

impl Sight {
    pub const fn new(states: Shape, variables: BTreeMap<String, Maybe>) -> Self {
        Self {
            states,
            variables,
            proven: BTreeSet::new(),
        }
    }

    /// The value of a syntax tree. What must not happen on the way is told to `report`.
    pub fn value(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        match tree["type"].as_str().unwrap_or_default() {
            "string" => Maybe::always(Shape::Text(tree["value"].as_str().map(str::to_owned))),
            "number" => Maybe::always(Shape::Number),
            "value" => Maybe::always(Shape::of(&tree["value"])),
            "regex" | "lambda" => Maybe::always(Shape::Any),
            "variable" => self.variable(tree),
            "path" => self.path(tree, report),
            "block" => self.block(tree, report),
            "condition" => self.condition(tree, report),
            "binary" => self.binary(tree, report),
            "unary" => self.unary(tree, report),
            "bind" => self.value(&tree["rhs"], report),
            "function" => self.function(tree, report),
            // Sorts, transforms, partial applications: none that is known to have a value.
            _ => Maybe::always(Shape::Any).unless(true),
        }
    }

    fn variable(&self, tree: &Value) -> Maybe {
        let name = tree["value"].as_str().unwrap_or_default();
        let value = if name == "states" {
            Maybe::always(self.states.clone())
        } else {
            self.variables
                .get(name)
                .cloned()
                .unwrap_or_else(Maybe::never)
        };
        filtered(tree, self.if_proven(tree, value))
    }

    fn if_proven(&self, tree: &Value, value: Maybe) -> Maybe {
        match written(tree) {
            Some(path) if self.proven.contains(&path) => Maybe::always(value.shape),
            _ => value,
        }
    }

    fn path(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        let steps = tree["steps"].as_array().into_iter().flatten();
        let mut found: Option<Maybe> = None;
        for step in steps {
            let next = match (&found, step["type"].as_str()) {
                (Some(value), Some("name")) => {
                    let name = step["value"].as_str().unwrap_or_default();
                    let field = value.shape.field(name);
                    filtered(step, field.unless(!value.always))
                }
                (Some(_), _) => Maybe::always(Shape::Any).unless(true),
                (None, _) => self.value(step, report),
            };
            found = Some(next);
        }
        self.if_proven(tree, found.unwrap_or_else(Maybe::never))
    }

    fn block(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        let mut inner = self.clone();
        let mut last = Maybe::never();
        let parts = tree["expressions"].as_array().into_iter().flatten();
        for part in parts.clone() {
            last = inner.value(part, report);
            if part["type"] == "bind" {
                let name = part["lhs"]["value"].as_str().unwrap_or_default();
                inner.variables.insert(name.to_owned(), last.clone());
                inner.proven.retain(|path| !is_of(path, name));
            }
        }
        // The first of what a path surely finds is surely there; that of a list need not be.
        let only_path = parts.clone().count() == 1
            && parts.clone().all(|part| {
                part["steps"]
                    .as_array()
                    .is_some_and(|steps| steps.len() > 1)
            });
        let value = filtered(tree, last.clone());
        value.unless(tree.get("predicate").is_some() && !only_path)
    }

    fn condition(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        let condition = &tree["condition"];
        self.value(condition, report);
        let then = || self.given(condition, true);
        let otherwise = || self.given(condition, false);
        match (self.decided(condition), tree.get("else")) {
            (Some(true), _) => return then().value(&tree["then"], report),
            (Some(false), Some(tree)) => return otherwise().value(tree, report),
            (Some(false), None) => return Maybe::never(),
            (None, _) => {}
        }
        let then = then().value(&tree["then"], report);
        let otherwise = match tree.get("else") {
            Some(tree) => otherwise().value(tree, report),
            None => Maybe::never(),
        };
        then.or(&otherwise)
    }

    /// Whether a condition holds here whatever the values are.
    fn decided(&self, condition: &Value) -> Option<bool> {
        let called = condition["procedure"]["value"].as_str();
        if condition["type"] != "function" {
            return None;
        }
        let argument = &condition["arguments"][0];
        match called? {
            "exists" => match self.value(argument, &mut |_| {}) {
                value if value.always => Some(true),
                value if value == Maybe::never() => Some(false),
                _ => None,
            },
            "not" => Some(!self.decided(argument)?),
            _ => None,
        }
    }

    fn binary(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        let (lhs, rhs) = (&tree["lhs"], &tree["rhs"]);
        let left = self.value(lhs, report);
        let operator = tree["value"].as_str().unwrap_or_default();
        let right = match operator {
            "and" => self.given(lhs, true).value(rhs, report),
            "or" => self.given(lhs, false).value(rhs, report),
            _ => self.value(rhs, report),
        };
        let both = left.always && right.always;
        match operator {
            "=" | "!=" | "in" | "and" | "or" => Maybe::always(Shape::Bool),
            "<" | ">" | "<=" | ">=" => Maybe::always(Shape::Bool).unless(!both),
            "&" => Maybe::always(Shape::text()),
            ".." => Maybe::always(Shape::List(Box::new(Shape::Number))),
            _ => Maybe::always(Shape::Number).unless(!both),
        }
    }

    fn unary(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        match tree["value"].as_str().unwrap_or_default() {
            "[" => {
                let parts = tree["expressions"].as_array().into_iter().flatten();
                let items = parts.map(|part| self.value(part, report).shape);
                let item = items.reduce(|one, other| one.or(&other));
                let list = Shape::List(Box::new(item.unwrap_or(Shape::Any)));
                filtered(tree, Maybe::always(list))
            }
            "{" => {
                let pairs = tree["lhs"].as_array().into_iter().flatten();
                let fields = pairs.map(|pair| {
                    let name = pair[0]["value"].as_str().unwrap_or_default();
                    (name.to_owned(), self.value(&pair[1], report))
                });
                filtered(tree, Maybe::always(Shape::Object(fields.collect())))
            }
            _ => {
                let value = self.value(&tree["expression"], report);
                Maybe {
                    shape: Shape::Number,
                    ..value
                }
            }
        }
    }

    fn function(&self, tree: &Value, report: &mut dyn FnMut(String)) -> Maybe {
        let name = tree["procedure"]["value"].as_str().unwrap_or_default();
        let arguments = tree["arguments"].as_array().into_iter().flatten();
        let trees: Vec<_> = arguments.clone().collect();
        let values: Vec<_> = arguments.map(|it| self.value(it, report)).collect();
        let first = values.first().cloned().unwrap_or_else(Maybe::never);
        let shape = if BOOLEAN.contains(&name) {
            Shape::Bool
        } else if NUMBER.contains(&name) {
            Shape::Number
        } else if TEXT.contains(&name) {
            Shape::text()
        } else {
            Shape::Any
        };
        let value = match name {
            "exists" | "count" | "now" | "millis" | "uuid" | "random" => Maybe::always(shape),
            "append" => {
                let item = |value: &Maybe| match &value.shape {
                    Shape::List(item) => (**item).clone(),
                    other => other.clone(),
                };
                let items: Vec<_> = values.iter().filter(|it| **it != Maybe::never()).collect();
                let some = values.iter().any(|value| value.always);
                let one = items.iter().map(|it| item(it));
                let one = one
                    .reduce(|one, other| one.or(&other))
                    .unwrap_or(Shape::Any);
                Maybe::always(Shape::List(Box::new(one))).unless(!some)
            }
            "merge" => {
                let parts = trees.first().map(|tree| &tree["expressions"]);
                let parts = parts.and_then(Value::as_array);
                let parts = parts.map(|parts| parts.iter().map(|it| self.value(it, &mut |_| {})));
                let shape = parts.map_or(Shape::Any, |parts| merged(parts.collect()));
                Maybe::always(shape).unless(!first.always)
            }
            "parse" if !first.always => {
                report(format!("${name} of what may be missing"));
                Maybe::always(shape)
            }
            _ => {
                let text = OF_TEXT.contains(&name) && matches!(first.shape, Shape::Text(_));
                let known = text || OF_THEIR_ARGUMENTS.contains(&name);
                let all = !values.is_empty() && values.iter().all(|value| value.always);
                Maybe::always(shape).unless(!(known && all))
            }
        };
        filtered(tree, value)
    }
}

/// `$merge`: what stands behind covers what stands before.
fn merged(parts: Vec<Maybe>) -> Shape {
    let mut all = BTreeMap::<String, Maybe>::new();
    for part in parts {
        let Shape::Object(fields) = one_object(&part.shape) else {
            return Shape::Any;
        };
        for (name, value) in fields {
            let covers = value.always && part.always;
            let before = all.get(&name).cloned();
            let value = match before {
                Some(before) if !covers => Maybe {
                    shape: value.shape.or(&before.shape),
                    always: before.always,
                },
                _ => value.unless(!part.always),
            };
            all.insert(name, value);
        }
    }
    Shape::Object(all)
}

/// Several kinds of objects as one.
fn one_object(shape: &Shape) -> Shape {
    match shape {
        Shape::OneOf(kinds) => {
            let mut names: BTreeSet<&String> = BTreeSet::new();
            for kind in kinds {
                match kind {
                    Shape::Object(fields) => names.extend(fields.keys()),
                    _ => return Shape::Any,
                }
            }
            let field = |name: &&String| ((*name).clone(), shape.field(name));
            Shape::Object(names.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// Behind a filter there may be nothing, but for the first of what a path has found.
fn filtered(tree: &Value, value: Maybe) -> Maybe {
    let filters = |name: &str| tree[name].as_array().cloned().unwrap_or_default();
    let filters = [filters("predicate"), filters("stages")].concat();
    if filters.is_empty() {
        return value;
    }
    let first = filters.iter().all(|filter| filter["expr"]["value"] == 0);
    let one = match &value.shape {
        Shape::List(item) => (**item).clone(),
        other => other.clone(),
    };
    let found = tree["type"] == "block" && first;
    Maybe {
        shape: one,
        ..value
    }
    .unless(!found)
}
