//! One state: what its expressions come to, and where it leads.

use std::collections::BTreeMap;

use serde_json::Value;

use super::evaluate::Sight;
use super::flow::{Entry, Walk, Way};
use super::jsonata::expression;
use super::shape::{Maybe, Shape};
use super::walk::{bodies, fields, items};
use super::{Finding, answers, paths};

/// One state, entered.
pub struct Here<'a> {
    pub walk: &'a Walk<'a>,
    pub state: &'a Value,
    pub entry: &'a Entry,
    pub at: String,
}

impl Here<'_> {
    fn sight(&self, more: &[(&str, Shape)]) -> Sight {
        let mut states = BTreeMap::from([
            ("input".to_owned(), Maybe::always(self.entry.input.clone())),
            ("context".to_owned(), Maybe::always(context())),
        ]);
        for (name, shape) in more {
            states.insert((*name).to_owned(), Maybe::always(shape.clone()));
        }
        Sight::new(Shape::Object(states), self.entry.variables.clone())
    }

    fn kind(&self) -> &str {
        self.state["Type"].as_str().unwrap_or_default()
    }

    /// The shape of a field, all expressions in it evaluated.
    fn field(&self, value: &Value, at: &str, sight: &Sight, found: &mut Vec<Finding>) -> Shape {
        match value {
            Value::String(text) => {
                let Some(text) = expression(text) else {
                    return Shape::Text(Some(text.clone()));
                };
                let Ok(tree) = self.walk.reference.tree(text) else {
                    return Shape::Any;
                };
                let at = format!("{}/{at}", self.at);
                let mut report = |says: String| found.push(Finding::new("undefined", &at, says));
                let value = sight.value(tree, &mut report);
                if !value.always {
                    report(format!("{text} may be undefined"));
                }
                value.shape
            }
            Value::Array(values) => {
                let shapes = values.iter().enumerate().map(|(place, value)| {
                    self.field(value, &format!("{at}[{place}]"), sight, found)
                });
                let item = shapes.reduce(|one, other| one.or(&other));
                Shape::List(Box::new(item.unwrap_or(Shape::Any)))
            }
            Value::Object(values) => {
                let evaluated = values.iter().map(|(name, value)| {
                    let shape = self.field(value, &format!("{at}/{name}"), sight, found);
                    (name.clone(), Maybe::always(shape))
                });
                Shape::Object(evaluated.collect())
            }
            other => Shape::of(other),
        }
    }

    /// A field that takes values of one kind.
    fn typed(
        &self,
        field: &str,
        value: &Value,
        sight: &Sight,
        wanted: (&str, fn(&Shape) -> bool),
        found: &mut Vec<Finding>,
    ) -> Shape {
        let before = found.len();
        let shape = self.field(value, field, sight, found);
        let text = value.as_str().and_then(expression);
        let is_read = text.is_none_or(|text| self.walk.reference.tree(text).is_ok());
        // Of what may be undefined, or is no JSONata, that is said already.
        if is_read && found.len() == before && !wanted.1(&shape) {
            let says = format!("{value} is not surely {}", wanted.0);
            found.push(Finding::new("type", &format!("{}/{field}", self.at), says));
        }
        shape
    }

    /// Assign, Output and Next of a state, rule or catcher.
    fn leave(
        &self,
        part: &Value,
        at: &str,
        sight: &Sight,
        otherwise: Shape,
        found: &mut Vec<Finding>,
    ) -> Entry {
        let mut variables = sight.variables.clone();
        for (name, value) in fields(&part["Assign"]) {
            let shape = self.field(value, &format!("{at}Assign/{name}"), sight, found);
            variables.insert(name.clone(), Maybe::always(shape));
        }
        let output = part.get("Output");
        let input = output.map_or(otherwise, |output| {
            self.field(output, &format!("{at}Output"), sight, found)
        });
        Entry { input, variables }
    }

    pub fn jsonata(&self, found: &mut Vec<Finding>) -> Vec<Way> {
        let sight = self.sight(&[]);
        let input = self.entry.input.clone();
        match self.kind() {
            "Choice" => self.choose(&sight, found),
            "Fail" => {
                for name in ["Error", "Cause"] {
                    if let Some(value) = self.state.get(name) {
                        let text = |shape: &Shape| matches!(shape, Shape::Text(_));
                        self.typed(name, value, &sight, ("a string", text), found);
                    }
                }
                vec![]
            }
            "Succeed" => {
                let entry = self.leave(self.state, "", &sight, input, found);
                vec![Way::End(entry.input)]
            }
            "Pass" | "Wait" => {
                for name in ["Seconds", "Timestamp"] {
                    if let Some(value) = self.state.get(name) {
                        self.field(value, name, &sight, found);
                    }
                }
                let entry = self.leave(self.state, "", &sight, input, found);
                vec![way(self.state, entry)]
            }
            _ => {
                let result = self.result(&sight, found);
                let sight = self.sight(&[("result", result.clone())]);
                let entry = self.leave(self.state, "", &sight, result, found);
                let mut ways = vec![way(self.state, entry)];
                let error = error_output();
                let sight = self.sight(&[("errorOutput", error.clone())]);
                for (place, catcher) in items(&self.state["Catch"]).enumerate() {
                    let at = format!("Catch[{place}]/");
                    let entry = self.leave(catcher, &at, &sight, error.clone(), found);
                    ways.push(way(catcher, entry));
                }
                ways
            }
        }
    }

    fn choose(&self, sight: &Sight, found: &mut Vec<Finding>) -> Vec<Way> {
        let mut sight = sight.clone();
        let mut ways = Vec::new();
        for (place, rule) in items(&self.state["Choices"]).enumerate() {
            let at = format!("Choices[{place}]/");
            let boolean = |shape: &Shape| matches!(shape, Shape::Bool);
            let condition = &rule["Condition"];
            let field = format!("{at}Condition");
            self.typed(&field, condition, &sight, ("true or false", boolean), found);
            let tree = condition.as_str().and_then(expression);
            let tree = tree.and_then(|text| self.walk.reference.tree(text).ok());
            let given = |holds| tree.map_or(sight.clone(), |tree| sight.given(tree, holds));
            let chosen = given(true);
            let input = chosen.states.field("input").shape;
            let entry = self.leave(rule, &at, &chosen, input, found);
            ways.push(way(rule, entry));
            sight = given(false);
        }
        let input = sight.states.field("input").shape;
        let entry = self.leave(self.state, "", &sight, input, found);
        if let Some(next) = self.state["Default"].as_str() {
            ways.push(Way::To(next.to_owned(), entry));
        }
        ways
    }

    /// What a Task, Map or Parallel state comes to.
    fn result(&self, sight: &Sight, found: &mut Vec<Finding>) -> Shape {
        if self.kind() != "Task" {
            return self.each(sight, found);
        }
        let arguments = &self.state["Arguments"];
        self.field(arguments, "Arguments", sight, found);
        let resource = self.state["Resource"].as_str().unwrap_or_default();
        match resource.split(":states:::").last().unwrap_or_default() {
            "lambda:invoke" => {
                let arn = arguments["FunctionName"].as_str().unwrap_or_default();
                let function = arn.split(':').next_back().unwrap_or_default();
                let payload = answers::of(function.trim_end_matches("Function")).clone();
                let integer = Maybe::always(Shape::Number);
                Shape::object([("Payload", Maybe::always(payload)), ("StatusCode", integer)])
            }
            "sqs:sendMessage" => Shape::object([("MessageId", Maybe::always(Shape::text()))]),
            _ => Shape::Any,
        }
    }

    /// A Map or Parallel state: its iterations or branches.
    fn each(&self, sight: &Sight, found: &mut Vec<Finding>) -> Shape {
        let mut input = self.entry.input.clone();
        if let Some(value) = self.state.get("Items") {
            let list = |shape: &Shape| matches!(shape, Shape::List(_));
            let shape = self.typed("Items", value, sight, ("an array", list), found);
            input = match shape {
                Shape::List(item) => *item,
                _ => Shape::Any,
            };
        }
        if let Some(selector) = self.state.get("ItemSelector") {
            input = self.field(selector, "ItemSelector", sight, found);
        }
        if self.state.get("ItemReader").is_some() {
            input = answers::line(&self.walk.machine.file);
        }
        let mut out: Option<Shape> = None;
        for body in bodies(self.state) {
            // An execution of its own sees no variables from outside.
            let distributed = body["ProcessorConfig"]["Mode"] == "DISTRIBUTED";
            let variables = if distributed {
                BTreeMap::new()
            } else {
                sight.variables.clone()
            };
            let entry = Entry {
                input: input.clone(),
                variables,
            };
            let result = self.walk.run(body, &self.at, &entry, found);
            out = match (out, result) {
                (Some(one), Some(other)) => Some(one.or(&other)),
                (one, other) => one.or(other),
            };
        }
        Shape::List(Box::new(out.unwrap_or(Shape::Any)))
    }

    pub fn jsonpath(&self, found: &mut Vec<Finding>) -> Vec<Way> {
        let input = &self.entry.input;
        paths::checked(self.state, &self.at, self.entry, found);
        let same = |input: Shape| Entry {
            input,
            variables: self.entry.variables.clone(),
        };
        match self.kind() {
            "Fail" => vec![],
            "Succeed" => vec![Way::End(input.clone())],
            "Pass" | "Wait" | "Choice" => {
                let mut ways: Vec<_> = items(&self.state["Choices"])
                    .map(|rule| way(rule, same(input.clone())))
                    .collect();
                if let Some(next) = self.state["Default"].as_str() {
                    ways.push(Way::To(next.to_owned(), same(input.clone())));
                } else {
                    ways.push(way(self.state, same(input.clone())));
                }
                ways
            }
            _ => {
                let result = self.result(&self.sight(&[]), found);
                let entry = same(paths::placed(self.state, input, &result));
                let mut ways = vec![way(self.state, entry)];
                for catcher in items(&self.state["Catch"]) {
                    let entry = same(paths::placed(catcher, input, &error_output()));
                    ways.push(way(catcher, entry));
                }
                ways
            }
        }
    }
}

/// `Cause` SHOULD be there (Amazon States Language, "Error output"): what says nothing has none.
fn error_output() -> Shape {
    let text = || Maybe::always(Shape::text());
    Shape::object([("Error", text()), ("Cause", text().unless(true))])
}

/// What the Context object always has.
fn context() -> Shape {
    let text = || Maybe::always(Shape::text());
    let execution = Shape::object([
        ("Id", text()),
        ("Input", Maybe::always(Shape::Any)),
        ("Name", text()),
        ("RoleArn", text()),
        ("StartTime", text()),
    ]);
    let state = Shape::object([
        ("EnteredTime", text()),
        ("Name", text()),
        ("RetryCount", Maybe::always(Shape::Number)),
    ]);
    let machine = Shape::object([("Id", text()), ("Name", text())]);
    Shape::object([
        ("Execution", Maybe::always(execution)),
        ("State", Maybe::always(state)),
        ("StateMachine", Maybe::always(machine)),
    ])
}

fn way(part: &Value, entry: Entry) -> Way {
    match part["Next"].as_str() {
        Some(next) => Way::To(next.to_owned(), entry),
        None => Way::End(entry.input),
    }
}
