//! State `PlanRestore`: decides for every key of a restore what is to be done, a slice at a time, and
//! writes nothing but the plan.
//!
//! Safe to run twice: a slice is written whole under its own name.

use std::time::Duration;

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Error, Settings, serve_until};
use plan_restore::plan::Planner;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let source = Settings.text("SOURCE_BUCKET")?;
    let planner = Planner {
        policy: PolicyStore::new(
            clients.ssm(),
            Settings.text("POLICY_PARAMETER")?,
            vec![source.clone()],
            Duration::ZERO,
        ),
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        source,
        backups: Settings.list("BACKUP_BUCKETS")?,
        targets: Settings.list("RESTORE_BUCKETS")?,
        reports: Settings.text("REPORT_BUCKET")?,
        region: Settings.text("AWS_REGION")?,
        scratch: Settings.text("DRILL_BUCKET").ok(),
        slice_items: Settings.parse("SLICE_ITEMS_MAX")?,
        line_items: Settings.parse("LINE_ITEMS_MAX")?,
        clients,
    };
    serve_until(|task, deadline| planner.plan(task, deadline)).await
}
