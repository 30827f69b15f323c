//! One measurement.

use std::collections::BTreeMap;

use backup_aws::catalog::Catalog;
use backup_aws::notices::Notices;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Deadline, Failure, Sqs, metrics, queue};
use backup_domain::audit::report::NAMESPACE;
use backup_domain::catalog::DAY_SHARDS;
use backup_domain::lag::{IN_TIME, Lag, Marks, Open, WHOLE};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tracing::{info, warn};

/// Pages of open versions that one run reads of each shard: 1 MB each, some 2,000 versions.
const PAGES_MAX: usize = 10;
/// Late versions that one run begins to follow, and that it looks after.
pub const LATE_MAX: usize = 1000;
/// Indexes are behind by a moment (Amazon DynamoDB Developer Guide, "Global secondary indexes"): the
/// last seconds are left to the next run.
pub const SETTLED: SignedDuration = SignedDuration::from_secs(30);
/// What ended before is counted no more.
const COUNTED: SignedDuration = SignedDuration::from_hours(24);

/// The function.
pub struct Report {
    pub policy: PolicyStore,
    pub catalog: Catalog,
    pub notices: Notices,
    pub sqs: Sqs,
    /// URL of the queue that events wait in; empty where there is none.
    pub intake: String,
    pub stack: String,
    pub source: String,
    /// Days from drill to drill; 0: there are none.
    pub drill_days: u32,
}

/// What one run found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reported {
    lags: BTreeMap<String, Lag>,
    missed: usize,
    arrived: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill_periods: Option<i64>,
}

impl Report {
    /// Measures, counts, tells.
    pub async fn run(&self, _schedule: Value, deadline: Deadline) -> Result<Reported, Failure> {
        let policy = self.policy.load().await?;
        let now = self.catalog.now();
        self.catalog.watches(&self.source, now).await?;
        let before = self.catalog.lag_marks().await?;
        let mut marks = before.clone();
        let mut followed = 0;
        self.count(&mut marks, now, &mut followed, deadline).await?;
        marks.lags.clear();
        for destination in policy.destinations.keys() {
            let mut lag = self.open(destination, now, &mut followed, deadline).await?;
            lag.in_time_percent = marks.in_time_percent(destination, lag.late);
            self.measure(destination, &lag.metrics(now), now);
            marks.lags.insert(destination.clone(), lag);
        }
        let whole = self.whole(deadline).await?;
        self.measure(WHOLE, &whole.metrics(now), now);
        if whole.failed > 0 {
            marks.lags.insert(WHOLE.to_owned(), whole);
        }
        marks.waiting = self.waiting(now).await?;
        let (missed, arrived) = self.tell(&policy, &mut marks, now, deadline).await?;
        let (lags, waiting) = (marks.lags.clone(), marks.waiting);
        // Another run that was quicker has counted the same.
        self.catalog.set_lag_marks(&marks, before.counted).await?;
        let drill_periods = self.drills(now).await?;
        info!(missed, arrived, "lag reported");
        Ok(Reported {
            lags,
            missed,
            arrived,
            waiting,
            drill_periods,
        })
    }

