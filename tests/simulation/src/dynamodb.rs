//! DynamoDB in memory: one table, the expressions that the functions use, nothing more.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::wire::{Answer, Request};

/// An item, attribute values as on the wire.
pub type Item = Map<String, Value>;

/// A table with `pk` and `sk`.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Items by both keys.
    pub items: BTreeMap<(String, String), Item>,
    /// Whether conditions hold whatever they say: a mutant.
    pub careless: bool,
}

/// A text attribute.
pub fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name)
        .and_then(|value| value.get("S"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn keys(item: &Item) -> (String, String) {
    (text(item, "pk").to_owned(), text(item, "sk").to_owned())
}

fn refused(code: &str, item: Option<&Item>) -> Answer {
    let mut body =
        json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "said so"});
    if let Some(item) = item {
        body["Item"] = Value::Object(item.clone());
    }
    Answer {
        status: 400,
        ..Answer::ok(body.to_string())
    }
}

/// Answers one request.
///
/// # Panics
/// On what nothing here understands.
pub fn answer(table: &mut Table, request: &Request) -> Answer {
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let object = |name: &str| body[name].as_object().cloned().unwrap_or_default();
    match request.operation.as_str() {
        "GetItem" => {
            let found = table.items.get(&keys(&object("Key")));
            let body = found.map_or(json!({}), |item| json!({"Item": item}));
            Answer::ok(body.to_string())
        }
        "PutItem" => {
            let item = object("Item");
            let old = table.items.get(&keys(&item));
            if !table.careless && !holds(&body, "ConditionExpression", old) {
                let shown = body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
                return refused("ConditionalCheckFailedException", old.filter(|_| shown));
            }
            table.items.insert(keys(&item), item);
            Answer::ok("{}")
        }
        "UpdateItem" => update(table, &body, &object("Key")),
        "Query" => query(table, &body),
        name => panic!("nothing here answers {name}"),
    }
}

fn update(table: &mut Table, body: &Value, key: &Item) -> Answer {
    let old = table.items.get(&keys(key));
    if !table.careless && !holds(body, "ConditionExpression", old) {
        let shown = body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
        return refused("ConditionalCheckFailedException", old.filter(|_| shown));
    }
    let mut item = old.cloned().unwrap_or_else(|| key.clone());
    let expression = body["UpdateExpression"].as_str().expect("an expression");
    let sets = expression
        .strip_prefix("SET ")
        .unwrap_or_else(|| panic!("nothing here understands {expression}"));
    for set in sets.split(", ") {
        let (name, value) = set.split_once(" = ").expect("a value to set");
        item.insert(named(body, name), valued(body, value).clone());
    }
    table.items.insert(keys(key), item);
    Answer::ok("{}")
}

fn query(table: &Table, body: &Value) -> Answer {
    assert_eq!(body["KeyConditionExpression"], "pk = :pk");
    let pk = valued(body, ":pk")["S"].as_str().expect("a key").to_owned();
    let all = table.items.range((pk.clone(), String::new())..);
    let found: Vec<_> = all
        .take_while(|((other, _), _)| *other == pk)
        .map(|(_, item)| item)
        .filter(|item| holds(body, "FilterExpression", Some(item)))
        .collect();
    Answer::ok(json!({"Items": found, "Count": found.len()}).to_string())
}

/// An attribute's name, `#name` looked up.
fn named(body: &Value, name: &str) -> String {
    if !name.starts_with('#') {
        return name.to_owned();
    }
    let real = body["ExpressionAttributeNames"][name].as_str();
    real.unwrap_or_else(|| panic!("no name {name}")).to_owned()
}

fn valued<'a>(body: &'a Value, name: &str) -> &'a Value {
    let value = body["ExpressionAttributeValues"].get(name);
    value.unwrap_or_else(|| panic!("no value {name}"))
}

/// Whether a condition holds: terms joined by AND, each a comparison for equality or a function.
fn holds(body: &Value, kind: &str, item: Option<&Item>) -> bool {
    let Some(expression) = body[kind].as_str() else {
        return true;
    };
    expression.split(" AND ").all(|term| {
        let function = |name: &str| {
            let inner = term.strip_prefix(name)?.strip_prefix('(')?;
            inner.strip_suffix(')').map(|name| named(body, name))
        };
        if let Some(name) = function("attribute_not_exists") {
            return item.is_none_or(|item| !item.contains_key(&name));
        }
        if let Some(name) = function("attribute_exists") {
            return item.is_some_and(|item| item.contains_key(&name));
        }
        let (name, value) = term
            .split_once(" = ")
            .unwrap_or_else(|| panic!("nothing here understands {term}"));
        let (name, value) = (named(body, name), valued(body, value));
        item.is_some_and(|item| item.get(&name) == Some(value))
    })
}
