//! One slice of a plan: keys, counted and dealt to lines.

use backup_aws::Failure;
use backup_aws::catalog::{Catalog, Gone};
use backup_aws::s3::documents::Documents;
use backup_domain::Policy;
use backup_domain::audit::Entry;
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::course::{Course, Summary};
use backup_domain::backfill::estimate::GIB_BETWEEN_REGIONS;
use backup_domain::backfill::event::versions_of;
use backup_domain::backfill::line::{
    Dealer, Item, LINES_MAX, Line, SLICE_BYTES_MAX, SLICE_VERSIONS_MAX, Version,
};
use backup_domain::backfill::prices::Prices;
use backup_domain::backfill::request::Versions;
use backup_domain::limits::MIB;
use backup_domain::parts::plan_parts;
use backup_domain::plan::json_line;
use backup_domain::policy::{Choice, Facts, Rule, Verify};
use backup_domain::restore::moment::is_archive;
use backup_domain::sequencer::rank;
use backup_domain::task::Action;

/// What an estimate needs to know of the deployment.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// From how many MiB on an object goes in parts.
    pub multipart_mib: u64,
    /// The smallest part.
    pub part_min_mib: u64,
}

/// Keys that are gathered until they are a slice.
pub struct Slice<'p> {
    policy: &'p Policy,
    region: &'p str,
    sizes: Sizes,
    which: Versions,
    dealer: Dealer,
    versions: usize,
}

impl<'p> Slice<'p> {
    /// An empty one.
    pub fn new(policy: &'p Policy, region: &'p str, sizes: Sizes, which: Versions) -> Self {
        Self {
            policy,
            region,
            sizes,
            which,
            dealer: Dealer::default(),
            versions: 0,
        }
    }

    /// Whether it is as large as a slice may be: another round of a listing fits on top.
    pub fn is_full(&self) -> bool {
        self.versions >= SLICE_VERSIONS_MAX
            || self.dealer.len() >= LINES_MAX
            || self.dealer.plan_bytes() >= SLICE_BYTES_MAX
    }

    /// One more key with its versions, the newest first.
    pub fn push(&mut self, key: String, entries: &[Entry], plan: &mut Summary) {
        plan.keys += 1;
        let mut versions = Vec::new();
        let mut newer = false;
        for (place, entry) in entries.iter().enumerate() {
            let is_asked = self.which == Versions::All || entry.latest && !entry.delete_marker;
            if is_asked && self.count(&key, entry, newer, plan) {
                let older = entries[place + 1..].iter().map(|older| older.modified);
                versions.push(Version {
                    rank: rank(entry.modified, older),
                    ..Version::from(entry)
                });
            }
            newer = true;
        }
        // A deletion says something only of what is backed up.
        if versions.iter().all(|version| version.marker) {
            return;
        }
        versions.reverse();
        self.versions += versions.len();
        self.dealer.push(Item { key, versions });
    }

    /// Counts a version; says whether it may be wanted.
    fn count(&self, key: &str, entry: &Entry, newer: bool, plan: &mut Summary) -> bool {
        if entry.delete_marker {
            plan.markers += 1;
            return true;
        }
        plan.versions.add(entry.size);
        let facts = Facts {
            key,
            size: entry.size,
            headed: None,
        };
        match self.policy.choose(facts) {
            Choice::Skip(_) => {
                plan.skipped += 1;
                return false;
            }
            Choice::Rule(rule) => self.expect(rule, entry, newer, plan),
            Choice::HeadFirst { .. } => {
                plan.unsure += 1;
                plan.copies.add(entry.size);
                plan.older += u64::from(newer);
                // At most: the dearest of all.
                let classes = self.policy.destinations.values();
                let classes = classes.map(|it| Prices::of(it.storage_class.as_deref()));
                plan.dearer_nano_usd += classes.map(|it| it.dearer(None)).max().unwrap_or(0);
            }
        }
        plan.archived += u64::from(is_archive(&entry.class));
        true
    }

    fn expect(&self, rule: &Rule, entry: &Entry, newer: bool, plan: &mut Summary) {
        let sizes = self.sizes;
        let large = Action::for_size(entry.size, sizes.multipart_mib) == Action::Large;
        for name in &rule.destinations {
            let Some(destination) = self.policy.destinations.get(name) else {
                continue;
            };
            let is_far = destination.region != self.region;
            if is_far {
                plan.far_bytes = plan.far_bytes.saturating_add(entry.size);
            }
            let prices = Prices::of(destination.storage_class.as_deref());
            let parts = plan_parts(entry.size, sizes.part_min_mib * MIB);
            let parts = parts.map_or(0, |it| it.parts());
            plan.dearer_nano_usd += prices.dearer(large.then_some(parts));
            if rule.verify == Verify::Read {
                let far = if is_far { GIB_BETWEEN_REGIONS } else { 0 };
                plan.read.add(entry.size);
                let gets = if large { parts } else { 1 };
                plan.read_nano_usd += prices.reading(entry.size, gets, far);
            } else if rule.verify != Verify::Stored
                || entry.etag.contains('-')
                || destination.kms_key.is_some()
            {
                plan.may_read.add(entry.size);
            }
            if large {
                plan.large.add(entry.size);
                plan.parts += parts;
                // Counted by the end-to-end tests, see the README: a segment for every 16 parts.
                plan.large_transitions += 11 + parts.div_ceil(16).min(40);
            } else {
                plan.copies.add(entry.size);
                plan.older += u64::from(newer);
            }
        }
    }

    /// Writes lines under the number of the next slice. A Map has no use for a slice without lines.
    pub async fn write(
        &mut self,
        (documents, catalog): (&Documents, &Catalog),
        course: &mut Course,
    ) -> Result<(), Failure> {
        self.versions = 0;
        let dealt = self.dealer.take();
        if dealt.is_empty() {
            return Ok(());
        }
        // A round may have brought more than a Map takes.
        for lines in dealt.chunks(LINES_MAX) {
            let slice = course.slices + 1;
            let mut text = String::new();
            for (number, items) in (1..).zip(lines) {
                let line = Line {
                    items: items.clone(),
                    slice,
                    line: number,
                    work: course.work.clone(),
                };
                text.push_str(&json_line(&line));
                text.push('\n');
            }
            let kind = "application/x-ndjson";
            documents.put(&course.work.lines(slice), text, kind).await?;
            let versions = lines.iter().map(|items| versions_of(items)).sum::<usize>();
            let planned = Gone {
                number: slice,
                counts: Counts {
                    left: versions as u64,
                    ..Counts::default()
                },
                lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
                ..Gone::default()
            };
            catalog.put_slice(&course.work.run, &planned).await?;
            course.slices = slice;
            course.plan.lines += lines.len() as u64;
        }
        Ok(())
    }
}
