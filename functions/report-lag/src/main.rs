//! Function `report-lag`: measures how far each destination is behind, and tells what is late.
//!
//! Safe to run twice or beside itself: what is late is claimed by a conditional write before it is told,
//! and what one run has counted another does not count again.

mod report;
mod tell;

use std::time::Duration;

use backup_aws::catalog::Catalog;
use backup_aws::notices::Notices;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Error, Settings, serve_until};

use crate::report::Report;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let source = Settings.text("SOURCE_BUCKET")?;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let report = Report {
        policy: PolicyStore::new(
            clients.ssm(),
            Settings.text("POLICY_PARAMETER")?,
            vec![source.clone()],
            Duration::ZERO,
        ),
        notices: Notices::from_env(clients.sns(), catalog.clone())?,
        catalog,
        sqs: clients.sqs(),
        intake: std::env::var("INTAKE_QUEUE_URL").unwrap_or_default(),
        stack: Settings.text("STACK_NAME")?,
        source,
        drill_days: Settings.parse("DRILL_DAYS")?,
    };
    serve_until(|schedule, deadline| report.run(schedule, deadline)).await
}
