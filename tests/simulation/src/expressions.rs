//! The definition's JSONata, parsed once each.

use std::collections::HashMap;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::{Map, Value};

/// Parsed expressions by their text.
#[derive(Default)]
pub struct Expressions {
    parsed: HashMap<String, AstNode>,
}

impl Expressions {
    /// The value of an expression. As at AWS, one that is undefined fails the state; no state of
    /// ours may come to that.
    ///
    /// # Panics
    /// When it cannot be parsed or evaluated, or is undefined.
    pub fn evaluate(
        &mut self,
        text: &str,
        states: &Value,
        variables: &Map<String, Value>,
    ) -> Value {
        let parsed = self
            .parsed
            .entry(text.to_owned())
            .or_insert_with(|| parser::parse(text).unwrap_or_else(|it| panic!("{text}: {it}")));
        let mut context = Context::new();
        // Binding costs more than evaluating: only what is named is bound.
        if text.contains("$states") {
            context.bind("states".to_owned(), read(states));
        }
        for (name, value) in variables {
            if text.contains(&format!("${name}")) {
                context.bind(name.clone(), read(value));
            }
        }
        let mut evaluator = Evaluator::with_context(context);
        evaluator
            .register_fn("parse", parse)
            .expect("no function of JSONata itself has that name");
        let value = evaluator
            .evaluate(parsed, &JValue::Null)
            .unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert!(
            !value.is_undefined(),
            "{text} is undefined with {variables:?} and {states}"
        );
        written(&value)
    }
}

/// `$parse` of Step Functions (AWS Step Functions Developer Guide, "Transforming data with
/// JSONata").
fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let text = arguments
        .first()
        .and_then(JValue::as_str)
        .unwrap_or_default();
    JValue::from_json_str(text)
        .map_err(|problem| EvaluatorError::EvaluationError(problem.to_string()))
}

fn read(value: &Value) -> JValue {
    JValue::from_json_str(&value.to_string()).expect("JSON")
}

fn written(value: &JValue) -> Value {
    let text = value.to_json_string().expect("JSON");
    serde_json::from_str(&text).expect("JSON")
}
