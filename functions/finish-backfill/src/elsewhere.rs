//! What is under way elsewhere, by somebody else's execution; and what failed. The catalog says what has become of it.

use std::sync::Arc;

use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_aws::catalog::{Catalog, Gone};
use backup_aws::s3::documents::Documents;
use backup_domain::backfill::course::Work;
use backup_domain::backfill::elsewhere::{self, Now, is_mended};
use backup_domain::backfill::event::Source;
use backup_domain::backfill::report::{Failed, Open};
use backup_domain::catalog::partition_key;

use crate::tally;

/// Versions that are looked for at once.
const AT_ONCE: usize = 32;

/// Where to look.
pub struct Elsewhere {
    pub catalog: Catalog,
    /// ARN of the backup machine.
    pub machine: String,
    pub source: String,
    pub account: String,
    pub region: String,
}

impl Elsewhere {
    /// Looks for what is open of a slice, and for what failed where `mended` is asked for; notes what
    /// has ended since.
    pub async fn look(
        self: &Arc<Self>,
        documents: &Documents,
        work: &Work,
        slice: &Gone,
        mended: bool,
    ) -> Result<Gone, Failure> {
        let number = slice.number;
        let kept: Option<elsewhere::Elsewhere> = documents.get(&work.elsewhere(number)).await?;
        let mut kept = if let Some(kept) = kept {
            kept
        } else {
            // Of a release before: the lines know it all.
            tally::count(&self.catalog, documents, work, slice).await?;
            let kept = documents.get(&work.elsewhere(number)).await?;
            kept.unwrap_or_default()
        };
        let open = std::mem::take(&mut kept.open);
        let found = each(open, AT_ONCE, |open| {
            let (own, work) = (Arc::clone(self), work.clone());
            async move { own.now(&work, &open).await.map(|now| (open, now)) }
        });
        for now in found.await {
            match now? {
                (open, Now::Open | Now::Ask) => kept.open.push(open),
                (open, Now::Ended(outcome)) => kept.ended.count(outcome, open.version.size),
                (_, Now::Failed(one)) => kept.failed.push(*one),
            }
        }
        if mended {
            let failed = std::mem::take(&mut kept.failed);
            let found = each(failed, AT_ONCE, |failed| {
                let own = Arc::clone(self);
                async move { own.mended(&failed).await.map(|mended| (failed, mended)) }
            });
            for one in found.await {
                match one? {
                    (_, true) => kept.ended.count("duplicate", 0),
                    (failed, false) => kept.failed.push(failed),
                }
            }
        }
        tally::keep(&self.catalog, documents, work, slice, kept).await
    }

    /// What a line has started it has waited for: only what somebody else held is left.
    async fn now(&self, work: &Work, open: &Open) -> Result<Now, Failure> {
        let pk = partition_key(&self.source, &open.key);
        let points = self.catalog.points_of_key(&pk).await?;
        let source = Source {
            bucket: &self.source,
            account: &self.account,
            region: &self.region,
        };
        Ok(elsewhere::now(open, &points, work, source, &self.machine))
    }

    async fn mended(&self, failed: &Failed) -> Result<bool, Failure> {
        let pk = partition_key(&self.source, &failed.key);
        let points = self.catalog.points_of_key(&pk).await?;
        Ok(is_mended(failed, &points))
    }
}
