//! `s3-backup drill`, and what `s3-backup status` says of drills.

use std::fmt::Write;

use backup_aws::ErrorName;
use backup_domain::Named;
use backup_domain::plan::size;
use backup_domain::restore::drill::{Drilled, Whole};
use backup_domain::restore::report::verdict;
use backup_domain::restore::sample::Sample;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::restore::follow::{follow, watch};
use crate::stack::Stack;
use crate::{Global, say};

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Objects to restore at most, from 1 to 10,000.
    #[arg(long, value_name = "N", default_value_t = 100)]
    sample: u32,
    /// Chooses the same objects again, as long as the catalog is the same; any text.
    #[arg(long, value_name = "TEXT")]
    seed: Option<String>,
    /// Archived copies too: brought back for money, and in hours.
    #[arg(long)]
    archived: bool,
    /// Watch one that runs, or see how it ended: its name, as the line that begins with "started" says it.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["sample", "seed", "archived"])]
    follow: Option<String>,
}

impl Arguments {
    /// Whether it starts a drill, not only follows one.
    pub const fn starts(&self) -> bool {
        self.follow.is_none()
    }
}

/// Starts a drill, follows it to its end, shows what it came to.
pub async fn run(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
) -> Result<Verdict, Failure> {
    let mut input =
        json!({"sample": {"objects": arguments.sample, "archived": arguments.archived}});
    if let Some(seed) = &arguments.seed {
        input["sample"]["seed"] = json!(seed);
    }
    let ended = if let Some(run) = &arguments.follow {
        watch(stack, global, run).await?.1
    } else {
        if let Err(refused) = Sample::parse(&input) {
            return Err(Failure::Unmeant {
                message: refused.to_string(),
                advice: refused.advice(),
            });
        }
        follow(stack, global, &input, "Drilling").await?
    };
    if let Some(course) = ended.course() {
        let report = course.report.as_deref().unwrap_or_default();
        let report = format!("s3://{}/{report}", course.work.bucket);
        if global.json {
            say::json(&json!({"drilled": course.done, "passed": true, "report": report}))?;
        } else {
            say::line(&format!("drill passed: {}", verdict(&course.done)))?;
            say::line(&format!("report: {report}"))?;
        }
        return Ok(Verdict::Well);
    }
    if !ended.has_raised(ErrorName::DrillFailed) {
        return Err(ended.failure());
    }
    let (message, advice) = ended.cause().map_or(("", ""), |cause| {
        (cause.message.as_str(), cause.advice.as_str())
    });
    if global.json {
        say::json(&json!({"failed": message, "passed": false, "advice": advice}))?;
    } else {
        say::line(&format!("drill FAILED: {message}"))?;
        say::line(&format!("hint: {advice}"))?;
    }
    Ok(Verdict::NotWell)
}

/// Shows the last drill, and how long the whole would take at its pace; not well where it failed.
pub async fn show(stack: &Stack, global: &Global) -> Result<Verdict, Failure> {
    let catalog = stack.catalog();
    let mark = catalog.drills().await?;
    let Some(last) = &mark.last else {
        if !global.json && mark.since.is_some() {
            say::line("no drill has ended yet: s3-backup drill starts one")?;
        }
        return Ok(Verdict::Well);
    };
    let whole = match catalog.items().await {
        Ok(items) => last.whole(items),
        Err(refused) => {
            say::aside(&format!("no estimate of the whole: {}", refused.message))?;
            None
        }
    };
    if global.json {
        say::json(&json!({"drill": last, "succeeded": mark.succeeded, "wholeEstimated": whole}))?;
    } else {
        say::line(&told(last, mark.succeeded))?;
        if let Some(whole) = whole {
            say::line(&estimated(&whole))?;
        }
        if let Some(report) = &last.report {
            say::line(&format!("report: {report}"))?;
        }
    }
    Ok(if last.passed {
        Verdict::Well
    } else {
        Verdict::NotWell
    })
}

fn told(last: &Drilled, succeeded: Option<Timestamp>) -> String {
    let word = if last.passed { "passed" } else { "FAILED" };
    let came_to = match &last.report {
        Some(_) => verdict(&last.done),
        None => format!("it came to no end, see {}", last.execution),
    };
    // Whole seconds are enough for people.
    let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    let mut line = format!(
        "last drill: {}, {word} in {} s: {came_to}",
        whole(last.ended),
        last.seconds()
    );
    if !last.passed {
        let before = succeeded.map_or("never".to_owned(), |at| whole(at).to_string());
        // Writing to a String cannot fail.
        let _ = write!(line, "; the last that passed: {before}");
    }
    line
}

fn estimated(whole: &Whole) -> String {
    let seconds = i64::try_from(whole.seconds).unwrap_or(i64::MAX);
    let time = SignedDuration::from_secs(seconds.max(1));
    format!(
        "at its pace all keys (at most {}, {}) would take some {time:#} to copy (an estimate; planning comes before)",
        whole.keys,
        size(whole.bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_is_told_in_one_line_and_the_whole_as_an_estimate() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let failed = Drilled::unfinished("arn:x", at(0), at(5));
        assert_eq!(
            told(&failed, Some(at(1))),
            "last drill: 1970-01-01T00:00:05Z, FAILED in 5 s: it came to no end, see arn:x; the last that passed: 1970-01-01T00:00:01Z"
        );
        let whole = Whole {
            keys: 2_000_000,
            bytes: 3 << 30,
            seconds: 3700,
        };
        assert_eq!(
            estimated(&whole),
            "at its pace all keys (at most 2000000, 3.0 GiB) would take some 1h 1m 40s to copy (an estimate; planning comes before)"
        );
    }
}
