//! State `CopyParts`: copies the parts of one segment by UploadPartCopy, many at once.
//!
//! Safe to run twice or beside itself: parts that the upload holds are skipped, and a part that is
//! copied twice is there once. Every part is pinned to the version and guarded by the ETag.

use backup_aws::{Clients, Error, serve_until};
use copy_parts::parts;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    serve_until(|task, deadline| parts::copy_parts(&clients, task, deadline)).await
}
