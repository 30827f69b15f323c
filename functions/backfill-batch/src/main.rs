//! State `BackfillBatch`: backs up the versions of one line, each the way of the event that would have
//! come.
//!
//! Safe to run twice or beside itself: leases and points are those of any backup, and what the catalog
//! holds as done is not touched again.

use std::sync::Arc;

use backfill_batch::batch::Batch;
use backfill_batch::way::Way;
use backup_aws::{Clients, Error, Settings, serve_until};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let batch = Batch {
        way: Arc::new(Way::from_env(&clients, Settings)?),
        executions: clients.step_functions(),
        machine: Settings.text("STATE_MACHINE_ARN")?,
        account: Settings.text("ACCOUNT_ID")?,
        region: Settings.text("AWS_REGION")?,
        clients,
    };
    let batch = Arc::new(batch);
    serve_until(|line, deadline| Arc::clone(&batch).work(line, deadline)).await
}
