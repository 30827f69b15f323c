//! The table of what each function asks for, `tests/e2e/iam/requests.json`: written by the calls that the
//! tests make, read by `roles_are_evaluated` of tests/definitions, which asks an evaluator of IAM policies.
//!
//! Resources have the names of what they are, not of one deployment: `source/*`, `table/index/by-open`,
//! `key:backup`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::iam::Permission;
use crate::implied::{BACKUP_KEY, SOURCE_KEY};
use crate::inventoried::INVENTORIES;
use crate::{Call, World, held};

/// What one function asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    /// By calls that the tests have seen, and what these imply.
    asked: BTreeSet<String>,
    /// Granted for what no test shows, each with a reason in `tests/e2e/tests/e2e/allowed.rs`; or on a key
    /// of KMS with which something else is done.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    excused: BTreeSet<String>,
}

type Table = BTreeMap<String, Row>;

static WRITING: Mutex<()> = Mutex::new(());

/// `Copy`, of `s3-backup-CopyFunction-…`; `None` for what is no function of the stack.
fn step(function: &str) -> Option<&str> {
    let (name, _) = function.split_once("Function-")?;
    name.rsplit('-').next()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("iam/requests.json")
}

/// Whether this run writes the table.
pub fn is_written() -> bool {
    std::env::var_os("UPDATE_IAM").is_some()
}

impl World {
    /// Holds the table against what was asked and what is excused. `name` is the function's, with `@` and
    /// the parameters of a deployment behind it where that adds something.
    ///
    /// # Panics
    /// Where they differ; with `UPDATE_IAM=1` the table is written instead.
    pub fn is_tabled(
        &self,
        name: &str,
        asked: impl IntoIterator<Item = Permission>,
        excused: impl IntoIterator<Item = Permission>,
    ) {
        let rows = |them: &mut dyn Iterator<Item = Permission>| -> BTreeSet<String> {
            them.filter_map(|it| {
                let on = self.kind(&it.resource)?;
                Some(format!("{} {on}", it.action))
            })
            .collect()
        };
        let asked = rows(&mut asked.into_iter());
        let mut excused = rows(&mut excused.into_iter());
        excused.retain(|it| !asked.contains(it));
        let found = Row { asked, excused };
        let _one = held(&WRITING);
        let text = std::fs::read_to_string(path()).unwrap_or_else(|_| "{}".to_owned());
        let mut table: Table = serde_json::from_str(&text).expect("the table is JSON");
        if is_written() {
            table.insert(name.to_owned(), found);
            let text = serde_json::to_string_pretty(&table).expect("JSON") + "\n";
            std::fs::write(path(), text).expect("the table is written");
            return;
        }
        // Other tests of the same world may have asked for more than this one by itself: what is granted.
        let tabled = table.remove(name).unwrap_or_default();
        let all =
            |row: &Row| -> BTreeSet<String> { row.asked.union(&row.excused).cloned().collect() };
        let (listed, now) = (all(&tabled), all(&found));
        let unlisted: Vec<_> = found.asked.difference(&listed).collect();
        let stale: Vec<_> = listed.difference(&now).collect();
        assert!(
            unlisted.is_empty() && stale.is_empty(),
            "{name} in tests/e2e/iam/requests.json: {unlisted:?} is missing, nobody asks for {stale:?}; \
             UPDATE_IAM=1 and this test alone write it"
        );
    }

