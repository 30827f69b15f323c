//! State `ReadRange`: reads a range of one side of a copy and sums it up, as far as its time goes.
//!
//! Safe to run twice or beside itself: it only reads, and goes on from what it was handed.

use backup_aws::{Clients, Error, serve_until};
use read_range::range;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    serve_until(|task, deadline| range::read(&clients, task, deadline)).await
}
