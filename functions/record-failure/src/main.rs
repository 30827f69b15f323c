//! State `RecordFailure`: writes down what failed, before the event is parked.
//!
//! Safe to run twice or beside itself: it only ends a lease that this execution holds.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve};
use record_failure::failure;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let breakers = Breakers::from_env(catalog.clone())?;
    serve(|task| failure::record(&catalog, &breakers, task)).await
}
