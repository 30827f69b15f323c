//! Function `sweep`: finds work that nobody does any more, and starts it again.
//!
//! Safe to run twice or beside itself: what it starts has a name of its own, which Step Functions
//! takes once, and what it closes is claimed by a conditional write.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::dead::Closing;
use backup_aws::{Clients, Error, Settings, serve_until};

use sweep::sweep::Sweep;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let sweep = Sweep {
        breakers: Breakers::from_env(catalog.clone())?,
        executions: clients.step_functions(),
        machine: Settings.text("STATE_MACHINE_ARN")?,
        closing: Closing::from_env(&clients, catalog)?,
    };
    serve_until(|schedule, deadline| sweep.run(schedule, deadline)).await
}
