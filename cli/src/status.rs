//! `s3-backup status`.

use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, lag, say};

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
    match &arguments.key {
        Some(key) => of_key(stack, global, arguments, key).await,
        None => lag::show(stack, global).await,
    }
}

async fn of_key(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
    key: &str,
) -> Result<Verdict, Failure> {
    let bucket = arguments.bucket.as_ref();
    let pk = partition_key(bucket.unwrap_or(&stack.resources.source), key);
    let mut points = stack.catalog().points_of_key(&pk).await?;
    points.sort_by(|a, b| {
        (a.object.event_at, &a.destination).cmp(&(b.object.event_at, &b.destination))
    });
    if global.json {
        for point in &points {
            say::json(point)?;
        }
    } else if points.is_empty() {
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
        say::table(&header, points.iter().map(row))?;
    }
    let well = |point: &RecoveryPoint| !matches!(point.status, Status::Failed | Status::Unsettled);
    Ok(if !points.is_empty() && points.iter().all(well) {
        Verdict::Well
    } else {
        Verdict::NotWell
    })
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
    vec![
        point.destination.clone(),
        point.status.as_str().to_owned(),
        object.event_at.to_string(),
        object.version_id.clone().unwrap_or_else(|| "-".to_owned()),
        object.size.to_string(),
        copy.unwrap_or_else(|| "-".to_owned()),
        error
            .or(evidence)
            .or_else(|| point.message.clone())
            .unwrap_or_else(|| "-".to_owned()),
    ]
}
