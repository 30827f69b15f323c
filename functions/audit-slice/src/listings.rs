//! Source and destinations side by side, a batch of keys at a time.

use std::sync::Arc;

use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_aws::s3::pages::{From, Listed};
use backup_domain::audit::progress::{Progress, Stage};
use backup_domain::audit::{Group, Level, Merge, Next};

use crate::audit::{Audit, Work};
use crate::inventory::Reported;
use crate::keys::{Key, Shared};

/// Keys that are worked on before progress can be kept.
const BATCH: usize = 256;
/// Keys that are asked about at once.
const AT_ONCE: usize = 32;

/// Listings under way.
pub struct Listings {
    merge: Merge,
    sides: Vec<Side>,
}

impl Listings {
    /// Notes where inventories are read on from, when all keys up to `done` are.
    pub fn keep(&mut self, done: &str, progress: &mut Progress) {
        for side in &mut self.sides {
            if let Some(reported) = &mut side.reported {
                reported.keep(&format!("{}{done}", side.prefix), progress);
            }
        }
    }

    /// A key without what is another destination's. Under its prefix lie copies of keys that the source
    /// has, and of keys that look like them; those that the source has not are taken for the other's.
    fn own(&self, mut group: Group) -> Option<Group> {
        let unknown = group.sides.first().is_none_or(Vec::is_empty);
        for (side, entries) in self.sides.iter().zip(&mut group.sides) {
            let copy = format!("{}{}", side.prefix, group.key);
            if unknown && side.others.iter().any(|other| copy.starts_with(other)) {
                entries.clear();
            }
        }
        let left = group.sides.iter().any(|entries| !entries.is_empty());
        left.then_some(group)
    }
}

struct Side {
    listed: Listed,
    /// Read in place of the listing.
    reported: Option<Reported>,
    /// The last key that is done: a report may give it again.
    after: String,
    from: Option<From>,
    /// Region of a destination's bucket.
    region: String,
    /// What comes before a key of the source.
    prefix: String,
    /// Prefixes under which other destinations of the same bucket lie.
    others: Vec<String>,
}

impl Audit {
    /// The next batch of keys.
    pub async fn list(&self, work: &mut Work, after: String) -> Result<(), Failure> {
        let mut listings = match work.listings.take() {
            Some(listings) => listings,
            None => self.begin(work, &after).await?,
        };
        let (mut groups, mut last, mut over) = (Vec::new(), after, false);
        while groups.len() < BATCH {
            match listings.merge.advance() {
                Next::Page(side) => self.turn(&mut listings, side).await?,
                Next::Group(group) => {
                    last = group.key.clone();
                    groups.extend(listings.own(group));
                }
                Next::End => {
                    over = true;
                    break;
                }
            }
        }
        self.take(work, groups).await?;
        work.progress.stage = if over {
            Stage::Uploads {
                destination: 0,
                after: None,
            }
        } else {
            Stage::Listings { after: last }
        };
        work.listings = Some(listings).filter(|_| !over);
        Ok(())
    }

    async fn begin(&self, work: &Work, after: &str) -> Result<Listings, Failure> {
        let wanted = &work.progress.request.prefix;
        let from = |prefix: &str| {
            let key = format!("{prefix}{after}");
            let from = From {
                key,
                version_id: None,
            };
            (!after.is_empty()).then_some(from)
        };
        let mut sides = vec![Side {
            listed: self.context.source_listing(wanted),
            reported: self.reported(work, None, wanted).await?,
            after: after.to_owned(),
            from: from(""),
            region: self.context.region.clone(),
            prefix: String::new(),
            others: vec![],
        }];
        for (name, destination) in &work.destinations {
            let nested = work.policy.destinations.iter().filter(|(other, it)| {
                *other != name
                    && it.bucket == destination.bucket
                    && it.prefix.len() > destination.prefix.len()
                    && it.prefix.starts_with(&destination.prefix)
            });
            let listed = self.context.listing(destination, wanted);
            sides.push(Side {
                reported: self.reported(work, Some(name), &listed.prefix).await?,
                after: after.to_owned(),
                listed,
                from: from(&destination.prefix),
                region: destination.region.clone(),
                others: nested.map(|(_, it)| it.prefix.clone()).collect(),
                prefix: destination.prefix.clone(),
            });
        }
        let buckets = sides.iter().map(|side| side.listed.bucket.as_str());
        Ok(Listings {
            merge: Merge::new(buckets),
            sides,
        })
    }

