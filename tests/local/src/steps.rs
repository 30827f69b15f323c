//! The steps an execution went through, read from its history.

use std::collections::HashMap;
use std::time::Duration;

use backup_stack::{Cloud, Result, Service};
use serde_json::{Value, json};

/// One state an execution went through.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub state: String,
    /// None while the execution is still in it.
    pub took: Option<Duration>,
}

/// The definition of a state machine.
#[derive(Debug)]
pub struct Machine {
    definition: Value,
}

impl Machine {
    pub fn of(cloud: &Cloud, arn: &str) -> Result<Self> {
        let input = json!({"stateMachineArn": arn});
        let answer = cloud.json(Service::StepFunctions, "DescribeStateMachine", &input)?;
        let definition = answer["definition"].as_str().unwrap_or_default();
        Ok(Self {
            definition: serde_json::from_str(definition).unwrap_or_default(),
        })
    }

    /// The steps of an execution so far, in the order they were entered.
    pub fn steps(&self, cloud: &Cloud, execution: &str) -> Result<Vec<Step>> {
        let input = json!({
            "executionArn": execution,
            "maxResults": 1000,
            "includeExecutionData": false,
        });
        let answer = cloud.json(Service::StepFunctions, "GetExecutionHistory", &input)?;
        let events = answer["events"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(self.steps_of(events))
    }

    fn steps_of(&self, events: &[Value]) -> Vec<Step> {
        let mut steps = Steps::default();
        let mut iteration = None;
        for event in events {
            let kind = event["type"].as_str().unwrap_or_default();
            let at = event["timestamp"].as_f64().unwrap_or_default();
            let entered = event["stateEnteredEventDetails"]["name"].as_str();
            let exited = event["stateExitedEventDetails"]["name"].as_str();
            match (kind, entered, exited) {
                ("MapStateEntered", Some(map), _) => {
                    iteration = Iteration::of(&self.definition["States"][map]);
                }
                ("MapStateExited", ..) => iteration = None,
                // These only route, or say what the execution's status says already.
                (kind, ..) if kind.starts_with("Choice") || kind.starts_with("Fail") => {}
                (_, Some(state), _) => {
                    // AWS tells the states inside a Map itself.
                    iteration = None;
                    steps.enter(state, at);
                }
                (_, _, Some(state)) => steps.exit(state, at),
                _ => {
                    if let Some(inside) = &mut iteration {
                        inside.hear(kind, event, at, &mut steps);
                    }
                }
            }
        }
        steps.list
    }
}

#[derive(Default)]
struct Steps {
    list: Vec<Step>,
    /// States not left yet: where they are in the list, and since when.
    open: HashMap<String, (usize, f64)>,
}

impl Steps {
    fn enter(&mut self, state: &str, at: f64) {
        self.open.insert(state.into(), (self.list.len(), at));
        self.list.push(Step {
            state: state.into(),
            took: None,
        });
    }

    fn exit(&mut self, state: &str, at: f64) {
        if let Some((index, entered)) = self.open.remove(state) {
            let took = Duration::try_from_secs_f64(at - entered);
            self.list[index].took = Some(took.unwrap_or_default());
        }
    }
}

/// Names the tasks inside a Map.
///
/// The local stack tells that a task was scheduled there and how it ended, but not of which state.
/// With a single iteration, as in the demo, the definition tells: this walks along.
struct Iteration<'m> {
    states: &'m Value,
    state: Option<&'m str>,
    attempts: u64,
}

impl<'m> Iteration<'m> {
    fn of(map: &'m Value) -> Option<Self> {
        let processor = &map["ItemProcessor"];
        Some(Self {
            states: &processor["States"],
            state: Some(processor["StartAt"].as_str()?),
            attempts: 0,
        })
    }

    fn hear(&mut self, kind: &str, event: &Value, at: f64, steps: &mut Steps) {
        let Some(name) = self.state else { return };
        let state = &self.states[name];
        match kind {
            "TaskScheduled" => {
                if self.attempts == 0 {
                    steps.enter(name, at);
                }
                self.attempts += 1;
            }
            "TaskSucceeded" => {
                steps.exit(name, at);
                self.go(state["Next"].as_str());
            }
            "TaskFailed" => {
                let error = event["taskFailedEventDetails"]["error"].as_str();
                let error = error.unwrap_or_default();
                if !self.retries(state, error) {
                    steps.exit(name, at);
                    self.go(treats(&state["Catch"], error).and_then(|it| it["Next"].as_str()));
                }
            }
            _ => {}
        }
    }

