//! How a large object is cut: parts of a multipart copy, segments of parts, ranges to read.

use serde::{Deserialize, Serialize};

use crate::error::{ErrorName, Named};
use crate::limits::{
    GIB, MAP_ITERATIONS_MAX, MIB, OBJECT_BYTES_MAX, PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX,
};

/// Fewest parts that are worth a Lambda of their own: so many are under way at once in one.
pub const PARTS_AT_ONCE: u64 = 16;
/// Fewest bytes that are worth a reading Lambda of their own: half a minute at the pace of one.
const READ_BYTES_MIN: u64 = 4 * GIB;

/// The parts of one object; all but the last have one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartPlan {
    /// Size of the object in bytes.
    pub object_bytes: u64,
    /// Size of every part but the last, in bytes; a whole number of MiB.
    pub part_bytes: u64,
}

/// A run of parts that one Lambda copies, both ends included, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Number of the first part.
    pub first_part: u64,
    /// Number of the last part.
    pub last_part: u64,
}

/// A run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ByteRange {
    /// Offset of the first byte.
    pub first: u64,
    /// How many bytes, at least one.
    pub bytes: u64,
}

impl ByteRange {
    /// The value of a `Range` or `x-amz-copy-source-range` header.
    ///
    /// ```
    /// use backup_domain::parts::ByteRange;
    /// assert_eq!(ByteRange { first: 10, bytes: 5 }.header(), "bytes=10-14");
    /// ```
    pub fn header(self) -> String {
        format!("bytes={}-{}", self.first, self.first + self.bytes - 1)
    }
}

/// Why an object cannot be cut into parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing to cut: an empty object is copied singly.
    #[error("an object of 0 bytes has no parts")]
    Empty,
    /// More than S3 holds in one object.
    #[error("the event says {bytes} bytes, an object has {OBJECT_BYTES_MAX} at most")]
    TooLarge {
        /// Size of the object.
        bytes: u64,
    },
}

impl Named for PlanError {
    fn name(&self) -> ErrorName {
        match self {
            // S3 stores no such object in parts, so the event cannot be true.
            Self::Empty | Self::TooLarge { .. } => ErrorName::InvalidEvent,
        }
    }
}

/// Cuts an object into the parts of a multipart copy.
///
/// All parts but the last have one size: the smallest whole MiB, at least `part_bytes_min` (itself
/// kept within 5 MiB and 5 GiB), that needs no more than [`PARTS_MAX`] parts.
///
/// # Errors
/// [`PlanError::Empty`] for 0 bytes, [`PlanError::TooLarge`] above [`OBJECT_BYTES_MAX`].
///
/// # Examples
/// ```
/// use backup_domain::limits::{GIB, MIB};
/// use backup_domain::parts::plan_parts;
/// let plan = plan_parts(11 * GIB, 64 * MIB)?;
/// assert_eq!((plan.part_bytes, plan.parts()), (64 * MIB, 176));
/// # Ok::<(), backup_domain::parts::PlanError>(())
/// ```
pub fn plan_parts(object_bytes: u64, part_bytes_min: u64) -> Result<PartPlan, PlanError> {
    if object_bytes == 0 {
        return Err(PlanError::Empty);
    }
    if object_bytes > OBJECT_BYTES_MAX {
        return Err(PlanError::TooLarge {
            bytes: object_bytes,
        });
    }
    let wished = part_bytes_min.clamp(PART_BYTES_MIN, PART_BYTES_MAX);
    let part_bytes = wished
        .max(object_bytes.div_ceil(PARTS_MAX))
        .next_multiple_of(MIB);
    Ok(PartPlan {
        object_bytes,
        part_bytes,
    })
}

impl PartPlan {
    /// How many parts there are.
    pub const fn parts(&self) -> u64 {
        self.object_bytes.div_ceil(self.part_bytes)
    }

    /// The bytes of a part, by its number from 1; `None` beyond the last.
    pub fn range(&self, part: u64) -> Option<ByteRange> {
        let first = part.checked_sub(1)?.checked_mul(self.part_bytes)?;
        let left = self
            .object_bytes
            .checked_sub(first)
            .filter(|left| *left > 0)?;
        Some(ByteRange {
            first,
            bytes: left.min(self.part_bytes),
        })
    }

    /// All parts as one segment.
    pub const fn all(&self) -> Segment {
        Segment {
            first_part: 1,
            last_part: self.parts(),
        }
    }

    /// Deals the parts to at most [`MAP_ITERATIONS_MAX`] segments, which differ by one part at most.
    pub fn segments(&self) -> Vec<Segment> {
        let parts = self.parts();
        let count = parts.div_ceil(PARTS_AT_ONCE).min(MAP_ITERATIONS_MAX);
        deal(parts, count)
            .into_iter()
            .map(|(first, parts)| Segment {
                first_part: first + 1,
                last_part: first + parts,
            })
            .collect()
    }
}

