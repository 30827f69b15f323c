//! What the names of the table stand for in a deployment.

use serde_json::json;

use super::Keyed;
use crate::evaluate::plain;
use crate::places::EVERYTHING;

impl Keyed {
    /// What stands for a name of the table: a resource, and another of the same kind that is not the stack's.
    pub fn those(&self, role: &str, action: &str, kind: &str) -> Vec<(String, String)> {
        let (on, rest) = kind.split_once('/').unwrap_or((kind, ""));
        let machines = [
            ("backup-machine", "BackupStateMachine"),
            ("express-machine", "ExpressStateMachine"),
            ("audit-machine", "AuditStateMachine"),
            ("restore-machine", "RestoreStateMachine"),
            ("backfill-machine", "BackfillStateMachine"),
        ];
        let queues = [
            ("dead-letter-queue", "DeadLetterQueue"),
            ("intake-queue", "IntakeQueue"),
            ("follow-lifecycle-queue", "FollowLifecycleQueue"),
        ];
        if let Some((_, logical)) = machines.iter().find(|(name, _)| *name == on) {
            let arn = self.machine(logical);
            let name = arn.rsplit(':').next().unwrap().to_owned();
            let other = format!("other-{}", name.replace("AuditStateMachine", "Audits"));
            let other = arn.replace(&name, &other);
            return match rest {
                "" => vec![(arn, other)],
                // Its own, and those of a Distributed Map's children.
                _ => vec![(execution(&arn, rest), execution(&other, rest))],
            };
        }
        if let Some((_, logical)) = queues.iter().find(|(name, _)| *name == on) {
            return vec![(self.get(logical, "Arn"), self.arn("sqs", "another-queue"))];
        }
        let index = kind.strip_prefix("table").filter(|it| !it.contains(' '));
        if let Some(index) = index {
            let table = plain(&self.deployed.value(&json!({"Ref": "Catalog"})).unwrap());
            return [(table.as_str(), "another-table")]
                .map(|(own, other)| {
                    let of = |name| self.arn("dynamodb", &format!("table/{name}{index}"));
                    (of(own), of(other))
                })
                .into();
        }
        let key = |name: &str| self.keys[0].replace("source000000", name);
        match on {
            "policy" => vec![(
                self.arn("ssm", "parameter/backups/policy"),
                self.arn("ssm", "parameter/others/policy"),
            )],
            "topic" => vec![(self.topic(), self.arn("sns", "another-topic"))],
            "key:source" => vec![(self.keys[0].clone(), key("another00000"))],
            "key:backup" => {
                let further = (
                    self.keys[2].clone(),
                    self.keys[2].replace("further", "another"),
                );
                vec![(self.keys[1].clone(), key("another00000")), further]
            }
            _ => self.objects(role, action, on, rest),
        }
    }

    fn machine(&self, logical: &str) -> String {
        plain(&self.deployed.value(&json!({"Ref": logical})).unwrap())
    }

    fn topic(&self) -> String {
        plain(&self.deployed.value(&json!({"Ref": "Topic"})).unwrap())
    }

    /// Buckets, or objects in them.
    fn objects(&self, role: &str, action: &str, on: &str, rest: &str) -> Vec<(String, String)> {
        let made = |logical: &str| plain(&self.deployed.value(&json!({"Ref": logical})).unwrap());
        let listed = |name: &str| -> Vec<String> {
            let given = EVERYTHING.iter().find(|(own, _)| *own == name).unwrap().1;
            given.split(',').map(str::to_owned).collect()
        };
        let mut buckets = match on {
            "source" => vec![made("SourceBucket")],
            "backup" => vec![made("BackupBucket")],
            "reports" => vec![made("ReportBucket")],
            "drill" => vec![made("DrillBucket")],
            "inventories" => listed("InventoryBucketNames"),
            other => panic!("what is {other}?"),
        };
        let restores = ["PlanRestoreFunctionRole", "RestoreBatchFunctionRole"].contains(&role);
        match on {
            "backup" => buckets.extend(listed("MoreBackupBucketNames")),
            // A rollback goes by the versions of the source alone.
            "source" if restores && action != "s3:ListBucketVersions" => {
                buckets.extend(listed("RestoreBucketNames"));
            }
            _ => {}
        }
        let key = match rest {
            "" => String::new(),
            "*" => "/reports/2026/november.csv".to_owned(),
            prefix => format!("/{}", prefix.replace('*', "2026-11-30/plan.json")),
        };
        let arn = |name: &str| self.bucket(name) + &key;
        let mut found: Vec<_> = buckets
            .iter()
            .map(|name| (arn(name), arn("another-bucket")))
            .collect();
        if on == "reports" && !key.is_empty() {
            let elsewhere = self.bucket(&buckets[0]) + "/elsewhere/plan.json";
            found.push((arn(&buckets[0]), elsewhere));
        }
        found
    }
}

/// An execution of a machine, or of a Distributed Map's child.
fn execution(machine: &str, rest: &str) -> String {
    let arn = machine.replace(":stateMachine:", ":execution:");
    match rest {
        "children" => format!("{arn}/Batches:11111111-2222-3333-4444-555555555555"),
        _ => format!("{arn}:11111111-2222-3333-4444-555555555555"),
    }
}
