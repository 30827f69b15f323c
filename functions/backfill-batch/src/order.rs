//! The order of a key: settled once for all of its versions, behind the last one. Settled behind each,
//! every older one beside a newer that is stored already would have that copied on top once more.

use backup_aws::Failure;
use backup_domain::SourceObject;
use backup_domain::catalog::{partition_key, sort_key};
use backup_domain::task::{Copied, CopyOutcome, RecordTask, SettleOnly, Target, Verified};
use jiff::Timestamp;

use crate::way::{Call, Way, tried};

/// A stored version whose key is to be settled still.
#[derive(Debug)]
pub struct Debt {
    pub object: SourceObject,
    pub target: Target,
    /// Until when the catalog has it, for the sweep.
    pub after: Timestamp,
}

/// The order of one key: it is settled behind the last of its versions, not behind each.
#[derive(Default)]
pub struct Order {
    /// More versions come.
    pub later: bool,
    pub debts: Vec<Debt>,
    /// Destinations that the last version has settled.
    pub settled: Vec<String>,
}

/// What the end of a version at a destination says of the order.
pub struct Said {
    pub debt: Option<Debt>,
    pub settled: Option<String>,
}

impl Order {
    /// One more end.
    pub fn add(&mut self, said: Said) {
        self.debts.extend(said.debt);
        self.settled.extend(said.settled);
    }
}

impl Way {
    /// Settles the order of a key where versions of it owe that: once for each destination, and not at
    /// all at one of `settled`. Whoever dies before it leaves them to the sweep.
    ///
    /// # Errors
    /// What either side answers; what is owed stays owed.
    pub async fn pay(
        &self,
        debts: Vec<Debt>,
        settled: &[String],
        call: &Call<'_>,
    ) -> Result<(), Failure> {
        let (mut settled, now) = (settled.to_vec(), self.catalog.now());
        for debt in debts {
            let Debt {
                object,
                mut target,
                after,
            } = debt;
            if settled.contains(&target.name) {
                let pk = partition_key(&object.bucket, &object.key);
                let sk = sort_key(&target.name, &object);
                self.catalog.settled(&pk, &sk, after).await?;
                continue;
            }
            settled.push(target.name.clone());
            target.settle_only = Some(SettleOnly {
                owed_after: Some(after),
                tags: false,
            });
            tried(call.deadline, |_| {
                let task = RecordTask {
                    object: object.clone(),
                    target: target.clone(),
                    copied: Copied::ended(CopyOutcome::Settle, "", None, now),
                    verified: Verified {
                        evidence: None,
                        reading: vec![],
                        at: now,
                    },
                    rejected: vec![],
                    execution: call.execution.clone(),
                    settles_later: None,
                };
                self.record.record(task, call.deadline)
            })
            .await?;
        }
        Ok(())
    }
}
