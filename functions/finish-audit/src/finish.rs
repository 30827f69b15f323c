//! The end of an audit, whether it was done or not.

use std::collections::BTreeMap;

use backup_aws::s3::documents::Documents;
use backup_aws::{Failure, Sns, metrics, topic};
use backup_domain::audit::finding::{Kind, Verdict};
use backup_domain::audit::progress::{Progress, page_key, progress_key, summary_key};
use backup_domain::audit::report::{self, NAMESPACE, Summary};
use backup_domain::audit::request::Request;
use backup_domain::error::{Cause, cause_of};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::info;

/// Input of the state.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// What was asked for: the input of the state machine.
    request: Value,
    /// The execution.
    execution: Execution,
    /// What a repair did.
    #[serde(default)]
    repaired: Repaired,
    /// What the state machine caught, where the audit came to no end; an empty object where it did.
    #[serde(default)]
    failure: Value,
}

#[derive(Debug, Deserialize)]
struct Execution {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Repaired {
    started: u64,
}

/// Output of the state, and of the execution.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    run: String,
    verdict: Verdict,
    report_bucket: String,
    report: String,
    /// Counts of what was found.
    findings: BTreeMap<&'static str, u64>,
    /// Executions that a repair started.
    started: u64,
}

/// The function.
pub struct Finish {
    pub documents: Documents,
    pub sns: Sns,
    pub topic: String,
    pub source: String,
    pub stack: String,
}

impl Finish {
    /// Writes, measures, tells.
    pub async fn finish(&self, task: Task) -> Result<Finished, Failure> {
        let now = Timestamp::now();
        // What could not be understood is told too.
        let request = Request::parse(&task.request).unwrap_or_default();
        let name = task.execution.name;
        let mut run = request.resume.clone().unwrap_or_else(|| name.clone());
        let mut kept: Option<Progress> = self.documents.get(&progress_key(&run)).await?;
        if kept.as_ref().is_some_and(|kept| !kept.is_of(&name)) {
            // Another execution is at that run: its report is not this one's to write.
            (run, kept) = (name, None);
        }
        let progress = kept.unwrap_or_else(|| Progress::new(run.clone(), request, now));
        let cause: Option<Cause> = task.failure.get("Error").map(|_| cause_of(&task.failure));
        let bucket = &self.documents.bucket;
        let summary = Summary::of(&progress, bucket, task.repaired.started, cause, now);
        let page = report::page(&summary);
        self.documents
            .put(&page_key(&run), page, "text/markdown; charset=utf-8")
            .await?;
        let document = json!(summary).to_string();
        self.documents
            .put(&summary_key(&run), document, "application/json")
            .await?;
        self.measure(&summary);
        let message = report::message(&summary);
        topic::publish(&self.sns, &self.topic, &message, &self.source).await?;
        let verdict = summary.verdict;
        info!(%run, verdict = verdict.as_str(), "audit finished");
        let counts = Kind::ALL
            .iter()
            .map(|kind| (kind.as_str(), summary.totals.count(*kind)));
        Ok(Finished {
            verdict,
            report_bucket: bucket.clone(),
            report: page_key(&run),
            findings: counts.filter(|(_, count)| *count > 0).collect(),
            started: task.repaired.started,
            run,
        })
    }

    /// An audit that came to no end measures nothing but that.
    fn measure(&self, summary: &Summary) {
        let unfinished = summary.verdict == Verdict::Unfinished;
        let end = [("AuditUnfinished", f64::from(u8::from(unfinished)))];
        let stack = ("Stack", self.stack.as_str());
        metrics::emit(&metrics::line(NAMESPACE, &[stack], &end, summary.ended));
        for (name, own) in summary.totals.destinations.iter().filter(|_| !unfinished) {
            let values = report::metrics(own, summary.ended);
            let dimensions = [stack, ("Destination", name)];
            metrics::emit(&metrics::line(
                NAMESPACE,
                &dimensions,
                &values,
                summary.ended,
            ));
        }
    }
}
