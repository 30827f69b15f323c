//! State `FinishRestore`: counts what became of a slice, says what is next, and at the end reports
//! and tells.
//!
//! Safe to run twice: counts and report are written whole; a repeated run may tell twice.

use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve};
use finish_restore::finish::Finish;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let finish = Finish {
        topic: Settings.text("TOPIC_ARN")?,
        region: Settings.text("AWS_REGION")?,
        sns: clients.sns(),
        stack: Settings.text("STACK_NAME")?,
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        clients,
    };
    serve(|task| finish.finish(task)).await
}
