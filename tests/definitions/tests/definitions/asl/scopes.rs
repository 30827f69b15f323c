//! Variables: their names, and which scope has them (AWS Step Functions Developer Guide, "Passing data
//! between states with variables").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;
use super::walk::{assigned, scopes};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 80;

/// A scope has a variable as soon as any state in it assigns it, on whatever path; none inside may
/// assign that name again.
pub fn shadowed(definition: &Value) -> Vec<Finding> {
    let scopes = scopes(definition);
    let names: Vec<BTreeMap<String, String>> = scopes
        .iter()
        .map(|scope| assigned(scope).into_iter().collect())
        .collect();
    let mut found = Vec::new();
    for (place, own) in names.iter().enumerate() {
        let mut outer = scopes[place].outer;
        while let Some(at) = outer {
            for (name, whole) in own {
                if let Some(first) = names[at].get(name) {
                    let says = format!("{name} is assigned by {first} in an enclosing scope");
                    found.push(Finding::new("scope", whole, says));
                }
            }
            outer = scopes[at].outer;
        }
    }
    found
}

/// Names follow Unicode's identifiers, are short, and are nobody else's.
pub fn names(definition: &Value, functions: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, at) in scopes(definition).iter().flat_map(assigned) {
        // Unicode's ID_Start and ID_Continue, of which these are a part: letters and digits suffice.
        let start = name.starts_with(|c: char| c.is_alphabetic());
        let rest = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !start || !rest {
            let says = format!("{name:?} is no identifier");
            found.push(Finding::new("variable-name", &at, says));
        }
        if name.chars().count() > NAME_CHARS_MAX {
            let says = format!("{name} is longer than {NAME_CHARS_MAX} characters");
            found.push(Finding::new("variable-length", &at, says));
        }
        if name == "states" {
            let says = "states is reserved".to_owned();
            found.push(Finding::new("variable-states", &at, says));
        }
        if functions.contains(name.as_str()) {
            let says = format!("{name} is a function of JSONata");
            found.push(Finding::new("variable-function", &at, says));
        }
    }
    found
}
