//! State `Record`: stores the recovery point, on condition of the lease, then settles the order of
//! the key's versions.
//!
//! Safe to run twice or beside itself: nothing overwrites `stored`, a point that this execution
//! stored already is taken as it is, and settling reads before each act.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve_until};
use record::record::Record;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let record = Record {
        breakers: Breakers::from_env(catalog.clone())?,
        catalog,
        multipart_mib: Settings.parse("MULTIPART_THRESHOLD_MIB")?,
        clients,
    };
    serve_until(|task, deadline| record.record(task, deadline)).await
}
