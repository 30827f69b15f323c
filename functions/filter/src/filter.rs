//! What Filter does with one event.

use std::collections::BTreeMap;

use backup_aws::catalog::Catalog;
use backup_aws::policy_store::PolicyStore;
use backup_aws::prepare::source_version;
use backup_aws::s3::{head, versions};
use backup_aws::{ApiError, Clients, Failure, StepFunctions};
use backup_domain::catalog::{Status, partition_key, same_without_event, sort_key};
use backup_domain::event::{Redrive, S3Event, parse_any};
use backup_domain::lease::LeaseSeconds;
use backup_domain::policy::{Choice, Facts, Known, NotifyLevel, Rule};
use backup_domain::task::{Action, Decision, Execution, FilterTask, Machine, SettleOnly, Target};
use backup_domain::{Policy, SourceEvent, SourceObject};

use crate::lease::{Claimant, Idle};
use crate::target::target;

/// One event, and who works on it.
struct Work<'a> {
    policy: &'a Policy,
    object: &'a SourceObject,
    execution: &'a Execution,
    machine: Machine,
    redrive: Option<&'a Redrive>,
}

impl<'a> Work<'a> {
    fn claimant(&self, rule: &'a str) -> Claimant<'a> {
        Claimant {
            object: self.object,
            rule,
            execution: self.execution,
            machine: self.machine,
            redrive: self.redrive,
        }
    }
}

/// The function's clients and settings.
pub struct Filter {
    pub policy: PolicyStore,
    pub catalog: Catalog,
    pub executions: StepFunctions,
    pub clients: Clients,
    pub lease_seconds: LeaseSeconds,
    pub multipart_mib: u64,
}

impl Filter {
    /// Decides over one event.
    pub async fn decide(&self, task: FilterTask) -> Result<Decision, Failure> {
        let by = (&task.execution, task.machine);
        match parse_any(&task.event, self.policy.sources())? {
            S3Event::Created(event) => self.created(&event, by).await,
            S3Event::Deleted(event) => self.deleted(&event, by).await,
            S3Event::Tagged(event) => self.tagged(&event, by).await,
        }
    }

    async fn created(
        &self,
        event: &SourceEvent,
        (execution, machine): (&Execution, Machine),
    ) -> Result<Decision, Failure> {
        let policy = self.policy.load().await?;
        let mut object = SourceObject::created(event);
        let chosen = self.choose(&policy, &mut object).await?;
        let redrive = event.redrive.as_ref();
        if let Err(reason) = &chosen
            && redrive.is_none()
        {
            return Ok(nothing("skipped", reason.clone(), NotifyLevel::default()));
        }
        if object.pinned_version().is_none() && object.last_modified.is_none() {
            let s3 = self.clients.s3(&object.region);
            let located = versions::locate(&s3, &mut object).await;
            located.map_err(|api| api.at_source(&event.bucket))?;
        }
        if object.pinned_version().is_none() && object.last_modified.is_some() {
            self.known_as(&mut object).await?;
        }
        let work = Work {
            policy: &policy,
            object: &object,
            execution,
            machine,
            redrive,
        };
        let (rule, targets, done) = match chosen {
            Ok(rule) => {
                let names = rule.destinations.iter().map(String::as_str);
                let names: Vec<_> = names.filter(|name| wanted(redrive, name)).collect();
                let (targets, mut done) = self.to(&work, rule, &names).await?;
                let (_, more, idle) = self.besides(&work, &names).await?;
                done.extend(idle);
                (Some(rule), [targets, more].concat(), done)
            }
            Err(reason) => {
                let (rule, targets, mut done) = self.besides(&work, &[]).await?;
                let held = false;
                done.insert(0, Idle { reason, held });
                (rule, targets, done)
            }
        };
        match rule {
            Some(rule) => Ok(self.decision(work.object.clone(), rule, targets, &done)),
            None => Ok(Decision {
                held: done.iter().any(|idle| idle.held),
                ..nothing("skipped", reasons(&done), NotifyLevel::default())
            }),
        }
    }

