//! State `Notify`: tells, and ends: all well, or `BackupFailed` with the causes.
//!
//! A repeated run may send a second message; nothing else comes of it.

use backup_aws::{Clients, Error, Settings, serve};
use notify::notify::Notify;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let notify = Notify {
        client: clients.sns(),
        topic: Settings.text("TOPIC_ARN")?,
        region: Settings.text("AWS_REGION")?,
    };
    serve(|task| notify.tell(task)).await
}
