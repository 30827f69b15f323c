//! One slice of a plan: pages of keys, looked at and dealt to lines.

use backup_aws::at_once::each;
use backup_aws::s3::listing;
use backup_aws::{ApiError, Failure};
use backup_domain::plan::json_line;
use backup_domain::restore::course::{Course, Cursor, Summary};
use backup_domain::restore::line::{Item, Line, SLICE_CONTENT_BYTES_MAX, deal};
use backup_domain::restore::owners::Owners;
use backup_domain::restore::report::{Left, Outcome};
use backup_domain::restore::request::{From, Request, RequestError};

use crate::look::{Found, Known, Looked, Looker};
use crate::plan::Planner;

/// Keys that are looked at at once: each takes a HEAD or a few.
const AT_ONCE: usize = 64;

/// A page of keys.
pub struct Page {
    /// What is known of each.
    pub keys: Vec<Known>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// What one run of the function plans.
pub struct Slice<'p> {
    planner: &'p Planner,
    request: Request,
    looker: Looker,
    items: Vec<Item>,
    left: Vec<Left>,
    bytes: usize,
    content: u64,
}

impl<'p> Slice<'p> {
    /// An empty one.
    pub fn new(planner: &'p Planner, course: &Course, owners: Owners) -> Self {
        Self {
            planner,
            request: course.request.clone(),
            looker: Looker::new(planner, course, owners),
            items: vec![],
            left: vec![],
            bytes: 0,
            content: 0,
        }
    }

    /// Whether it is as large as a slice may be: in keys that something is done with, in what they
    /// take in the function's memory, in what is to be copied.
    pub fn is_full(&self, items_max: usize, bytes_max: usize) -> bool {
        self.items.len() >= items_max
            || self.bytes >= bytes_max
            || self.content >= SLICE_CONTENT_BYTES_MAX
    }

    /// The next page of keys.
    pub async fn page(&self, from: Option<&Cursor>) -> Result<Page, Failure> {
        let (planner, request) = (self.planner, &self.request);
        let scope = request.scope();
        match &request.from {
            From::Catalog => {
                let page = match &request.key {
                    Some(key) => {
                        let pk = backup_domain::catalog::partition_key(&planner.source, key);
                        let points = planner.catalog.points_of_key(&pk).await?;
                        let keys = [points].into_iter().filter(|it| !it.is_empty()).collect();
                        backup_aws::catalog::Keys { keys, next: None }
                    }
                    None => {
                        planner
                            .catalog
                            .keys_of(&planner.source, scope, planner.slice_items, from)
                            .await?
                    }
                };
                let keys = page.keys.into_iter().map(Known::Points).collect();
                Ok(Page {
                    keys,
                    next: page.next,
                })
            }
            From::Backup(backup) => {
                let region = backup.region.as_deref().unwrap_or(&planner.region);
                let prefix = format!("{}{scope}", backup.prefix);
                let after = from.map(|cursor| cursor.key.as_str());
                let s3 = planner.clients.s3(region);
                let owner = self.looker.owner_of(&backup.bucket);
                let page = listing::versions(&s3, &backup.bucket, owner.as_deref(), &prefix, after)
                    .await
                    .map_err(|api| unlisted(&api, &backup.bucket, region))?;
                let is_asked = |key: &str| {
                    key.strip_prefix(&backup.prefix)
                        .is_some_and(|key| request.covers(key))
                };
                let over = request.key.is_some();
                let keys = page.keys.into_iter().filter(|(key, _)| is_asked(key));
                let keys = keys.map(|(key, entries)| Known::Versions(key, entries));
                let next = page.next.filter(|_| !over).map(|key| Cursor {
                    key,
                    sort: String::new(),
                });
                Ok(Page {
                    keys: keys.collect(),
                    next,
                })
            }
        }
    }

    /// Decides for the keys of a page.
    pub async fn look_at(&mut self, keys: Vec<Known>, plan: &mut Summary) -> Result<(), Failure> {
        let looker = self.looker.clone();
        let all = each(keys, AT_ONCE, |known| {
            let looker = looker.clone();
            async move { looker.look(known).await }
        });
        for looked in all.await {
            self.count(looked?, plan);
        }
        Ok(())
    }

    fn count(&mut self, looked: Looked, plan: &mut Summary) {
        plan.keys += 1;
        plan.earliest = match (plan.earliest, looked.earliest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        plan.whole_from = plan.whole_from.max(looked.whole_from);
        for name in looked.destinations {
            if !plan.destinations.contains(&name) {
                plan.destinations.insert(name);
            }
        }
        match looked.found {
            Found::Absent => plan.absent += 1,
            Found::Same => plan.same += 1,
            Found::Do(item, covers) => {
                match &item.copy {
                    Some(copy) => {
                        plan.count(copy);
                        self.content = self.content.saturating_add(copy.size);
                        plan.covered += u64::from(covers);
                    }
                    None => plan.hide += 1,
                }
                self.bytes += json_line(&item).len();
                self.items.push(*item);
            }
            Found::Left(left) => {
                match left.outcome {
                    Outcome::Conflict => plan.conflicts += 1,
                    Outcome::TooLong => plan.too_long += 1,
                    _ => plan.missing += 1,
                }
                plan.name(&left);
                self.bytes += json_line(&left).len();
                self.left.push(left);
            }
        }
    }

    /// Writes lines, under the number of the next slice, and what is left out. A Map has no use for
    /// a slice without lines.
    pub async fn write(self, course: &mut Course) -> Result<(), Failure> {
        let documents = self.planner.documents();
        let kind = "application/x-ndjson";
        if !self.left.is_empty() {
            let text: String = self.left.iter().map(|it| json_line(it) + "\n").collect();
            let key = course.work.left(course.plan.keys);
            documents.put(&key, text, kind).await?;
        }
        if self.items.is_empty() {
            return Ok(());
        }
        let slice = course.slices + 1;
        let (mut text, mut lines) = (String::new(), 0);
        for (number, items) in (1..).zip(deal(self.items, self.planner.line_items)) {
            let line = Line {
                items,
                slice,
                line: number,
                work: course.work.clone(),
                at: course.request.at,
                to: course.request.to.clone(),
                mode: course.request.mode,
                archive: course.request.archive.clone(),
                fresh: course.plan.target_empty,
                annotations: course.annotations,
                read: course.request.sample.as_ref().is_some_and(|it| it.read),
            };
            text.push_str(&json_line(&line));
            text.push('\n');
            lines += 1;
        }
        documents.put(&course.work.lines(slice), text, kind).await?;
        course.slices = slice;
        course.plan.lines += lines;
        Ok(())
    }
}

fn unlisted(api: &ApiError, bucket: &str, region: &str) -> Failure {
    if api.is_elsewhere() {
        return RequestError::Elsewhere {
            bucket: bucket.to_owned(),
            region: region.to_owned(),
        }
        .into();
    }
    api.at_destination(bucket, region)
}
