//! The end of a drill: remembered, measured, told by its level; and of any restore that came to none.

use backup_aws::{ErrorName, Failure, metrics, topic};
use backup_domain::audit::report::NAMESPACE;
use backup_domain::error::{Cause, cause_of};
use backup_domain::policy::NotifyLevel;
use backup_domain::restore::course::Course;
use backup_domain::restore::drill::{self, Drilled};
use backup_domain::restore::report::Restored;
use backup_domain::restore::sample::Sample;
use backup_domain::restore::unfinished;
use backup_domain::task::Execution;
use jiff::Timestamp;
use serde_json::Value;
use tracing::info;

use crate::finish::Finish;

impl Finish {
    /// Ends a drill whose report is written. `named` are keys that were not restored.
    pub async fn end_drill(
        &self,
        course: &Course,
        sample: &Sample,
        execution: &Execution,
        named: &[Restored],
    ) -> Result<Drilled, Failure> {
        let (id, now) = (&execution.id, Timestamp::now());
        let drilled = Drilled::of(course, id, began(execution, now), now);
        self.conclude(&drilled, named, None, sample.notify).await?;
        Ok(drilled)
    }

    /// Ends what came to no end: it is told, since nobody may watch it.
    ///
    /// # Errors
    /// `DrillFailed` of a drill, once it is remembered and told; of any other what the topic answers.
    pub async fn end_without_course(
        &self,
        input: &Value,
        failure: &Value,
        execution: &Execution,
    ) -> Result<(), Failure> {
        let cause = cause_of(failure);
        let id = &execution.id;
        if unfinished::is_no_drill(input, &cause) {
            let Some(message) = unfinished::message(input, id, &cause) else {
                return Ok(());
            };
            let bucket = input["to"]["bucket"].as_str().unwrap_or_default();
            return topic::publish(&self.sns, &self.topic, &message, bucket).await;
        }
        let level = unfinished::level(input);
        let now = Timestamp::now();
        let drilled = Drilled::unfinished(id, began(execution, now), now);
        self.conclude(&drilled, &[], Some(&cause), level).await?;
        let message = format!(
            "the drill came to no end: {}: {}",
            cause.error, cause.message
        );
        let mut failure = Failure::new(ErrorName::DrillFailed, message);
        failure.advice = cause.advice;
        Err(failure)
    }

    async fn conclude(
        &self,
        drilled: &Drilled,
        named: &[Restored],
        cause: Option<&Cause>,
        level: NotifyLevel,
    ) -> Result<(), Failure> {
        self.catalog.drilled(drilled).await?;
        let dimensions = [("Stack", self.stack.as_str())];
        let figures = drilled.metrics();
        metrics::emit(&metrics::line(
            NAMESPACE,
            &dimensions,
            &figures,
            drilled.ended,
        ));
        info!(passed = drilled.passed, "drilled");
        let Some(message) = drill::message(drilled, named, cause, level) else {
            return Ok(());
        };
        topic::publish(&self.sns, &self.topic, &message, "").await
    }
}

/// When an execution began; now, where that cannot be read.
fn began(execution: &Execution, now: Timestamp) -> Timestamp {
    execution.start_time.parse().unwrap_or(now)
}
