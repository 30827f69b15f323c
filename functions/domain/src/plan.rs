//! What plans share, whether something is backed up or restored: their lines, counts, and what they cost.

use serde::{Deserialize, Serialize};

use crate::limits::{GIB, KIB, MIB};

/// Millionths of a dollar.
pub type MicroUsd = u64;

/// Objects and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// How many.
    pub objects: u64,
    /// Together.
    pub bytes: u64,
}

impl Tally {
    /// One more.
    pub fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A value as one line of JSON in ASCII: readers differ in what else they take for the end of a line.
pub fn json_line(value: &impl Serialize) -> String {
    use std::fmt::Write;
    let json = serde_json::json!(value).to_string();
    if json.is_ascii() {
        return json;
    }
    let mut line = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if c.is_ascii() {
            line.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line
}

/// A size for a reader: whole bytes below a KiB, else in tenths.
pub fn size(bytes: u64) -> String {
    let tenths = |unit: u64, name: &str| {
        let tenths = bytes / (unit / 10);
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..KIB => format!("{bytes} bytes"),
        KIB..MIB => tenths(KIB, "KiB"),
        MIB..GIB => tenths(MIB, "MiB"),
        _ => tenths(GIB, "GiB"),
    }
}

/// Dollars for a reader.
pub fn usd(micro: MicroUsd) -> String {
    match micro {
        0..10_000 => "less than $0.01".to_owned(),
        _ => format!("${}.{:02}", micro / 1_000_000, micro % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        for (bytes, text) in [
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (5 * MIB, "5.0 MiB"),
            (3 * GIB / 2, "1.5 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
