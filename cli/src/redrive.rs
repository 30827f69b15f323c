//! `s3-backup redrive`: the function's own work, with the operator's credentials, so that what became
//! of each backup is seen at once.

use std::time::Duration;

use backup_aws::Deadline;
use backup_aws::breakers::Breakers;
use backup_aws::dead::Closing;
use backup_aws::notices::Notices;
use backup_domain::redrive::Request;
use function_redrive::{Item, Redriven, Redriver};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, execution, say};

/// One run lasts so long at most: messages are hidden from others for six minutes. What is left goes
/// with the next.
const RUN: Duration = Duration::from_mins(5);

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only objects whose key begins so.
    #[arg(long, value_name = "KEY")]
    prefix: Option<String>,
    /// Only the object of exactly this key.
    #[arg(long)]
    key: Option<String>,
    /// Only what failed at this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Start so many executions at most.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// Start too what was given up after too many attempts.
    #[arg(long)]
    force: bool,
    /// Start nothing: take off what failed and is wanted no more, given up or not. Asks first.
    #[arg(long, conflicts_with = "force")]
    dismiss: bool,
    /// Dismiss without asking.
    #[arg(long, requires = "dismiss")]
    yes: bool,
}

/// Redrives until all has had its turn, and shows what became of each backup.
pub async fn run(stack: &Stack, global: &Global, arguments: Arguments) -> Result<Verdict, Failure> {
    let request = Request {
        prefix: arguments.prefix,
        key: arguments.key,
        destination: arguments.destination,
        limit: arguments.limit,
        force: arguments.force,
        dismiss: arguments.dismiss,
        by_the_clock: false,
    };
    if request.dismiss && !arguments.yes {
        agreed(&request)?;
    }
    let spinner = ProgressBar::new_spinner()
        .with_style(ProgressStyle::default_spinner())
        .with_message(if request.dismiss {
            "taking off what failed"
        } else {
            "starting again what failed"
        });
    spinner.enable_steady_tick(Duration::from_millis(100));
    let redriven = to_the_end(&redriver(stack), request).await;
    spinner.finish_and_clear();
    if global.json {
        for item in &redriven.items {
            say::json(item)?;
        }
        say::json(&json!({"summary": redriven}))?;
    } else {
        if !redriven.items.is_empty() {
            let header = ["outcome", "object", "destination", "execution or reason"];
            say::table(&header, redriven.items.iter().map(row))?;
        }
        say::line(&format!(
            "{} started, {} started before, {} done already, {} closed, {} held, {} given up, {} dismissed, {} rubbish, {} left",
            redriven.started,
            redriven.running,
            redriven.done,
            redriven.closed,
            redriven.held,
            redriven.exhausted,
            redriven.dismissed,
            redriven.rubbish,
            redriven.left
        ))?;
    }
    let is_well = redriven.is_well();
    match redriven.problem {
        // Nothing was done: AWS let it not even begin.
        Some(problem) if redriven.looked == 0 => return Err(problem.into()),
        Some(problem) => say::aside(&format!(
            "the first of what is left: {}: {}",
            problem.name, problem.message
        ))?,
        None => {}
    }
    Ok(if is_well {
        Verdict::Well
    } else {
        Verdict::NotWell
    })
}

/// Run after run, until none is cut short by its time.
async fn to_the_end(redriver: &Redriver, mut request: Request) -> Redriven {
    let mut all = Redriven::default();
    loop {
        let run = redriver.redrive(&request, Deadline::after(RUN)).await;
        let done = run.started + run.dismissed;
        request.limit = request.limit.map(|limit| limit.saturating_sub(done));
        let goes_on = run.more && run.problem.is_none();
        all.add(run);
        if !goes_on {
            return all;
        }
    }
}

fn agreed(request: &Request) -> Result<(), Failure> {
    let of_what = if request.is_filtered() {
        "what failed and is asked for"
    } else {
        "ALL that failed, and all messages of the dead-letter queue,"
    };
    say::aside(&format!(
        "{of_what} is taken off: no redrive starts it any more, and nothing counts it. What is not in the backup stays out of it."
    ))?;
    execution::agreed("--dismiss --yes", "nothing was dismissed")
}

fn redriver(stack: &Stack) -> Redriver {
    let (clients, resources) = (&stack.clients, &stack.resources);
    Redriver {
        executions: clients.step_functions(),
        machine: resources.state_machine.clone(),
        attempts_max: resources.redrive_attempts_max,
        every: SignedDuration::ZERO,
        breakers: Breakers::new(stack.catalog(), resources.breaker.into()),
        closing: Closing {
            catalog: stack.catalog(),
            sqs: clients.sqs(),
            queue: resources.queue.clone(),
            notices: Notices {
                sns: clients.sns(),
                topic: resources.topic.clone(),
                catalog: stack.catalog(),
                window: SignedDuration::from_mins(resources.digest_minutes),
            },
            region: stack.region(),
        },
    }
}

fn row(item: &Item) -> Vec<String> {
    let dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    vec![
        item.outcome.to_owned(),
        item.object.clone(),
        dash(&item.destination),
        dash(&item.detail),
    ]
}
