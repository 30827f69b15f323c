//! State `Repair`: starts the backup of what an audit found missing, and notes what has expired.
//!
//! Safe to run twice or beside itself: each execution has a name that Step Functions takes once, two
//! executions of one version share a lease, and a copy is taken off its recovery point once.

mod repair;

use backup_aws::catalog::Catalog;
use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, Error, Settings, serve_until};

use crate::repair::Repair;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let region = Settings.text("AWS_REGION")?;
    let repair = Repair {
        documents: Documents {
            client: clients.s3(&region),
            bucket: Settings.text("REPORT_BUCKET")?,
        },
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        executions: clients.step_functions(),
        machine: Settings.text("STATE_MACHINE_ARN")?,
        account: Settings.text("ACCOUNT_ID")?,
        region,
    };
    serve_until(|task, deadline| repair.run(task, deadline)).await
}
