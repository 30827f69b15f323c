//! What Filter does with a deletion: it is recorded, and mirrored where the rule says so.

use std::collections::BTreeMap;

use backup_aws::Failure;
use backup_aws::catalog::Written;
use backup_domain::SourceObject;
use backup_domain::catalog::{Status, partition_key};
use backup_domain::event::DeletedEvent;
use backup_domain::policy::{NotifyLevel, Rule};
use backup_domain::task::{Decision, Execution, Machine, SettleOnly};

use crate::filter::{Filter, nothing, reasons, wanted};
use crate::lease::{Claimant, Idle};
use crate::target::target;

impl Filter {
    /// Rules and destinations come from the key's recovery points, since a deletion tells neither
    /// size nor class nor tags. A key without any is none of ours, or its versions are still on their
    /// way: each settles when it is stored, and sees the deletion at the source.
    pub async fn deleted(
        &self,
        event: &DeletedEvent,
        (execution, machine): (&Execution, Machine),
    ) -> Result<Decision, Failure> {
        let policy = self.policy.load().await?;
        let object = SourceObject::deleted(event);
        let pk = partition_key(&object.bucket, &object.key);
        let points = self.catalog.points_of_key(&pk).await?;
        let versions = points
            .iter()
            .filter(|point| point.object.deletion.is_none());
        let backed_up: BTreeMap<&str, &str> = versions
            .map(|point| (point.destination.as_str(), point.rule.as_str()))
            .collect();
        let (mut targets, mut done) = (Vec::new(), Vec::new());
        let mut first: Option<&Rule> = None;
        for (name, rule) in backed_up {
            let rule = policy.rules.iter().find(|known| known.name == rule);
            // Taken out of the policy since: the backup stays as it is.
            let Some(rule) = rule.filter(|_| policy.destinations.contains_key(name)) else {
                continue;
            };
            if !wanted(event.redrive.as_ref(), name) {
                continue;
            }
            first.get_or_insert(rule);
            let mut target = target(&policy, rule, name, &object)?;
            let claimant = Claimant {
                object: &object,
                rule,
                execution,
                machine,
                redrive: event.redrive.as_ref(),
            };
            if event.must_settle(rule.deletes) {
                target.settle_only = Some(SettleOnly::default());
                let (some, duplicates) = self.lease_all(&claimant, vec![target]).await?;
                targets.extend(some);
                done.extend(duplicates);
                continue;
            }
            let point = self.new_point(&claimant, &target, Status::Deleted, self.catalog.now());
            let reason = match self.catalog.create(&point).await? {
                Written::Yes => format!("{name}: deletion recorded, the backup is kept as it is"),
                Written::Refused(_) => format!("{name}: deletion recorded already"),
            };
            let held = false;
            done.push(Idle { reason, held });
        }
        match first {
            Some(rule) if targets.is_empty() && !done.iter().any(|idle| idle.held) => {
                Ok(nothing("recorded", reasons(&done), rule.notify))
            }
            Some(rule) => Ok(self.decision(object, rule, targets, &done)),
            None => {
                let reason = "no version of this key is backed up".to_owned();
                Ok(nothing("skipped", reason, NotifyLevel::default()))
            }
        }
    }
}