/// Cuts an object into the ranges that reading Lambdas share, at most `ranges_max` of them.
///
/// An empty object has one empty-handed answer: no range at all.
pub fn plan_reading(object_bytes: u64, ranges_max: u64) -> Vec<ByteRange> {
    let count = object_bytes
        .div_ceil(READ_BYTES_MIN)
        .clamp(1, ranges_max.max(1));
    // Whole MiB, so that the ranged GETs of neighbours have the same sizes.
    let whole = object_bytes.div_ceil(MIB);
    deal(whole, count.min(whole))
        .into_iter()
        .map(|(first, mib)| ByteRange {
            first: first * MIB,
            bytes: (mib * MIB).min(object_bytes - first * MIB),
        })
        .collect()
}

/// Splits `items` into `count` runs that differ by one at most: offset and length of each.
fn deal(items: u64, count: u64) -> Vec<(u64, u64)> {
    let mut offset = 0;
    (0..count)
        .map(|index| {
            let length = items / count + u64::from(index < items % count);
            offset += length;
            (offset - length, length)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sizes at the edges, and anything between, on a scale that reaches all magnitudes.
    fn sizes() -> impl Strategy<Value = u64> {
        let edges = prop::sample::select(vec![
            1,
            PART_BYTES_MIN - 1,
            PART_BYTES_MIN,
            PART_BYTES_MIN + 1,
            5 * GIB,
            5 * GIB + 1,
            PARTS_MAX * PART_BYTES_MIN,
            PARTS_MAX * PART_BYTES_MIN + 1,
            50_000_000_000_000,
            OBJECT_BYTES_MAX - 1,
            OBJECT_BYTES_MAX,
        ]);
        let any = (0_u32..46, any::<u64>())
            .prop_map(|(power, bits)| ((1 << power) + bits % (1 << power)).min(OBJECT_BYTES_MAX));
        prop_oneof![edges, any]
    }

    proptest! {
        #[test]
        fn parts_tile_the_object_exactly_once(bytes in sizes(), min in 0..6 * GIB) {
            let plan = plan_parts(bytes, min).expect("a plan");
            prop_assert!(plan.parts() <= PARTS_MAX);
            prop_assert!(plan.part_bytes >= PART_BYTES_MIN && plan.part_bytes <= PART_BYTES_MAX);
            prop_assert_eq!(plan.part_bytes % MIB, 0);
            let mut next = 0;
            for part in 1..=plan.parts() {
                let range = plan.range(part).expect("a range");
                prop_assert_eq!(range.first, next);
                let full = range.bytes == plan.part_bytes;
                prop_assert!(full || (part == plan.parts() && range.bytes > 0));
                next += range.bytes;
            }
            prop_assert_eq!(next, bytes);
            prop_assert_eq!(plan.range(plan.parts() + 1), None);
            prop_assert_eq!(plan.range(0), None);
        }

        #[test]
        fn no_smaller_part_would_do(bytes in sizes(), min in PART_BYTES_MIN..GIB) {
            let plan = plan_parts(bytes, min).expect("a plan");
            let smaller = plan.part_bytes - MIB;
            prop_assert!(smaller < min || bytes.div_ceil(smaller) > PARTS_MAX);
        }

        #[test]
        fn segments_hold_every_part_once_and_are_even(bytes in sizes(), min in 0..GIB) {
            let plan = plan_parts(bytes, min).expect("a plan");
            let segments = plan.segments();
            prop_assert!(!segments.is_empty() && segments.len() as u64 <= MAP_ITERATIONS_MAX);
            let mut next = 1;
            for segment in &segments {
                prop_assert_eq!(segment.first_part, next);
                prop_assert!(segment.last_part >= segment.first_part);
                next = segment.last_part + 1;
            }
            prop_assert_eq!(next, plan.parts() + 1);
            let lengths = segments.iter().map(|segment| segment.last_part - segment.first_part);
            let (least, most) = (lengths.clone().min(), lengths.max());
            prop_assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1));
        }

        #[test]
        fn ranges_to_read_tile_the_object_exactly_once(bytes in sizes(), most in 1_u64..41) {
            let ranges = plan_reading(bytes, most);
            prop_assert!(ranges.len() as u64 <= most);
            let mut next = 0;
            for range in ranges {
                prop_assert_eq!(range.first, next);
                prop_assert!(range.bytes > 0);
                next += range.bytes;
            }
            prop_assert_eq!(next, bytes);
        }
    }

    #[test]
    fn the_limits_themselves() {
        let plan = plan_parts(OBJECT_BYTES_MAX, PART_BYTES_MIN).expect("the largest object");
        assert_eq!((plan.part_bytes, plan.parts()), (PART_BYTES_MAX, PARTS_MAX));
        assert_eq!(plan.segments().len() as u64, MAP_ITERATIONS_MAX);
        assert_eq!(
            plan_parts(OBJECT_BYTES_MAX + 1, PART_BYTES_MIN),
            Err(PlanError::TooLarge {
                bytes: OBJECT_BYTES_MAX + 1
            })
        );
        assert_eq!(plan_parts(0, PART_BYTES_MIN), Err(PlanError::Empty));
        let small = plan_parts(8 * MIB, 5 * MIB).expect("a small one");
        assert_eq!((small.parts(), small.segments().len()), (2, 1));
        assert_eq!(plan_reading(0, 40), []);
    }
}
