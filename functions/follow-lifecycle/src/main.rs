//! Function `follow-lifecycle`: notes in the catalog what the lifecycle of a backup bucket has done to
//! copies.
//!
//! Safe to run twice, late and beside itself: a copy is taken off its recovery point once, and one that
//! no stored point knows changes nothing. What never comes here an audit finds.

mod follow;

use std::sync::Arc;
use std::time::Duration;

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Error, Settings, serve};

use crate::follow::Follow;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let source = Settings.text("SOURCE_BUCKET")?;
    let follow = Arc::new(Follow {
        policy: PolicyStore::new(
            clients.ssm(),
            Settings.text("POLICY_PARAMETER")?,
            vec![source.clone()],
            Duration::from_secs(Settings.parse("POLICY_CACHE_SECONDS")?),
        ),
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        source,
    });
    serve(|batch| Arc::clone(&follow).take(batch)).await
}
