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
    let (sets, removes) = match expression.strip_prefix("REMOVE ") {
        Some(removes) => ("", removes),
        None => expression
            .split_once(" REMOVE ")
            .unwrap_or((expression, "")),
    };
    let mut before = Item::new();
    let mut touched = |item: &Item, name: &str| {
        if let Some(old) = item.get(name) {
            before.insert(name.to_owned(), old.clone());
        }
    };
    for set in terms(sets.strip_prefix("SET ").unwrap_or(sets)) {
        let (name, value) = set.split_once(" = ").expect("a value to set");
        let (name, value) = (named(body, name), computed(body, value, &item));
        touched(&item, &name);
        item.insert(name, value);
    }
    for name in terms(removes) {
        let name = named(body, name);
        touched(&item, &name);
        item.remove(&name);
    }
    table.items.insert(keys(key), item);
    let shown = body["ReturnValues"] == "UPDATED_OLD" && !before.is_empty();
    let body = if shown {
        json!({"Attributes": before})
    } else {
        json!({})
    };
    Answer::ok(body.to_string())
}

/// What stands between commas, those within brackets left alone.
fn terms(list: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (place, letter) in list.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(list[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(list[start..].trim());
    found.retain(|term| !term.is_empty());
    found
}

/// A value, or `list_append(if_not_exists(name, value), value)`.
fn computed(body: &Value, value: &str, item: &Item) -> Value {
    let call = |name: &str| {
        let inner = value.strip_prefix(name)?.strip_prefix('(')?;
        inner.strip_suffix(')').map(terms)
    };
    if let Some(lists) = call("list_append") {
        let joined: Vec<_> = lists
            .iter()
            .flat_map(|list| {
                computed(body, list, item)["L"]
                    .as_array()
                    .expect("a list")
                    .clone()
            })
            .collect();
        return json!({"L": joined});
    }
    if let Some(either) = call("if_not_exists") {
        let there = item.get(&named(body, either[0]));
        return there.unwrap_or_else(|| valued(body, either[1])).clone();
    }
    valued(body, value).clone()
}

fn query(table: &Table, body: &Value) -> Answer {
    let condition = body["KeyConditionExpression"]
        .as_str()
        .expect("a condition");
    let prefix = match condition {
        "pk = :pk" => "",
        "pk = :pk AND begins_with(sk, :sk)" => valued(body, ":sk")["S"].as_str().expect("a key"),
        _ => panic!("nothing here understands {condition}"),
    };
    let pk = valued(body, ":pk")["S"].as_str().expect("a key").to_owned();
    let all = table.items.range((pk.clone(), String::new())..);
    let found: Vec<_> = all
        .take_while(|((other, _), _)| *other == pk)
        .filter(|((_, sk), _)| sk.starts_with(prefix))
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

/// Whether a condition holds: terms joined by AND, each a comparison for equality, a
/// list or a function.
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
        if let Some((name, values)) = term.split_once(" IN ") {
            let name = named(body, name);
            let values = terms(values.trim_start_matches('(').trim_end_matches(')'));
            let found = item.and_then(|item| item.get(&name));
            return found.is_some_and(|it| values.iter().any(|value| valued(body, value) == it));
        }
        let (name, value) = term
            .split_once(" = ")
            .unwrap_or_else(|| panic!("nothing here understands {term}"));
        let (name, value) = (named(body, name), valued(body, value));
        item.is_some_and(|item| item.get(&name) == Some(value))
    })
}
