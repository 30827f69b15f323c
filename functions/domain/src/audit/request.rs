//! What an audit is asked for.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finding::AuditError;
use crate::inventory::Location;

/// What is younger than this may still be under way, unless the request says otherwise.
const GRACE_SECONDS: u32 = 900;
/// Slices that one can cut the work into.
const SLICES_MAX: u32 = 366;

/// How closely an audit looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Listings and catalog: existence, size, order, and ETags where those were the evidence.
    #[default]
    Listing,
    /// Also the checksums as S3 stores them, tags, and annotations: a few requests a version.
    Checksums,
    /// Also the bytes of every copy.
    Read,
}

/// What an audit is asked for: the input of its state machine. Unknown fields are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Request {
    /// How closely.
    pub level: Level,
    /// `n/t`: of what goes beyond listing, the n-th of t parts alone; `today/t` takes another part
    /// every day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Keys at the source that begin so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Names of destinations; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
    /// S3 Inventory reports that are read instead of listing.
    #[serde(skip_serializing_if = "Inventories::is_empty")]
    pub inventory: Inventories,
    /// Seconds within which a version may still be under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// Whether what is missing is fed to the backup.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repair: bool,
    /// Run of an audit that was cut off, to go on with; what it was asked for counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// Where S3 Inventory reports lie: `s3://bucket/prefix/source-bucket/config-id/`, of which the newest
/// complete one is taken, or the `manifest.json` of one. A side without one is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Inventories {
    /// Of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of destinations' buckets, by the destinations' names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub destinations: BTreeMap<String, String>,
}

impl Inventories {
    /// Whether everything is listed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each with the name of its destination; the source has none.
    pub fn each(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let source = self.source.iter().map(|at| (None, at.as_str()));
        let others = self.destinations.iter();
        source.chain(others.map(|(name, at)| (Some(name.as_str()), at.as_str())))
    }
}

/// One of several equal parts of the versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Which, from 0.
    pub number: u32,
    /// Of how many.
    pub of: u32,
}

impl Request {
    /// Reads the input of an execution.
    ///
    /// # Errors
    /// [`AuditError::Request`] names what cannot be understood.
    pub fn parse(input: &Value) -> Result<Self, AuditError> {
        let problem = |problem: String| AuditError::Request { problem };
        if !input.is_object() {
            return Err(problem(format!("{input} is no JSON object")));
        }
        let request: Self =
            serde_json::from_value(input.clone()).map_err(|it| problem(it.to_string()))?;
        request.slice_on(Timestamp::UNIX_EPOCH)?;
        if request.slice.is_some() && request.level == Level::Listing {
            return Err(problem(
                "a listing has no slices: ask for level checksums or read".into(),
            ));
        }
        for (_, at) in request.inventory.each() {
            Location::parse(at).map_err(|it| problem(it.to_string()))?;
        }
        let run = request.resume.as_deref().unwrap_or("-");
        if run.is_empty()
            || !run
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        {
            return Err(problem(format!("{run:?} is no run of an audit")));
        }
        Ok(request)
    }

    /// The part that is looked at more closely; `None` means everything.
    ///
    /// # Errors
    /// [`AuditError::Request`] for what is no `n/t`.
    pub fn slice_on(&self, day: Timestamp) -> Result<Option<Slice>, AuditError> {
        let Some(text) = &self.slice else {
            return Ok(None);
        };
        let wrong = || AuditError::Request {
            problem: format!(
                "slice {text:?} is not like 3/30 or today/30, of {SLICES_MAX} at most"
            ),
        };
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let of: u32 = of.parse().map_err(|_| wrong())?;
        let number = match number {
            "today" if of > 0 => {
                u32::try_from(day.as_second() / 86_400 % i64::from(of)).unwrap_or_default() + 1
            }
            number => number.parse().map_err(|_| wrong())?,
        };
        if of > SLICES_MAX || !(1..=of).contains(&number) {
            return Err(wrong());
        }
        let number = number - 1;
        Ok(Some(Slice { number, of }))
    }

    /// How long a version may be under way.
    pub fn grace(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.grace_seconds.unwrap_or(GRACE_SECONDS)))
    }
}

impl Slice {
    /// Whether a recovery point is in this part: always the same one.
    pub fn has(self, pk: &str, sk: &str) -> bool {
        let name = format!("{pk}\0{sk}");
        let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, name.as_bytes());
        hash % u64::from(self.of) == u64::from(self.number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn slice(text: &str, day: i64) -> Option<Slice> {
        let request = Request {
            slice: Some(text.to_owned()),
            ..Request::default()
        };
        let day = Timestamp::from_second(day * 86_400).expect("a day");
        request.slice_on(day).ok().flatten()
    }

    #[test]
    fn what_cannot_be_understood_is_refused_by_name() {
        for bad in [
            json!([]),
            json!({"level": "deep"}),
            json!({"prefixes": "a"}),
            json!({"level": "read", "slice": "0/30"}),
            json!({"level": "read", "slice": "31/30"}),
            json!({"level": "read", "slice": "30"}),
            json!({"level": "read", "slice": "today/0"}),
            json!({"slice": "1/30"}),
            json!({"resume": "../other"}),
            json!({"graceSeconds": -1}),
            json!({"inventory": "s3://reports/"}),
            json!({"inventory": {"sources": "s3://reports/"}}),
            json!({"inventory": {"source": "reports"}}),
            json!({"inventory": {"destinations": {"p": "https://reports/"}}}),
        ] {
            assert!(Request::parse(&bad).is_err(), "{bad}");
        }
        let all = json!({"level": "read", "slice": "today/30", "prefix": "a/", "repair": true,
                         "destinations": ["p"], "inventory": {"source": "s3://reports/a/",
                         "destinations": {"p": "s3://reports/b/manifest.json"}}, "graceSeconds": 0, "resume": "run-1"});
        assert!(Request::parse(&all).is_ok());
        assert_eq!(Request::parse(&json!({})), Ok(Request::default()));
    }

    #[test]
    fn thirty_days_take_every_slice_once() {
        let days: std::collections::BTreeSet<_> = (20_000..20_030)
            .filter_map(|day| slice("today/30", day))
            .map(|slice| slice.number)
            .collect();
        assert_eq!(days.len(), 30);
    }

    proptest! {
        #[test]
        fn every_point_is_in_exactly_one_slice(pk in "\\PC{1,20}", sk in "\\PC{1,20}", of in 1_u32..40) {
            let slices = (1..=of).filter_map(|number| slice(&format!("{number}/{of}"), 0));
            prop_assert_eq!(slices.filter(|slice| slice.has(&pk, &sk)).count(), 1);
        }
    }
}
