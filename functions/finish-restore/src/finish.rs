//! What FinishRestore does after a slice, and at the end.

use backup_aws::catalog::Catalog;
use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, ErrorName, Failure, Sns, topic};
use backup_domain::plan::json_line;
use backup_domain::restore::course::{Course, FinishTask, Next, wait_seconds};
use backup_domain::restore::report::{self, Restored};
use backup_domain::task::Execution;
use tracing::info;

use crate::tally::Progress;

/// How often the slices are gone through at most: a restore in bulk from DEEP_ARCHIVE takes 48 hours,
/// looked at every hour.
const PASSES_MAX: u32 = 60;

/// The function's clients and settings.
pub struct Finish {
    pub clients: Clients,
    pub sns: Sns,
    pub topic: String,
    pub region: String,
    pub stack: String,
    pub catalog: Catalog,
}

impl Finish {
    /// Counts the slice; then the next one, or waiting, or the report.
    ///
    /// # Errors
    /// `RestoreIncomplete`, of a drill `DrillFailed`, when not everything is back: the report is
    /// written, and told.
    pub async fn finish(&self, task: FinishTask) -> Result<Course, Failure> {
        let Some(mut course) = task.course else {
            let failure = task.failure.unwrap_or_default();
            return self
                .end_without_course(&task.input, &failure, &task.execution)
                .await;
        };
        let documents = Documents {
            client: self.clients.s3(&self.region),
            bucket: course.work.bucket.clone(),
        };
        let key = course.work.progress();
        // What an interrupted restore has counted is counted anew, slice by slice.
        let is_first = course.pass == 1 && course.slice <= 1;
        let mut progress: Progress = if is_first {
            Progress::default()
        } else {
            documents.get(&key).await?.unwrap_or_default()
        };
        if course.slice > 0 {
            progress
                .count(&documents, &course.work, course.slice)
                .await?;
            let text = serde_json::json!(progress).to_string();
            documents.put(&key, text, "application/json").await?;
        }
        if let Some(next) = next(&course, &progress) {
            (course.next, course.slice, course.pass) = next;
            course.wait_seconds = wait_seconds(course.request.archive.tier);
            course.lines = course.work.lines(course.slice);
            return Ok(course);
        }
        self.end(course, &progress, &documents, &task.execution)
            .await
    }

    async fn end(
        &self,
        mut course: Course,
        progress: &Progress,
        documents: &Documents,
        execution: &Execution,
    ) -> Result<Course, Failure> {
        course.next = Next::End;
        course.done = progress.total();
        course.done.same += course.plan.same;
        course.done.conflicts += course.plan.conflicts;
        course.done.missing += course.plan.missing;
        course.report = Some(course.work.page());
        let left = course.plan.named.iter();
        let left = left.map(|it| Restored::because(&it.key, it.outcome, it.why.clone()));
        let named: Vec<_> = left.chain(progress.named()).collect();
        let page = report::page(&course, &named);
        let kind = "text/markdown; charset=utf-8";
        documents.put(&course.work.page(), page, kind).await?;
        let text = json_line(&course);
        documents
            .put(&course.work.report(), text, "application/json")
            .await?;
        let (is_well, name) = if let Some(sample) = &course.request.sample {
            let drilled = self.end_drill(&course, sample, execution, &named);
            (drilled.await?.passed, ErrorName::DrillFailed)
        } else {
            let message = report::message(&course, &execution.id, &named);
            topic::publish(&self.sns, &self.topic, &message, &course.request.to.bucket).await?;
            (course.done.is_complete(), ErrorName::RestoreIncomplete)
        };
        let verdict = report::verdict(&course.done);
        info!(%verdict, "ended");
        if is_well {
            return Ok(course);
        }
        let work = &course.work;
        let first = named.iter().find_map(|one| one.unproven.as_ref());
        let first = first.map_or_else(String::new, |it| format!("; {}", it.advice()));
        let report = format!("s3://{}/{}", work.bucket, work.page());
        Err(Failure::new(
            name,
            format!("{verdict}; report: {report}{first}"),
        ))
    }
}

/// The next slice and pass; `None` at the end.
fn next(course: &Course, progress: &Progress) -> Option<(Next, u32, u32)> {
    let (slice, pass) = (course.slice, course.pass);
    let following = if pass == 1 {
        Some(slice + 1).filter(|next| slice > 0 && *next <= course.slices)
    } else {
        progress.waiting_after(slice)
    };
    if let Some(following) = following {
        return Some((Next::Restore, following, pass));
    }
    let waiting = progress.waiting_after(0).filter(|_| pass < PASSES_MAX)?;
    Some((Next::Wait, waiting, pass + 1))
}
