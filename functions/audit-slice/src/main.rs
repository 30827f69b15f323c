//! State `AuditSlice`: a stretch of an audit, until the time is nearly over or the findings are many.
//!
//! Safe to run twice: it goes on from the document that the last one that ended has written, and
//! overwrites what one that did not end has left. It changes neither source, backup nor catalog.

mod audit;
mod catalog;
mod claim;
mod context;
mod deep;
mod inventory;
mod keys;
mod listings;
mod live;
mod reading;
mod uploads;

use std::sync::Arc;

use backup_aws::{Clients, Error, Settings, serve_until};

use crate::audit::Audit;
use crate::context::Context;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let audit = Audit {
        context: Arc::new(Context::from_env(clients, Settings)?),
    };
    serve_until(|task, deadline| audit.slice(task, deadline)).await
}
