//! An execution that a verb starts and waits for, and the question before it.

use std::io::IsTerminal;
use std::time::Duration;

use backup_aws::restores::{self, State};
use backup_aws::{ErrorName, Failure as Refused};
use backup_domain::error::Cause;
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;
use crate::stack::Stack;
use crate::{Global, say};

/// Between two questions: an execution takes seconds at least.
const PAUSE: Duration = Duration::from_millis(500);

/// How an execution ended.
pub enum Ended<C> {
    /// Well, or planned.
    Well(Box<C>),
    /// Badly.
    Badly(Cause),
}

/// How long AWS may not answer before a verb stops watching; what it watches goes on.
const PATIENCE: Duration = Duration::from_mins(5);
/// Between two questions that AWS does not answer, at most.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// Starts one and waits for its end; meanwhile `look`, which is given its name, moves the bar.
pub async fn follow<C: DeserializeOwned>(
    stack: &Stack,
    machine: &str,
    input: &Value,
    bar: &ProgressBar,
    look: impl AsyncFnMut(&str) -> Result<(), Failure>,
) -> Result<Ended<C>, Failure> {
    let client = stack.clients.step_functions();
    let execution = restores::start(&client, machine, input).await?;
    // Whatever becomes of this program, it can be found again.
    say::aside(&format!("started {execution}"))?;
    watch(stack, &execution, bar, look).await
}

/// Waits for the end of one that was started, as long as it takes. What AWS does not answer is asked
/// again for some minutes.
pub async fn watch<C: DeserializeOwned>(
    stack: &Stack,
    execution: &str,
    bar: &ProgressBar,
    mut look: impl AsyncFnMut(&str) -> Result<(), Failure>,
) -> Result<Ended<C>, Failure> {
    let client = stack.clients.step_functions();
    let name = execution.rsplit(':').next().unwrap_or_default();
    let mut trouble = Trouble::default();
    loop {
        let pause = match restores::state(&client, execution).await {
            Ok(State::Running) => {
                trouble = Trouble::default();
                // The bar is no reason to stop watching.
                if let Err(failure) = look(name).await {
                    bar.set_message(format!("no progress: {failure}"));
                }
                PAUSE
            }
            Ok(State::Ended(course)) => {
                bar.finish_and_clear();
                return Ok(Ended::Well(course));
            }
            Ok(State::Failed(cause)) => {
                bar.finish_and_clear();
                return Ok(Ended::Badly(cause));
            }
            Err(refused) => trouble.pause(refused, execution)?,
        };
        bar.tick();
        tokio::time::sleep(pause).await;
    }
}

/// Answers that did not come, since the last that did.
#[derive(Debug, Default)]
struct Trouble {
    times: u32,
    waited: Duration,
}

impl Trouble {
    /// How long to wait before the next question.
    ///
    /// # Errors
    /// [`Failure::GoesOn`] where another question is of no use, or enough were asked.
    fn pause(&mut self, refused: Refused, execution: &str) -> Result<Duration, Failure> {
        let may_pass = [ErrorName::Throttled, ErrorName::DestinationUnavailable];
        let is_passing =
            may_pass.contains(&refused.name) && refused.code != "ExecutionDoesNotExist";
        if !is_passing || self.waited >= PATIENCE {
            return Err(Failure::GoesOn {
                execution: execution.to_owned(),
                refused,
            });
        }
        let pause = PAUSE.saturating_mul(1 << self.times.min(6)).min(PAUSE_MAX);
        self.times += 1;
        self.waited += pause;
        Ok(pause)
    }
}

/// The ARN of a machine's execution, by its name or its ARN.
pub fn arn(machine: &str, run: &str) -> String {
    if run.starts_with("arn:") {
        return run.to_owned();
    }
    format!(
        "{}:{run}",
        machine.replacen(":stateMachine:", ":execution:", 1)
    )
}

/// Dresses a bar; none is shown beside JSON. On a terminal: indicatif hides it elsewhere by itself.
pub fn dressed(
    global: &Global,
    bar: ProgressBar,
    message: &'static str,
    template: &str,
) -> ProgressBar {
    if global.json {
        return ProgressBar::hidden();
    }
    let bar = bar.with_message(message);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Asks whether a plan is to be carried out. `later` are the options that carry it out another time,
/// `untouched` says what was not done.
pub fn agreed(later: &str, untouched: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Unmeant {
            message: "nobody is there to be asked".to_owned(),
            advice: format!("--yes does not ask; or carry this plan out with {later}"),
        });
    }
    say::ask("Carry this out? Type yes:")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::Unmeant {
        message: "it was not agreed to".to_owned(),
        advice: format!("{untouched}; the plan is kept: {later}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: ErrorName) -> Refused {
        Refused::new(name, "no answer")
    }

    #[test]
    fn what_passes_is_ridden_out_for_some_minutes_and_what_does_not_is_told_at_once() {
        let mut trouble = Trouble::default();
        let mut pauses = 0;
        let failure = loop {
            match trouble.pause(refused(ErrorName::DestinationUnavailable), "arn:x") {
                Ok(pause) => {
                    assert!(pause >= PAUSE && pause <= PAUSE_MAX);
                    pauses += 1;
                }
                Err(failure) => break failure,
            }
        };
        assert!((15..40).contains(&pauses), "{pauses}");
        assert!(failure.to_string().contains("goes on"), "{failure}");
        let over = Trouble::default().pause(refused(ErrorName::AccessDenied), "arn:x");
        assert!(matches!(over, Err(Failure::GoesOn { .. })));
    }

    #[test]
    fn a_run_is_named_by_its_name_or_its_arn() {
        let machine =
            "arn:aws:states:eu-west-1:111122223333:stateMachine:RestoreStateMachine-1A2B3C";
        let execution =
            "arn:aws:states:eu-west-1:111122223333:execution:RestoreStateMachine-1A2B3C:one";
        assert_eq!(arn(machine, "one"), execution);
        assert_eq!(arn(machine, execution), execution);
    }
}
