//! What Filter does with changed tags: copies follow them, and what no rule has taken before is looked
//! at anew, since a rule may ask for tags.

use backup_aws::Failure;
use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::event::TaggedEvent;
use backup_domain::object::NULL_VERSION;
use backup_domain::policy::{Choice, Facts, NotifyLevel, Rule};
use backup_domain::task::{Decision, Execution, Machine, SettleOnly, Target};
use backup_domain::{Policy, SourceObject, sequencer};

use crate::filter::{Filter, nothing, reasons, wanted};
use crate::lease::{Claimant, Idle};
use crate::target::target;

impl Filter {
    /// Copies that are stored follow the source's tags, whatever rule made them. A destination that
    /// the rules name for the object as it is now, and that has no copy, gets one.
    pub async fn tagged(
        &self,
        event: &TaggedEvent,
        (execution, machine): (&Execution, Machine),
    ) -> Result<Decision, Failure> {
        let policy = self.policy.load().await?;
        let Some((object, known)) = self.as_it_is(event).await? else {
            let reason = "the version no longer exists".to_owned();
            return Ok(nothing("skipped", reason, NotifyLevel::default()));
        };
        let pk = partition_key(&object.bucket, &object.key);
        let mut points = self.catalog.points_of_key(&pk).await?;
        points.retain(|point| {
            point.object.deletion.is_none() && point.object.in_order().is(&object.in_order())
        });
        // A version without an id is known by the event that brought it.
        let object = points.first().map_or(object, |point| point.object.clone());
        let (mut targets, mut done) = followers(&policy, &points, event, &object)?;
        let choice = policy.choose(Facts {
            key: &object.key,
            size: object.size,
            headed: Some(&known),
        });
        let rule = match choice {
            Choice::Rule(rule) => rule,
            Choice::Skip(reason) if targets.is_empty() => {
                done.push(idle(reason));
                return Ok(nothing("skipped", reasons(&done), NotifyLevel::default()));
            }
            _ => return Ok(self.followed(object, &policy, &points, targets, &done)),
        };
        let mut fresh: Vec<Target> = Vec::new();
        for name in &rule.destinations {
            // One that failed is tried again: its own event may have been about tags.
            let mut others = points.iter().filter(|point| point.destination == *name);
            let has_one = others.any(|point| point.status != Status::Failed);
            if !has_one && wanted(event.redrive.as_ref(), name) {
                fresh.push(target(&policy, rule, name, &object)?);
            }
        }
        let claimant = Claimant {
            object: &object,
            rule: &rule.name,
            execution,
            machine,
            redrive: event.redrive.as_ref(),
        };
        let (leased, duplicates) = self.lease_all(&claimant, fresh).await?;
        targets.extend(leased);
        done.extend(duplicates);
        Ok(self.decision(object, rule, targets, &done))
    }

    fn followed(
        &self,
        object: SourceObject,
        policy: &Policy,
        points: &[RecoveryPoint],
        targets: Vec<Target>,
        done: &[Idle],
    ) -> Decision {
        let rule = points.iter().find_map(|point| rule_of(policy, point));
        match rule {
            Some(rule) => self.decision(object, rule, targets, done),
            None => nothing("skipped", reasons(done), NotifyLevel::default()),
        }
    }

    /// The version with what the event does not tell.
    async fn as_it_is(
        &self,
        event: &TaggedEvent,
    ) -> Result<Option<(SourceObject, backup_domain::policy::Known)>, Failure> {
        let mut object = SourceObject {
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            version_id: event.version_id.clone(),
            size: 0,
            etag: String::new(),
            sequencer: sequencer::of_second(event.time, 0),
            last_modified: None,
            event_at: event.time,
            deletion: None,
            deletion_type: None,
            account: event.account.clone(),
            region: event.region.clone(),
        };
        let Some((head, known)) = self.head_as_it_is(&object).await? else {
            return Ok(None);
        };
        object.size = head.headed.facts.size;
        object.etag = head.headed.facts.etag;
        object.last_modified = head.last_modified;
        // The event that brought it may be still to come, and finds it by its second.
        object.sequencer = sequencer::of_second(object.in_order().modified, 0);
        let latest = head.version_id.filter(|id| id != NULL_VERSION);
        object.version_id = object.version_id.or(latest);
        Ok(Some((object, known)))
    }
}

fn idle(reason: String) -> Idle {
    let held = false;
    Idle { reason, held }
}

fn rule_of<'p>(policy: &'p Policy, point: &RecoveryPoint) -> Option<&'p Rule> {
    let rule = policy.rules.iter().find(|rule| rule.name == point.rule);
    rule.filter(|_| policy.destinations.contains_key(&point.destination))
}

/// The copies that follow, and what is said of the others.
fn followers(
    policy: &Policy,
    points: &[RecoveryPoint],
    event: &TaggedEvent,
    object: &SourceObject,
) -> Result<(Vec<Target>, Vec<Idle>), Failure> {
    let (mut targets, mut done) = (Vec::new(), Vec::new());
    for point in points {
        let name = &point.destination;
        let rule = rule_of(policy, point).filter(|_| wanted(event.redrive.as_ref(), name));
        let Some(rule) = rule else { continue };
        match point.status {
            // Which of the two a copy under way carries is not known before it is stored: Record waits
            // for it, so that no other destination does.
            Status::Copying | Status::Stored | Status::Unsettled => {
                let mut target = target(policy, rule, name, object)?;
                target.settle_only = Some(SettleOnly {
                    owed_after: None,
                    tags: true,
                });
                targets.push(target);
            }
            status => done.push(idle(format!("{name}: {}", status.as_str()))),
        }
    }
    Ok((targets, done))
}
