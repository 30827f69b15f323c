//! State `Record`: stores the recovery point, on condition of the lease.
//!
//! Safe to run twice or beside itself: nothing overwrites `stored`, and a point that this execution
//! stored already is taken as it is.

use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve};
use record::record;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    serve(|task| record::record(&catalog, task)).await
}
