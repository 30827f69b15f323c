//! State `Copy`: one CopyObject of one version, at most 5 GiB, to one destination.
//!
//! Safe to run twice or beside itself: the request is pinned to the version and guarded by the
//! ETag, and a repeated copy looks for its own marker first and adopts what it finds.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve};
use copy::copy;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let breakers = Breakers::from_env(catalog)?;
    serve(|task| copy::copy(&clients, &breakers, task)).await
}
