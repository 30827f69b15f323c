//! An execution that a verb starts and waits for, and the question before it.

use std::io::IsTerminal;
use std::time::Duration;

use backup_aws::restores::{self, State};
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

/// Starts one and waits for its end; meanwhile `look`, which is given its name, moves the bar.
pub async fn follow<C: DeserializeOwned>(
    stack: &Stack,
    machine: &str,
    input: &Value,
    bar: &ProgressBar,
    mut look: impl AsyncFnMut(&str) -> Result<(), Failure>,
) -> Result<Ended<C>, Failure> {
    let client = stack.clients.step_functions();
    let execution = restores::start(&client, machine, input).await?;
    let name = execution.rsplit(':').next().unwrap_or_default();
    loop {
        let ended = match restores::state(&client, &execution).await? {
            State::Running => None,
            State::Ended(course) => Some(Ended::Well(course)),
            State::Failed(cause) => Some(Ended::Badly(cause)),
        };
        if let Some(ended) = ended {
            bar.finish_and_clear();
            return Ok(ended);
        }
        look(name).await?;
        bar.tick();
        tokio::time::sleep(PAUSE).await;
    }
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