    /// With `IAM_EVERY_CALL=1`: whether every call until now is in the table, whichever test has made it.
    ///
    /// # Panics
    /// At calls that are not.
    pub(crate) fn every_call_is_tabled(&self) {
        if std::env::var_os("IAM_EVERY_CALL").is_none() {
            return;
        }
        let text = std::fs::read_to_string(path()).expect("the table");
        let table: Table = serde_json::from_str(&text).expect("the table is JSON");
        let mut unlisted = BTreeSet::new();
        for call in self.calls_since_last() {
            let Some(step) = call.caller().and_then(step) else {
                continue;
            };
            let rows = table
                .iter()
                .filter(|(name, _)| name.split('@').next() == Some(step));
            let rows: Vec<_> = rows.map(|(_, row)| row).collect();
            for needed in self.needs(&call) {
                let Some(on) = self.kind(&needed.resource) else {
                    continue;
                };
                let asked = format!("{} {on}", needed.action);
                let is_there =
                    |row: &&Row| row.asked.contains(&asked) || row.excused.contains(&asked);
                if !rows.iter().any(is_there) {
                    unlisted.insert(format!("{step} {asked}"));
                }
            }
        }
        assert!(
            unlisted.is_empty(),
            "not in tests/e2e/iam/requests.json: {unlisted:#?}"
        );
    }

    /// The calls that have come since this was asked before.
    fn calls_since_last(&self) -> Vec<Call> {
        static SEEN: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
        let mut seen = held(&SEEN);
        let calls = held(&self.proxy.calls);
        let from = seen.insert(self.proxy.endpoint().to_owned(), calls.len());
        calls[from.unwrap_or(0)..].to_vec()
    }

    /// What a resource is; `None` for what the deployment does not know.
    fn kind(&self, resource: &str) -> Option<String> {
        let output = |name: &str| self.outputs.get(name).map(String::as_str);
        let last = |name: &str| output(name)?.rsplit([':', '/']).next();
        let buckets = [
            (output("SourceBucket"), "source"),
            (output("BackupBucket"), "backup"),
            (output("ReportBucket"), "reports"),
            (output("DrillBucket"), "drill"),
            (Some(INVENTORIES), "inventories"),
        ];
        if let Some(rest) = resource.strip_prefix("arn:aws:s3:::") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            let kind = buckets.iter().find(|(own, _)| *own == Some(bucket))?.1;
            return Some(match (kind, key) {
                (kind, "") => kind.to_owned(),
                ("reports", key) => format!("reports/{}/*", key.split('/').next()?),
                (kind, _) => format!("{kind}/*"),
            });
        }
        match resource {
            SOURCE_KEY => return Some("key:source".to_owned()),
            BACKUP_KEY => return Some("key:backup".to_owned()),
            _ => {}
        }
        let parts: Vec<_> = resource.split(':').collect();
        let (service, rest) = (*parts.get(2)?, parts.get(5..)?.join(":"));
        let machines = [
            ("StateMachineArn", "backup-machine"),
            ("ExpressStateMachineArn", "express-machine"),
            ("AuditStateMachineArn", "audit-machine"),
            ("RestoreStateMachineArn", "restore-machine"),
            ("BackfillStateMachineArn", "backfill-machine"),
        ];
        let queues = [
            ("DeadLetterQueueUrl", "dead-letter-queue"),
            ("IntakeQueueUrl", "intake-queue"),
            ("FollowLifecycleQueueUrl", "follow-lifecycle-queue"),
        ];
        let one_of = |them: &[(&str, &str)], name: &str| {
            let found = them.iter().find(|(own, _)| last(own) == Some(name));
            found.map(|(_, kind)| (*kind).to_owned())
        };
        match service {
            "dynamodb" => {
                let rest = rest.strip_prefix("table/")?;
                let index = rest.strip_prefix(output("CatalogTable")?)?;
                Some(format!("table{index}"))
            }
            "ssm" => (rest == format!("parameter{}", output("PolicyParameter")?))
                .then(|| "policy".to_owned()),
            "sns" => (output("TopicArn") == Some(resource)).then(|| "topic".to_owned()),
            "sqs" => one_of(&queues, &rest),
            "states" if rest.starts_with("stateMachine:") => one_of(&machines, parts.get(6)?),
            "states" => {
                // By the name that CloudFormation makes, see the role of AuditSlice.
                let name = match *parts.get(6)? {
                    "*AuditStateMachine-*" => last("AuditStateMachineArn")?,
                    name => name,
                };
                Some(one_of(&machines, name)? + "/executions")
            }
            _ => None,
        }
    }
}
