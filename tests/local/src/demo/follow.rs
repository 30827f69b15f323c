//! Follows the executions of the demo's objects to their end.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use backup_stack::Cloud;

use super::objects::DemoObject;
use super::view::View;
use crate::execution::{self, Execution};
use crate::failure::Result;
use crate::steps::{Machine, Step};

const POLL: Duration = Duration::from_millis(100);
/// A machine that is busy compiling starts Lambda functions slowly.
const PATIENCE: Duration = Duration::from_mins(3);
const EXECUTIONS_MAX: u32 = 100;

/// The execution of one object, as far as it has come; none if none was started.
#[derive(Debug, Default)]
pub struct Followed {
    pub execution: Option<Execution>,
    pub steps: Vec<Step>,
}

impl Followed {
    fn is_over(&self) -> bool {
        self.execution.as_ref().is_some_and(Execution::is_over)
    }
}

/// One entry an object, in their order. Ends early only when patience does.
pub fn to_their_end(cloud: &Cloud, machine: &str, objects: &[DemoObject]) -> Result<Vec<Followed>> {
    let keys: Vec<_> = objects.iter().map(|object| object.key).collect();
    let mut view = View::new(&keys);
    let mut followed: Vec<_> = objects.iter().map(|_| Followed::default()).collect();
    let definition = Machine::of(cloud, machine)?;
    let mut seen = HashSet::new();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && !followed.iter().all(Followed::is_over) {
        for arn in execution::list(cloud, machine, EXECUTIONS_MAX)? {
            if seen.insert(arn.clone()) {
                let execution = execution::describe(cloud, &arn)?;
                if let Some(index) = keys.iter().position(|key| *key == execution.key) {
                    // Its end is looked for below, after its steps.
                    let status = "RUNNING".into();
                    followed[index].execution = Some(Execution {
                        status,
                        ..execution
                    });
                }
            }
        }
        for (index, followed) in followed.iter_mut().enumerate() {
            advance(cloud, &definition, followed, index, &mut view)?;
        }
        thread::sleep(POLL);
    }
    view.close();
    Ok(followed)
}

fn advance(
    cloud: &Cloud,
    machine: &Machine,
    followed: &mut Followed,
    index: usize,
    view: &mut View,
) -> Result<()> {
    let Some(execution) = followed.execution.as_ref().filter(|it| !it.is_over()) else {
        return Ok(());
    };
    // In this order, so that an execution that is over has shown all its steps.
    let execution = execution::describe(cloud, &execution.arn)?;
    followed.steps = machine.steps(cloud, &execution.arn)?;
    if execution.is_over() {
        view.end(index, execution.status == "SUCCEEDED", &followed.steps);
    } else {
        view.steps(index, &followed.steps);
    }
    followed.execution = Some(execution);
    Ok(())
}
