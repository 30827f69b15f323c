//! `s3-backup status`.

use std::collections::BTreeMap;

use backup_aws::catalog::{Failed, Whole};
use backup_aws::{executions, queue};
use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::deployment::{Finding, Severity};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::backfill::counts;
use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, check, drill, lag, say};

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Key of an object at the source, exactly.
    key: Option<String>,
    /// Source bucket of KEY, where it is not the stack's own.
    #[arg(long, requires = "key")]
    bucket: Option<String>,
}

/// Shows how the backup is, or what there is of one key.
pub async fn run(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
) -> Result<Verdict, Failure> {
    if let Some(key) = &arguments.key {
        return of_key(stack, global, arguments, key).await;
    }
    let now = of_stack(stack, global).await?;
    let lag = lag::show(stack, global).await?;
    Ok(now.worse(lag).worse(drill::show(stack, global).await?))
}

/// How the whole is: what the indexes of the catalog, the queue and the state machine say.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Whereabouts {
    /// Failed, and to be redriven.
    failed: u64,
    /// Failed in every redrive: waits for `redrive --force`.
    exhausted: u64,
    /// When the oldest of both failed.
    oldest_failure: Option<Timestamp>,
    /// Stored, its order still to be settled by the sweep.
    owed: u64,
    /// Executions under way, and whether there are more.
    copying: usize,
    copying_more: bool,
    /// Messages of the dead-letter queue.
    parked: u64,
    parked_in_flight: u64,
    /// Messages of the queue that events wait in, those being worked on included; none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
    /// Destinations that cannot be reached, and since when.
    away: BTreeMap<String, Timestamp>,
    /// Backfills that have come to no end yet, by run.
    backfills: BTreeMap<String, Backfill>,
    /// What is not as the catalog's table is to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    table: Vec<Finding>,
}

/// How far a backfill is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Backfill {
    /// Versions that have come to an end, at each of their destinations.
    ended: u64,
    /// Versions that have not.
    left: u64,
    /// Of those that have, what failed.
    failed: u64,
}

async fn backfills(stack: &Stack) -> Result<BTreeMap<String, Backfill>, Failure> {
    let mut found = BTreeMap::new();
    for run in stack.catalog().runs().await? {
        if run.agreed && run.verdict.is_none() {
            let counts = counts(stack, &run).await?;
            let backfill = Backfill {
                ended: counts.ended(),
                left: counts.left + counts.open,
                failed: counts.failed,
            };
            found.insert(run.run, backfill);
        }
    }
    Ok(found)
}

