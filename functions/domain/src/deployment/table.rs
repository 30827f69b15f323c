//! The catalog's table: its keys, its indexes, and what protects it.

use std::collections::BTreeMap;

use super::{Finding, Severity};
use crate::catalog::SHAPE;

/// DynamoDB makes one index of a table at a time (Amazon DynamoDB Developer Guide, "Managing Global
/// Secondary Indexes").
const ONE_AFTER_ANOTHER: &str = "; one index after another: wait until its IndexStatus is ACTIVE";

/// Attribute names of a primary key; all of them are strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    /// Partition key.
    pub hash: String,
    /// Sort key, absent where there is none.
    pub range: Option<String>,
}

impl KeySchema {
    fn new(hash: &str, range: Option<&str>) -> Self {
        Self {
            hash: hash.to_owned(),
            range: range.map(str::to_owned),
        }
    }

    fn told(&self) -> String {
        match &self.range {
            None => self.hash.clone(),
            Some(range) => format!("{} and {range}", self.hash),
        }
    }

    /// `AttributeName=…,KeyType=…`, as a list in JSON.
    fn json(&self) -> String {
        let one =
            |name: &str, kind: &str| format!(r#"{{"AttributeName":"{name}","KeyType":"{kind}"}}"#);
        let range = self.range.as_deref().map(|name| one(name, "RANGE"));
        let all: Vec<_> = [one(&self.hash, "HASH")].into_iter().chain(range).collect();
        format!("[{}]", all.join(","))
    }
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its key.
    pub key: KeySchema,
    /// Attributes that it has besides the keys; `None` where it has all.
    pub attributes: Option<Vec<String>>,
    /// Whether it can be queried: an index that is being made cannot.
    pub active: bool,
}

/// A table as DynamoDB describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its key.
    pub key: KeySchema,
    /// Attributes of keys that are no strings.
    pub not_strings: Vec<String>,
    /// Its global secondary indexes by name.
    pub indexes: BTreeMap<String, Index>,
    /// The attribute that items expire by, absent where that is off.
    pub time_to_live: Option<String>,
    /// Whether point-in-time recovery is on.
    pub recoverable: bool,
    /// Whether deletion protection is on.
    pub protected: bool,
    /// Whether its requests are billed on demand.
    pub on_demand: bool,
    /// ARN of the KMS key that encrypts it, one of AWS's or of the owner's.
    pub encryption_key: Option<String>,
    /// Highest item version among those looked at; absent where there is no recovery point.
    pub item_version: Option<u32>,
}

/// The table as the template makes it.
pub fn wanted() -> Table {
    let index = |hash: &str, range: Option<&str>, attributes: &[&str]| Index {
        key: KeySchema::new(hash, range),
        attributes: Some(attributes.iter().map(|&name| name.to_owned()).collect()),
        active: true,
    };
    let indexes = [
        (
            "by-day",
            index(
                "day",
                Some("endedAt"),
                &["status", "destination", "error", "eventAt"],
            ),
        ),
        ("by-owed", index("owedAfter", None, &[])),
        (
            "by-open",
            index("open", Some("openSince"), &["status", "object"]),
        ),
        ("by-failed", index("failedAt", None, &["exhausted"])),
    ];
    Table {
        name: String::new(),
        region: String::new(),
        key: KeySchema::new("pk", Some("sk")),
        not_strings: vec![],
        indexes: indexes
            .into_iter()
            .map(|(name, index)| (name.to_owned(), index))
            .collect(),
        time_to_live: Some("expiresAt".to_owned()),
        recoverable: true,
        protected: true,
        on_demand: true,
        encryption_key: None,
        item_version: Some(SHAPE),
    }
}

impl Table {
    /// An `aws dynamodb` command on it.
    fn command(&self, verb: &str, rest: &str) -> String {
        let Self { name, region, .. } = self;
        format!("aws dynamodb {verb} --region {region} --table-name {name} {rest}")
    }

