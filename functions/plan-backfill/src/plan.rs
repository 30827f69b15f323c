//! What PlanBackfill does: begins a plan, goes on with it, or takes up what was cut off.

use backup_aws::catalog::{Catalog, Run};
use backup_aws::executions::{self, State};
use backup_aws::policy_store::PolicyStore;
use backup_aws::s3::documents::Documents;
use backup_aws::s3::pages::Listed;
use backup_aws::{Clients, Deadline, Failure, StepFunctions};
use backup_domain::Policy;
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::course::{
    Course, Cursor, DEAD_AFTER, Next, PlanTask, SHAPE, Summary, Work, cursor_key, plan_key,
};
use backup_domain::backfill::estimate::estimate;
use backup_domain::backfill::ranges::Range;
use backup_domain::backfill::request::{BackfillError, Input, Request, parse};
use backup_domain::plan::json_line;
use backup_domain::task::Execution;
use backup_domain::watch::Ended;
use jiff::Timestamp;
use tracing::info;

use crate::listing::Listing;
use crate::slice::{Sizes, Slice};

/// The function's clients and settings.
pub struct Planner {
    pub clients: Clients,
    pub catalog: Catalog,
    pub policy: PolicyStore,
    pub executions: StepFunctions,
    pub source: String,
    pub account: String,
    pub region: String,
    pub reports: String,
    pub lines_at_once: u64,
    pub multipart_mib: u64,
    pub part_min_mib: u64,
}

impl Planner {
    /// Plans on, slice after slice, until all is listed or the time is nearly over.
    pub async fn plan(&self, task: PlanTask, deadline: Deadline) -> Result<Course, Failure> {
        let begun = match task.course {
            Some(course) => {
                let kept = self.cursor(&course.work.run).await?;
                let cursor = match kept {
                    Some(cursor) => cursor.of(&course),
                    None => beginning(course),
                };
                Begun::Planning(Box::new(cursor))
            }
            None => match parse(&task.input)? {
                Input::New(request) => self.begin(request, &task.execution).await?,
                Input::Resume(run) => self.resume(&run, &task.execution).await?,
            },
        };
        match begun {
            Begun::Planned(course) => Ok(*course),
            Begun::Planning(cursor) => self.go_on(*cursor, deadline).await,
        }
    }

    /// Plan and reports.
    pub fn documents(&self) -> Documents {
        Documents {
            client: self.clients.s3(&self.region),
            bucket: self.reports.clone(),
        }
    }

    async fn cursor(&self, run: &str) -> Result<Option<Cursor>, Failure> {
        let cursor: Option<Cursor> = self.documents().get(&cursor_key(run)).await?;
        cursor
            .map(|it| known(it.course.shape, run).map(|()| it))
            .transpose()
    }

    async fn begin(&self, request: Request, execution: &Execution) -> Result<Begun, Failure> {
        let run = execution.id.rsplit(':').next().unwrap_or_default();
        // A retry of a run that has begun already.
        if let Some(cursor) = self.cursor(run).await? {
            return Ok(Begun::Planning(Box::new(cursor)));
        }
        // What cannot be gone by is refused before anything is listed.
        let policy = self.policy.load().await?;
        let is_empty = self.is_empty().await.map_err(unusable_catalog)?;
        if is_empty && !request.again {
            self.look_for_copies(&policy).await?;
        }
        let mut course = Course {
            shape: SHAPE,
            next: Next::Plan,
            work: Work {
                bucket: self.reports.clone(),
                run: run.to_owned(),
                execution: execution.id.clone(),
                begun: execution
                    .start_time
                    .parse()
                    .unwrap_or_else(|_| Timestamp::now()),
            },
            request,
            slices: 0,
            slice: 0,
            pass: 1,
            lines: String::new(),
            wait_seconds: 0,
            waits: 0,
            plan: Summary {
                at_once: self.lines_at_once,
                ..Summary::default()
            },
            done: Counts::default(),
            report: None,
        };
        let mut inventory = None;
        if let Some(place) = &course.request.inventory {
            let (report, begun) = self.choose(place).await?;
            // The newest one is named in what is told of the run.
            course.request.inventory = Some(report.manifest.to_string());
            course.plan.inventory_begun = Some(begun);
            inventory = Some(report);
        }
        let run = Run {
            run: run.to_owned(),
            execution: execution.id.clone(),
            begun: course.work.begun,
            what: course.request.what(),
            agreed: !course.request.dry_run,
            slices: 0,
            slice: 0,
            plan: course.plan.clone(),
            done: Counts::default(),
            verdict: None,
            paused_until: None,
        };
        // A retry finds its own.
        self.catalog.put_run(&run, None).await?;
        Ok(Begun::Planning(Box::new(Cursor {
            inventory,
            ..beginning(course)
        })))
    }

