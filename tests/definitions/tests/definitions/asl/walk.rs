//! A definition as scopes, states and the edges between them.

use serde_json::{Map, Value};

/// The states of one `States` field (Amazon States Language, "Variable Scope").
pub struct Scope<'a> {
    /// Names of the states that lead inside, joined by `/`; empty at the top.
    pub at: String,
    /// The object that has `StartAt` and `States`.
    pub body: &'a Value,
    /// Place of the enclosing scope.
    pub outer: Option<usize>,
    /// Whether each of its iterations is an execution of its own.
    pub distributed: bool,
}

impl<'a> Scope<'a> {
    pub fn states(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.body["States"].as_object().into_iter().flatten()
    }

    /// A state of the scope, for a finding.
    pub fn named(&self, state: &str) -> String {
        if self.at.is_empty() {
            state.to_owned()
        } else {
            format!("{}/{state}", self.at)
        }
    }
}

/// The top scope, and every scope inside.
pub fn scopes(definition: &Value) -> Vec<Scope<'_>> {
    let mut found = vec![Scope {
        at: String::new(),
        body: definition,
        outer: None,
        distributed: false,
    }];
    let mut next = 0;
    while next < found.len() {
        for (name, state) in found[next].states() {
            for body in bodies(state) {
                found.push(Scope {
                    at: found[next].named(name),
                    body,
                    outer: Some(next),
                    distributed: body["ProcessorConfig"]["Mode"] == "DISTRIBUTED",
                });
            }
        }
        next += 1;
    }
    found
}

/// What a Map or Parallel state runs.
pub fn bodies(state: &Value) -> Vec<&Value> {
    let fields = ["ItemProcessor", "Iterator"];
    let mut bodies: Vec<_> = fields.iter().filter_map(|name| state.get(name)).collect();
    bodies.extend(items(&state["Branches"]));
    bodies
}

/// The elements of an array; nothing where there is none.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The fields of an object; nothing where there is none.
pub fn fields(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter)
}

/// Every `Assign` of a state, with where it is.
pub fn assigns(state: &Value) -> Vec<(String, &Value)> {
    let mut found = vec![("Assign".to_owned(), &state["Assign"])];
    for field in ["Catch", "Choices"] {
        found.extend(
            items(&state[field])
                .enumerate()
                .map(|(place, one)| (format!("{field}[{place}]/Assign"), &one["Assign"])),
        );
    }
    found.retain(|(_, assign)| !assign.is_null());
    found
}

/// Names that the states of a scope assign, each with where.
pub fn assigned(scope: &Scope) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, state) in scope.states() {
        for (field, assign) in assigns(state) {
            for variable in fields(assign).map(|(variable, _)| variable) {
                // JSONPath marks an evaluated value in the name.
                let variable = variable.trim_end_matches(".$").to_owned();
                found.push((variable, format!("{}/{field}", scope.named(name))));
            }
        }
    }
    found
}

/// Whether the state is written in JSONata: by its own field, else by that of the whole machine.
pub fn is_jsonata(definition: &Value, state: &Value) -> bool {
    let own = state.get("QueryLanguage");
    own.or(definition.get("QueryLanguage"))
        .is_some_and(|language| language == "JSONata")
}
