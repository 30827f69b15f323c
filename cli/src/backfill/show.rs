//! What a backfill would take, and what it has done.

use std::io;

use backup_domain::backfill::course::{Course, Summary};
use backup_domain::backfill::report::{self, Verdict};
use backup_domain::error::Cause;
use backup_domain::plan::size;
use backup_domain::plan::usd;
use serde_json::json;

use crate::{Global, say};

/// What the estimate does not take.
const LEFT_OUT: &str = "not in the cost: storing the copies and the least time that a class bills, KMS requests, annotations, and reading where no checksum is stored";

/// The plan.
pub fn plan(global: &Global, course: &Course) -> io::Result<()> {
    let run = &course.work.run;
    if global.json {
        return say::json(&json!({"planned": course.plan, "run": run}));
    }
    say::line(&format!("{} of the source", course.request.what()))?;
    let mut rows = rows(&course.plan);
    if let Some(begun) = course.plan.inventory_begun {
        let age = course.work.begun.duration_since(begun).as_secs();
        let age = time(u64::try_from(age).unwrap_or_default());
        let text = format!("begun at {begun}, {age} ago: what came since had its own event");
        rows.insert(0, vec!["inventory".to_owned(), text]);
    }
    say::table(&["", "at most"], rows)?;
    say::line("what is in the backup already is not copied again")?;
    say::line(LEFT_OUT)?;
    say::line(&format!("run: {run}"))
}

fn rows(plan: &Summary) -> Vec<Vec<String>> {
    let of = |objects: u64, bytes: u64| format!("{objects}, {}", size(bytes));
    let mut rows = vec![
        ("keys", plan.keys.to_string()),
        ("versions", of(plan.versions.objects, plan.versions.bytes)),
    ];
    for (what, count) in [
        ("delete markers", plan.markers),
        ("versions that no rule wants", plan.skipped),
        ("versions that only a HEAD can tell", plan.unsure),
        ("versions in an archive class", plan.archived),
    ] {
        if count > 0 {
            rows.push((what, count.to_string()));
        }
    }
    rows.push(("copies", of(plan.copies.objects, plan.copies.bytes)));
    if plan.large.objects > 0 {
        let large = of(plan.large.objects, plan.large.bytes);
        rows.push(("copies in parts", large));
    }
    for (what, tally) in [
        ("copies read to prove them", plan.read),
        ("copies read if no checksum is stored", plan.may_read),
    ] {
        if tally.objects > 0 {
            rows.push((what, of(tally.objects, tally.bytes)));
        }
    }
    let estimate = &plan.estimate;
    rows.push(("requests to S3", estimate.requests.to_string()));
    rows.push(("state transitions", estimate.transitions.to_string()));
    rows.push(("cost, by list price", usd(estimate.micro_usd)));
    rows.push(("time", time(estimate.seconds)));
    let row = |(what, text): (&str, String)| vec![what.to_owned(), text];
    rows.into_iter().map(row).collect()
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{}.{} hours", seconds / 3600, seconds % 3600 / 360),
    }
}

/// A backfill that ended well.
pub fn ended(global: &Global, course: &Course) -> io::Result<()> {
    let report = course.report.as_deref().unwrap_or_default();
    let report = format!("s3://{}/{report}", course.work.bucket);
    let verdict = Verdict::of(&course.done);
    if global.json {
        return say::json(&json!({"verdict": verdict, "ended": course.done, "report": report}));
    }
    say::line(&format!("report: {report}"))?;
    say::line(&format!("verdict: {}", report::line(&course.done)))
}

/// A backfill that left something out of the backup.
pub fn incomplete(global: &Global, cause: &Cause, run: &str) -> io::Result<()> {
    if global.json {
        let (verdict, message) = (Verdict::Behind, &cause.message);
        return say::json(&json!({"verdict": verdict, "incomplete": message, "run": run}));
    }
    say::line(&format!("verdict: {}", cause.message))?;
    say::line(&format!(
        "to try again what was left: s3-backup backfill --resume {run}"
    ))
}