async fn look(stack: &Stack) -> Result<Whereabouts, Failure> {
    let (clients, resources) = (&stack.clients, &stack.resources);
    let catalog = stack.catalog();
    // First: a table that cannot be the catalog answers none of what follows.
    let mut now = Whereabouts {
        table: check::table(stack).await?,
        ..Whereabouts::default()
    };
    let mut from = None;
    loop {
        let page = catalog.failed(from, None).await?;
        for Failed {
            failed_at,
            is_exhausted,
            ..
        } in page.items
        {
            let count = if is_exhausted {
                &mut now.exhausted
            } else {
                &mut now.failed
            };
            *count += 1;
            now.oldest_failure = now.oldest_failure.into_iter().chain(failed_at).min();
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    loop {
        let page = catalog.owing(from).await?;
        now.owed += page.keys.len() as u64;
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let machine = &resources.state_machine;
    let running = executions::running(&clients.step_functions(), machine).await?;
    (now.copying, now.copying_more) = running;
    let depth = queue::depth(&clients.sqs(), &resources.queue).await?;
    (now.parked, now.parked_in_flight) = (depth.waiting, depth.in_flight);
    if !resources.intake_queue.is_empty() {
        let depth = queue::depth(&clients.sqs(), &resources.intake_queue).await?;
        now.waiting = Some(depth.waiting + depth.in_flight);
    }
    for (destination, breaker) in catalog.breakers().await? {
        let open = breaker.open.map(|open| (destination, open.since));
        now.away.extend(open);
    }
    now.backfills = backfills(stack).await?;
    Ok(now)
}

async fn of_stack(stack: &Stack, global: &Global) -> Result<Verdict, Failure> {
    let now = look(stack).await?;
    if global.json {
        say::json(&now)?;
    } else {
        let oldest = now
            .oldest_failure
            .map_or("-".to_owned(), |at| at.to_string());
        let more = if now.copying_more { " and more" } else { "" };
        let rows = [
            ("failed", now.failed.to_string(), "s3-backup redrive"),
            (
                "given up",
                now.exhausted.to_string(),
                "mend, then s3-backup redrive --force",
            ),
            ("oldest failure", oldest, ""),
            ("order owed", now.owed.to_string(), "the sweep settles it"),
            ("copying", format!("{}{more}", now.copying), ""),
            ("parked", now.parked.to_string(), "s3-backup redrive"),
            (
                "parked, in flight",
                now.parked_in_flight.to_string(),
                "a redrive has them",
            ),
        ];
        let rows = rows.map(|(what, count, next)| vec![what.to_owned(), count, next.to_owned()]);
        let waiting = now.waiting.map(|waiting| {
            let next = "they come in turn; the log of intake says why some go back";
            vec![
                "events waiting".to_owned(),
                waiting.to_string(),
                next.to_owned(),
            ]
        });
        let away = now.away.iter().map(|(destination, since)| {
            let next = "check its bucket and region; it is tried by itself";
            vec![
                format!("{destination} is away since"),
                since.to_string(),
                next.to_owned(),
            ]
        });
        let backfills = now.backfills.iter().map(|(run, it)| {
            let (ended, all) = (it.ended, it.ended + it.left);
            vec![
                format!("backfill {run}"),
                format!("{ended} of {all}, {} failed", it.failed),
                "where nobody works on it: s3-backup backfill --resume".to_owned(),
            ]
        });
        let rows = rows.into_iter().chain(waiting).chain(away).chain(backfills);
        say::table(&["what", "now", "what to do"], rows)?;
        check::list(&now.table)?;
    }
    let waits = now.failed + now.exhausted + now.parked + now.parked_in_flight;
    Ok(if waits == 0 && now.away.is_empty() {
        check::verdict(&now.table, Severity::Unknown)
    } else {
        Verdict::NotWell
    })
}

async fn of_key(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
    key: &str,
) -> Result<Verdict, Failure> {
    let bucket = arguments.bucket.as_ref();
    let pk = partition_key(bucket.unwrap_or(&stack.resources.source), key);
    let catalog = stack.catalog();
    let mut points = catalog.points_of_key(&pk).await?;
    let mut wholes = Vec::new();
    for failed in catalog.wholes_of_key(&pk).await? {
        wholes.extend(catalog.whole(&failed.pk, &failed.sk).await?);
    }
    points.sort_by(|a, b| {
        (a.object.event_at, &a.destination).cmp(&(b.object.event_at, &b.destination))
    });
    if global.json {
        for point in &points {
            say::json(point)?;
        }
        for whole in &wholes {
            say::json(whole)?;
        }
    } else if points.is_empty() && wholes.is_empty() {
        say::line(&format!("no recovery point of {pk}"))?;
    } else {
        let header = [
            "destination",
            "status",
            "uploaded",
            "source version",
            "bytes",
            "copy",
            "evidence or error",
        ];
        let rows = points.iter().map(row);
        say::table(&header, rows.chain(wholes.iter().map(row_of_whole)))?;
    }
    let well = |point: &RecoveryPoint| !matches!(point.status, Status::Failed | Status::Unsettled);
    Ok(
        if !points.is_empty() && wholes.is_empty() && points.iter().all(well) {
            Verdict::Well
        } else {
            Verdict::NotWell
        },
    )
}

fn status(status: Status, is_exhausted: bool) -> String {
    let more = if is_exhausted { ", given up" } else { "" };
    format!("{}{more}", status.as_str())
}

fn row(point: &RecoveryPoint) -> Vec<String> {
    let object = &point.object;
    let copy = point.backup.as_ref().map(|copy| {
        format!(
            "s3://{}/{} version {}",
            copy.bucket, copy.key, copy.version_id
        )
    });
    let evidence = point.evidence.as_ref().map(|it| {
        let kind = json!(it.kind);
        format!(
            "{} {} {}",
            kind.as_str().unwrap_or_default(),
            it.algorithm,
            it.value
        )
    });
    let error = point
        .error
        .as_ref()
        .map(|error| format!("{error}: {}", point.message.as_deref().unwrap_or_default()));
    let expired = point.expired_at.map(|at| format!("expired on {at}"));
    vec![
        point.destination.clone(),
        if point.is_dismissed() {
            "failed, dismissed".to_owned()
        } else {
            status(point.status, point.exhausted.is_some())
        },
        object.event_at.to_string(),
        object.version_id.clone().unwrap_or_else(|| "-".to_owned()),
        object.size.to_string(),
        copy.unwrap_or_else(|| "-".to_owned()),
        expired
            .or(error)
            .or(evidence)
            .or_else(|| point.message.clone())
            .unwrap_or_else(|| "-".to_owned()),
    ]
}

/// An event that failed before a destination was chosen.
fn row_of_whole(whole: &Whole) -> Vec<String> {
    let text = |pointer: &str| {
        let text = whole.event.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or("-").to_owned()
    };
    let size = whole.event.pointer("/detail/object/size");
    vec![
        whole.destination.clone(),
        status(Status::Failed, whole.is_exhausted),
        text("/time"),
        text("/detail/object/version-id"),
        size.map_or("-".to_owned(), ToString::to_string),
        "-".to_owned(),
        whole.error.clone(),
    ]
}