    /// Takes the leases of destinations that one rule names.
    async fn to(
        &self,
        work: &Work<'_>,
        rule: &Rule,
        names: &[&str],
    ) -> Result<(Vec<Target>, Vec<Idle>), Failure> {
        let chosen: Result<_, _> = names
            .iter()
            .map(|name| target(work.policy, rule, name, work.object))
            .collect();
        self.lease_all(&work.claimant(&rule.name), chosen?).await
    }

    /// What a redrive names besides: a point that was taken up by a rule that would not take it any
    /// more, be it that the policy has changed or that the version is gone. It keeps its rule, or what
    /// is its rule by now; where the policy takes nothing there any more, it comes to its end here.
    async fn besides<'p>(
        &self,
        work: &Work<'p>,
        chosen: &[&str],
    ) -> Result<(Option<&'p Rule>, Vec<Target>, Vec<Idle>), Failure> {
        let (mut first, mut targets, mut done) = (None, Vec::new(), Vec::new());
        let Some(redrive) = work.redrive else {
            return Ok((first, targets, done));
        };
        let names = redrive.destinations.iter().map(String::as_str);
        for name in names.filter(|name| *name != "*" && !chosen.contains(name)) {
            let pk = partition_key(&work.object.bucket, &work.object.key);
            let sk = sort_key(name, work.object);
            let points = self.catalog.points_of_key(&pk).await?;
            let Some(point) = points.into_iter().find(|point| point.sk == sk) else {
                continue;
            };
            let key = &work.object.key;
            let rule = work.policy.of_backed_up(&point.rule, name, key);
            // What has a copy there is kept in order there; nothing new goes where no rule says so.
            let goes = |rule: &&Rule| rule.destinations.iter().any(|it| it == name);
            if let Some(rule) = rule.filter(|rule| redrive.settle || goes(rule)) {
                first = first.or(Some(rule));
                let (some, idle) = self.to(work, rule, &[name]).await?;
                targets.extend(some);
                done.extend(idle);
            } else if redrive.settle {
                done.push(self.owe_nothing(point).await?);
            } else {
                let reason = "the policy names neither its rule nor another one for it any more";
                let end = (Status::Skipped, reason);
                let claimant = work.claimant(&point.rule);
                done.push(self.end_here(&claimant, name, end).await?);
            }
        }
        Ok((first, targets, done))
    }

    /// A backfill or a repair knows no event of a version without an id; the event may have been before,
    /// or come after. Both mean the point that was made first.
    async fn known_as(&self, object: &mut SourceObject) -> Result<(), Failure> {
        let pk = partition_key(&object.bucket, &object.key);
        let points = self.catalog.points_of_key(&pk).await?;
        if let Some(first) = same_without_event(object, &points) {
            object.sequencer.clone_from(&first.sequencer);
        }
        Ok(())
    }

    /// Takes a lease on each target; what needs none, or is done already, is told apart.
    pub async fn lease_all(
        &self,
        claimant: &Claimant<'_>,
        chosen: Vec<Target>,
    ) -> Result<(Vec<Target>, Vec<Idle>), Failure> {
        let (mut targets, mut duplicates) = (Vec::new(), Vec::new());
        for mut target in chosen {
            if let Some(redrive) = claimant.redrive.filter(|redrive| redrive.settle) {
                target.settle_only = Some(SettleOnly {
                    owed_after: redrive.owed_after,
                    tags: false,
                });
                targets.push(target);
                continue;
            }
            match self.lease(claimant, target).await? {
                Ok(target) => targets.push(target),
                Err(duplicate) => duplicates.push(duplicate),
            }
        }
        Ok((targets, duplicates))
    }

