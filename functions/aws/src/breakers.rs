//! Whether a destination may be tried now, and what a try has shown.
//!
//! A breaker that cannot be read or written holds nobody up: backups are tried as if there were none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use backup_domain::breaker::{Admission, Breaker, Change, Limits, counts, news};
use backup_domain::error::Cause;
use backup_domain::redrive::on_their_way;
use backup_domain::task::{Execution, Target};
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::catalog::Catalog;
use crate::notices::Notices;
use crate::{ErrorName, Failure, SettingError, Settings};

/// How long a closed breaker is believed: a function that runs all the time reads it so seldom. An open
/// one is read each time, so that its closing is noticed at once.
const BELIEVED: SignedDuration = SignedDuration::from_secs(5);
/// Others may write between a read and a write so often; then the write is left out. Where so many
/// failures are counted at once, this one is not missed.
const TRIES: u32 = 8;

/// After so long a change counts as untold: longer than the rest of its execution takes, as a rule.
const UNTOLD: SignedDuration = SignedDuration::from_mins(15);

/// The breakers as one function sees them.
#[derive(Debug)]
pub struct Breakers {
    catalog: Catalog,
    limits: Limits,
    /// When each was last seen closed, and whether it counted failures then.
    closed_at: Mutex<HashMap<String, (Timestamp, bool)>>,
}

/// What redriving may start for a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Whatever waits.
    All,
    /// One, which becomes the probe.
    One,
    /// Nothing: it is open, and either cools down or somebody tries already.
    None,
}

impl Breakers {
    /// Breakers with these limits.
    pub fn new(catalog: Catalog, limits: Limits) -> Self {
        Self {
            catalog,
            limits,
            closed_at: Mutex::default(),
        }
    }

    /// Reads the limits from the environment.
    ///
    /// # Errors
    /// [`SettingError`] when one is missing.
    pub fn from_env(catalog: Catalog) -> Result<Self, SettingError> {
        let seconds = |name| Settings.parse(name).map(SignedDuration::from_secs);
        let limits = Limits {
            failures: Settings.parse("BREAKER_FAILURES")?,
            window: seconds("BREAKER_WINDOW_SECONDS")?,
            cool_down: seconds("BREAKER_COOL_DOWN_SECONDS")?,
        };
        Ok(Self::new(catalog, limits))
    }

    /// Lets a copy be tried, as the probe (`true`) or as usual.
    ///
    /// # Errors
    /// `BreakerOpen` where it may not.
    pub async fn admit(
        &self,
        target: &Target,
        execution: Option<&Execution>,
    ) -> Result<bool, Failure> {
        if self.limits.failures == 0 || target.settle_only.is_some() {
            return Ok(false);
        }
        let owner = execution.map(Execution::owner).unwrap_or_default();
        let admitted = self.admission(&target.name, &owner).await;
        let admission = admitted.unwrap_or_else(|problem| {
            warn!(problem = %problem.message, "the breaker does not answer: tried without it");
            Admission::Go
        });
        match admission {
            Admission::Go => Ok(false),
            Admission::Probing(_) => Ok(true),
            Admission::Probe(_) => {
                info!(destination = %target.name, "this execution tries whether the destination is back");
                Ok(true)
            }
            Admission::Refused { since, retry_at } => Err(Failure::new(
                ErrorName::BreakerOpen,
                format!(
                    "{} could not be reached since {since}, so this was not tried; the next try is due at {retry_at}",
                    target.name
                ),
            )),
        }
    }

    /// What may be started for a destination, as things stand: an execution that is started decides
    /// for itself when it copies. A breaker that cannot be read holds nothing up.
    pub async fn ready(&self, destination: &str) -> Ready {
        if self.limits.failures == 0 {
            return Ready::All;
        }
        let breaker = match self.catalog.breaker(destination, true).await {
            Ok(breaker) => breaker,
            Err(problem) => {
                warn!(destination, problem = %problem.message, "the breaker does not answer");
                None
            }
        };
        let now = self.catalog.now();
        match breaker.map(|it| it.admit("", now, &self.limits)) {
            None | Some(Admission::Go) => Ready::All,
            Some(Admission::Probe(_) | Admission::Probing(_)) => Ready::One,
            Some(Admission::Refused { .. }) => Ready::None,
        }
    }

    async fn admission(&self, destination: &str, owner: &str) -> Result<Admission, Failure> {
        let now = self.catalog.now();
        if self.is_believed_closed(destination, now) {
            return Ok(Admission::Go);
        }
        let mut breaker = self.read(destination, false, now).await?;
        for _ in 0..TRIES {
            let admission = breaker.map_or(Admission::Go, |it| it.admit(owner, now, &self.limits));
            let (Admission::Probe(next) | Admission::Probing(next)) = &admission else {
                return Ok(admission);
            };
            if self.catalog.put_breaker(destination, next).await? {
                return Ok(admission);
            }
            // Another wants to be the probe, or what was believed is old.
            breaker = self.read(destination, true, now).await?;
        }
        // Many are at it, so one of them has it.
        Ok(Admission::Refused {
            since: now,
            retry_at: now,
        })
    }

    fn is_believed_closed(&self, destination: &str, now: Timestamp) -> bool {
        let closed_at = self
            .closed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        closed_at.get(destination).is_some_and(|(read_at, _)| {
            let age = now.duration_since(*read_at);
            !age.is_negative() && age < BELIEVED
        })
    }

