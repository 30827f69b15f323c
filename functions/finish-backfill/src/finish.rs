//! What FinishBackfill does after a slice, and at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_aws::catalog::{Catalog, Gone};
use backup_aws::s3::documents::Documents;
use backup_aws::{Clients, ErrorName, Failure, Sns, metrics, topic};
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::course::{
    Course, FinishTask, Next, PASSES_MAX, WAITS_MAX, wait_seconds,
};
use backup_domain::backfill::report::{self, NAMED_MAX, NAMESPACE, Verdict};
use backup_domain::plan::json_line;
use jiff::Timestamp;
use tracing::info;

use crate::elsewhere::Elsewhere;
use crate::tally;

/// The function's clients and settings.
pub struct Finish {
    pub clients: Clients,
    pub catalog: Catalog,
    pub machine: String,
    pub source: String,
    pub account: String,
    pub region: String,
    pub topic: String,
    pub stack: String,
    pub sns: Sns,
}

impl Finish {
    /// Counts the slice; then the next one, or waiting, or the report.
    ///
    /// # Errors
    /// `BackfillIncomplete` when something is not in the backup: the report is written, and told.
    pub async fn finish(&self, task: FinishTask) -> Result<Course, Failure> {
        let mut course = task.course;
        let documents = Documents {
            client: self.clients.s3(&self.region),
            bucket: course.work.bucket.clone(),
        };
        let mut slices = self.catalog.slices(&course.work.run).await?;
        let waited = course.next == Next::Wait;
        if let Some(planned) = slices.get(&course.slice).filter(|_| !waited) {
            let gone = tally::count(&self.catalog, &documents, &course.work, planned).await?;
            slices.insert(course.slice, gone);
        }
        if let Some((slice, pass)) = following(&course, &slices).filter(|_| !waited) {
            (course.next, course.slice, course.pass) = (Next::Backfill, slice, pass);
            course.lines = course.work.lines(slice);
        } else {
            self.look_elsewhere(&course, &documents, &mut slices, false)
                .await?;
            let open = slices.values().any(|slice| slice.counts.open > 0);
            if open && course.waits < WAITS_MAX {
                course.next = Next::Wait;
                course.wait_seconds = wait_seconds(course.waits);
                course.waits += 1;
            } else {
                // What failed may have been redriven since, or before a run that is gone on with.
                self.look_elsewhere(&course, &documents, &mut slices, true)
                    .await?;
                course.next = Next::End;
            }
        }
        course.done = total(&slices);
        self.keep(&course).await?;
        if course.next == Next::End {
            self.end(course, &documents, &slices, &task.execution.id)
                .await
        } else {
            Ok(course)
        }
    }

    async fn look_elsewhere(
        &self,
        course: &Course,
        documents: &Documents,
        slices: &mut BTreeMap<u32, Gone>,
        mended: bool,
    ) -> Result<(), Failure> {
        let elsewhere = Arc::new(Elsewhere {
            catalog: self.catalog.clone(),
            machine: self.machine.clone(),
            source: self.source.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
        });
        let is_asked = |it: &Counts| it.open > 0 && !mended || it.failed > 0 && mended;
        for slice in slices.values_mut().filter(|it| is_asked(&it.counts)) {
            *slice = elsewhere
                .look(documents, &course.work, slice, mended)
                .await?;
        }
        Ok(())
    }

    /// What the command line shows of it.
    async fn keep(&self, course: &Course) -> Result<(), Failure> {
        if let Some(mut run) = self.catalog.run(&course.work.run).await? {
            let execution = run.execution.clone();
            (run.slice, run.done) = (course.slice, course.done);
            run.verdict = (course.next == Next::End).then(|| Verdict::of(&course.done));
            self.catalog.put_run(&run, Some(&execution)).await?;
        }
        Ok(())
    }

    async fn end(
        &self,
        mut course: Course,
        documents: &Documents,
        slices: &BTreeMap<u32, Gone>,
        execution: &str,
    ) -> Result<Course, Failure> {
        let (work, now) = (course.work.clone(), Timestamp::now());
        let (failed, open) = tally::named(documents, &work, slices.values(), NAMED_MAX).await?;
        course.report = Some(work.page());
        let page = report::page(&course, &failed, &open, now);
        let kind = "text/markdown; charset=utf-8";
        documents.put(&work.page(), page, kind).await?;
        let text = json_line(&course);
        documents
            .put(&work.report(), text, "application/json")
            .await?;
        let dimensions = [("Stack", self.stack.as_str())];
        let values = report::metrics(&course.done);
        metrics::emit(&metrics::line(NAMESPACE, &dimensions, &values, now));
        let message = report::message(&course, &self.source, execution);
        topic::publish(&self.sns, &self.topic, &message, &self.source).await?;
        let verdict = report::line(&course.done);
        info!(run = %work.run, %verdict, "ended");
        if course.done.is_whole() {
            return Ok(course);
        }
        let message = format!("{verdict}; report: s3://{}/{}", work.bucket, work.page());
        Err(Failure::new(ErrorName::BackfillIncomplete, message))
    }
}

fn total(slices: &BTreeMap<u32, Gone>) -> Counts {
    let mut total = Counts::default();
    for slice in slices.values() {
        total.add(&slice.counts);
    }
    total
}

/// The next slice with something left, in this pass or the next one.
fn following(course: &Course, slices: &BTreeMap<u32, Gone>) -> Option<(u32, u32)> {
    let left = |from: u32| {
        let mut behind = slices.range(from..);
        behind
            .find(|(_, slice)| slice.counts.left > 0)
            .map(|(number, _)| *number)
    };
    if let Some(slice) = left(course.slice + 1) {
        return Some((slice, course.pass));
    }
    let again = left(0).filter(|_| course.pass < PASSES_MAX)?;
    Some((again, course.pass + 1))
}