    /// What differs from the table that the backup needs, the worst first.
    ///
    /// A restored table has the keys and, unless they were left out, the indexes of the old one, but
    /// neither its time to live nor its point-in-time recovery nor its deletion protection (Amazon
    /// DynamoDB Developer Guide, "Restoring a table to a point in time").
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = [self.of_structure(), self.of_settings()].concat();
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        found
    }

    /// Keys, indexes, items: without them it is no catalog.
    fn of_structure(&self) -> Vec<Finding> {
        let wanted = wanted();
        let on = format!("table {}", self.name);
        let mut found = Vec::new();
        let mut add = |name, severity, problem: String, remedy: String| {
            found.push(Finding::new(name, severity, on.as_str(), problem, remedy));
        };
        if self.key != wanted.key || !self.not_strings.is_empty() {
            let problem = if self.key == wanted.key {
                format!("{} must be strings", self.not_strings.join(", "))
            } else {
                format!(
                    "its key is {}, a catalog's is {}",
                    self.key.told(),
                    wanted.key.told()
                )
            };
            let remedy = "give CatalogTableName a table that a stack of s3-backup has made, or one restored from it";
            add(
                "WrongKeySchema",
                Severity::Unfit,
                problem,
                remedy.to_owned(),
            );
        }
        for (name, index) in &wanted.indexes {
            match self.indexes.get(name) {
                None => add(
                    "MissingIndex",
                    Severity::Unfit,
                    format!("it has no index {name}"),
                    self.create_index(name, index) + ONE_AFTER_ANOTHER,
                ),
                Some(seen) if !seen.serves(index) => add(
                    "WrongIndex",
                    Severity::Unfit,
                    format!("its index {name} has other keys or too few attributes"),
                    format!(
                        "{}, and when it is gone: {}{ONE_AFTER_ANOTHER}",
                        self.command("update-table", &format!("--global-secondary-index-updates '[{{\"Delete\":{{\"IndexName\":\"{name}\"}}}}]'")),
                        self.create_index(name, index)
                    ),
                ),
                Some(seen) if !seen.active => add(
                    "IndexNotActive",
                    Severity::Problem,
                    format!("its index {name} is being made: it cannot be queried yet"),
                    "wait until its IndexStatus is ACTIVE, then run this again".to_owned(),
                ),
                Some(_) => {}
            }
        }
        if let Some(version) = self.item_version.filter(|&version| version > SHAPE) {
            add(
                "UnknownItemVersion",
                Severity::Unfit,
                format!("it has items of version {version}, this release reads {SHAPE}"),
                "deploy the release that wrote them".to_owned(),
            );
        }
        found
    }

    /// What protects it, and what it costs.
    fn of_settings(&self) -> Vec<Finding> {
        let on = format!("table {}", self.name);
        let mut found = Vec::new();
        let mut add = |name, severity, problem: String, remedy: String| {
            found.push(Finding::new(name, severity, on.as_str(), problem, remedy));
        };
        if self.time_to_live != wanted().time_to_live {
            let problem = match &self.time_to_live {
                None => "items do not expire: what is dealt with is kept for ever".to_owned(),
                Some(other) => format!("items expire by {other}, not by expiresAt"),
            };
            let remedy = self.command(
                "update-time-to-live",
                "--time-to-live-specification Enabled=true,AttributeName=expiresAt",
            );
            add("NoTimeToLive", Severity::Problem, problem, remedy);
        }
        if !self.recoverable {
            let remedy = self.command(
                "update-continuous-backups",
                "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
            );
            let problem = "point-in-time recovery is off: a damaged catalog cannot be brought back";
            add(
                "NoPointInTimeRecovery",
                Severity::Problem,
                problem.to_owned(),
                remedy,
            );
        }
        if !self.protected {
            let remedy = self.command("update-table", "--deletion-protection-enabled");
            let problem = "deletion protection is off: one call can delete it";
            add(
                "NoDeletionProtection",
                Severity::Advice,
                problem.to_owned(),
                remedy,
            );
        }
        if !self.on_demand {
            let remedy = self.command("update-table", "--billing-mode PAY_PER_REQUEST");
            let problem = "its capacity is provisioned: a burst of uploads would be throttled";
            add("NotOnDemand", Severity::Advice, problem.to_owned(), remedy);
        }
        found
    }

    fn create_index(&self, name: &str, index: &Index) -> String {
        let keys = [Some(&index.key.hash), index.key.range.as_ref()];
        let definitions: Vec<_> = keys
            .into_iter()
            .flatten()
            .map(|key| format!("AttributeName={key},AttributeType=S"))
            .collect();
        let projection = match index.attributes.as_deref() {
            None => r#"{"ProjectionType":"ALL"}"#.to_owned(),
            Some([]) => r#"{"ProjectionType":"KEYS_ONLY"}"#.to_owned(),
            Some(names) => format!(
                r#"{{"ProjectionType":"INCLUDE","NonKeyAttributes":["{}"]}}"#,
                names.join("\",\"")
            ),
        };
        self.command(
            "update-table",
            &format!(
                "--attribute-definitions {} --global-secondary-index-updates '[{{\"Create\":{{\"IndexName\":\"{name}\",\"KeySchema\":{},\"Projection\":{projection}}}}}]'",
                definitions.join(" "),
                index.key.json(),
            ),
        )
    }
}

impl Index {
    /// Whether it has the other's keys, and its attributes at least.
    fn serves(&self, wanted: &Self) -> bool {
        let has = |name: &String| {
            let attributes = self.attributes.as_ref();
            attributes.is_none_or(|attributes| attributes.contains(name))
        };
        self.key == wanted.key && wanted.attributes.iter().flatten().all(has)
    }
}

#[cfg(test)]
mod tests;
