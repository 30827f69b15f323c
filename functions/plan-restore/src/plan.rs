//! What PlanRestore does: begins a plan, or goes on with it, until all keys are looked at.

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::s3::documents::Documents;
use backup_aws::s3::listing;
use backup_aws::{ApiError, Clients, Deadline, Failure, executions};
use backup_domain::plan::json_line;
use backup_domain::restore::course::{Course, Next, PlanTask, Summary, Work};
use backup_domain::restore::estimate::{Terms, estimate};
use backup_domain::restore::owners::{Owners, account_of};
use backup_domain::restore::passes::{EVENTS_A_PLAN, EVENTS_MAX, fits};
use backup_domain::restore::report::Counts;
use backup_domain::restore::request::{
    Deployed, FOLDER, From, Input, Request, RequestError, check, parse,
};
use backup_domain::task::Execution;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::slice::Slice;

/// Bytes of one slice, so that it fits into the function's memory.
const SLICE_BYTES_MAX: usize = 80 * 1024 * 1024;

/// The function's clients and settings.
pub struct Planner {
    pub clients: Clients,
    pub catalog: Catalog,
    pub source: String,
    pub backups: Vec<String>,
    pub targets: Vec<String>,
    pub reports: String,
    pub region: String,
    /// Who owns what, and whether annotations are carried.
    pub policy: PolicyStore,
    /// Bucket that drills go to, where there are any.
    pub scratch: Option<String>,
    /// Objects of one slice at most: a Map works through it, and one report lists it.
    pub slice_items: usize,
    /// Objects of one line at most.
    pub line_items: usize,
}

impl Planner {
    /// Plans one slice.
    pub async fn plan(&self, task: PlanTask, deadline: Deadline) -> Result<Course, Failure> {
        self.plan_slice(task, deadline).await.map_err(|failure| {
            // The backup itself can be read without it.
            if failure.code == "ResourceNotFoundException" {
                let problem = failure.message;
                return RequestError::NoCatalog { problem }.into();
            }
            failure
        })
    }

    async fn plan_slice(&self, task: PlanTask, deadline: Deadline) -> Result<Course, Failure> {
        let owners = self.owners(account_of(&task.execution.id)).await;
        let mut course = match task.course {
            Some(course) => course,
            None => match parse(&task.input)? {
                Input::New(request) => self.begin(*request, &task.execution, &owners).await?,
                Input::Planned { folder, show } => {
                    return self.go_on(&folder, show, &task.execution).await;
                }
                Input::Drill(sample) => return self.drill(sample, &task.execution, owners).await,
            },
        };
        let mut slice = Slice::new(self, &course, owners);
        loop {
            let page = slice.page(course.cursor.as_ref()).await?;
            course.cursor = page.next;
            slice.look_at(page.keys, &mut course.plan).await?;
            let is_full = slice.is_full(self.slice_items, SLICE_BYTES_MAX);
            if course.cursor.is_none() || is_full || deadline.is_near() {
                break;
            }
        }
        slice.write(&mut course).await?;
        bounded(&mut course)?;
        if course.cursor.is_none() {
            self.end(&mut course).await?;
        }
        let Course {
            slices, next, plan, ..
        } = &course;
        info!(
            slices,
            ?next,
            keys = plan.keys,
            objects = plan.copy.objects,
            "planned"
        );
        Ok(course)
    }

    /// A policy that cannot be read stops no restore.
    async fn owners(&self, account: &str) -> Owners {
        match self.policy.load().await {
            Ok(policy) => Owners::by(&policy, account),
            Err(failure) => {
                let problem = failure.message;
                warn!(%problem, "without the policy, owners of backups are not checked");
                Owners::unknown(account)
            }
        }
    }

    /// Plan, results and reports.
    pub fn documents(&self) -> Documents {
        Documents {
            client: self.clients.s3(&self.region),
            bucket: self.reports.clone(),
        }
    }

