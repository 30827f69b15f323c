//! What FinishRestore does after a slice, and at the end.

use backup_aws::catalog::Catalog;
use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, ErrorName, Failure, Sns, topic};
use backup_domain::plan::json_line;
use backup_domain::restore::course::{Course, FinishTask, Next};
use backup_domain::restore::passes::{EVENTS_A_SLICE, Waiting, next_wait};
use backup_domain::restore::report::{self, Restored};
use backup_domain::task::Execution;
use tracing::info;

use crate::tally::Progress;

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
    /// Counts the slice; then the next one, or waiting, or the report. What came to no end is told.
    ///
    /// # Errors
    /// `RestoreIncomplete`, of a drill `DrillFailed`, when not everything is back: the report is
    /// written, and told.
    pub async fn finish(&self, task: FinishTask) -> Result<Option<Course>, Failure> {
        let Some(course) = task.course else {
            let failure = task.failure.unwrap_or_default();
            let (input, execution) = (&task.input, &task.execution);
            self.end_without_course(input, &failure, execution).await?;
            return Ok(None);
        };
        self.go_on(course, &task.execution).await.map(Some)
    }

    async fn go_on(&self, mut course: Course, execution: &Execution) -> Result<Course, Failure> {
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
        course.events = course.events.saturating_add(EVENTS_A_SLICE);
        if let Some(next) = next(&course, &progress) {
            (course.next, course.slice, course.pass) = (next.what, next.slice, next.pass);
            course.wait_seconds = next.wait_seconds;
            course.waited_seconds = course.waited_seconds.saturating_add(next.wait_seconds);
            course.lines = if course.pass == 1 {
                course.work.lines(course.slice)
            } else {
                course.work.open_lines(course.slice)
            };
            return Ok(course);
        }
        self.end(course, &progress, &documents, execution).await
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
        course.done.too_long += course.plan.too_long;
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

/// What follows upon a slice.
struct Following {
    what: Next,
    slice: u32,
    pass: u32,
    wait_seconds: u32,
}

/// The next slice and pass; `None` at the end.
fn next(course: &Course, progress: &Progress) -> Option<Following> {
    let (slice, pass) = (course.slice, course.pass);
    let following = if pass == 1 {
        Some(slice + 1).filter(|next| slice > 0 && *next <= course.slices)
    } else {
        progress.waiting_after(slice)
    };
    if let Some(slice) = following {
        return Some(Following {
            what: Next::Restore,
            slice,
            pass,
            wait_seconds: 0,
        });
    }
    let slice = progress.waiting_after(0)?;
    let waiting = Waiting {
        spent: course.events,
        pass,
        waited: course.waited_seconds,
        slices: progress.waiting(),
    };
    let wait_seconds = next_wait(course.request.archive.tier, waiting)?;
    Some(Following {
        what: Next::Wait,
        slice,
        pass: pass + 1,
        wait_seconds,
    })
}
