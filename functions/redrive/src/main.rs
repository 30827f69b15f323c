//! Function `redrive`: starts failed backups again, by the clock and on demand.
//!
//! Safe to run twice or beside itself: what it starts has a name of its own, which Step Functions
//! takes once.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::dead::Closing;
use backup_aws::{Clients, Error, Settings, serve_until};
use jiff::SignedDuration;
use redrive::Redriver;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let redriver = Redriver {
        breakers: Breakers::from_env(catalog.clone())?,
        executions: clients.step_functions(),
        machine: Settings.text("STATE_MACHINE_ARN")?,
        attempts_max: Settings.parse("REDRIVE_ATTEMPTS_MAX")?,
        every: SignedDuration::from_mins(Settings.parse("REDRIVE_MINUTES")?),
        closing: Closing::from_env(&clients, catalog)?,
    };
    serve_until(|request, deadline| redriver.run(request, deadline)).await
}