    /// A plan that was shown, or a backfill that was cut off: what is done is not done again.
    async fn resume(&self, run: &str, execution: &Execution) -> Result<Begun, Failure> {
        let pause = self.take_over(run, &execution.id).await?;
        let planned: Option<Course> = self.documents().get(&plan_key(run)).await?;
        let Some(mut course) = planned else {
            let Some(mut cursor) = self.cursor(run).await? else {
                return Err(BackfillError::NoRun {
                    run: run.to_owned(),
                }
                .into());
            };
            cursor.course.request.dry_run = false;
            if pause == 0 {
                return Ok(Begun::Planning(Box::new(cursor)));
            }
            // Two that plan one run at once would write each other's slices.
            cursor.course.next = Next::Pause;
            cursor.course.wait_seconds = pause;
            return Ok(Begun::Planned(Box::new(cursor.course)));
        };
        known(course.shape, run)?;
        course.request.dry_run = false;
        let gone = self.catalog.slices(run).await?;
        let is_open = |slice: &u32| gone.get(slice).is_none_or(|it| it.counts.left > 0);
        let open = (1..=course.slices).find(is_open);
        course.slice = open.unwrap_or(course.slices);
        course.lines = course.work.lines(course.slice);
        course.wait_seconds = pause;
        course.next = match open {
            None => Next::Finish,
            Some(_) if pause > 0 => Next::Pause,
            Some(_) => Next::Backfill,
        };
        Ok(Begun::Planned(Box::new(course)))
    }

    /// Makes this execution the one that works on the run; says how long the functions of the one
    /// before may live on.
    async fn take_over(&self, name: &str, execution: &str) -> Result<u32, Failure> {
        let Some(mut run) = self.catalog.run(name).await? else {
            return Err(BackfillError::NoRun {
                run: name.to_owned(),
            }
            .into());
        };
        let (before, now) = (run.execution.clone(), Timestamp::now());
        if before == execution {
            // A retry: what was to be waited for is waited for still.
            return Ok(seconds_until(run.paused_until, now));
        }
        let running = || BackfillError::Running {
            run: name.to_owned(),
            execution: before.clone(),
        };
        run.paused_until = match executions::describe(&self.executions, &before).await? {
            State::Running => return Err(running().into()),
            // Stopped in the middle: its functions are not.
            State::Dead(dead) if dead.ended != Ended::Failed => {
                let stopped = executions::stopped_at(&self.executions, &before).await?;
                stopped.checked_add(DEAD_AFTER).ok()
            }
            State::Dead(_) | State::Succeeded | State::Unknown => None,
        };
        execution.clone_into(&mut run.execution);
        (run.agreed, run.verdict) = (true, None);
        if self.catalog.put_run(&run, Some(&before)).await? {
            Ok(seconds_until(run.paused_until, now))
        } else {
            Err(running().into())
        }
    }

    async fn go_on(&self, mut cursor: Cursor, deadline: Deadline) -> Result<Course, Failure> {
        let policy = self.policy.load().await?;
        cursor.course.next = Next::Plan;
        let is_over = if cursor.inventory.is_some() {
            self.by_inventory(&mut cursor, &policy, deadline).await?
        } else {
            self.by_listing(&mut cursor, &policy, deadline).await?
        };
        let mut course = cursor.course;
        if is_over {
            self.end(&mut course).await?;
        }
        let Course {
            slices, next, plan, ..
        } = &course;
        info!(
            slices,
            ?next,
            keys = plan.keys,
            versions = plan.versions.objects,
            "planned"
        );
        Ok(course)
    }

