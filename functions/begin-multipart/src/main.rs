//! State `BeginMultipart`: creates the upload of a copy in parts, or finds the one to go on with.
//!
//! Safe to run twice or beside itself: a repeated run looks for the finished copy first, then for
//! the upload that was noted, and aborts those that were begun but never noted.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve};
use begin_multipart::begin::Begin;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let begin = Begin {
        breakers: Breakers::from_env(catalog.clone())?,
        catalog,
        part_mib_min: Settings.parse("PART_SIZE_MIN_MIB")?,
        clients,
    };
    serve(|task| begin.begin(task)).await
}