    fn measure(&self, destination: &str, figures: &[(&'static str, f64)], now: Timestamp) {
        let dimensions = [("Stack", self.stack.as_str()), ("Destination", destination)];
        metrics::emit(&metrics::line(NAMESPACE, &dimensions, figures, now));
    }

    /// How long no drill has succeeded. What was before drills were switched on is no fault.
    async fn drills(&self, now: Timestamp) -> Result<Option<i64>, Failure> {
        let mut mark = self.catalog.drills().await?;
        match (self.drill_days, mark.since) {
            (0, None) => return Ok(None),
            (0, Some(_)) => {
                self.catalog.drills_on(None).await?;
                return Ok(None);
            }
            (_, Some(_)) => {}
            (_, None) => {
                self.catalog.drills_on(Some(now)).await?;
                mark.since = Some(now);
            }
        }
        let periods = mark.periods_since(now, self.drill_days);
        if let Some(periods) = periods {
            #[expect(clippy::cast_precision_loss, reason = "metrics are floating")]
            self.of_stack("DrillPeriodsSince", periods as f64, now);
        }
        Ok(periods)
    }

    fn of_stack(&self, name: &'static str, figure: f64, now: Timestamp) {
        let dimensions = [("Stack", self.stack.as_str())];
        metrics::emit(&metrics::line(
            NAMESPACE,
            &dimensions,
            &[(name, figure)],
            now,
        ));
    }

    /// Adds up what is open at a destination, and begins to follow what is late of it.
    async fn open(
        &self,
        destination: &str,
        now: Timestamp,
        followed: &mut usize,
        deadline: Deadline,
    ) -> Result<Lag, Failure> {
        let mut lag = Lag::default();
        for shard in 0..DAY_SHARDS {
            let mut from = None;
            for _ in 0..PAGES_MAX {
                let (page, next) = self.catalog.open(destination, shard, from).await?;
                for open in page {
                    if open.is_late(now) {
                        self.follow(&open, now, followed).await?;
                    }
                    lag.add(&open, now);
                }
                from = next;
                if from.is_none() || deadline.is_near() {
                    break;
                }
            }
        }
        Ok(lag)
    }

    async fn follow(
        &self,
        open: &Open,
        now: Timestamp,
        followed: &mut usize,
    ) -> Result<(), Failure> {
        if *followed < LATE_MAX {
            *followed += usize::from(self.catalog.follow(open, now).await?);
        }
        Ok(())
    }

    /// Events that failed before a destination was chosen, and were not redriven: they have no point.
    async fn whole(&self, deadline: Deadline) -> Result<Lag, Failure> {
        let (mut lag, mut from) = (Lag::default(), None);
        loop {
            let page = self.catalog.failed(from, None).await?;
            for failed in page.items.iter().filter(|it| it.is_whole()) {
                lag.failed += 1;
                lag.oldest = lag.oldest.into_iter().chain(failed.failed_at).min();
            }
            from = page.next;
            if from.is_none() || deadline.is_near() {
                return Ok(lag);
            }
        }
    }

    /// Events that wait in a queue, which have no point yet.
    async fn waiting(&self, now: Timestamp) -> Result<Option<u64>, Failure> {
        if self.intake.is_empty() {
            return Ok(None);
        }
        let depth = queue::depth(&self.sqs, &self.intake).await?;
        let waiting = depth.waiting + depth.in_flight;
        #[expect(clippy::cast_precision_loss, reason = "metrics are floating")]
        self.of_stack("EventsWaiting", waiting as f64, now);
        Ok(Some(waiting))
    }

    /// What was stored since the last run, a day back at most. What arrived late between two looks is
    /// followed too, so that it is told.
    async fn count(
        &self,
        marks: &mut Marks,
        now: Timestamp,
        followed: &mut usize,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let until = now.saturating_sub(SETTLED).unwrap_or_default();
        let oldest = now.saturating_sub(COUNTED).unwrap_or_default();
        let after = marks.counted.max(oldest);
        let days = if day_of(after) == day_of(until) {
            vec![after]
        } else {
            vec![after, until]
        };
        let shards = days
            .into_iter()
            .flat_map(|day| (0..DAY_SHARDS).map(move |it| (day, it)));
        for (day, shard) in shards {
            let mut from = None;
            loop {
                let page = self.catalog.stored_after(after, day, shard, from).await?;
                for ended in page.0.into_iter().filter(|it| it.at <= until) {
                    marks.count(&ended.destination, ended.since, ended.at);
                    if ended.at.duration_since(ended.since) > IN_TIME {
                        let key = ended.pk.strip_prefix(&format!("{}/", self.source));
                        let open = Open {
                            key: key.unwrap_or(&ended.pk).to_owned(),
                            pk: ended.pk,
                            sk: ended.sk,
                            destination: ended.destination,
                            bytes: 0,
                            since: ended.since,
                            failed: false,
                        };
                        self.follow(&open, now, followed).await?;
                    }
                }
                from = page.1;
                if from.is_none() {
                    break;
                }
                if deadline.is_near() {
                    // The next run has as much to count again: the share is of what was counted.
                    warn!(shard, "more was stored than could be counted");
                    break;
                }
            }
        }
        marks.counted = until.max(marks.counted);
        marks.forget(now);
        Ok(())
    }
}

fn day_of(at: Timestamp) -> i64 {
    at.as_second() / 86_400
}
