//! Drills: which versions a restore is tried with.
//!
//! By its seed alone a choice is always the same for the same catalog. It is spread over the whole key
//! space, over destinations and over the past: of each key one version, whichever of its versions,
//! as of a moment at which that was the latest.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::moment::{AtMoment, at_moment, is_archive};
use super::request::{Archive, From, Mode, Request, RequestError, Tier, To};
use crate::catalog::RecoveryPoint;
use crate::limits::{GIB, KEY_BYTES_MAX};
use crate::policy::NotifyLevel;

/// Objects of one drill at most: what is planned in one run of one function.
pub const OBJECTS_MAX: u32 = 10_000;
/// Parts that a Scan is cut into at most (Amazon DynamoDB API Reference, "Scan": `TotalSegments`).
pub const SEGMENTS_MAX: u32 = 1_000_000;

/// Bytes of the prefix of one run in the scratch bucket, so that few keys are too long behind it.
const PREFIX_BYTES: usize = 9;

/// What a drill is asked for: the field `sample` of its input, all of it optional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Sample {
    /// Objects at most, from 1 to [`OBJECTS_MAX`].
    pub objects: u32,
    /// Their bytes together at most.
    pub bytes: u64,
    /// Chooses; empty: the name of the execution.
    pub seed: String,
    /// Whether archived copies are among them: brought back for money, and in hours.
    pub archived: bool,
    /// Whether what was restored is read, and compared with the bytes or the stored sum of the copy.
    pub read: bool,
    /// What is told at the end.
    pub notify: NotifyLevel,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            objects: 100,
            bytes: 10 * GIB,
            seed: String::new(),
            archived: false,
            read: true,
            notify: NotifyLevel::Failures,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drill {
    sample: Sample,
}

impl Sample {
    /// Reads the input of a drill, `{"sample": {…}}`.
    ///
    /// # Errors
    /// [`RequestError::Unreadable`] and [`RequestError::OutOfBounds`].
    pub fn parse(input: &Value) -> Result<Self, RequestError> {
        let drill: Drill = serde_path_to_error::deserialize(input).map_err(|problem| {
            let path = problem.path().to_string();
            RequestError::Unreadable {
                problem: format!("{path}: {}", problem.into_inner()),
            }
        })?;
        let sample = drill.sample;
        let out_of_bounds = |field, value: u64| RequestError::OutOfBounds {
            field,
            value: value.to_string(),
        };
        if !(1..=OBJECTS_MAX).contains(&sample.objects) {
            return Err(out_of_bounds("sample.objects", sample.objects.into()));
        }
        if sample.bytes == 0 {
            return Err(out_of_bounds("sample.bytes", 0));
        }
        Ok(sample)
    }

    /// The restore that it comes to: into the scratch bucket, under a short hash of the run's name.
    pub fn request(self, run: &str, scratch: &str, now: Timestamp) -> Request {
        let tier = if self.archived {
            Tier::Bulk
        } else {
            Tier::Leave
        };
        let seed = if self.seed.is_empty() {
            run.to_owned()
        } else {
            self.seed.clone()
        };
        let prefix = format!("{}/", &hex(run)[..PREFIX_BYTES - 1]);
        Request {
            prefix: Some(String::new()),
            key: None,
            at: now,
            to: To {
                bucket: scratch.to_owned(),
                prefix,
                region: None,
                owner: None,
            },
            mode: Mode::Beside,
            from: From::Catalog,
            destination: None,
            archive: Archive { tier, days: 1 },
            dry_run: false,
            sample: Some(Self { seed, ..self }),
        }
    }

    /// The segments of a Scan to look into, as many as asked for and no two alike.
    pub fn segments(&self, of: u32, count: usize) -> Vec<u32> {
        let (mut found, mut all) = (BTreeSet::new(), Vec::new());
        let many = usize::try_from(of).unwrap_or(usize::MAX).min(count);
        for number in 0_u64.. {
            if all.len() >= many {
                break;
            }
            let place = rank(&self.seed, &["segment", &number.to_string()]);
            let segment = u32::try_from(place % u64::from(of.max(1))).unwrap_or_default();
            if found.insert(segment) {
                all.push(segment);
            }
        }
        all
    }

    /// Where a key comes in the order that keys are taken in.
    pub fn rank(&self, pk: &str) -> u64 {
        rank(&self.seed, &["key", pk])
    }

