//! Function `watcher`: closes executions that ended without a word, which no Catch sees.
//!
//! Safe to run twice, late or beside itself: a conditional write decides who closes an execution.

use backup_aws::catalog::Catalog;
use backup_aws::dead::Closing;
use backup_aws::{Clients, Error, Settings, serve};

use watcher::watcher::Watcher;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let watcher = Watcher {
        executions: clients.step_functions(),
        closing: Closing::from_env(&clients, catalog)?,
    };
    serve(|task| watcher.watch(task)).await
}
