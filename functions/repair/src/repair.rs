//! Through the findings of an audit, part by part: starts what the backup can mend, and notes which
//! copies have expired.

use std::sync::Arc;

use backup_aws::at_once::each;
use backup_aws::catalog::{Catalog, Copy, CopyOf};
use backup_aws::s3::documents::Documents;
use backup_aws::{Deadline, Failure, StepFunctions, executions};
use backup_domain::audit::Finding;
use backup_domain::audit::progress::{Progress, part_key, progress_key};
use backup_domain::audit::repair::{STARTS_MAX, expiry_of, start_of};
use backup_domain::catalog::partition_key;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::info;

/// Executions that are started at once, and after how many the time is looked at. Far below what an
/// account may start (AWS Step Functions Developer Guide, "Service quotas": a bucket of 1,300,
/// refilled by 300 a second).
const AT_ONCE: usize = 8;
const CHUNK: usize = 200;

/// Input of the state.
#[derive(Debug, Deserialize)]
pub struct Task {
    repaired: Repaired,
}

/// Output of the state: how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repaired {
    /// Run of the audit.
    run: String,
    /// Parts that are done.
    #[serde(default)]
    parts: u32,
    /// Findings of the next part that are done.
    #[serde(default)]
    lines: usize,
    /// Executions that were started.
    #[serde(default)]
    started: u64,
    /// Executions that were asked for, those that another repair of the day had started among them.
    #[serde(default)]
    asked: u64,
    /// Copies that have expired and were taken off their recovery points.
    #[serde(default)]
    expired: u64,
    /// Whether there is more to do.
    #[serde(default)]
    more: bool,
}

pub struct Repair {
    pub documents: Documents,
    pub catalog: Catalog,
    pub executions: StepFunctions,
    pub machine: String,
    pub account: String,
    pub region: String,
}

impl Repair {
    /// Works on until all parts are done or the time is nearly over.
    pub async fn run(&self, task: Task, deadline: Deadline) -> Result<Repaired, Failure> {
        let mut at = task.repaired;
        let progress: Option<Progress> = self.documents.get(&progress_key(&at.run)).await?;
        let parts = progress.map_or(0, |progress| progress.parts);
        let machine = Arc::new((self.executions.clone(), self.machine.clone()));
        while at.parts < parts && !deadline.is_near() {
            let key = part_key(&at.run, at.parts + 1);
            let findings: Vec<Finding> = self.documents.lines(&key).await?.unwrap_or_default();
            while at.lines < findings.len() && !deadline.is_near() {
                let end = findings.len().min(at.lines + CHUNK);
                let now = Timestamp::now();
                let room = usize::try_from(STARTS_MAX.saturating_sub(at.asked)).unwrap_or_default();
                let starts = findings[at.lines..end]
                    .iter()
                    .filter_map(|finding| start_of(finding, &self.account, &self.region, now))
                    .take(room);
                let done = each(starts.collect(), AT_ONCE, |start| {
                    let machine = Arc::clone(&machine);
                    async move {
                        let (client, arn) = &*machine;
                        executions::start(client, arn, &start.name, &start.input).await
                    }
                })
                .await;
                at.asked += done.len() as u64;
                for started in done {
                    at.started += u64::from(started?);
                }
                at.expired += self.expire(&findings[at.lines..end], now).await?;
                at.lines = end;
            }
            if at.lines >= findings.len() {
                (at.parts, at.lines) = (at.parts + 1, 0);
            }
        }
        at.more = at.parts < parts;
        let (started, expired) = (at.started, at.expired);
        info!(run = %at.run, started, expired, more = at.more, "repaired");
        Ok(at)
    }

    /// Takes copies that have expired off their points; says how many were still on one.
    async fn expire(&self, findings: &[Finding], now: Timestamp) -> Result<u64, Failure> {
        let gone = findings.iter().filter_map(|finding| {
            let id = expiry_of(finding)?.to_owned();
            let pk = partition_key(&finding.bucket, &finding.key);
            Some((pk, finding.destination.clone(), id))
        });
        let catalog = Arc::new(self.catalog.clone());
        let done = each(gone.collect(), AT_ONCE, |(pk, destination, version_id)| {
            let catalog = Arc::clone(&catalog);
            async move {
                let copy = Copy {
                    of: CopyOf::Destination(&destination),
                    version_id: &version_id,
                };
                catalog.expire(&pk, copy, now).await
            }
        })
        .await;
        let mut expired = 0;
        for noted in done {
            expired += u64::from(noted?);
        }
        Ok(expired)
    }
}
