//! Which recovery points belong to keys that no listing shows.
//!
//! The pass over the listings asks for the points of every key that it meets; the pass over the
//! catalog meets every point. Both add each point to one of [`BUCKETS`] sums: where two sums are
//! equal the passes have met the same points, and only points of the others are looked at one by
//! one. So the work grows with the difference, not with the catalog.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// How many sums there are.
pub const BUCKETS: usize = 4096;

/// Sums over a set of points: the same for the same set, in whatever order it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally(Vec<u64>);

impl Default for Tally {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

fn place(pk: &str, sk: &str) -> (usize, u64) {
    let mut hash = Sha256::new();
    hash.update(pk.as_bytes());
    hash.update([0]);
    hash.update(sk.as_bytes());
    let hash = hash.finalize();
    let number = |at: usize| {
        hash[at..at + 8]
            .iter()
            .fold(0, |all, it| all << 8 | u64::from(*it))
    };
    let bucket = usize::try_from(number(0) % BUCKETS as u64).unwrap_or_default();
    (bucket, number(8))
}

impl Tally {
    /// Adds a point; each must come once.
    pub fn add(&mut self, pk: &str, sk: &str) {
        let (bucket, sum) = place(pk, sk);
        self.0[bucket] = self.0[bucket].wrapping_add(sum);
    }

    /// Whether all sums are equal.
    pub fn agrees(&self, other: &Self) -> bool {
        self == other
    }

    /// Whether this point may be in one set and not in the other.
    pub fn may_differ(&self, other: &Self, pk: &str, sk: &str) -> bool {
        let (bucket, _) = place(pk, sk);
        self.0[bucket] != other.0[bucket]
    }
}

/// As hexadecimal digits: 64 KiB.
impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write;
        let mut text = String::with_capacity(BUCKETS * 16);
        for sum in &self.0 {
            write!(text, "{sum:016x}").map_err(serde::ser::Error::custom)?;
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sums: Option<Vec<_>> = (0..BUCKETS)
            .map(|at| u64::from_str_radix(text.get(at * 16..at * 16 + 16)?, 16).ok())
            .collect();
        sums.map(Self)
            .ok_or_else(|| serde::de::Error::custom("these are no sums"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_a_point_more_is_noticed(
            points in prop::collection::btree_set("[a-z]{1,4}", 1..60), extra in "[A-Z]{1,4}",
        ) {
            let (mut forth, mut back) = (Tally::default(), Tally::default());
            for key in &points {
                forth.add(key, "p#1");
            }
            for key in points.iter().rev() {
                back.add(key, "p#1");
            }
            prop_assert!(forth.agrees(&back));
            back.add(&extra, "p#1");
            prop_assert!(!forth.agrees(&back));
            prop_assert!(forth.may_differ(&back, &extra, "p#1"));
            let others = points.iter().filter(|key| forth.may_differ(&back, key, "p#1")).count();
            prop_assert!(others <= 2, "{others} share one of {BUCKETS} sums");
            let text = serde_json::to_string(&back).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Tally>(&text).expect("sums"), back);
        }
    }
}
