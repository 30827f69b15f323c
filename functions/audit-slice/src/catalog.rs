//! Recovery points of keys that no listing shows.

use backup_aws::Failure;
use backup_aws::catalog::Start;
use backup_domain::audit::Group;
use backup_domain::audit::progress::{Stage, is_summed};
use backup_domain::catalog::RecoveryPoint;

use crate::audit::{Audit, Work};
use crate::context::Context;
use crate::live;

impl Audit {
    /// Adds a page of the catalog to the sums.
    pub async fn sum_up(&self, work: &mut Work, from: Option<Start>) -> Result<(), Failure> {
        let (points, next) = self.points(work, from).await?;
        for point in &points {
            if self.is_ours(work, point) {
                work.progress.there.add(&point.pk, &point.sk);
            }
        }
        let agree = work.progress.there.agrees(&work.progress.met);
        work.progress.stage = match next {
            Some(next) => Stage::Catalog { from: Some(next) },
            None if agree => Stage::Done,
            None => Stage::Unlisted {
                from: None,
                last: None,
            },
        };
        Ok(())
    }

    /// Looks at the points of a page whose sums say that a listing may not have shown them.
    pub async fn unlisted(
        &self,
        work: &mut Work,
        from: Option<Start>,
        last: Option<String>,
    ) -> Result<(), Failure> {
        let (points, next) = self.points(work, from).await?;
        let mut keys: Vec<_> = points
            .iter()
            .filter(|point| self.is_ours(work, point))
            .filter(|point| {
                let (met, there) = (&work.progress.met, &work.progress.there);
                there.may_differ(met, &point.pk, &point.sk)
            })
            .map(|point| point.object.key.clone())
            .collect();
        keys.dedup();
        // A key whose points go on in this page is done already, with all of them.
        keys.retain(|key| last.as_ref() != Some(key));
        let last = keys.last().cloned().or(last);
        let mut groups = Vec::new();
        let by_inventory = !work.progress.inventories.is_empty();
        for key in keys {
            if by_inventory {
                // What no inventory shows may be there all the same.
                groups.push(live::group(&self.context, &work.destinations, &key).await?);
            } else if !self.is_listed(work, &key).await? {
                let sides = vec![vec![]; work.destinations.len() + 1];
                groups.push(Group { key, sides });
            }
        }
        self.take_as(work, groups, true).await?;
        work.progress.stage = match next {
            Some(next) => Stage::Unlisted {
                from: Some(next),
                last,
            },
            None => Stage::Done,
        };
        Ok(())
    }

    async fn points(
        &self,
        work: &Work,
        from: Option<Start>,
    ) -> Result<(Vec<RecoveryPoint>, Option<Start>), Failure> {
        let Context {
            catalog, source, ..
        } = &*self.context;
        let prefix = &work.progress.request.prefix;
        catalog.scan(source, prefix, from).await
    }

    /// Whether a point is one of those that are compared, and old enough for the sums.
    fn is_ours(&self, work: &Work, point: &RecoveryPoint) -> bool {
        let compared = work
            .destinations
            .iter()
            .any(|(name, _)| *name == point.destination);
        let progress = &work.progress;
        compared && is_summed(point, self.context.lease, progress.due_before)
    }

    /// Whether a listing shows the key: then it has been compared, or came since.
    async fn is_listed(&self, work: &Work, key: &str) -> Result<bool, Failure> {
        let source = self.context.source_listing(key);
        let page = source.versions(None).await;
        let page = page.map_err(|api| api.at_source(&self.context.source))?;
        if page.entries.iter().any(|(listed, _)| listed == key) {
            return Ok(true);
        }
        for (_, destination) in &work.destinations {
            let page = self.context.listing(destination, key).versions(None).await;
            let page =
                page.map_err(|api| api.at_destination(&destination.bucket, &destination.region))?;
            let copy = format!("{}{key}", destination.prefix);
            if page.entries.iter().any(|(listed, _)| *listed == copy) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
