//! State `AbortMultipart`: frees what an upload holds that will not be completed.
//!
//! Safe to run twice or beside itself: an upload that is gone already is as good as aborted.

use abort_multipart::abort;
use backup_aws::{Clients, Error, serve};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    serve(|task| abort::abort(&clients, task)).await
}
