//! Paths of JSONPath states: what they find, and where a result goes.

use serde_json::Value;

use super::Finding;
use super::flow::Entry;
use super::jsonata::strings_of;
use super::shape::{Maybe, Shape};

/// What a path finds: `$.a.b` of the input, `$name.a` of a variable. Of the Context object nothing is
/// asked here.
fn found_by(path: &str, entry: &Entry) -> Option<Maybe> {
    let mut names = path.split('.');
    let first = names.next()?;
    let start = match first {
        "$$" => return None,
        "$" => Maybe::always(entry.input.clone()),
        variable => {
            let name = variable.strip_prefix('$')?;
            entry
                .variables
                .get(name)
                .cloned()
                .unwrap_or_else(Maybe::never)
        }
    };
    Some(names.fold(start, |value, name| {
        let field = value.shape.field(name);
        field.unless(!value.always)
    }))
}

/// A path that finds nothing fails the execution, and no catcher sees it.
pub fn checked(state: &Value, at: &str, entry: &Entry, found: &mut Vec<Finding>) {
    let mut strings = Vec::new();
    for (name, value) in super::walk::fields(state) {
        if !["ItemProcessor", "Iterator", "Branches"].contains(&name.as_str()) {
            strings_of(value, name, &mut strings);
        }
    }
    for (field, text) in strings {
        let last = field.split('/').next_back().unwrap_or_default();
        let reads = last.ends_with(".$") || (last.ends_with("Path") && last != "ResultPath");
        if !reads {
            continue;
        }
        let is_missing = found_by(text, entry).is_some_and(|value| !value.always);
        if is_missing {
            let says = format!("{text} may find nothing");
            found.push(Finding::new("path", &format!("{at}/{field}"), says));
        }
    }
}

/// The output of a state or catcher: its result where `ResultPath` puts it.
pub fn placed(part: &Value, input: &Shape, result: &Shape) -> Shape {
    let Some(path) = part.get("ResultPath") else {
        return result.clone();
    };
    let Some(path) = path.as_str() else {
        return input.clone();
    };
    match path.strip_prefix("$.") {
        None => result.clone(),
        Some(field) => added(input, field, result),
    }
}

fn added(input: &Shape, field: &str, result: &Shape) -> Shape {
    match input {
        Shape::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert(field.to_owned(), Maybe::always(result.clone()));
            Shape::Object(fields)
        }
        Shape::OneOf(kinds) => Shape::OneOf(
            kinds
                .iter()
                .map(|kind| added(kind, field, result))
                .collect(),
        ),
        other => other.clone(),
    }
}
