//! State `PlanBackfill`: lists what is to be backed up, slice by slice, and writes nothing but the plan.
//!
//! Safe to run twice: a slice is written whole under its own name, and then how far planning has come.

use std::time::Duration;

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Error, Settings, serve_until};
use plan_backfill::plan::Planner;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let source = Settings.text("SOURCE_BUCKET")?;
    let planner = Planner {
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        policy: PolicyStore::new(
            clients.ssm(),
            Settings.text("POLICY_PARAMETER")?,
            vec![source.clone()],
            Duration::ZERO,
        ),
        executions: clients.step_functions(),
        source,
        account: Settings.text("ACCOUNT_ID")?,
        region: Settings.text("AWS_REGION")?,
        reports: Settings.text("REPORT_BUCKET")?,
        lines_at_once: Settings.parse("BACKFILL_CONCURRENCY")?,
        multipart_mib: Settings.parse("MULTIPART_THRESHOLD_MIB")?,
        part_min_mib: Settings.parse("PART_SIZE_MIN_MIB")?,
        clients,
    };
    serve_until(|task, deadline| planner.plan(task, deadline)).await
}