    async fn reported(
        &self,
        work: &Work,
        destination: Option<&String>,
        prefix: &str,
    ) -> Result<Option<Reported>, Failure> {
        let mut begun = work.progress.inventories.iter();
        let Some(begun) = begun.find(|it| it.destination.as_ref() == destination) else {
            return Ok(None);
        };
        Reported::go_on(&self.context, &work.destinations, begun, prefix)
            .await
            .map(Some)
    }

    /// Fetches the next page of a listing.
    async fn turn(&self, listings: &mut Listings, number: usize) -> Result<(), Failure> {
        let side = &mut listings.sides[number];
        if let Some(reported) = &mut side.reported {
            let (entries, over) = reported.page().await?;
            let entries = entries.into_iter().filter_map(|(key, entry)| {
                let wanted = key.starts_with(&side.listed.prefix);
                let own = key.strip_prefix(&side.prefix).filter(|_| wanted)?;
                let is_new = side.after.is_empty() || own > side.after.as_str();
                is_new.then(|| (own.to_owned(), entry))
            });
            let entries = entries.collect();
            listings.merge.page(number, entries, over)?;
            return Ok(());
        }
        let page = side
            .listed
            .versions(side.from.take())
            .await
            .map_err(|api| {
                if number == 0 {
                    api.at_source(&side.listed.bucket)
                } else {
                    api.at_destination(&side.listed.bucket, &side.region)
                }
            })?;
        let entries = page
            .entries
            .into_iter()
            .filter_map(|(key, entry)| Some((key.strip_prefix(&side.prefix)?.to_owned(), entry)));
        let entries = entries.collect();
        side.from = page.next;
        listings.merge.page(number, entries, side.from.is_none())?;
        Ok(())
    }

    /// Compares a batch, and takes in what comes of it in the order of the keys.
    pub async fn take(&self, work: &mut Work, groups: Vec<Group>) -> Result<(), Failure> {
        let live = work.progress.inventories.is_empty();
        self.take_as(work, groups, live).await
    }

    /// The same, where it is known whether the groups show what is there now.
    pub async fn take_as(
        &self,
        work: &mut Work,
        groups: Vec<Group>,
        live: bool,
    ) -> Result<(), Failure> {
        let shared = Arc::new(Shared {
            context: Arc::clone(&self.context),
            policy: Arc::clone(&work.policy),
            destinations: work.destinations.clone(),
            level: work.progress.request.level,
            slice: work
                .slice
                .filter(|_| work.progress.request.level > Level::Listing),
            due_before: work.progress.due_before,
        });
        let compared = each(groups, AT_ONCE, |group| {
            Key {
                shared: Arc::clone(&shared),
                group,
                live,
            }
            .compare()
        })
        .await;
        for one in compared {
            let one = one?;
            for finding in &one.findings {
                work.find(finding);
            }
            let progress = &mut work.progress;
            progress.totals.keys += 1;
            progress.totals.versions += one.versions;
            progress.totals.points += one.points;
            progress.totals.archived += one.archived;
            for (pk, sk) in &one.met {
                progress.met.add(pk, sk);
            }
            for (name, counted) in one.destinations {
                progress
                    .totals
                    .destinations
                    .entry(name)
                    .or_default()
                    .add(&counted);
            }
            progress.reading.extend(one.reading);
        }
        Ok(())
    }
}
