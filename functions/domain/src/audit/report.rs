//! What an audit tells: a page for people, a document and metrics for machines, and a message.

use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::finding::{Finding, Kind, Verdict, Weight};
use super::progress::{Progress, folder, page_key};
use super::repair::{STARTS_MAX, mends};
use super::request::{Level, Request};
use super::totals::{Destination, Pending, Totals};
use crate::error::{Cause, printable};
use crate::message::Message;

/// Namespace of the metrics.
pub const NAMESPACE: &str = "S3Backup";

/// What an audit came to: `report.json`, and the output of the state machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Name of the run.
    pub run: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What the whole means, where numbers alone would mislead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What was asked for.
    pub request: Request,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Bucket of the report.
    pub report_bucket: String,
    /// Parts of the findings, JSON Lines, `<folder>findings/000001.jsonl` and on.
    pub parts: u32,
    /// Folder of all documents of the run.
    pub folder: String,
    /// Executions that a repair started.
    pub started: u64,
    /// Why it came to no end, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What was counted.
    pub totals: Totals,
}

impl Summary {
    /// Of a run that ended, or of one that came to no end for `cause`.
    pub fn of(
        progress: &Progress,
        report_bucket: &str,
        started: u64,
        cause: Option<Cause>,
        now: Timestamp,
    ) -> Self {
        let totals = progress.totals.clone();
        let verdict = match &cause {
            Some(_) => Verdict::Unfinished,
            None => totals.verdict(),
        };
        Self {
            remarks: remarks(progress),
            run: progress.run.clone(),
            verdict,
            request: progress.request.clone(),
            begun: progress.begun,
            ended: now,
            report_bucket: report_bucket.to_owned(),
            parts: progress.parts,
            folder: folder(&progress.run),
            started,
            cause,
            totals,
        }
    }
}

/// What numbers alone would not say.
fn remarks(progress: &Progress) -> Vec<String> {
    let totals = &progress.totals;
    let mut remarks = Vec::new();
    for it in &progress.inventories {
        let side = it.destination.as_deref().unwrap_or("the source");
        let (created, at) = (it.created, &it.at);
        remarks.push(format!(
            "By the inventory of {side} from {created}, {at}; what changed since, and what it does not \
             cover, was not looked at."
        ));
    }
    let copies: u64 = totals.destinations.values().map(|it| it.copies).sum();
    if totals.points == 0 && copies > 0 {
        remarks.push(
            "The catalog holds no recovery point, yet the backup holds copies: restore the catalog \
             from its own backup (point-in-time recovery) before anything else."
                .to_owned(),
        );
    }
    if totals.versions == 0 {
        remarks.push("The source lists no version under this prefix.".to_owned());
    }
    if totals.archived > 0 {
        remarks.push(format!(
            "{} copies lie in an archive class and were not read.",
            totals.archived
        ));
    }
    let mendable = Kind::ALL.iter().filter(|kind| mends(**kind).is_some());
    let mendable: u64 = mendable.map(|kind| totals.count(*kind)).sum();
    if progress.request.repair && mendable > STARTS_MAX {
        remarks.push(format!(
            "{mendable} versions are to be mended, and a repair starts {STARTS_MAX} of them: s3-backup \
             backfill brings in the rest at a bounded pace; then audit again."
        ));
    }
    let by_listings = progress.inventories.is_empty();
    for (name, own) in &totals.destinations {
        if own.wanted > 0 && own.safe == 0 && totals.points > 0 && by_listings {
            remarks.push(format!("Nothing of the source is safe at {name}."));
        }
    }
    remarks
}

/// The page for people, Markdown.
pub fn page(summary: &Summary) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, summary);
    page
}

