//! State `Verify`: proves the copy by the weakest evidence that still proves it.
//!
//! Safe to run twice or beside itself: it only reads, and tagging a bad version twice is once.

use backup_aws::{Clients, Error, serve_until};
use verify::verify;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    serve_until(|task, deadline| verify::verify(&clients, task, deadline)).await
}
