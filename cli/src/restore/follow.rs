//! Starting an execution of the restore machine and waiting for its end.

use backup_aws::{ErrorName, Failure as Refused, restores};
use backup_domain::error::Cause;
use backup_domain::restore::course::{Course, Work};
use backup_domain::restore::request::FOLDER;
use indicatif::ProgressBar;
use serde_json::Value;

use crate::failure::Failure;
use crate::stack::Stack;
use crate::{Global, execution};

/// How an execution ended.
pub type Ended = execution::Ended<Course>;

impl Ended {
    /// Where it ended well.
    pub fn course(&self) -> Option<&Course> {
        match self {
            Self::Well(course) => Some(course),
            Self::Badly(_) => None,
        }
    }

    /// Whether it ended with a report that says what is not back.
    pub fn is_incomplete(&self) -> bool {
        self.has_raised(ErrorName::RestoreIncomplete)
    }

    /// Whether it ended with this error.
    pub fn has_raised(&self, name: ErrorName) -> bool {
        matches!(self, Self::Badly(cause) if cause.error == name.as_str())
    }

    /// Why it ended badly.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Well(_) => None,
            Self::Badly(cause) => Some(cause),
        }
    }

    /// As the end of the verb.
    pub fn failure(&self) -> Failure {
        let (error, message, advice) = match self {
            Self::Badly(cause) => (cause.error.as_str(), &cause.message, &cause.advice),
            Self::Well(course) => return unread(&course.work),
        };
        if error == ErrorName::InvalidRestore.as_str() {
            return Failure::Unmeant {
                message: message.clone(),
                advice: advice.clone(),
            };
        }
        let name = error.parse().unwrap_or(ErrorName::RestoreIncomplete);
        let mut refused = Refused::new(name, format!("{error}: {message}"));
        refused.advice.clone_from(advice);
        Failure::Refused(refused)
    }
}

fn unread(work: &Work) -> Failure {
    let message = format!("the restore in {} ended where it should not", work.folder);
    Failure::Refused(Refused::new(ErrorName::RestoreIncomplete, message))
}

/// Starts, and follows on standard error until the end.
pub async fn follow(
    stack: &Stack,
    global: &Global,
    input: &Value,
    what: &'static str,
) -> Result<Ended, Failure> {
    let machine = &stack.resources.restore_machine;
    let bar = bar(global, what);
    let look = async |name: &str| look(stack, &bar, input, name).await;
    execution::follow(stack, machine, input, &bar, look).await
}

/// Follows one that was started before, by its name or its ARN. Says its input too.
pub async fn watch(stack: &Stack, global: &Global, run: &str) -> Result<(Value, Ended), Failure> {
    let arn = execution::arn(&stack.resources.restore_machine, run);
    let input = restores::input(&stack.clients.step_functions(), &arn).await;
    let input = input.map_err(|refused| unknown(run, refused))?;
    let bar = bar(global, "Following");
    let look = async |name: &str| look(stack, &bar, &input, name).await;
    let ended = execution::watch(stack, &arn, &bar, look).await?;
    Ok((input, ended))
}

fn unknown(run: &str, refused: Refused) -> Failure {
    if matches!(
        refused.code.as_str(),
        "ExecutionDoesNotExist" | "InvalidArn"
    ) {
        return Failure::Unmeant {
            message: format!("there is no run {run} of the restore machine"),
            advice: "name it as the line that begins with \"started\" did".to_owned(),
        };
    }
    Failure::Refused(refused)
}

fn bar(global: &Global, what: &'static str) -> ProgressBar {
    let template = "{spinner} {msg} {elapsed}  {pos} batches of up to 100 objects";
    execution::dressed(global, ProgressBar::new_spinner(), what, template)
}

/// Moves the bar.
async fn look(stack: &Stack, bar: &ProgressBar, input: &Value, name: &str) -> Result<(), Failure> {
    let folder = match (input["plan"].as_str(), input.get("sample")) {
        (Some(folder), _) => folder.to_owned(),
        // A drill plans and restores in one.
        (None, Some(_)) => format!("{FOLDER}{name}/"),
        (None, None) => return Ok(()),
    };
    let work = Work {
        bucket: stack.resources.reports.clone(),
        folder,
    };
    let s3 = stack.clients.home_s3();
    bar.set_position(restores::lines_done(&s3, &work).await?);
    Ok(())
}
