//! State `RestoreBatch`: copies the versions of one line back, proves each, or hides what came later.
//!
//! Safe to run twice or beside itself: what a run has ended is in its results, and content that is
//! there already is never copied again.

use backup_aws::{Clients, Error, Settings, serve_until};
use restore_batch::batch::Batch;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let batch = Batch {
        region: Settings.text("AWS_REGION")?,
        multipart_mib: Settings.parse("MULTIPART_THRESHOLD_MIB")?,
        part_min_mib: Settings.parse("PART_SIZE_MIN_MIB")?,
        clients: Clients::from_env().await.into(),
    };
    serve_until(|line, deadline| batch.restore(line, deadline)).await
}
