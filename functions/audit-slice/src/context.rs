//! What every part of the audit asks with.

use std::time::Duration;

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::s3::documents::Documents;
use backup_aws::s3::head::Version;
use backup_aws::s3::pages::Listed;
use backup_aws::{Clients, Error, S3, Settings, StepFunctions};
use backup_domain::catalog::partition_key;
use backup_domain::lifecycle::Lifecycle;
use backup_domain::policy::Destination;
use jiff::SignedDuration;

/// Clients and settings.
pub struct Context {
    pub clients: Clients,
    pub policy: PolicyStore,
    pub catalog: Catalog,
    pub documents: Documents,
    pub executions: StepFunctions,
    /// Source bucket, its owner and region.
    pub source: String,
    pub account: String,
    pub region: String,
    /// How long a lease is given for.
    pub lease: SignedDuration,
    /// The bucket whose lifecycle the deployment has made, and what that expires.
    made: Option<(String, Lifecycle)>,
}

impl Context {
    pub fn from_env(clients: Clients, settings: Settings) -> Result<Self, Error> {
        let source = settings.text("SOURCE_BUCKET")?;
        let region = settings.text("AWS_REGION")?;
        Ok(Self {
            // Read once a slice, so that all of a slice goes by one policy.
            policy: PolicyStore::new(
                clients.ssm(),
                settings.text("POLICY_PARAMETER")?,
                vec![source.clone()],
                Duration::ZERO,
            ),
            catalog: Catalog::new(clients.dynamodb(), settings.text("CATALOG_TABLE")?),
            documents: Documents {
                client: clients.s3(&region),
                bucket: settings.text("REPORT_BUCKET")?,
            },
            executions: clients.step_functions(),
            account: settings.text("ACCOUNT_ID")?,
            lease: SignedDuration::from_secs(settings.parse("LEASE_SECONDS")?),
            made: made(settings)?,
            source,
            region,
            clients,
        })
    }

    /// What the lifecycle of a destination is said to do: by the policy, else by the deployment.
    pub fn lifecycle<'a>(&'a self, destination: &'a Destination) -> Option<&'a Lifecycle> {
        let made = self.made.as_ref();
        let made = made.filter(|(bucket, _)| *bucket == destination.bucket);
        let declared = destination.lifecycle.as_ref();
        declared.or(made.map(|(_, lifecycle)| lifecycle))
    }

    pub fn source_s3(&self) -> S3 {
        self.clients.s3(&self.region)
    }

    pub fn partition_key(&self, key: &str) -> String {
        partition_key(&self.source, key)
    }

    /// A version at the source, as a listing names it: `null` too, above which newer ones may lie.
    pub fn source_version<'a>(&'a self, key: &'a str, id: &'a str) -> Version<'a> {
        Version {
            bucket: &self.source,
            key,
            version_id: Some(id).filter(|id| !id.is_empty()),
            owner: Some(&self.account),
        }
    }

    pub fn source_listing(&self, prefix: &str) -> Listed {
        Listed {
            client: self.source_s3(),
            bucket: self.source.clone(),
            prefix: prefix.to_owned(),
            owner: Some(self.account.clone()),
        }
    }

    pub fn listing(&self, destination: &Destination, prefix: &str) -> Listed {
        Listed {
            client: self.clients.s3(&destination.region),
            bucket: destination.bucket.clone(),
            prefix: format!("{}{prefix}", destination.prefix),
            owner: destination.account.clone(),
        }
    }
}

/// What the template's parameters say of the backup bucket, where the deployment made it.
fn made(settings: Settings) -> Result<Option<(String, Lifecycle)>, Error> {
    let some = |number: u32| (number > 0).then_some(number);
    let lifecycle = Lifecycle {
        noncurrent_days: some(settings.parse("BACKUP_NONCURRENT_DAYS")?),
        newer_noncurrent_versions: some(settings.parse("BACKUP_NEWER_NONCURRENT_VERSIONS")?),
        ..Lifecycle::default()
    };
    let bucket = settings.text("BACKUP_BUCKET")?;
    Ok(lifecycle.noncurrent_days.map(|_| (bucket, lifecycle)))
}
