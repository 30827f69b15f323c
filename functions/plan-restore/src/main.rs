//! State `PlanRestore`: decides for every key of a restore what is to be done, a slice at a time, and
//! writes nothing but the plan.
//!
//! Safe to run twice: a slice is written whole under its own name.

use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve_until};
use plan_restore::plan::Planner;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let planner = Planner {
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        source: Settings.text("SOURCE_BUCKET")?,
        backups: Settings.list("BACKUP_BUCKETS")?,
        targets: Settings.list("RESTORE_BUCKETS")?,
        reports: Settings.text("REPORT_BUCKET")?,
        region: Settings.text("AWS_REGION")?,
        clients,
    };
    serve_until(|task, deadline| planner.plan(task, deadline)).await
}
