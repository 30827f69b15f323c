//! What a condition says of what it names: behind `$exists($x) ?` there is an `$x`.

use serde_json::Value;

use super::evaluate::Sight;
use super::shape::{Maybe, Shape};

impl Sight {
    /// What is seen where a condition holds, or does not.
    pub fn given(&self, condition: &Value, holds: bool) -> Self {
        let mut sight = self.clone();
        sight.learn(condition, holds);
        sight
    }

    fn learn(&mut self, condition: &Value, holds: bool) {
        let (lhs, rhs) = (&condition["lhs"], &condition["rhs"]);
        let called = |tree: &Value| tree["procedure"]["value"].as_str().map(str::to_owned);
        let argument = |tree: &Value| tree["arguments"][0].clone();
        let called = |tree: &Value| called(tree).unwrap_or_default();
        match (
            condition["type"].as_str().unwrap_or_default(),
            condition["value"].as_str().unwrap_or_default(),
        ) {
            ("function", _) => match called(condition).as_str() {
                // A function of nothing is undefined, which is not true.
                "exists" | "contains" if holds => self.prove(&argument(condition)),
                "not" => self.learn(&argument(condition), !holds),
                _ => {}
            },
            ("block", _) => {
                let parts = condition["expressions"].as_array();
                if let Some([only]) = parts.map(Vec::as_slice) {
                    self.learn(only, holds);
                }
            }
            ("binary", "and") if holds => {
                self.learn(lhs, true);
                self.learn(rhs, true);
            }
            ("binary", "or") if !holds => {
                self.learn(lhs, false);
                self.learn(rhs, false);
            }
            ("binary", operator @ ("=" | ">")) if called(lhs) == "count" => {
                let some = if operator == ">" { holds } else { !holds };
                if some && rhs["value"] == 0 {
                    self.prove(&argument(lhs));
                }
            }
            ("binary", "=") if holds && called(lhs) == "type" => {
                let subject = argument(lhs);
                self.prove(&subject);
                if rhs["value"] == "string" {
                    self.shape(&subject, &Shape::text());
                }
            }
            ("binary", "=") if holds => {
                if let (Some(path), Some(text)) = (written(lhs), rhs["value"].as_str()) {
                    self.prove(lhs);
                    self.being(&path, text);
                }
            }
            _ => {}
        }
    }

    /// A path is there, and so is everything that it leads through.
    fn prove(&mut self, tree: &Value) {
        let Some(path) = written(tree) else { return };
        let names: Vec<_> = path.split('.').collect();
        for end in 1..=names.len() {
            self.proven.insert(names[..end].join("."));
        }
        self.change(&path, Shape::with);
    }

    fn being(&mut self, path: &str, text: &str) {
        self.change(path, |shape, rest| shape.being(rest, text));
    }

    fn shape(&mut self, tree: &Value, shape: &Shape) {
        if let Some(path) = written(tree)
            && let Some(value) = self.variables.get_mut(&path)
        {
            value.shape = shape.clone();
        }
    }

    fn change(&mut self, path: &str, change: impl Fn(&Shape, &[&str]) -> Shape) {
        let names: Vec<_> = path.split('.').collect();
        if names[0] == "states" {
            self.states = change(&self.states, &names[1..]);
        } else if let Some(value) = self.variables.get_mut(names[0]) {
            *value = Maybe::always(change(&value.shape, &names[1..]));
        }
    }
}

/// Whether a path begins with this variable.
pub fn is_of(path: &str, variable: &str) -> bool {
    path.split('.').next() == Some(variable)
}

/// `failure.Cause` of `$failure.Cause`; nothing of a path that is more than names.
pub fn written(tree: &Value) -> Option<String> {
    let plain = |step: &Value| step.get("predicate").is_none() && step.get("stages").is_none();
    match tree["type"].as_str()? {
        "variable" if plain(tree) => tree["value"].as_str().map(str::to_owned),
        "path" => {
            let steps = tree["steps"].as_array()?;
            let first = &steps[0];
            let rest = steps[1..].iter().all(|step| step["type"] == "name");
            if first["type"] != "variable" || !rest || !steps.iter().all(plain) {
                return None;
            }
            let names = steps.iter().map(|step| step["value"].as_str());
            Some(names.collect::<Option<Vec<_>>>()?.join("."))
        }
        _ => None,
    }
}
