//! State `FinishBackfill`: counts what became of a slice, says what is next, and at the end reports and
//! tells.
//!
//! Safe to run twice: counts and report are written whole; a repeated run may tell twice.

use backup_aws::catalog::Catalog;
use backup_aws::{Clients, Error, Settings, serve};
use finish_backfill::finish::Finish;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let finish = Finish {
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        machine: Settings.text("STATE_MACHINE_ARN")?,
        source: Settings.text("SOURCE_BUCKET")?,
        account: Settings.text("ACCOUNT_ID")?,
        region: Settings.text("AWS_REGION")?,
        topic: Settings.text("TOPIC_ARN")?,
        stack: Settings.text("STACK_NAME")?,
        sns: clients.sns(),
        clients,
    };
    serve(|task| finish.finish(task)).await
}
