//! Where states lead (Amazon States Language, "Transitions").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;
use super::walk::{Scope, items, scopes};

/// Characters of the name of a state.
const NAME_CHARS_MAX: usize = 80;

pub fn checked(definition: &Value) -> Vec<Finding> {
    let scopes = scopes(definition);
    let mut found = Vec::new();
    let mut seen: BTreeMap<&String, String> = BTreeMap::new();
    for scope in &scopes {
        transitions(scope, &mut found);
        for (name, _) in scope.states() {
            let at = scope.named(name);
            if name.chars().count() > NAME_CHARS_MAX {
                let says = format!("it is longer than {NAME_CHARS_MAX} characters");
                found.push(Finding::new("state-name", &at, says));
            }
            if let Some(other) = seen.insert(name, at.clone()) {
                let says = format!("{other} has the same name");
                found.push(Finding::new("state-unique", &at, says));
            }
        }
    }
    found
}

/// Every state that a state can lead to, with the field that says so.
pub fn leads(state: &Value) -> Vec<(String, &Value)> {
    let mut all = vec![
        ("Next".to_owned(), &state["Next"]),
        ("Default".to_owned(), &state["Default"]),
    ];
    for field in ["Choices", "Catch"] {
        let parts = items(&state[field]).enumerate();
        all.extend(parts.map(|(place, part)| (format!("{field}[{place}]"), &part["Next"])));
    }
    all.retain(|(_, next)| !next.is_null());
    all
}

fn transitions(scope: &Scope, found: &mut Vec<Finding>) {
    let names: BTreeSet<&str> = scope.states().map(|(name, _)| name.as_str()).collect();
    let start = scope.body["StartAt"].as_str().unwrap_or_default();
    if !names.contains(start) {
        let says = format!("it starts at {start:?}, which is no state of it");
        found.push(Finding::new("start", &scope.named("StartAt"), says));
        return;
    }
    let mut ends = false;
    for (name, state) in scope.states() {
        ends |= state["End"] == true
            || ["Succeed", "Fail"].contains(&state["Type"].as_str().unwrap_or_default());
        for (field, next) in leads(state) {
            let next = next.as_str().unwrap_or_default();
            if !names.contains(next) {
                let at = format!("{}/{field}", scope.named(name));
                let says = format!("{next:?} is no state of its scope");
                found.push(Finding::new("next", &at, says));
            }
        }
    }
    if !ends {
        let says = "no state ends it".to_owned();
        found.push(Finding::new("end", &scope.named("States"), says));
    }
    let mut reached = BTreeSet::from([start]);
    let mut waiting = vec![start];
    while let Some(name) = waiting.pop() {
        let next = leads(&scope.body["States"][name]);
        for next in next.into_iter().filter_map(|(_, next)| next.as_str()) {
            if reached.insert(next) {
                waiting.push(next);
            }
        }
    }
    for name in names.difference(&reached) {
        let says = "no state leads to it".to_owned();
        found.push(Finding::new("unreachable", &scope.named(name), says));
    }
}
