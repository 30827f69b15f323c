//! State `Filter`: policy, duplicate, lease; says what is to do.
//!
//! Safe to run twice or beside itself: a lease is taken by a conditional write, and its owner may
//! take it again.

use std::time::Duration;

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Error, Settings, serve};
use backup_domain::lease::LeaseSeconds;
use filter::filter::Filter;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let sources = vec![Settings.text("SOURCE_BUCKET")?];
    let keep = Duration::from_secs(Settings.parse("POLICY_CACHE_SECONDS")?);
    let filter = Filter {
        policy: PolicyStore::new(
            clients.ssm(),
            Settings.text("POLICY_PARAMETER")?,
            sources,
            keep,
        ),
        catalog: Catalog::new(clients.dynamodb(), Settings.text("CATALOG_TABLE")?),
        executions: clients.step_functions(),
        lease_seconds: LeaseSeconds {
            standard: Settings.parse("LEASE_SECONDS")?,
            express: Settings.parse("EXPRESS_LEASE_SECONDS")?,
        },
        multipart_mib: Settings.parse("MULTIPART_THRESHOLD_MIB")?,
        clients,
    };
    serve(|task| filter.decide(task)).await
}
