//! The plan of a drill: a sample of what the catalog holds as stored.
//!
//! Keys are looked for in random segments of the table, each of which a small Scan begins; a key that
//! may be drilled takes one Query for all of its points. Two for each object that is asked for are
//! looked at, so that some can be preferred.

use std::collections::{BTreeMap, BTreeSet};

use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_domain::restore::course::{Course, Seen};
use backup_domain::restore::owners::Owners;
use backup_domain::restore::request::RequestError;
use backup_domain::restore::sample::{Candidate, SEGMENTS_MAX, Sample};
use backup_domain::task::Execution;
use jiff::Timestamp;
use tracing::info;

use crate::look::Known;
use crate::plan::Planner;
use crate::slice::Slice;

/// Requests to the catalog at once.
const AT_ONCE: usize = 32;
/// Items of a segment that are read: some 50 KB.
const ITEMS: u32 = 32;
/// Keys of a segment that are taken.
const KEYS: usize = 2;
/// Candidates for each object that is asked for.
const CANDIDATES: usize = 2;
/// Segments for each of these that are looked into at most: some are empty.
const SEGMENTS: usize = 8;

impl Planner {
    /// Plans a drill whole: it is as small as a slice.
    ///
    /// # Errors
    /// `InvalidRestore` where drills are off or nothing is stored, and what the catalog answers.
    pub async fn drill(
        &self,
        sample: Sample,
        execution: &Execution,
        owners: Owners,
    ) -> Result<Course, Failure> {
        let scratch = self.scratch.as_ref().ok_or(RequestError::NoDrill)?;
        let run = execution.id.rsplit(':').next().unwrap_or_default();
        let now = Timestamp::now();
        let request = sample.request(run, scratch, now);
        let Some(sample) = request.sample.clone() else {
            return Err(RequestError::NoDrill.into());
        };
        self.check(&request)?;
        let mut course = self.begin(request, execution, &owners).await?;
        let (candidates, seen) = self.candidates(&sample, now).await?;
        course.plan.seen = seen;
        let chosen = sample.choose(candidates);
        info!(candidates = seen.keys, chosen = chosen.len(), "sampled");
        let mut slice = Slice::new(self, &course, owners);
        let keys = chosen.into_iter().map(Known::Sampled).collect();
        slice.look_at(keys, &mut course.plan).await?;
        slice.write(&mut course).await?;
        self.end(&mut course).await?;
        Ok(course)
    }

    async fn candidates(
        &self,
        sample: &Sample,
        now: Timestamp,
    ) -> Result<(Vec<Candidate>, Seen), Failure> {
        let wanted = sample.objects as usize * CANDIDATES;
        let limit = sample.objects.saturating_mul(4);
        let all = self.catalog.segment(&self.source, 0, 1, limit).await?;
        let (mut found, mut seen) = (BTreeMap::new(), Seen::default());
        if !all.more {
            // The whole catalog is not larger.
            let keys = ranked(sample, all.keys, wanted);
            self.look_up(sample, keys, now, &mut found, &mut seen)
                .await?;
            return Ok((found.into_values().flatten().collect(), seen));
        }
        let of = self.segments(sample).await?;
        let segments = sample.segments(of, wanted * SEGMENTS);
        for round in segments.chunks(AT_ONCE) {
            let scans = each(round.to_vec(), AT_ONCE, |segment| {
                let (catalog, source) = (self.catalog.clone(), self.source.clone());
                async move { catalog.segment(&source, segment, of, ITEMS).await }
            });
            let mut keys = Vec::new();
            for segment in scans.await {
                keys.extend(ranked(sample, segment?.keys, KEYS));
            }
            self.look_up(sample, keys, now, &mut found, &mut seen)
                .await?;
            if found.values().flatten().count() >= wanted {
                break;
            }
        }
        Ok((found.into_values().flatten().collect(), seen))
    }

    /// Asks for the points of keys that have not been looked at.
    async fn look_up(
        &self,
        sample: &Sample,
        mut keys: Vec<String>,
        now: Timestamp,
        found: &mut BTreeMap<String, Option<Candidate>>,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        keys.retain(|pk| !found.contains_key(pk));
        let looked = each(keys, AT_ONCE, |pk| {
            let catalog = self.catalog.clone();
            async move {
                let points = catalog.points_of_key(&pk).await?;
                Ok::<_, Failure>((pk, points))
            }
        });
        for looked in looked.await {
            let (pk, points) = looked?;
            seen.keys += 1;
            seen.points += points.len() as u64;
            found.insert(pk, sample.candidate(points, now));
        }
        Ok(())
    }

    /// Into how many segments the table is cut, so that one holds no more than is read of it: a few
    /// tries, since nobody knows how large it is.
    async fn segments(&self, sample: &Sample) -> Result<u32, Failure> {
        let mut of = 16;
        for number in 0.. {
            let tried = Sample {
                seed: format!("{} {number}", sample.seed),
                ..sample.clone()
            };
            let Some(segment) = tried.segments(of, 1).first().copied() else {
                break;
            };
            let found = self
                .catalog
                .segment(&self.source, segment, of, ITEMS)
                .await?;
            if !found.more || of >= SEGMENTS_MAX {
                break;
            }
            of = (of * 8).min(SEGMENTS_MAX);
        }
        Ok(of)
    }
}

/// Some of these keys, by rank.
fn ranked(sample: &Sample, keys: BTreeSet<String>, count: usize) -> Vec<String> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_by_cached_key(|pk| sample.rank(pk));
    keys.truncate(count);
    keys
}
