//! State `Notify`: tells, and ends: all well, or `BackupFailed` with the causes.
//!
//! A repeated run may send a second message; nothing else comes of it.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::notices::Notices;
use backup_aws::{Clients, Error, Settings, serve};
use notify::notify::Notify;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let notify = Notify {
        breakers: Breakers::from_env(catalog.clone())?,
        notices: Notices::from_env(clients.sns(), catalog)?,
        region: Settings.text("AWS_REGION")?,
    };
    serve(|task| notify.tell(task)).await
}
