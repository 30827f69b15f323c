//! One measurement.

use std::collections::BTreeMap;

use backup_aws::catalog::{Catalog, Tracked};
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Deadline, Failure, Sns, metrics, topic};
use backup_domain::audit::report::NAMESPACE;
use backup_domain::catalog::{DAY_SHARDS, Status};
use backup_domain::lag::{self, Lag, Late, Marks, Open};
use backup_domain::message::Message;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tracing::info;

/// Pages of open versions that one run reads of each shard: 1 MB each, some 2,000 versions.
const PAGES_MAX: usize = 10;
/// Late versions that one run begins to follow, and that it looks after.
const LATE_MAX: usize = 1000;
/// Indexes are behind by a moment (Amazon DynamoDB Developer Guide, "Global secondary indexes"): the
/// last seconds are left to the next run.
const SETTLED: SignedDuration = SignedDuration::from_secs(30);
/// What ended before is counted no more.
const COUNTED: SignedDuration = SignedDuration::from_hours(24);

/// The function.
pub struct Report {
    pub policy: PolicyStore,
    pub catalog: Catalog,
    pub sns: Sns,
    pub topic: String,
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
    drill_periods: Option<i64>,
}

impl Report {
    /// Measures, counts, tells.
    pub async fn run(&self, _schedule: Value, deadline: Deadline) -> Result<Reported, Failure> {
        let policy = self.policy.load().await?;
        let now = self.catalog.now();
        let before = self.catalog.lag_marks().await?;
        let mut marks = before.clone();
        self.count(&mut marks, now).await?;
        let mut followed = 0;
        marks.lags.clear();
        for destination in policy.destinations.keys() {
            let mut lag = Lag::default();
            for open in self.open(destination, deadline).await? {
                if open.is_late(now) && followed < LATE_MAX {
                    followed += usize::from(self.catalog.follow(&open, now).await?);
                }
                lag.add(&open);
            }
            lag.in_time_percent = marks.in_time_percent(destination);
            let dimensions = [("Stack", self.stack.as_str()), ("Destination", destination)];
            metrics::emit(&metrics::line(
                NAMESPACE,
                &dimensions,
                &lag.metrics(now),
                now,
            ));
            marks.lags.insert(destination.clone(), lag);
        }
        // Another run that was quicker has counted the same.
        self.catalog.set_lag_marks(&marks, before.counted).await?;
        let (missed, arrived) = self.tell(now, deadline).await?;
        let drill_periods = self.drills(now).await?;
        info!(missed, arrived, "lag reported");
        Ok(Reported {
            lags: marks.lags,
            missed,
            arrived,
            drill_periods,
        })
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
            let dimensions = [("Stack", self.stack.as_str())];
            #[expect(clippy::cast_precision_loss, reason = "metrics are floating")]
            let figures = [("DrillPeriodsSince", periods as f64)];
            metrics::emit(&metrics::line(NAMESPACE, &dimensions, &figures, now));
        }
        Ok(periods)
    }

    async fn open(&self, destination: &str, deadline: Deadline) -> Result<Vec<Open>, Failure> {
        let mut found = Vec::new();
        for shard in 0..DAY_SHARDS {
            let mut from = None;
            for _ in 0..PAGES_MAX {
                let (open, next) = self.catalog.open(destination, shard, from).await?;
                found.extend(open);
                from = next;
                if from.is_none() || deadline.is_near() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// What was stored since the last run, a day back at most.
    async fn count(&self, marks: &mut Marks, now: Timestamp) -> Result<(), Failure> {
        let until = now.saturating_sub(SETTLED).unwrap_or_default();
        let oldest = now.saturating_sub(COUNTED).unwrap_or_default();
        let after = marks.counted.max(oldest);
        let days = if day_of(after) == day_of(until) {
            vec![after]
        } else {
            vec![after, until]
        };
        for day in days {
            for shard in 0..DAY_SHARDS {
                for ended in self.catalog.stored_after(after, day, shard).await? {
                    if ended.at <= until {
                        marks.count(&ended.destination, ended.since, ended.at);
                    }
                }
            }
        }
        marks.counted = until.max(marks.counted);
        marks.forget(now);
        Ok(())
    }

    /// Tells what has begun to be late, and what was late and has come to its end: each once, and
    /// again only where a run died between telling and noting it.
    async fn tell(&self, now: Timestamp, deadline: Deadline) -> Result<(usize, usize), Failure> {
        let (mut missed, mut arrived) = (Vec::new(), Vec::new());
        let mut after = None;
        while missed.len() + arrived.len() < LATE_MAX && !deadline.is_near() {
            let page = self.catalog.followed(after).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id.clone());
            for mut tracked in page {
                let (pk, sk) = &tracked.point;
                let point = self.catalog.get(pk, sk).await?;
                let status = point.map(|point| point.status);
                let open = matches!(status, Some(Status::Copying | Status::Failed));
                if !open {
                    let status = status.map_or("removed from the catalog", Status::as_str);
                    status.clone_into(&mut tracked.late.status);
                    arrived.push(tracked);
                } else if !tracked.told {
                    missed.push(tracked);
                }
            }
        }
        self.publish(lag::missed(&lates(&missed), now)).await?;
        for tracked in &missed {
            self.catalog.told_late(&tracked.id).await?;
        }
        self.publish(lag::arrived(&lates(&arrived), now)).await?;
        for tracked in &arrived {
            self.catalog.unfollow(&tracked.id).await?;
        }
        Ok((missed.len(), arrived.len()))
    }

    async fn publish(&self, message: Option<Message>) -> Result<(), Failure> {
        match message {
            Some(message) => topic::publish(&self.sns, &self.topic, &message, &self.source).await,
            None => Ok(()),
        }
    }
}

fn lates(tracked: &[Tracked]) -> Vec<Late> {
    tracked.iter().map(|tracked| tracked.late.clone()).collect()
}

fn day_of(at: Timestamp) -> i64 {
    at.as_second() / 86_400
}
