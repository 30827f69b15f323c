//! List prices of us-east-1 by storage class, in billionths of a dollar (the pricing page of Amazon S3).

/// What a class takes beyond its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// PUT, COPY, POST, LIST.
    pub write: u64,
    /// GET, and the others.
    pub get: u64,
    /// Retrieving a GiB.
    pub retrieve_gib: u64,
    /// Whether parts are billed as STANDARD until the upload is completed.
    pub staged: bool,
}

/// STANDARD, and what is not known.
pub const STANDARD: Prices = Prices {
    write: 5000,
    get: 400,
    retrieve_gib: 0,
    staged: false,
};

impl Prices {
    /// Of a destination's storage class; none is STANDARD.
    pub fn of(class: Option<&str>) -> Self {
        let (write, get, retrieve_gib) = match class.unwrap_or_default() {
            "STANDARD_IA" | "ONEZONE_IA" => (10_000, 1000, 10_000_000),
            "GLACIER_IR" => (20_000, 10_000, 30_000_000),
            // Not read without being brought back.
            "GLACIER" => (30_000, 400, 0),
            "DEEP_ARCHIVE" => (50_000, 400, 0),
            _ => return STANDARD,
        };
        Self {
            write,
            get,
            retrieve_gib,
            staged: matches!(class, Some("GLACIER" | "DEEP_ARCHIVE")),
        }
    }

    /// What a copy takes more than at STANDARD; `parts` of one that is not copied at once.
    pub fn dearer(&self, parts: Option<u64>) -> u64 {
        let more = self.write - STANDARD.write;
        match parts {
            None => more,
            Some(_) if self.staged => more,
            // Beginning, parts, completing.
            Some(parts) => more.saturating_mul(parts.saturating_add(2)),
        }
    }

    /// What reading a copy takes, `gets` ranges of it; `far` where it is in another region.
    pub fn reading(&self, bytes: u64, gets: u64, far: u64) -> u64 {
        let by_gib = u128::from(bytes) * u128::from(self.retrieve_gib + far);
        let by_gib = u64::try_from(by_gib / u128::from(crate::limits::GIB)).unwrap_or(u64::MAX);
        self.get.saturating_mul(gets).saturating_add(by_gib)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::GIB;

    #[test]
    fn a_colder_class_takes_more_for_each_write_and_for_what_is_read() {
        let million = |class: Option<&str>| Prices::of(class).write / 1000;
        let classes = [
            (None, 5),
            (Some("STANDARD"), 5),
            (Some("INTELLIGENT_TIERING"), 5),
            (Some("STANDARD_IA"), 10),
            (Some("GLACIER_IR"), 20),
            (Some("GLACIER"), 30),
            (Some("DEEP_ARCHIVE"), 50),
        ];
        for (class, dollars) in classes {
            assert_eq!(million(class), dollars, "{class:?}");
        }
        let deep = Prices::of(Some("DEEP_ARCHIVE"));
        // Parts are staged: only completing takes the price of the class.
        assert_eq!(deep.dearer(Some(1000)), 45_000);
        assert_eq!(Prices::of(Some("STANDARD_IA")).dearer(Some(8)), 50_000);
        assert_eq!(STANDARD.dearer(Some(8)), 0);
        let cold = Prices::of(Some("GLACIER_IR"));
        assert_eq!(cold.reading(2 * GIB, 1, 20_000_000), 100_010_000);
    }
}
