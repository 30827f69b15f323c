//! State `CompleteMultipart`: makes the copy of its parts, once all are there.
//!
//! Safe to run twice or beside itself: an upload is completed once, and a run that finds it gone
//! looks for the copy by its marker and adopts it.

use backup_aws::{Clients, Error, serve};
use complete_multipart::complete;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    serve(|task| complete::complete(&clients, task)).await
}