    async fn read(
        &self,
        destination: &str,
        fresh: bool,
        now: Timestamp,
    ) -> Result<Option<Breaker>, Failure> {
        let breaker = self.catalog.breaker(destination, fresh).await?;
        let mut closed_at = self
            .closed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if breaker.as_ref().is_some_and(|it| it.open.is_some()) {
            closed_at.remove(destination);
        } else {
            let counts = breaker.as_ref().is_some_and(|it| it.failures > 0);
            closed_at.insert(destination.to_owned(), (now, counts));
        }
        Ok(breaker)
    }

    /// Notes that a copy was made at a destination, where failures were counted when its breaker was
    /// read.
    pub async fn reached(&self, destination: &str) {
        let counted = {
            let mut closed_at = self
                .closed_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let seen = closed_at.get_mut(destination);
            seen.is_some_and(|(_, counts)| std::mem::take(counts))
        };
        if counted {
            self.write(destination, |breaker, _| breaker?.reached())
                .await;
        }
    }

    /// Notes a failure of `owner`, which may have copied before; returns the change of state that it
    /// made.
    pub async fn failed(
        &self,
        destination: &str,
        owner: &str,
        (cause, is_copied): (&Cause, bool),
    ) -> Option<Change> {
        if cause.error == ErrorName::BreakerOpen.as_str() {
            return None;
        }
        let counted = counts(cause, is_copied);
        self.write(destination, |breaker, now| match breaker {
            Some(breaker) if counted => breaker.failed(owner, now, &self.limits),
            Some(breaker) => breaker.released(owner),
            None if counted => Breaker::closed(now).failed(owner, now, &self.limits),
            None => None,
        })
        .await
    }

    /// Notes what became of a probe; returns the change of state that it made.
    pub async fn probed(&self, destination: &str, owner: &str, stored: bool) -> Option<Change> {
        self.write(destination, |breaker, now| {
            let breaker = breaker?;
            if stored {
                breaker.succeeded(now)
            } else {
                breaker.released(owner)
            }
        })
        .await
    }

    /// Since when a destination is back, where its breaker has been open.
    pub async fn back_at(&self, destination: &str) -> Option<Timestamp> {
        match self.catalog.breaker(destination, true).await {
            Ok(breaker) => breaker?.back_at(),
            Err(problem) => {
                warn!(problem = %problem.message, "what waited for it is not counted");
                None
            }
        }
    }

    /// Notes that so many backups that waited for a destination are started again.
    pub async fn redriven(&self, destination: &str, more: u32) {
        self.write(destination, |breaker, _| breaker?.redriven(more))
            .await;
    }

    /// Takes back a part of what was noted: fewer were started.
    pub async fn fewer_redriven(&self, destination: &str, count: u32) {
        self.write(destination, |breaker, _| breaker?.told_redriven(count))
            .await;
    }

    /// Tells how many backups that waited for their destinations are started again, and notes that it
    /// was told. One that is cut off between the two tells once more.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn tell_redriven(&self, notices: &Notices) -> Result<(), Failure> {
        for (destination, breaker) in self.catalog.breakers().await? {
            let count = breaker.redriven;
            if count > 0 {
                let message = on_their_way(&destination, count);
                notices.tell_at_once(&message).await?;
                self.fewer_redriven(&destination, count).await;
            }
        }
        Ok(())
    }

    async fn told(&self, destination: &str, change: &Change) {
        self.write(destination, |breaker, _| breaker?.told(change))
            .await;
    }

    /// Tells a change, and notes that it was told.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SNS refuses.
    pub async fn tell(
        &self,
        notices: &Notices,
        destination: &str,
        change: &Change,
    ) -> Result<(), Failure> {
        notices.tell_at_once(&news(destination, change)).await?;
        self.told(destination, change).await;
        Ok(())
    }

    /// Tells changes whose execution died before it could.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn tell_untold(&self, notices: &Notices) -> Result<(), Failure> {
        for (destination, breaker) in self.catalog.breakers().await? {
            let due = |change: &&Change| {
                let age = self.catalog.now().duration_since(change.at);
                breaker.untold && age > UNTOLD
            };
            if let Some(change) = breaker.last_change().filter(due) {
                self.tell(notices, &destination, change).await?;
            }
        }
        Ok(())
    }

    /// Reads, decides and writes until nobody came between; a failure of the catalog is only logged.
    async fn write(
        &self,
        destination: &str,
        decide: impl Fn(Option<&Breaker>, Timestamp) -> Option<Breaker>,
    ) -> Option<Change> {
        if self.limits.failures == 0 {
            return None;
        }
        for _ in 0..TRIES {
            let written = async {
                let breaker = self.catalog.breaker(destination, true).await?;
                let Some(next) = decide(breaker.as_ref(), self.catalog.now()) else {
                    return Ok(Some(None));
                };
                let before = breaker.as_ref().and_then(Breaker::last_change);
                let written = self.catalog.put_breaker(destination, &next).await?;
                let change = next.last_change().filter(|change| Some(*change) != before);
                Ok(written.then(|| change.cloned()))
            };
            match written.await {
                Ok(Some(change)) => return change,
                Ok(None) => {}
                Err(problem) => {
                    let problem: Failure = problem;
                    warn!(problem = %problem.message, "the breaker was not written");
                    return None;
                }
            }
        }
        warn!(destination, "others wrote the breaker again and again");
        None
    }
}
