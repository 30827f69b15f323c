//! CRC64NVME of an object whose ranges were read apart.

use crc_fast::{CrcAlgorithm, checksum_combine};

const CRC: CrcAlgorithm = CrcAlgorithm::Crc64Nvme;

/// The CRC64NVME of nothing.
pub fn of_nothing() -> u64 {
    crc_fast::checksum(CRC, b"")
}

/// Appends ranges of one length: the operator for that length is worked out once and kept, so that
/// each combination is a few XORs instead of a power of a matrix.
#[derive(Debug, Clone)]
pub struct Append {
    bytes: u64,
    /// What each bit of the left sum becomes behind `bytes` more bytes.
    columns: [u64; 64],
}

impl Append {
    /// The operator for right-hand sides of so many bytes.
    pub fn of(bytes: u64) -> Self {
        // Combining is linear in the left sum, so its 64 single bits say all there is to it.
        let mut columns = [0; 64];
        for (bit, column) in columns.iter_mut().enumerate() {
            *column = checksum_combine(CRC, 1 << bit, 0, bytes);
        }
        Self { bytes, columns }
    }

    /// Length of the right-hand sides it is for.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The sum of left and right together.
    ///
    /// ```
    /// use backup_domain::crc::Append;
    /// use crc_fast::{CrcAlgorithm::Crc64Nvme, checksum};
    /// let (left, right) = (checksum(Crc64Nvme, b"12345"), checksum(Crc64Nvme, b"6789"));
    /// assert_eq!(Append::of(4).to(left, right), checksum(Crc64Nvme, b"123456789"));
    /// ```
    pub fn to(&self, left: u64, right: u64) -> u64 {
        let mut sum = right;
        for (bit, column) in self.columns.iter().enumerate() {
            if left >> bit & 1 == 1 {
                sum ^= column;
            }
        }
        sum
    }
}

/// Sums of neighbouring ranges, combined as they come.
#[derive(Debug, Clone)]
pub struct Combined {
    sum: u64,
    append: Option<Append>,
}

impl Default for Combined {
    fn default() -> Self {
        Self::from_sum(of_nothing())
    }
}

impl Combined {
    /// Goes on from a sum of what lies before.
    pub const fn from_sum(sum: u64) -> Self {
        Self { sum, append: None }
    }

    /// Appends the sum of the next range.
    pub fn push(&mut self, sum: u64, bytes: u64) {
        let append = self
            .append
            .take()
            .filter(|append| append.bytes() == bytes)
            .unwrap_or_else(|| Append::of(bytes));
        self.sum = append.to(self.sum, sum);
        self.append = Some(append);
    }

    /// The sum of all so far.
    pub const fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_cutting_gives_the_sum_of_the_whole(
            content in prop::collection::vec(any::<u8>(), 0..600),
            cuts in prop::collection::vec(1_usize..90, 0..20),
        ) {
            let mut combined = Combined::default();
            let mut rest = content.as_slice();
            for cut in cuts {
                let (range, after) = rest.split_at(cut.min(rest.len()));
                combined.push(crc_fast::checksum(CRC, range), range.len() as u64);
                rest = after;
            }
            combined.push(crc_fast::checksum(CRC, rest), rest.len() as u64);
            prop_assert_eq!(combined.sum(), crc_fast::checksum(CRC, &content));
        }

        #[test]
        fn the_kept_operator_agrees_with_the_library(
            left in any::<u64>(), right in any::<u64>(), bytes in 0_u64..6 << 30,
        ) {
            prop_assert_eq!(Append::of(bytes).to(left, right), checksum_combine(CRC, left, right, bytes));
        }
    }

    #[test]
    fn the_check_value_is_the_published_one() {
        assert_eq!(crc_fast::checksum(CRC, b"123456789"), 0xae8b_1486_0a79_9888);
    }
}
