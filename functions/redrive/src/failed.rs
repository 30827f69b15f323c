//! What the catalog holds as failed, whether or not a message waits for it: SQS keeps messages for
//! 14 days at most, and may have refused one.

use backup_aws::Failure;
use backup_aws::catalog::{Failed, Start as Place};
use backup_domain::redrive::{of_point, of_whole};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Run;

/// Points of one answer: each is read for itself, so that few at a time are enough.
const PAGE: i32 = 200;

/// What is remembered from one run to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Where the index is gone on with.
    pub next: Option<Place>,
    /// When the last run by the clock began, and whether it left something that can be done at once.
    pub begun: Option<Timestamp>,
    pub more: bool,
}

impl Run<'_> {
    /// Goes on through the index of what failed, to its end or until the run is over; says whether it
    /// was cut short. A filtered run begins at its start and leaves the place alone.
    pub async fn failed(&mut self) -> bool {
        let mut marks = Marks::default();
        if !self.request.is_filtered() {
            match self.redriver.marks().await {
                Ok(there) => marks = there,
                Err(problem) => {
                    self.report.fail("marks", problem);
                    return false;
                }
            }
        }
        let before = marks.clone();
        let is_cut = self.pages(&mut marks).await;
        let is_new = !self.request.is_filtered() && marks != before;
        if is_new && let Err(problem) = self.redriver.set_marks(&marks).await {
            self.report.fail("marks", problem);
        }
        is_cut
    }

    async fn pages(&mut self, marks: &mut Marks) -> bool {
        let catalog = &self.redriver.closing.catalog;
        while !self.is_over() {
            let page = match catalog.failed(marks.next.clone(), Some(PAGE)).await {
                Ok(page) => page,
                Err(problem) => {
                    self.report.fail("what failed", problem);
                    return false;
                }
            };
            for item in page.items {
                if self.is_over() {
                    return !self.is_at_limit();
                }
                if let Err(problem) = self.item(&item).await {
                    self.report.fail(&item.pk, problem);
                }
                marks.next = Some(item.behind);
            }
            marks.next = page.next;
            if marks.next.is_none() {
                return false;
            }
        }
        !self.is_at_limit()
    }

    async fn item(&mut self, item: &Failed) -> Result<(), Failure> {
        let given_up = item.is_exhausted && !self.limits.force;
        let later = item.failed_at.is_some_and(|at| at > self.limits.begun);
        if given_up
            || later
            || self.taken.contains(&(item.pk.clone(), item.sk.clone()))
            || !self.request.wants_object(&item.pk)
        {
            return Ok(());
        }
        let catalog = &self.redriver.closing.catalog;
        let todo = if item.is_whole() {
            let Some(whole) = catalog.whole(&item.pk, &item.sk).await? else {
                return Ok(());
            };
            if !self.request.wants_destination(&whole.destination) {
                return Ok(());
            }
            let (destination, error) = (&whole.destination, &whole.error);
            let mut todo = of_whole(&whole.event, destination, error, self.limits);
            for given_up in &mut todo.given_up {
                given_up.error.clone_from(&whole.error);
            }
            todo
        } else {
            match catalog.get(&item.pk, &item.sk).await? {
                Some(point) if self.request.wants_destination(&point.destination) => {
                    of_point(&point, self.limits)
                }
                _ => return Ok(()),
            }
        };
        self.report.looked += 1;
        self.apply(todo).await.map(drop)
    }
}