fn write_page(page: &mut String, summary: &Summary) -> std::fmt::Result {
    let totals = &summary.totals;
    writeln!(
        page,
        "# Audit {}: {}\n",
        summary.run,
        summary.verdict.as_str()
    )?;
    if let Some(cause) = &summary.cause {
        let (error, message) = (&cause.error, printable(&cause.message));
        writeln!(
            page,
            "It came to no end: {error}: {message}\n\nNext: {}\n",
            cause.advice
        )?;
    }
    for remark in &summary.remarks {
        writeln!(page, "**{remark}**\n")?;
    }
    let level = match summary.request.level {
        Level::Listing => "listings and catalog",
        Level::Checksums => "listings, catalog, stored checksums, tags",
        Level::Read => "listings, catalog, stored checksums, tags, and the bytes of the copies",
    };
    let slice = summary.request.slice.as_deref();
    let slice = slice
        .map(|it| format!(", beyond listings part {it}"))
        .unwrap_or_default();
    writeln!(
        page,
        "Looked at: {level}{slice}. From {} to {}.",
        summary.begun, summary.ended
    )?;
    writeln!(
        page,
        "{} keys, {} versions at the source, {} recovery points, {} copies read ({} bytes).\n",
        totals.keys, totals.versions, totals.points, totals.read, totals.read_bytes
    )?;
    writeln!(
        page,
        "| destination | wanted | safe | not safe yet | still under way | copies there |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    for (name, own) in &totals.destinations {
        let Destination {
            wanted,
            wanted_bytes,
            safe,
            safe_bytes,
            copies,
            ..
        } = own;
        let (behind, pending) = (waiting(&own.behind), waiting(&own.pending));
        writeln!(
            page,
            "| {name} | {wanted} ({wanted_bytes} B) | {safe} ({safe_bytes} B) | {behind} | {pending} | {copies} |"
        )?;
    }
    writeln!(page)?;
    let found: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| totals.count(**kind) > 0)
        .collect();
    if found.is_empty() {
        writeln!(page, "No difference was found.")?;
    }
    for kind in found {
        let count = totals.count(*kind);
        writeln!(page, "## {}: {count}\n\n{}\n", kind.as_str(), kind.advice())?;
        let samples = totals.samples.get(kind).map_or(&[][..], Vec::as_slice);
        for finding in samples {
            writeln!(page, "- {}", line(finding))?;
        }
        if count > samples.len() as u64 {
            writeln!(
                page,
                "- and {} more, in the findings",
                count - samples.len() as u64
            )?;
        }
        writeln!(page)?;
    }
    if summary.request.repair {
        writeln!(
            page,
            "Started to mend it: {} executions.\n",
            summary.started
        )?;
    }
    let (bucket, folder) = (&summary.report_bucket, &summary.folder);
    writeln!(
        page,
        "All findings, JSON Lines: {} parts under `s3://{bucket}/{folder}findings/`.",
        summary.parts
    )
}

fn waiting(pending: &Pending) -> String {
    match pending.oldest {
        Some(oldest) => format!(
            "{} ({} B, oldest {oldest})",
            pending.versions, pending.bytes
        ),
        None => pending.versions.to_string(),
    }
}

/// A finding in one line for people, whatever its key is.
pub fn line(finding: &Finding) -> String {
    let version = finding.version_id.as_deref().unwrap_or("-");
    let detail = &finding.detail;
    // Writing to a String cannot fail.
    let mut line = format!(
        "{:?} version {version} at {}",
        finding.key, finding.destination
    );
    if let Some(copy) = &finding.backup_version_id {
        let _ = write!(line, ", backup version {copy}");
    }
    if !detail.is_empty() {
        let _ = write!(line, ": {detail}");
    }
    printable(&line)
}

/// What is told.
pub fn message(summary: &Summary) -> Message {
    let verdict = summary.verdict.as_str();
    let key = page_key(&summary.run);
    let mut text = format!("The audit {} says: {verdict}.\n\n", summary.run);
    if let Some(cause) = &summary.cause {
        let _ = write!(
            text,
            "{}: {}\nNext: {}\n\n",
            cause.error, cause.message, cause.advice
        );
    }
    for remark in &summary.remarks {
        let _ = write!(text, "{remark}\n\n");
    }
    for kind in Kind::ALL {
        let count = summary.totals.count(*kind);
        if count > 0 {
            let _ = writeln!(text, "{count} {}: {}", kind.as_str(), kind.advice());
        }
    }
    let _ = write!(
        text,
        "
Report: s3://{}/{key}\n",
        summary.report_bucket
    );
    let json = json!({
        "audit": summary.run, "verdict": verdict, "report": key,
        "reportBucket": summary.report_bucket, "findings": counts(&summary.totals),
    });
    Message {
        subject: format!("s3-backup audit: {verdict}"),
        text: text.lines().map(printable).collect::<Vec<_>>().join("\n"),
        json: json.to_string(),
        outcome: if summary.verdict == Verdict::Whole {
            "audit-whole"
        } else {
            "audit-found"
        },
        kind: "audit".to_owned(),
    }
}

fn counts(totals: &Totals) -> Value {
    let found = Kind::ALL.iter().filter(|kind| totals.count(**kind) > 0);
    found
        .map(|kind| (kind.as_str().to_owned(), json!(totals.count(*kind))))
        .collect()
}

/// Metrics of a destination, by name; the values are counts, bytes or seconds as the names say.
pub fn metrics(own: &Destination, now: Timestamp) -> Vec<(&'static str, f64)> {
    let weight = |weight| {
        let counts = own
            .findings
            .iter()
            .filter(move |(kind, _)| kind.weight() == weight);
        counts.map(|(_, count)| *count).sum::<u64>()
    };
    let oldest = own
        .behind
        .oldest
        .map_or(0, |oldest| now.duration_since(oldest).as_secs());
    vec![
        ("AuditWanted", number(own.wanted)),
        ("AuditSafe", number(own.safe)),
        ("AuditBehind", number(weight(Weight::Behind))),
        ("AuditDamaged", number(weight(Weight::Damaged))),
        ("AuditNotes", number(weight(Weight::Note))),
        ("AuditBytesBehind", number(own.behind.bytes)),
        ("AuditOldestBehindSeconds", number(oldest.unsigned_abs())),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
