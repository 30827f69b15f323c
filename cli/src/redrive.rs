//! `s3-backup redrive`: the function's own work, with the operator's credentials, so that what became
//! of each backup is seen at once.

use std::time::Duration;

use backup_aws::Deadline;
use backup_aws::breakers::Breakers;
use backup_aws::dead::Closing;
use backup_aws::notices::Notices;
use backup_domain::redrive::Request;
use function_redrive::{Item, Redriver};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, say};

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
}

/// Runs one redrive and shows what became of each backup.
pub async fn run(stack: &Stack, global: &Global, arguments: Arguments) -> Result<Verdict, Failure> {
    let request = Request {
        prefix: arguments.prefix,
        key: arguments.key,
        destination: arguments.destination,
        limit: arguments.limit,
        force: arguments.force,
    };
    let spinner = ProgressBar::new_spinner()
        .with_style(ProgressStyle::default_spinner())
        .with_message("starting again what failed");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let redriven = redriver(stack)
        .redrive(&request, Deadline::after(RUN))
        .await;
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
            "{} started, {} started before, {} done already, {} closed, {} held, {} given up, {} rubbish, {} left",
            redriven.started,
            redriven.running,
            redriven.done,
            redriven.closed,
            redriven.held,
            redriven.exhausted,
            redriven.rubbish,
            redriven.left
        ))?;
    }
    let is_well = redriven.is_well();
    if let Some(problem) = redriven.problem {
        return Err(problem.into());
    }
    Ok(if is_well {
        Verdict::Well
    } else {
        Verdict::NotWell
    })
}

fn redriver(stack: &Stack) -> Redriver {
    let (clients, resources) = (&stack.clients, &stack.resources);
    Redriver {
        executions: clients.step_functions(),
        machine: resources.state_machine.clone(),
        attempts_max: resources.redrive_attempts_max,
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
