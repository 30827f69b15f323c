//! Function `intake`: takes events from the queue to the machines.
//!
//! Safe to run twice or beside itself: a message that comes twice meets a recovery point, the lease
//! of whoever is at it, or the name of the execution that it started before.

mod intake;

use backup_aws::{Clients, Error, Settings, serve};

use crate::intake::Intake;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let intake = Intake {
        waiting: clients.step_functions_waiting(),
        executions: clients.step_functions(),
        sqs: clients.sqs(),
        express: Settings.text("EXPRESS_MACHINE_ARN")?,
        standard: Settings.text("STATE_MACHINE_ARN")?,
        queue: Settings.text("QUEUE_URL")?,
        multipart_mib: Settings.parse("MULTIPART_THRESHOLD_MIB")?,
        retry_seconds: Settings.parse("RETRY_SECONDS")?,
    };
    serve(|batch| intake.take(batch)).await
}
