//! The record of an event that no point can be made of.

use backup_domain::catalog::{SHAPE, Status, day};
use backup_domain::error::Cause;
use backup_domain::redrive::whole_keys;
use backup_domain::task::Execution;
use serde_json::Value;

use crate::Failure;
use crate::catalog::Catalog;

/// Partition and sort key of an event's record: under its object, as far as it names one.
pub fn keys(event: &Value) -> (String, String) {
    whole_keys(event)
}

/// Keeps the whole event: nothing smaller is sure to be enough to start it again.
///
/// # Errors
/// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
pub async fn record(
    catalog: &Catalog,
    event: &Value,
    execution: &Execution,
    cause: &Cause,
) -> Result<(), Failure> {
    let now = catalog.now();
    let (pk, sk) = keys(event);
    catalog
        .put_texts(&[
            ("pk", pk.clone()),
            ("sk", sk),
            ("shape", SHAPE.to_string()),
            ("status", Status::Failed.as_str().to_owned()),
            ("owner", execution.owner()),
            ("error", cause.error.clone()),
            ("message", cause.message.clone()),
            ("event", event.to_string()),
            ("day", day(now, &pk)),
            ("endedAt", now.to_string()),
            ("failedAt", now.to_string()),
        ])
        .await
}
