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
        "Scan" => scan(table, &body),
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
    let [sets, removes, adds] = ["SET", "REMOVE", "ADD"].map(|word| clause(expression, word));
    let mut before = Item::new();
    let mut touched = |item: &Item, name: &str| {
        if let Some(old) = item.get(name) {
            before.insert(name.to_owned(), old.clone());
        }
    };
    for set in terms(sets) {
        let (name, value) = set.split_once(" = ").expect("a value to set");
        let (name, value) = (named(body, name), computed(body, value, &item));
        touched(&item, &name);
        item.insert(name, value);
    }
    for add in terms(adds) {
        let (name, value) = add.split_once(' ').expect("a number to add");
        let name = named(body, name);
        let sum = number(item.get(&name)).unwrap_or(0.0)
            + number(Some(valued(body, value))).expect("a number");
        item.insert(name, json!({"N": sum.to_string()}));
    }
    for name in terms(removes) {
        let name = named(body, name);
        touched(&item, &name);
        item.remove(&name);
    }
    let shown = match body["ReturnValues"].as_str() {
        Some("UPDATED_OLD") if !before.is_empty() => Some(before),
        Some("ALL_NEW") => Some(item.clone()),
        _ => None,
    };
    table.items.insert(keys(key), item);
    let body = shown.map_or(json!({}), |shown| json!({"Attributes": shown}));
    Answer::ok(body.to_string())
}

/// What follows a word of an update expression, up to the next.
fn clause<'a>(expression: &'a str, word: &str) -> &'a str {
    let start = match expression.strip_prefix(word) {
        Some(rest) => rest,
        None => match expression.split_once(&format!(" {word} ")) {
            Some((_, rest)) => rest,
            None => return "",
        },
    };
    let words = [" SET ", " REMOVE ", " ADD "];
    let end = words.iter().filter_map(|next| start.find(next)).min();
    &start[..end.unwrap_or(start.len())]
}

fn number(value: Option<&Value>) -> Option<f64> {
    value?["N"].as_str()?.parse().ok()
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

/// A value, an attribute, or `list_append(if_not_exists(name, value), value)`.
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
    if value.starts_with(':') {
        return valued(body, value).clone();
    }
    item[&named(body, value)].clone()
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

/// Items of one page: few, so that there is a next one.
const PAGE: usize = 2;

/// A page of the table, or of a sparse index.
fn scan(table: &Table, body: &Value) -> Answer {
    let from = body["ExclusiveStartKey"].as_object().map(keys);
    let attribute = match body["IndexName"].as_str() {
        None => "pk",
        Some("by-owed") => "owedAfter",
        Some("by-open") => "open",
        Some(other) => panic!("no index {other}"),
    };
    let in_index = |item: &Item| item.contains_key(attribute);
    let all = table.items.iter().filter(|(_, item)| in_index(item));
    let rest = all.filter(|(keys, _)| from.as_ref().is_none_or(|from| *keys > from));
    let rest: Vec<_> = rest.map(|(_, item)| item).collect();
    let page = &rest[..rest.len().min(PAGE)];
    let found: Vec<_> = page
        .iter()
        .filter(|item| holds(body, "FilterExpression", Some(item)))
        .collect();
    let mut answer = json!({"Items": found, "Count": found.len()});
    if let Some(last) = page.last().filter(|_| rest.len() > PAGE) {
        answer["LastEvaluatedKey"] = json!({"pk": last["pk"], "sk": last["sk"]});
    }
    Answer::ok(answer.to_string())
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

/// Whether a condition holds: terms joined by OR, AND and brackets, each a comparison, a list or a
/// function.
fn holds(body: &Value, kind: &str, item: Option<&Item>) -> bool {
    body[kind].as_str().is_none_or(|it| is_true(body, it, item))
}

fn is_true(body: &Value, expression: &str, item: Option<&Item>) -> bool {
    let expression = expression.trim();
    for (word, all) in [(" OR ", false), (" AND ", true)] {
        let mut parts = split(expression, word).into_iter().peekable();
        let first = parts.next().unwrap_or_default();
        if parts.peek().is_some() {
            let mut parts = std::iter::once(first).chain(parts);
            let mut holds = |part| is_true(body, part, item);
            return if all {
                parts.all(&mut holds)
            } else {
                parts.any(&mut holds)
            };
        }
    }
    match expression
        .strip_prefix('(')
        .and_then(|it| it.strip_suffix(')'))
    {
        Some(inner) => is_true(body, inner, item),
        None => term_holds(body, expression, item),
    }
}

/// Splits at a word that stands outside brackets.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (place, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && place >= start && expression[place..].starts_with(word) => {
                found.push(&expression[start..place]);
                start = place + word.len();
            }
            _ => {}
        }
    }
    found.push(&expression[start..]);
    found
}

fn term_holds(body: &Value, term: &str, item: Option<&Item>) -> bool {
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
    let there = |name: &str| item.and_then(|item| item.get(&named(body, name)));
    if let Some((name, values)) = term.split_once(" IN ") {
        let values = terms(values.trim_start_matches('(').trim_end_matches(')'));
        return there(name).is_some_and(|it| values.iter().any(|value| valued(body, value) == it));
    }
    if let Some((name, value)) = term.split_once(" < ") {
        if let (Some(left), Some(right)) = (
            there(name).and_then(|it| it["S"].as_str()),
            valued(body, value)["S"].as_str(),
        ) {
            return left < right;
        }
        let size = name
            .strip_prefix("size(")
            .and_then(|it| it.strip_suffix(')'));
        let left = match size {
            Some(name) => there(name)
                .and_then(|it| Some(f64::from(u32::try_from(it["L"].as_array()?.len()).ok()?))),
            None => number(there(name)),
        };
        let right = number(Some(valued(body, value)));
        return left.zip(right).is_some_and(|(left, right)| left < right);
    }
    if let Some((name, value)) = term.split_once(" <> ") {
        return there(name) != Some(valued(body, value));
    }
    let (name, value) = term
        .split_once(" = ")
        .unwrap_or_else(|| panic!("nothing here understands {term}"));
    there(name) == Some(valued(body, value))
}
