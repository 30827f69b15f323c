//! A side of the audit that is read from an S3 Inventory report.

use std::collections::VecDeque;

use backup_aws::Failure;
use backup_aws::s3::inventory::{Inventory, OrderedRows};
use backup_domain::audit::Entry;
use backup_domain::audit::finding::AuditError;
use backup_domain::audit::progress::{Inventoried, Progress};
use backup_domain::inventory::{InventoryError, Listed, Location, Place};
use backup_domain::policy::Destination;

use crate::context::Context;

/// Rows of a page, as of a listing.
const PAGE: usize = 1_000;

/// A side: its destination, the source has none.
type Sides = [(String, Destination)];

/// Finds the reports that were asked for, and notes them.
pub async fn choose(
    context: &Context,
    destinations: &Sides,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let wanted = progress.request.inventory.clone();
    for (name, at) in wanted.each() {
        let at = Location::parse(at)?;
        let found = open(context, destinations, name, &at).await?;
        found.manifest.check_versions()?;
        progress.read_from(name, &found.manifest);
    }
    Ok(())
}

async fn open(
    context: &Context,
    destinations: &Sides,
    name: Option<&str>,
    at: &Location,
) -> Result<Inventory, Failure> {
    let Some(name) = name else {
        return Inventory::open(context.source_s3(), at, &context.source).await;
    };
    let Some((_, destination)) = destinations.iter().find(|(it, _)| it == name) else {
        let problem = format!("there is an inventory for {name:?}, which is not audited");
        return Err(AuditError::Request { problem }.into());
    };
    // Reports lie in the region of the bucket that they list.
    let client = context.clients.s3(&destination.region);
    Inventory::open(client, at, &destination.bucket).await
}

/// The rows of a report, and from where on they are to be read again.
pub struct Reported {
    destination: Option<String>,
    rows: OrderedRows,
    /// Last key of each page that may not be done yet, and where it began.
    pages: VecDeque<(String, Place)>,
}

impl Reported {
    /// Reads on where the last stretch has come to. The keys begin with `prefix`.
    pub async fn go_on(
        context: &Context,
        destinations: &Sides,
        begun: &Inventoried,
        prefix: &str,
    ) -> Result<Self, Failure> {
        let name = begun.destination.as_deref();
        let report = open(context, destinations, name, &begun.at).await?;
        if report.manifest.md5 != begun.md5 {
            let at = begun.at.clone();
            return Err(InventoryError::Replaced { at }.into());
        }
        Ok(Self {
            destination: begun.destination.clone(),
            rows: report.ordered(prefix, &begun.place).await?,
            pages: VecDeque::new(),
        })
    }

    /// A page of what lies there, keys as the bucket has them, and whether it is the last.
    pub async fn page(&mut self) -> Result<(Vec<(String, Entry)>, bool), Failure> {
        let place = self.rows.place();
        let rows = self.rows.page(PAGE).await?;
        let over = rows.len() < PAGE;
        if let Some(last) = rows.last() {
            self.pages.push_back((last.key.clone(), place));
        }
        let entries = rows.into_iter().map(Listed::into_entry);
        Ok((entries.collect(), over))
    }

    /// Notes from where on rows are to be read again, when all keys up to `done` are.
    pub fn keep(&mut self, done: &str, progress: &mut Progress) {
        self.pages.retain(|(last, _)| last.as_str() > done);
        let place = match self.pages.front() {
            Some((_, place)) => place.clone(),
            None => self.rows.place(),
        };
        let own = |it: &&mut Inventoried| it.destination == self.destination;
        if let Some(own) = progress.inventories.iter_mut().find(own) {
            own.place = place;
        }
    }
}
