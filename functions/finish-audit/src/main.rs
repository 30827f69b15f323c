//! State `FinishAudit`: what was found as a page, a document, metrics and a message.
//!
//! Safe to run twice: the documents are overwritten by the same; only the message comes once more.

mod finish;

use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, Error, Settings, serve};

use crate::finish::Finish;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let finish = Finish {
        documents: Documents {
            client: clients.s3(&Settings.text("AWS_REGION")?),
            bucket: Settings.text("REPORT_BUCKET")?,
        },
        sns: clients.sns(),
        topic: Settings.text("TOPIC_ARN")?,
        source: Settings.text("SOURCE_BUCKET")?,
        stack: Settings.text("STACK_NAME")?,
    };
    serve(|task| finish.finish(task)).await
}
