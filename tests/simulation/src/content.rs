//! Content of any size without its bytes: runs of a pattern, compared as such and written out only
//! where a function reads.

use std::cell::RefCell;
use std::collections::HashMap;

use crc_fast::{CrcAlgorithm, checksum, checksum_combine};

const BLOCK: u64 = 1024 * 1024;

thread_local! {
    static SUMS: RefCell<HashMap<Vec<Run>, u64>> = RefCell::default();
    static BLOCKS: RefCell<HashMap<(u8, u64), u64>> = RefCell::default();
}

/// A stretch of one pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Run {
    pattern: u64,
    first: u64,
    bytes: u64,
}

/// What an object holds. Equal exactly when the bytes are meant to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    runs: Vec<Run>,
}

impl Content {
    /// The first `bytes` of a pattern.
    pub fn new(pattern: u64, bytes: u64) -> Self {
        let run = Run {
            pattern,
            first: 0,
            bytes,
        };
        let mut made = Self::default();
        made.push(run);
        made
    }

    fn push(&mut self, run: Run) {
        if run.bytes == 0 {
            return;
        }
        if let Some(last) = self.runs.last_mut()
            && last.pattern == run.pattern
            && last.first + last.bytes == run.first
        {
            last.bytes += run.bytes;
            return;
        }
        self.runs.push(run);
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// Whether there is not one byte.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// A range; what lies beyond the end is left out.
    #[must_use]
    pub fn range(&self, first: u64, bytes: u64) -> Self {
        let (mut skip, mut left, mut cut) = (first, bytes, Self::default());
        for run in &self.runs {
            let before = skip.min(run.bytes);
            skip -= before;
            let taken = (run.bytes - before).min(left);
            left -= taken;
            cut.push(Run {
                first: run.first + before,
                bytes: taken,
                ..*run
            });
        }
        cut
    }

    /// One after the other.
    pub fn join(parts: impl Iterator<Item = Self>) -> Self {
        let mut whole = Self::default();
        for run in parts.flat_map(|part| part.runs) {
            whole.push(run);
        }
        whole
    }

    /// The same size, another content.
    #[must_use]
    pub fn spoilt(&self) -> Self {
        let runs = self.runs.iter().map(|run| Run {
            pattern: run.pattern ^ 0xdead,
            ..*run
        });
        Self {
            runs: runs.collect(),
        }
    }

    /// Stretches of one byte each.
    fn blocks(&self) -> impl Iterator<Item = (u8, u64)> {
        self.runs.iter().flat_map(|run| {
            let end = run.first + run.bytes;
            (run.first / BLOCK..end.div_ceil(BLOCK)).map(move |block| {
                let from = run.first.max(block * BLOCK);
                let to = end.min((block + 1) * BLOCK);
                let name = format!("{}/{block}", run.pattern);
                let byte = checksum(CrcAlgorithm::Crc64Nvme, name.as_bytes()).to_le_bytes()[0];
                (byte, to - from)
            })
        })
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (byte, count) in self.blocks() {
            bytes.resize(
                bytes.len() + usize::try_from(count).expect("a range that is read"),
                byte,
            );
        }
        bytes
    }

    /// CRC64NVME of the bytes, computed once a thread.
    pub fn crc(&self) -> u64 {
        if let Some(known) = SUMS.with_borrow(|sums| sums.get(&self.runs).copied()) {
            return known;
        }
        let sum = self.sum();
        SUMS.with_borrow_mut(|sums| sums.insert(self.runs.clone(), sum));
        sum
    }

    fn sum(&self) -> u64 {
        let mut sum = checksum(CrcAlgorithm::Crc64Nvme, b"");
        for (byte, count) in self.blocks() {
            sum = checksum_combine(CrcAlgorithm::Crc64Nvme, sum, crc_of(byte, count), count);
        }
        sum
    }

    /// Stands in for the MD5: 32 hexadecimal digits, the same exactly for the same content.
    pub fn digest(&self) -> String {
        let text = format!("{:?}", self.runs);
        let sum =
            |salt: &str| checksum(CrcAlgorithm::Crc64Nvme, format!("{salt}{text}").as_bytes());
        format!("{:016x}{:016x}", sum("a"), sum("b"))
    }
}

/// CRC of one byte repeated.
fn crc_of(byte: u8, count: u64) -> u64 {
    let known = BLOCKS.with_borrow(|blocks| blocks.get(&(byte, count)).copied());
    known.unwrap_or_else(|| {
        let sum = doubled(byte, count);
        BLOCKS.with_borrow_mut(|blocks| blocks.insert((byte, count), sum));
        sum
    })
}

fn doubled(byte: u8, count: u64) -> u64 {
    let unit = checksum(CrcAlgorithm::Crc64Nvme, &[byte]);
    let (mut sum, mut have) = (checksum(CrcAlgorithm::Crc64Nvme, b""), 0);
    for bit in (0..u64::BITS - count.leading_zeros()).rev() {
        sum = checksum_combine(CrcAlgorithm::Crc64Nvme, sum, sum, have);
        have *= 2;
        if count >> bit & 1 == 1 {
            sum = checksum_combine(CrcAlgorithm::Crc64Nvme, sum, unit, 1);
            have += 1;
        }
    }
    sum
}
