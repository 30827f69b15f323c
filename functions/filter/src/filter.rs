//! What Filter does with one event.

use std::collections::BTreeMap;

use backup_aws::catalog::{Catalog, Written};
use backup_aws::policy_store::PolicyStore;
use backup_aws::s3::{head, versions};
use backup_aws::{ApiError, Clients, Failure, StepFunctions, executions};
use backup_domain::catalog::{RecoveryPoint, SHAPE, Status, partition_key, sort_key};
use backup_domain::lease::{Claim, Held, claim};
use backup_domain::limits::MIB;
use backup_domain::policy::{Choice, Facts, Known, NotifyLevel, Rule, Verify};
use backup_domain::task::{Action, Decision, Execution, FilterTask, Target};
use backup_domain::{Policy, SourceEvent, SourceObject, event, evidence};
use jiff::SignedDuration;
use tracing::info;

/// The function's clients and settings.
pub struct Filter {
    pub policy: PolicyStore,
    pub catalog: Catalog,
    pub executions: StepFunctions,
    pub clients: Clients,
    pub lease_seconds: i64,
    pub multipart_mib: u64,
}

/// Why one destination has nothing to do.
type Duplicate = String;

impl Filter {
    /// Decides over one event.
    pub async fn decide(&self, task: FilterTask) -> Result<Decision, Failure> {
        let event = event::parse(&task.event, self.policy.sources())?;
        let policy = self.policy.load().await?;
        let mut object = object_of(&event);
        let rule = match self.choose(&policy, &mut object).await? {
            Ok(rule) => rule,
            Err(reason) => return Ok(nothing("skipped", reason, NotifyLevel::default())),
        };
        if object.pinned_version().is_none() && object.last_modified.is_none() {
            let s3 = self.clients.s3(&object.region);
            let located = versions::locate(&s3, &mut object).await;
            located.map_err(|api| api.at_source(&event.bucket))?;
        }
        let (mut targets, mut duplicates) = (Vec::new(), Vec::new());
        for name in chosen(rule, &event) {
            let target = target(&policy, rule, name, &object)?;
            match self
                .lease(&object, rule, target, &task.execution, &event)
                .await?
            {
                Ok(target) => targets.push(target),
                Err(duplicate) => duplicates.push(duplicate),
            }
        }
        if targets.is_empty() {
            return Ok(nothing("duplicate", duplicates.join("; "), rule.notify));
        }
        Ok(Decision {
            action: if object.size < self.multipart_mib.saturating_mul(MIB) {
                Action::Small
            } else {
                Action::Large
            },
            outcome: "backed-up".to_owned(),
            reason: duplicates.join("; "),
            object: Some(object),
            rule: rule.name.clone(),
            notify: rule.notify,
            targets,
        })
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
        let pinned = object.pinned_version().map(str::to_owned);
        let version = head::Version {
            bucket: &object.bucket,
            key: &object.key,
            version_id: pinned.as_deref(),
            owner: Some(&object.account),
        };
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
        Ok(Known {
            storage_class: found.headed.facts.storage_class,
            content_type: found.headed.headers.content_type.unwrap_or_default(),
            tags,
        })
    }

    /// Takes the lease, or says why this event is a duplicate.
    async fn lease(
        &self,
        object: &SourceObject,
        rule: &Rule,
        mut target: Target,
        execution: &Execution,
        event: &SourceEvent,
    ) -> Result<Result<Target, Duplicate>, Failure> {
        let now = self.clients.now();
        let mut point = RecoveryPoint {
            pk: partition_key(&object.bucket, &object.key),
            sk: sort_key(&target.name, object),
            shape: SHAPE,
            status: Status::Copying,
            object: object.clone(),
            destination: target.name.clone(),
            rule: rule.name.clone(),
            owner: execution.owner(),
            until: now + SignedDuration::from_secs(self.lease_seconds),
            attempts: 1,
            upload: None,
            backup: None,
            checksums: BTreeMap::default(),
            evidence: None,
            copied_at: None,
            verified_at: None,
            error: None,
            message: None,
            day: None,
            ended_at: None,
        };
        let redriven = event
            .redrive
            .as_ref()
            .and_then(|redrive| redrive.owner.as_deref());
        let mut written = self.catalog.create(&point).await?;
        while let Written::Refused(old) = written {
            // What a dead owner has uploaded is gone on with.
            point.upload = old.upload;
            let held = Held {
                status: old.status,
                owner: old.owner,
                until: old.until,
                attempts: old.attempts,
            };
            match claim(&held, &point.owner, redriven, now) {
                Claim::Done(status) => {
                    return Ok(Err(format!("{}: {} already", target.name, status.as_str())));
                }
                Claim::AskOwner
                    if executions::is_running(&self.executions, &held.owner).await? =>
                {
                    return Ok(Err(format!(
                        "{}: {} is at it",
                        target.name,
                        Execution::arn_of(&held.owner)
                    )));
                }
                Claim::TakeOver | Claim::AskOwner => {}
            }
            // The same execution asking again is not another attempt.
            let again = u32::from(held.owner != point.owner || held.status != Status::Copying);
            point.attempts = held.attempts + again;
            info!(destination = %target.name, attempts = point.attempts, "taking over");
            written = self.catalog.take_over(&point, &held).await?;
        }
        target.attempts = point.attempts;
        target.upload = point.upload;
        Ok(Ok(target))
    }
}

fn object_of(event: &SourceEvent) -> SourceObject {
    SourceObject {
        bucket: event.bucket.clone(),
        key: event.key.clone(),
        version_id: event.version_id.clone(),
        size: event.size,
        etag: event.etag.clone(),
        sequencer: event.sequencer.clone(),
        last_modified: None,
        event_at: event.time,
        account: event.account.clone(),
        region: event.region.clone(),
    }
}

/// A redrive is limited to the destinations that failed.
fn chosen<'a>(rule: &'a Rule, event: &SourceEvent) -> Vec<&'a String> {
    let redrive = event.redrive.as_ref().map(|redrive| &redrive.destinations);
    let wanted = |name: &String| {
        redrive.is_none_or(|names| names.contains(name) || names.iter().any(|name| name == "*"))
    };
    rule.destinations
        .iter()
        .filter(|name| wanted(name))
        .collect()
}

fn target(
    policy: &Policy,
    rule: &Rule,
    name: &str,
    object: &SourceObject,
) -> Result<Target, Failure> {
    // The check of the policy has made sure that the name is there.
    let mut destination = policy.destinations.get(name).cloned().ok_or_else(|| {
        Failure::new(
            backup_domain::ErrorName::InvalidPolicy,
            format!("rule {} names {name}, which is not there", rule.name),
        )
    })?;
    // Every call names the owner it expects, so that a bucket that changed hands gets nothing.
    destination
        .account
        .get_or_insert_with(|| object.account.clone());
    let read = match rule.verify {
        Verify::Stored => false,
        Verify::Read => true,
        Verify::Sample(share) => evidence::is_sampled(share, object),
    };
    Ok(Target {
        name: name.to_owned(),
        // Whether that is too long is Copy's to say: it concerns this destination alone.
        key: format!("{}{}", destination.prefix, object.key),
        destination,
        read,
        archived: rule.archived,
        annotations: rule.annotations,
        rule: rule.name.clone(),
        attempts: 1,
        upload: None,
    })
}

fn nothing(outcome: &str, reason: String, notify: NotifyLevel) -> Decision {
    Decision {
        action: Action::Nothing,
        outcome: outcome.to_owned(),
        reason,
        object: None,
        rule: String::new(),
        notify,
        targets: vec![],
    }
}
