//! What Filter does with a deletion: it is recorded, and mirrored where the rule says so.

use std::collections::BTreeMap;

use backup_aws::Failure;
use backup_domain::catalog::{RecoveryPoint, Status, partition_key};
use backup_domain::event::DeletedEvent;
use backup_domain::policy::NotifyLevel;
use backup_domain::task::{Decision, Execution, Machine, SettleOnly};
use backup_domain::{Policy, SourceObject};

use crate::filter::{Filter, nothing, reasons, wanted};
use crate::lease::Claimant;
use crate::target::target;

impl Filter {
    /// Rules and destinations come from the key's recovery points, since a deletion tells neither
    /// size nor class nor tags. Where there are none yet, its versions may still be on their way: it is
    /// recorded wherever the key may be backed up to, and they settle when they are stored, and see
    /// the deletion at the source. Whatever the policy says by now, it is recorded.
    pub async fn deleted(
        &self,
        event: &DeletedEvent,
        (execution, machine): (&Execution, Machine),
    ) -> Result<Decision, Failure> {
        let policy = self.policy.load().await?;
        let object = SourceObject::deleted(event);
        let pk = partition_key(&object.bucket, &object.key);
        let points = self.catalog.points_of_key(&pk).await?;
        let backed_up = backed_up(&points);
        let early = backed_up.is_empty();
        let places = if early {
            places(&policy, &object.key)
        } else {
            backed_up
        };
        let (mut targets, mut done) = (Vec::new(), Vec::new());
        let mut first = None;
        for (name, rule_name) in places {
            if !wanted(event.redrive.as_ref(), name) {
                continue;
            }
            let rule = policy.of_backed_up(rule_name, name, &object.key);
            first = first.or(rule);
            let claimant = Claimant {
                object: &object,
                rule: rule.map_or(rule_name, |rule| &rule.name),
                execution,
                machine,
                redrive: event.redrive.as_ref(),
            };
            let owed = event.redrive.as_ref().is_some_and(|it| it.settle);
            let settles = |deletes| !early && (owed || event.must_settle(deletes));
            if let Some(rule) = rule.filter(|rule| settles(rule.deletes)) {
                let mut target = target(&policy, rule, name, &object)?;
                target.settle_only = Some(SettleOnly::default());
                let (some, duplicates) = self.lease_all(&claimant, vec![target]).await?;
                targets.extend(some);
                done.extend(duplicates);
                continue;
            }
            let reason = "deletion recorded, the backup is kept as it is";
            let end = (Status::Deleted, reason);
            done.push(self.end_here(&claimant, name, end).await?);
        }
        if targets.is_empty() && done.is_empty() {
            let reason = "no version of this key is backed up".to_owned();
            return Ok(nothing("skipped", reason, NotifyLevel::default()));
        }
        if let Some(rule) = first.filter(|_| !targets.is_empty()) {
            return Ok(self.decision(object, rule, targets, &done));
        }
        let held = done.iter().any(|idle| idle.held);
        let outcome = if held { "held" } else { "recorded" };
        let notify = first.map(|rule| rule.notify).unwrap_or_default();
        Ok(Decision {
            held,
            ..nothing(outcome, reasons(&done), notify)
        })
    }
}

/// Destinations that have versions of a key, each with the rule that the last of its points names.
fn backed_up(points: &[RecoveryPoint]) -> BTreeMap<&str, &str> {
    let versions = points
        .iter()
        .filter(|point| point.object.deletion.is_none());
    versions
        .map(|point| (point.destination.as_str(), point.rule.as_str()))
        .collect()
}

/// Destinations that versions of a key may go to, each with the first rule that says so.
fn places<'p>(policy: &'p Policy, key: &str) -> BTreeMap<&'p str, &'p str> {
    let mut places = BTreeMap::new();
    for rule in policy.may_take(key) {
        for name in &rule.destinations {
            places.entry(name.as_str()).or_insert(rule.name.as_str());
        }
    }
    places
}