    /// Checks what can be checked without a call. Only drills go to the scratch bucket.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn check(&self, request: &Request) -> Result<(), RequestError> {
        let scratch = self.scratch.clone().into_iter().collect::<Vec<_>>();
        let deployed = Deployed {
            source: &self.source,
            backups: &self.backups,
            targets: match request.sample {
                Some(_) => &scratch,
                None => &self.targets,
            },
        };
        check(request, &deployed, Timestamp::now())
    }

    /// The course before anything is planned, once the target is looked at.
    ///
    /// # Errors
    /// `InvalidRestore`, and what the target answers.
    pub async fn begin(
        &self,
        mut request: Request,
        execution: &Execution,
        owners: &Owners,
    ) -> Result<Course, Failure> {
        self.check(&request)?;
        let account = Some(&owners.account).filter(|it| !it.is_empty());
        request.to.owner = request.to.owner.or(account.cloned());
        let to = &request.to;
        let owner = to.owner.as_deref();
        let region = to.region.as_deref().unwrap_or(&self.region);
        let s3 = self.clients.s3(region);
        let refused = |api: &ApiError| refused(api, &to.bucket, region);
        let prefix = format!("{}{}", to.prefix, request.scope());
        let target_empty = listing::is_empty(&s3, &to.bucket, owner, &prefix)
            .await
            .map_err(|api| refused(&api))?;
        if request.mode.overwrites() {
            let kept = listing::keeps_versions(&s3, &to.bucket, owner)
                .await
                .map_err(|api| refused(&api))?;
            if !kept {
                let bucket = to.bucket.clone();
                return Err(RequestError::Unversioned { bucket }.into());
            }
        }
        let name = execution.id.rsplit(':').next().unwrap_or_default();
        let unknown = match &request.from {
            From::Catalog => vec![],
            From::Backup(_) => [
                "deletions that were recorded and not mirrored (deletes: keep): such keys come back",
                "versions that were never stored or whose copies have expired, and whether a copy was ever verified",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        let work = Work {
            bucket: self.reports.clone(),
            folder: format!("{FOLDER}{name}/"),
        };
        self.take(&work, execution).await?;
        Ok(Course {
            next: Next::Plan,
            work,
            request,
            annotations: owners.annotations,
            cursor: None,
            slices: 0,
            slice: 0,
            pass: 1,
            lines: String::new(),
            wait_seconds: 0,
            waited_seconds: 0,
            events: 0,
            plan: Summary {
                target_empty,
                unknown,
                ..Summary::default()
            },
            done: Counts::default(),
            report: None,
        })
    }

    /// A plan that was shown, or a restore that was cut off: results that are there are kept.
    async fn go_on(
        &self,
        folder: &str,
        show: bool,
        execution: &Execution,
    ) -> Result<Course, Failure> {
        let work = Work {
            bucket: self.reports.clone(),
            folder: folder.to_owned(),
        };
        let planned: Option<Course> = self.documents().get(&work.plan()).await?;
        let Some(mut course) = planned else {
            let problem = format!("s3://{}/{} is no whole plan", work.bucket, work.plan());
            return Err(RequestError::Unreadable { problem }.into());
        };
        course.request.dry_run = show;
        self.check(&course.request)?;
        self.take(&course.work, execution).await?;
        (course.events, course.waited_seconds) = (EVENTS_A_PLAN, 0);
        first(&mut course);
        Ok(course)
    }

    /// Takes the folder of a plan for an execution: two at once would copy everything twice.
    async fn take(&self, work: &Work, execution: &Execution) -> Result<(), Failure> {
        let documents = self.documents();
        let before: Option<Execution> = documents.get(&work.run()).await?;
        if let Some(before) = before.filter(|it| it.id != execution.id) {
            let client = self.clients.step_functions();
            if executions::describe(&client, &before.id).await? == executions::State::Running {
                let folder = work.folder.clone();
                let run = before.id.rsplit(':').next().unwrap_or_default().to_owned();
                return Err(RequestError::Running { folder, run }.into());
            }
        }
        let (key, text) = (work.run(), json_line(execution));
        documents.put(&key, text, "application/json").await
    }

    /// All keys are looked at: is it what was meant, what does it take, and what comes next.
    ///
    /// # Errors
    /// `InvalidRestore`, and what the report bucket answers.
    pub async fn end(&self, course: &mut Course) -> Result<(), Failure> {
        let (request, plan) = (&course.request, &mut course.plan);
        let what = request.what();
        if plan.keys == 0 {
            return Err(RequestError::Nothing { what }.into());
        }
        if let Some(earliest) = plan.earliest
            && earliest.as_second() > request.at.as_second()
        {
            let at = request.at;
            return Err(RequestError::TooEarly { at, what, earliest }.into());
        }
        if let Some(destination) = &request.destination
            && request.from == From::Catalog
            && !plan.destinations.contains(destination)
        {
            let others: Vec<_> = plan.destinations.iter().map(String::as_str).collect();
            return Err(RequestError::NoCopies {
                destination: destination.clone(),
                what,
                others: format!("those that have some: {}", others.join(", ")),
            }
            .into());
        }
        let target = request.to.region.as_ref().unwrap_or(&self.region);
        plan.estimate = estimate(
            plan,
            &Terms {
                between_regions: plan.regions.iter().any(|region| region != target),
                tier: request.archive.tier,
                deep: plan.deep,
            },
        );
        first(course);
        let (key, text) = (course.work.plan(), json_line(course));
        self.documents().put(&key, text, "application/json").await
    }
}

/// What is done first with a whole plan.
pub fn first(course: &mut Course) {
    course.next = match course.slices {
        _ if course.request.dry_run => Next::End,
        0 => Next::Finish,
        _ => Next::Restore,
    };
    course.slice = course.slices.min(1);
    course.lines = course.work.lines(course.slice);
}

/// Counts a run of planning; more slices than an execution can go through are refused.
fn bounded(course: &mut Course) -> Result<(), RequestError> {
    course.events = course.events.saturating_add(EVENTS_A_PLAN);
    // A plan that was shown is carried out by another execution.
    let spent = if course.request.dry_run {
        0
    } else {
        course.events
    };
    if fits(spent, course.slices) && course.events <= EVENTS_MAX {
        return Ok(());
    }
    Err(RequestError::TooMany {
        what: course.request.what(),
        slices: course.slices,
    })
}

/// What a target bucket answered, before anything was written.
fn refused(api: &ApiError, bucket: &str, region: &str) -> Failure {
    if api.code == "NoSuchBucket" || api.status == Some(404) {
        return RequestError::NoBucket {
            bucket: bucket.to_owned(),
            region: region.to_owned(),
        }
        .into();
    }
    if api.is_elsewhere() {
        return RequestError::Elsewhere {
            bucket: bucket.to_owned(),
            region: region.to_owned(),
        }
        .into();
    }
    let mut failure = api.at_service(bucket);
    if api.is_denied() {
        failure.advice = format!(
            "{}; where the bucket is another account's, name that: to.owner, or --to-owner",
            failure.advice
        );
    }
    failure
}
