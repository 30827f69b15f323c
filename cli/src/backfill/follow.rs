//! Starting an execution of the backfill machine and waiting for its end.

use backup_aws::catalog::Run;
use backup_aws::{ErrorName, Failure as Refused};
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::course::Course;
use backup_domain::error::Cause;
use indicatif::ProgressBar;
use serde_json::Value;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, execution};

/// How an execution ended.
pub type Ended = execution::Ended<Course>;

/// Exit code of a backfill that came to no end, as of an audit.
const NO_END: u8 = 7;

/// As the end of the verb, where nothing can be shown.
pub fn refused(ended: &Ended) -> Result<Verdict, Failure> {
    let Ended::Badly(cause) = ended else {
        return Ok(Verdict::Code(NO_END));
    };
    let Cause {
        error,
        message,
        advice,
        ..
    } = cause;
    if error == ErrorName::InvalidBackfill.as_str() {
        return Err(Failure::Unmeant {
            message: message.clone(),
            advice: advice.clone(),
        });
    }
    let Ok(name) = error.parse() else {
        // Stopped by hand, or by its own time limit.
        return Ok(no_end(&format!(
            "the backfill came to no end: {error} {message}"
        )));
    };
    let mut refused = Refused::new(name, message.clone());
    refused.advice.clone_from(advice);
    Err(Failure::Refused(refused))
}

/// Says that there is none, and how to go on.
pub fn no_end(message: &str) -> Verdict {
    Failure::Unmeant {
        message: message.to_owned(),
        advice: "s3-backup status names its run; go on with --resume".to_owned(),
    }
    .tell();
    Verdict::Code(NO_END)
}

/// Starts, and follows on standard error until the end; `run` is what is worked on, where it is
/// planned already.
pub async fn follow(
    stack: &Stack,
    global: &Global,
    input: &Value,
    run: Option<&str>,
) -> Result<Ended, Failure> {
    let machine = &stack.resources.backfill_machine;
    let bar = bar(global, run.is_none());
    execution::follow(stack, machine, input, &bar, async |name| {
        if let Some((run, counts)) = progress(stack, run.unwrap_or(name)).await? {
            let all = counts.ended() + counts.open + counts.left;
            bar.set_length(all.max(run.plan.versions.objects));
            bar.set_position(counts.ended());
        }
        Ok(())
    })
    .await
}

/// A run, and what has become of it: the slices that were gone through, and the lines of the one that is
/// worked on.
pub async fn progress(stack: &Stack, run: &str) -> Result<Option<(Run, Counts)>, Failure> {
    let catalog = stack.catalog();
    let Some(run) = catalog.run(run).await? else {
        return Ok(None);
    };
    let counts = counts(stack, &run).await?;
    Ok(Some((run, counts)))
}

/// What has become of a run.
pub async fn counts(stack: &Stack, run: &Run) -> Result<Counts, Failure> {
    let catalog = stack.catalog();
    let mut counts = Counts::default();
    if run.verdict.is_some() {
        return Ok(run.done);
    }
    let slices = catalog.slices(&run.run).await?;
    for slice in slices.values().filter(|it| it.number != run.slice) {
        counts.add(&slice.counts);
    }
    let lines = catalog.lines(&run.run, run.slice).await?;
    let mut own = Counts::default();
    for line in lines.values() {
        own.add(&line.counts);
    }
    // Of the slice that is worked on, what no line has spoken of yet is left.
    let planned = slices.get(&run.slice).map_or(0, |slice| {
        slice.counts.ended() + slice.counts.open + slice.counts.left
    });
    own.left = planned.saturating_sub(own.ended() + own.open);
    counts.add(&own);
    Ok(counts)
}

fn bar(global: &Global, planning: bool) -> ProgressBar {
    let (message, form) = if planning {
        (
            "Planning",
            "{spinner} {msg} {elapsed}  {len} versions found",
        )
    } else {
        (
            "Backing up",
            "{spinner} {msg} {elapsed}  {wide_bar} {pos} of {len}, {per_sec}, {eta} left",
        )
    };
    execution::dressed(global, ProgressBar::new(0), message, form)
}