    /// To the next task; after a Choice it cannot be known which.
    fn go(&mut self, next: Option<&'m str>) {
        self.state = next.filter(|next| self.states[next]["Type"] == "Task");
        self.attempts = 0;
    }

    fn retries(&self, state: &Value, error: &str) -> bool {
        let attempts_max = treats(&state["Retry"], error)
            .map_or(0, |retrier| retrier["MaxAttempts"].as_u64().unwrap_or(3));
        self.attempts <= attempts_max
    }
}

/// The first of the retriers or catchers that is for this error.
fn treats<'m>(list: &'m Value, error: &str) -> Option<&'m Value> {
    list.as_array()?.iter().find(|it| {
        let mut names = it["ErrorEquals"].as_array().into_iter().flatten();
        names.any(|name| name == error || name == "States.ALL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(kind: &str, state: &str, timestamp: f64) -> Value {
        json!({"type": format!("{kind}StateEntered"), "timestamp": timestamp,
            "stateEnteredEventDetails": {"name": state}})
    }

    fn exited(kind: &str, state: &str, timestamp: f64) -> Value {
        json!({"type": format!("{kind}StateExited"), "timestamp": timestamp,
            "stateExitedEventDetails": {"name": state}})
    }

    fn task(kind: &str, timestamp: f64) -> Value {
        json!({"type": format!("Task{kind}"), "timestamp": timestamp})
    }

    fn failed(error: &str, timestamp: f64) -> Value {
        json!({"type": "TaskFailed", "timestamp": timestamp,
            "taskFailedEventDetails": {"error": error}})
    }

    fn step(state: &str, millis: Option<u64>) -> Step {
        Step {
            state: state.into(),
            took: millis.map(Duration::from_millis),
        }
    }

    fn machine() -> Machine {
        let retry = json!([{"ErrorEquals": ["Throttled"], "MaxAttempts": 1}]);
        let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "Park"}]);
        Machine {
            definition: json!({"States": {"Each": {"Type": "Map", "ItemProcessor": {
                "StartAt": "Copy",
                "States": {
                    "Copy": {"Type": "Task", "Next": "Verify", "Retry": retry, "Catch": catch},
                    "Verify": {"Type": "Task", "End": true},
                    "Park": {"Type": "Task", "End": true},
                },
            }}}}),
        }
    }

    #[test]
    fn steps_are_the_working_states_with_their_times() {
        let events = [
            json!({"type": "ExecutionStarted", "timestamp": 0.5}),
            entered("Task", "Filter", 1.0),
            task("Scheduled", 1.0),
            exited("Task", "Filter", 1.25),
            entered("Choice", "Plan", 1.25),
            exited("Choice", "Plan", 1.25),
            entered("Task", "Notify", 1.5),
        ];
        assert_eq!(
            machine().steps_of(&events),
            [step("Filter", Some(250)), step("Notify", None)]
        );
    }

    #[test]
    fn tasks_inside_a_map_are_named_by_the_definition() {
        let events = [
            entered("Map", "Each", 1.0),
            task("Scheduled", 1.0),
            task("Succeeded", 1.5),
            task("Scheduled", 1.5),
            task("Succeeded", 1.75),
            exited("Map", "Each", 1.75),
            entered("Task", "Notify", 1.75),
        ];
        assert_eq!(
            machine().steps_of(&events),
            [
                step("Copy", Some(500)),
                step("Verify", Some(250)),
                step("Notify", None)
            ]
        );
    }

    #[test]
    fn retried_task_is_one_step_and_a_caught_one_leads_to_its_catcher() {
        let events = [
            entered("Map", "Each", 1.0),
            task("Scheduled", 1.0),
            failed("Throttled", 1.25),
            task("Scheduled", 1.5),
            failed("Throttled", 2.0),
            task("Scheduled", 2.0),
        ];
        assert_eq!(
            machine().steps_of(&events),
            [step("Copy", Some(1000)), step("Park", None)]
        );
    }

    #[test]
    fn map_that_tells_its_own_states_is_believed() {
        let events = [
            entered("Map", "Each", 1.0),
            entered("Task", "Copy", 1.0),
            task("Scheduled", 1.0),
            task("Succeeded", 1.5),
            exited("Task", "Copy", 1.5),
        ];
        assert_eq!(machine().steps_of(&events), [step("Copy", Some(500))]);
    }
}