    /// What would be brought back of a key, by all of its points: one of its versions that are
    /// stored, as of the moment that it was written. `None` where there is none.
    pub fn candidate(&self, points: Vec<RecoveryPoint>, now: Timestamp) -> Option<Candidate> {
        let mut own: Vec<_> = points.iter().filter(|it| self.is_eligible(it)).collect();
        own.sort_by_key(|it| rank(&self.seed, &["version", &it.pk, &it.sk]));
        let offered = own.into_iter().find_map(|point| {
            let written = point.object.last_modified.unwrap_or(point.object.event_at);
            let at = Timestamp::from_second(written.as_second()).ok()?;
            // Another one of the same second may be the latest of it.
            match at_moment(&points, at, Some(&point.destination)) {
                AtMoment::Offered { point, .. } if self.is_eligible(point) => Some((point, at)),
                _ => None,
            }
        });
        let (point, at) = offered?;
        let is_latest = match at_moment(&points, now, None) {
            AtMoment::Offered { point: latest, .. } | AtMoment::Missing { point: latest, .. } => {
                latest.object.version_key() == point.object.version_key()
            }
            AtMoment::NotYet | AtMoment::Deleted => false,
        };
        Some(Candidate {
            pk: point.pk.clone(),
            at,
            destination: point.destination.clone(),
            bytes: point.object.size,
            in_parts: point.object.etag.contains('-'),
            is_old: !is_latest,
            points,
        })
    }

    fn is_eligible(&self, point: &RecoveryPoint) -> bool {
        let class = point
            .backup
            .as_ref()
            .map(|copy| copy.storage_class.as_deref());
        point.object.deletion.is_none()
            && point.object.key.len() + PREFIX_BYTES <= KEY_BYTES_MAX
            && point.in_order().is_stored()
            && point.in_order().good_copy().is_some()
            && class.is_some_and(|class| self.archived || !class.is_some_and(is_archive))
    }

    /// Chooses, within the limits of the sample: first an object that was uploaded in parts, a version
    /// that is no longer the latest, and one of each destination, where there are such; then by rank.
    pub fn choose(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates.sort_by_cached_key(|it| (self.rank(&it.pk), it.pk.clone()));
        candidates.dedup_by(|left, right| left.pk == right.pk);
        let mut first = Vec::new();
        let fits = |it: &&Candidate| it.bytes <= self.bytes;
        let one = |wanted: &dyn Fn(&Candidate) -> bool| {
            let found = candidates.iter().filter(fits).find(|it| wanted(it));
            found.map(|it| it.pk.clone())
        };
        first.extend(one(&|it| it.in_parts));
        first.extend(one(&|it| it.is_old));
        let destinations: BTreeSet<_> = candidates.iter().map(|it| &it.destination).collect();
        for destination in destinations {
            first.extend(one(&|it| it.destination == *destination));
        }
        let place = |it: &Candidate| first.iter().position(|pk| *pk == it.pk);
        candidates.sort_by_key(|it| place(it).unwrap_or(usize::MAX));
        let (mut chosen, mut bytes) = (Vec::new(), 0_u64);
        for candidate in candidates {
            let together = bytes.saturating_add(candidate.bytes);
            if chosen.len() < self.objects as usize && together <= self.bytes {
                bytes = together;
                chosen.push(candidate);
            }
        }
        chosen
    }
}

/// A version that a drill may bring back.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Partition key of its points.
    pub pk: String,
    /// All points of its key.
    pub points: Vec<RecoveryPoint>,
    /// A moment at which it was the latest.
    pub at: Timestamp,
    /// Destination whose copy is taken.
    pub destination: String,
    /// Its size.
    pub bytes: u64,
    /// Whether it was uploaded in parts.
    pub in_parts: bool,
    /// Whether it is no longer the latest.
    pub is_old: bool,
}

fn hex(run: &str) -> String {
    format!("{:016x}", rank(run, &["prefix"]))
}

/// A number that is as good as random, and always the same for the same words.
fn rank(seed: &str, words: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.as_bytes());
    for word in words {
        hash.update([0]);
        hash.update(word.as_bytes());
    }
    let (mut first, hash) = ([0; 8], hash.finalize());
    first.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests;
