//! Function `watcher`: closes executions that ended without a word, which no Catch sees.
//!
//! Safe to run twice, late or beside itself: a conditional write decides who closes an execution.

use backup_aws::catalog::Catalog;
use backup_aws::dead::Closing;
use backup_aws::notices::Notices;
use backup_aws::{Clients, Error, Settings, serve};

use watcher::watcher::Watcher;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let catalog = Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?);
    let watcher = Watcher {
        executions: clients.step_functions(),
        closing: Closing {
            notices: Notices::from_env(clients.sns(), catalog.clone())?,
            catalog,
            sqs: clients.sqs(),
            queue: Settings.text("QUEUE_URL")?,
            region: Settings.text("AWS_REGION")?,
        },
    };
    serve(|task| watcher.watch(task)).await
}
