//! The stack that a verb works on.

use backup_aws::Clients;
use backup_aws::catalog::Catalog;
use backup_aws::stack::{Resources, find};

use crate::failure::Failure;

/// A deployed stack, and the operator's own clients to it.
pub struct Stack {
    /// Clients with the operator's credentials.
    pub clients: Clients,
    /// What it is made of.
    pub resources: Resources,
}

impl Stack {
    /// Looks the stack up by its name.
    pub async fn find(name: &str) -> Result<Self, Failure> {
        let clients = Clients::quiet("s3-backup").await;
        let resources = find(&clients.ssm(), name).await?;
        let resources = resources.ok_or_else(|| Failure::NoStack {
            stack: name.to_owned(),
        })?;
        Ok(Self { clients, resources })
    }

    /// Its region, as the state machine's ARN has it.
    pub fn region(&self) -> String {
        let region = self.resources.state_machine.split(':').nth(3);
        region.unwrap_or_default().to_owned()
    }

    /// Its catalog.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(self.clients.dynamodb(), self.resources.catalog.clone())
    }
}