    async fn by_listing(
        &self,
        cursor: &mut Cursor,
        policy: &Policy,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let listed = Listed {
            client: self.clients.s3(&self.region),
            bucket: self.source.clone(),
            prefix: cursor.course.request.prefix.clone(),
            owner: Some(self.account.clone()),
        };
        let mut listing = Listing::new(listed, cursor.ranges.clone());
        let requests = cursor.course.plan.requests;
        let mut slice = self.slice(policy, &cursor.course.request);
        while !listing.is_over() {
            for (key, entries) in listing.round().await? {
                slice.push(key, &entries, &mut cursor.course.plan);
            }
            cursor.course.plan.requests = requests + listing.requests;
            let stop = deadline.is_near();
            if slice.is_full() || stop || listing.is_over() {
                slice
                    .write((&self.documents(), &self.catalog), &mut cursor.course)
                    .await?;
                cursor.ranges = listing.left();
                self.keep(cursor).await?;
            }
            if stop {
                break;
            }
        }
        Ok(listing.is_over())
    }

    /// Writes how far planning has come: behind the slices that it speaks of.
    pub async fn keep(&self, cursor: &Cursor) -> Result<(), Failure> {
        let (key, text) = (cursor.course.work.cursor(), json_line(cursor));
        self.documents().put(&key, text, "application/json").await
    }

    /// The next slice of a plan.
    pub fn slice<'p>(&'p self, policy: &'p Policy, request: &Request) -> Slice<'p> {
        let sizes = Sizes {
            multipart_mib: self.multipart_mib,
            part_min_mib: self.part_min_mib,
        };
        Slice::new(policy, &self.region, sizes, request.versions)
    }

    /// All is listed: is there anything, what does it take, and what comes next.
    async fn end(&self, course: &mut Course) -> Result<(), Failure> {
        if course.plan.keys == 0 {
            let (bucket, what) = (self.source.clone(), course.request.what());
            return Err(BackfillError::Nothing { bucket, what }.into());
        }
        course.plan.estimate = estimate(&course.plan);
        course.next = match course.slices {
            _ if course.request.dry_run => Next::End,
            0 => Next::Finish,
            _ => Next::Backfill,
        };
        course.slice = course.slices.min(1);
        course.lines = course.work.lines(course.slice);
        if let Some(mut run) = self.catalog.run(&course.work.run).await? {
            (run.slices, run.plan) = (course.slices, course.plan.clone());
            run.slice = course.slice;
            let execution = run.execution.clone();
            self.catalog.put_run(&run, Some(&execution)).await?;
        }
        let (key, text) = (course.work.plan(), json_line(course));
        self.documents().put(&key, text, "application/json").await
    }
}

/// Where a run stands when its input is read.
enum Begun {
    /// It is to be planned on.
    Planning(Box<Cursor>),
    /// It is planned.
    Planned(Box<Course>),
}

fn beginning(course: Course) -> Cursor {
    Cursor {
        course,
        ranges: vec![Range::default()],
        inventory: None,
    }
}

fn seconds_until(until: Option<Timestamp>, now: Timestamp) -> u32 {
    let seconds = until.map_or(0, |until| until.duration_since(now).as_secs());
    u32::try_from(seconds.max(0)).unwrap_or_default()
}

fn known(shape: u32, run: &str) -> Result<(), Failure> {
    if shape == SHAPE {
        return Ok(());
    }
    Err(BackfillError::Unusable {
        what: format!("the plan of {run}"),
        problem: format!("it has shape {shape}, this release knows {SHAPE}"),
    }
    .into())
}

/// An item that cannot be read is of another release: nothing may be built on such a catalog. What the
/// service itself answers stays what it is.
fn unusable_catalog(failure: Failure) -> Failure {
    if failure.side.is_some() {
        return failure;
    }
    BackfillError::Unusable {
        what: "the catalog".to_owned(),
        problem: failure.message,
    }
    .into()
}
