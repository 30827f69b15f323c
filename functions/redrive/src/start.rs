//! Starting what is to be done, under the first name that is free.

use backup_aws::executions::{self, State};
use backup_aws::{Failure, catalog::Whole};
use backup_domain::catalog::Status;
use backup_domain::redrive::{Start, Subject, Todo};
use backup_domain::watch::restart_input;

use crate::Run;

/// What becomes of the message behind a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes: what it prompts is started or over.
    Gone,
    /// It goes once it is told what was given up.
    GoneOnceTold,
    /// It stays.
    Kept,
}

enum Begun {
    Started(String),
    Running(String),
    InVain,
}

impl Run<'_> {
    /// Does what was decided.
    pub async fn apply(&mut self, todo: Todo) -> Result<Fate, Failure> {
        let mut fate = if todo.later { Fate::Kept } else { Fate::Gone };
        let mut given_up = todo.given_up;
        for start in todo.starts {
            if self.is_at_limit() {
                fate = Fate::Kept;
                continue;
            }
            let (pk, sk) = keys_of(&start);
            if !self.may_try(&start).await {
                self.report.note(
                    "held",
                    &pk,
                    &start.destination,
                    "the destination takes nothing now",
                );
                fate = Fate::Kept;
                continue;
            }
            let has_waited = self.has_waited(&start).await;
            match self.start(&start).await? {
                Begun::Started(name) => {
                    self.report.note("started", &pk, &start.destination, &name);
                    if has_waited {
                        self.count_waited(&start.destination).await;
                    }
                }
                Begun::Running(name) => self.report.note("running", &pk, &start.destination, &name),
                Begun::InVain => given_up.push(start.given_up()),
            }
            self.taken.insert((pk, sk));
        }
        if !given_up.is_empty() {
            let keys = given_up
                .iter()
                .map(|one| (one.pk().to_owned(), one.sk().to_owned()));
            self.taken.extend(keys);
            self.given_up.append(&mut given_up);
            if fate == Fate::Gone {
                fate = Fate::GoneOnceTold;
            }
        }
        Ok(fate)
    }

    /// A name that is taken counts as started, while that execution runs or nothing is open any more;
    /// where it died and left the work undone, the next attempt has the next name.
    async fn start(&self, start: &Start) -> Result<Begun, Failure> {
        let redriver = self.redriver;
        for attempt in start.attempt()..=start.attempt_last(self.limits) {
            let name = start.name(attempt);
            let input = match &start.redrive {
                Some(redrive) => {
                    let mut redrive = redrive.clone();
                    redrive.attempt = attempt;
                    restart_input(start.event.clone(), &redrive)
                }
                None => start.event.to_string(),
            };
            let (client, machine) = (&redriver.executions, &redriver.machine);
            if executions::start(client, machine, &name, &input).await? {
                return Ok(Begun::Started(name));
            }
            let state = executions::describe(client, &executions::arn_of(machine, &name)).await?;
            let is_over = state == State::Running || !self.is_open(start, attempt, &state).await?;
            // An event that started as new parks what fails as any other does.
            if is_over || start.redrive.is_none() {
                return Ok(Begun::Running(name));
            }
        }
        Ok(match &start.subject {
            // Its order is owed: that is the sweep's to settle, and to tell.
            Subject::Point(point) if point.status == Status::Unsettled => {
                Begun::Running(start.name(start.attempt()))
            }
            _ => Begun::InVain,
        })
    }

    /// Whether an execution that has ended left undone what it was started for.
    async fn is_open(&self, start: &Start, attempt: u32, state: &State) -> Result<bool, Failure> {
        let catalog = &self.redriver.closing.catalog;
        match &start.subject {
            Subject::Point(point) => {
                let there = catalog.get(&point.pk, &point.sk).await?;
                Ok(there.is_some_and(|there| {
                    (there.status, there.owner, there.owed_after)
                        == (point.status, point.owner.clone(), point.owed_after)
                }))
            }
            Subject::Whole { pk, sk } => {
                let Some(whole) = catalog.whole(pk, sk).await? else {
                    return Ok(false);
                };
                if *state == State::Succeeded {
                    catalog.came_through(pk, sk, &whole).await?;
                    return Ok(false);
                }
                // One that recorded its failure has parked a message of its own.
                Ok(attempt_of(&whole) < u64::from(attempt))
            }
        }
    }
}

fn attempt_of(whole: &Whole) -> u64 {
    let attempt = whole.event.pointer("/redrive/attempt");
    attempt
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_default()
}

fn keys_of(start: &Start) -> (String, String) {
    match &start.subject {
        Subject::Point(point) => (point.pk.clone(), point.sk.clone()),
        Subject::Whole { pk, sk } => (pk.clone(), sk.clone()),
    }
}
