//! What the catalog holds as failed, whether or not a message waits for it: SQS keeps messages for
//! 14 days at most, and may have refused one.

use backup_aws::Failure;
use backup_aws::catalog::{Failed, Start as Place};
use backup_domain::redrive::{of_point, of_whole};
use serde::{Deserialize, Serialize};

use crate::Run;

/// What is remembered from one run to the next.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Marks {
    /// Where the index is gone on with.
    next: Option<Place>,
}

impl Run<'_> {
    /// Goes on through the index of what failed, to its end or until the run is over. A filtered run
    /// begins at its start and leaves the place alone.
    pub async fn failed(&mut self) {
        if self.is_over() {
            return;
        }
        let catalog = &self.redriver.closing.catalog;
        let filtered = self.request.is_filtered();
        let mut marks = Marks::default();
        if !filtered {
            match catalog.marks("redrive").await {
                Ok(text) => {
                    marks = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
                }
                Err(problem) => return self.report.fail("marks", problem),
            }
        }
        let begun_at = marks.next.clone();
        self.pages(&mut marks).await;
        if !filtered && marks.next != begun_at {
            let marks = serde_json::json!(marks).to_string();
            if let Err(problem) = catalog.set_marks("redrive", &marks).await {
                self.report.fail("marks", problem);
            }
        }
    }

    async fn pages(&mut self, marks: &mut Marks) {
        let catalog = &self.redriver.closing.catalog;
        while !self.is_over() {
            let page = match catalog.failed(marks.next.clone()).await {
                Ok(page) => page,
                Err(problem) => return self.report.fail("what failed", problem),
            };
            for item in page.items {
                if self.is_over() {
                    return;
                }
                if let Err(problem) = self.item(&item).await {
                    self.report.fail(&item.pk, problem);
                }
            }
            marks.next = page.next;
            if marks.next.is_none() {
                return;
            }
        }
    }

    async fn item(&mut self, item: &Failed) -> Result<(), Failure> {
        let given_up = item.is_exhausted && !self.limits.force;
        let later = item.failed_at.is_some_and(|at| at > self.limits.begun);
        if given_up
            || later
            || self.taken.contains(&item.pk)
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
            let mut todo = of_whole(&whole.event, &whole.destination, self.limits);
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
