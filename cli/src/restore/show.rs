//! What a restore would do, and what it has done.

use std::io;

use backup_domain::plan::size;
use backup_domain::plan::usd;
use backup_domain::restore::course::{Course, Summary};
use backup_domain::restore::report::verdict;
use serde_json::json;

use super::follow::Ended;
use crate::{Global, say};

/// The plan.
pub fn plan(global: &Global, course: &Course) -> io::Result<()> {
    if global.json {
        return say::json(&json!({"planned": course.plan, "folder": course.work.folder}));
    }
    let (request, plan) = (&course.request, &course.plan);
    let to = format!("s3://{}/{}", request.to.bucket, request.to.prefix);
    let what = request.what();
    say::line(&format!("{what} as of {} to {to}", request.at))?;
    if request.key.is_none() {
        let scope = request.scope();
        say::line(&format!("a key {scope}… becomes {to}{scope}…"))?;
    } else {
        say::line(&format!("it becomes {to}{}", request.scope()))?;
    }
    say::table(&["", ""], rows(plan))?;
    for unknown in &plan.unknown {
        say::line(&format!("not known: {unknown}"))?;
    }
    if let Some(expired) = plan.expired() {
        say::line(&format!("expired: {expired}"))?;
    }
    for left in &plan.named {
        say::line(&format!("{:?}: {}: {}", left.outcome, left.key, left.why))?;
    }
    say::line(&format!("plan: {}", course.work.folder))
}

fn rows(plan: &Summary) -> Vec<Vec<String>> {
    let estimate = &plan.estimate;
    let copy = format!("{}, {}", plan.copy.objects, size(plan.copy.bytes));
    let mut rows = vec![("objects to copy", copy)];
    let mut counted = |what, count: u64| {
        if count > 0 {
            rows.push((what, count.to_string()));
        }
    };
    counted("of these, from an archive class", plan.archived.objects);
    counted("of these, over something that may differ", plan.covered);
    counted("already there", plan.same);
    counted("to hide behind delete markers", plan.hide);
    counted("not there at that moment", plan.absent);
    counted("conflicts: left as they are", plan.conflicts);
    counted("without a copy in the backup", plan.missing);
    counted("with too long a key at the target", plan.too_long);
    rows.push(("requests to S3", estimate.requests.to_string()));
    rows.push(("estimated cost, by list price", usd(estimate.micro_usd)));
    rows.push(("estimated time", time(estimate.seconds)));
    if estimate.archive_hours_max > 0 {
        let hours = format!("up to {} hours", estimate.archive_hours_max);
        rows.push(("before that, for the archive", hours));
    }
    let row = |(what, text): (&str, String)| vec![what.to_owned(), text];
    rows.into_iter().map(row).collect()
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

/// A restore that ended well.
pub fn ended(global: &Global, course: &Course) -> io::Result<()> {
    let report = course.report.as_deref().unwrap_or_default();
    let report = format!("s3://{}/{report}", course.work.bucket);
    if global.json {
        return say::json(&json!({"ended": course.done, "report": report}));
    }
    say::line(&verdict(&course.done))?;
    say::line(&format!("report: {report}"))
}

/// A restore that did not bring back everything.
pub fn incomplete(global: &Global, ended: &Ended, folder: &str) -> io::Result<()> {
    let message = ended.cause().map(|cause| cause.message.as_str());
    if global.json {
        return say::json(&json!({"incomplete": message, "folder": folder}));
    }
    say::line(message.unwrap_or_default())?;
    say::line(&format!(
        "to try again what failed: s3-backup restore --plan {folder}"
    ))
}
