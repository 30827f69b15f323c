//! Rules of Step Functions that the interpreter keeps, so that an execution that breaks one is seen.

use std::rc::Rc;

use backup_simulation::machine::Machine;
use backup_simulation::world::World;
use serde_json::{Value, json};
use tokio::task::LocalSet;

/// One state that assigns `x`, then a Map over two items whose state has these fields too.
fn run(inner: &Value) -> Result<Value, (String, String)> {
    let mut one = json!({"Type": "Pass", "Output": "{% $x %}", "End": true});
    let fields = inner.as_object().expect("fields").clone();
    one.as_object_mut().expect("a state").extend(fields);
    let definition = json!({"StartAt": "First", "States": {
        "First": {"Type": "Pass", "Assign": {"x": 7}, "Next": "Each"},
        "Each": {"Type": "Map", "Items": [1, 2], "End": true,
            "ItemProcessor": {"StartAt": "One", "States": {"One": one}}},
    }});
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let machine = Machine::new(Rc::new(definition), World::new(1, 0));
    let execution = machine.execute(json!({}), "arn".to_owned(), "now".to_owned());
    runtime.block_on(LocalSet::new().run_until(execution))
}

#[test]
fn an_inner_scope_reads_what_an_outer_one_has_assigned() {
    assert_eq!(run(&json!({"Assign": {"y": 1}})), Ok(json!([7, 7])));
}

#[test]
#[should_panic(expected = "One assigns x of an outer scope")]
fn an_inner_scope_does_not_assign_it() {
    let _ = run(&json!({"Assign": {"x": 1}}));
}

#[test]
#[should_panic(expected = "$x.y is undefined")]
fn an_expression_that_is_undefined_fails() {
    let _ = run(&json!({"Output": "{% $x.y %}"}));
}