    pub fn decision(
        &self,
        object: SourceObject,
        rule: &Rule,
        targets: Vec<Target>,
        idle: &[Idle],
    ) -> Decision {
        let reason = reasons(idle);
        let held = idle.iter().any(|idle| idle.held);
        if targets.is_empty() {
            let outcome = if held { "held" } else { "duplicate" };
            return Decision {
                held,
                ..nothing(outcome, reason, rule.notify)
            };
        }
        let copies = targets.iter().any(|target| target.settle_only.is_none());
        Decision {
            action: if copies {
                Action::for_size(object.size, self.multipart_mib)
            } else {
                Action::Small
            },
            outcome: "backed-up".to_owned(),
            reason,
            held,
            object: Some(object),
            rule: rule.name.clone(),
            notify: rule.notify,
            targets,
        }
    }

    /// The rule, or the reason to skip. Heads the source only where a rule asks for it.
    async fn choose<'a>(
        &self,
        policy: &'a Policy,
        object: &mut SourceObject,
    ) -> Result<Result<&'a Rule, String>, Failure> {
        let key = object.key.clone();
        let facts = Facts {
            key: &key,
            size: object.size,
            headed: None,
        };
        let tags = match policy.choose(facts) {
            Choice::Rule(rule) => return Ok(Ok(rule)),
            Choice::Skip(reason) => return Ok(Err(reason)),
            Choice::HeadFirst { tags } => tags,
        };
        let known = self.head(object, tags).await?;
        Ok(
            match policy.choose(Facts {
                headed: Some(&known),
                ..facts
            }) {
                Choice::Rule(rule) => Ok(rule),
                Choice::Skip(reason) => Err(reason),
                Choice::HeadFirst { .. } => {
                    Err("the rules ask again for what was headed".to_owned())
                }
            },
        )
    }

    async fn head(&self, object: &mut SourceObject, tags: bool) -> Result<Known, Failure> {
        let s3 = self.clients.s3(&object.region);
        let bucket = object.bucket.clone();
        let at_source = |api: ApiError| api.at_source(&bucket);
        let located = if object.pinned_version().is_none() {
            versions::locate(&s3, object).await.map_err(at_source)?
        } else {
            None
        };
        let version = source_version(object);
        let found = match located {
            Some(head) => head,
            None => match head::head(&s3, version).await.map_err(at_source)? {
                head::Found::Object(head) => *head,
                // Gone: it has no class, type or tag left, so no rule that asks for one matches.
                head::Found::Nothing => return Ok(Known::default()),
            },
        };
        let tags = if tags {
            head::tags(&s3, version).await.map_err(at_source)?
        } else {
            BTreeMap::default()
        };
        Ok(known(&found, tags))
    }

    /// A version with all that a rule can look at; `None` where it is gone.
    pub async fn head_as_it_is(
        &self,
        object: &SourceObject,
    ) -> Result<Option<(head::Head, Known)>, Failure> {
        let s3 = self.clients.s3(&object.region);
        let version = source_version(object);
        let at_source = |api: ApiError| api.at_source(&object.bucket);
        let head::Found::Object(found) = head::head(&s3, version).await.map_err(at_source)? else {
            return Ok(None);
        };
        let tags = head::tags(&s3, version).await.map_err(at_source)?;
        let known = known(&found, tags);
        Ok(Some((*found, known)))
    }
}

fn known(head: &head::Head, tags: BTreeMap<String, String>) -> Known {
    let headed = &head.headed;
    Known {
        storage_class: headed.facts.storage_class.clone(),
        content_type: headed.headers.content_type.clone().unwrap_or_default(),
        tags,
    }
}

/// A redrive is limited to the destinations that failed.
pub fn wanted(redrive: Option<&Redrive>, name: &str) -> bool {
    redrive.is_none_or(|redrive| {
        let mut names = redrive.destinations.iter();
        names.any(|wanted| wanted == name || wanted == "*")
    })
}

/// What is said of destinations that have nothing to do.
pub fn reasons(idle: &[Idle]) -> String {
    let reasons: Vec<_> = idle.iter().map(|idle| idle.reason.as_str()).collect();
    reasons.join("; ")
}

pub fn nothing(outcome: &str, reason: String, notify: NotifyLevel) -> Decision {
    Decision {
        action: Action::Nothing,
        outcome: outcome.to_owned(),
        reason,
        held: false,
        object: None,
        rule: String::new(),
        notify,
        targets: vec![],
    }
}
