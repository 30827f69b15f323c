//! What a deployment works on: by its configuration file before, by the stack itself after.

use std::collections::BTreeSet;
use std::time::Duration;

use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, ErrorName, deployment as aws, stack};
use backup_domain::deployment::{Finding, Severity, not_named, stack_name};
use backup_domain::policy::{Policy, parse};

use super::config::Config;
use crate::failure::Failure;
use crate::stack::Stack;

/// Where copies go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub bucket: String,
    pub region: String,
    pub account: Option<String>,
    /// ARN of the key of its copies, where the policy names one.
    pub key: Option<String>,
    /// Whether its copies may be encrypted less than the source.
    pub weaker: bool,
}

/// What is there already; what a deployment is to create is not in here.
#[derive(Debug, Default)]
pub struct Subject {
    pub region: String,
    pub source: Option<String>,
    pub places: BTreeSet<Place>,
    /// Whether copies go to a bucket that the stack creates, and by the default policy.
    pub unnamed_place: bool,
    /// Keys that the roles may use, where that is known.
    pub keys: Option<Vec<String>>,
    /// Buckets that copies may go to, where that is known.
    pub buckets: Option<Vec<String>>,
    pub reports: Option<String>,
    /// Buckets of inventories, and to restore to.
    pub others: BTreeSet<String>,
    pub table: Option<String>,
    /// URL of the dead-letter queue.
    pub queue: Option<String>,
    pub topic: Option<String>,
    pub findings: Vec<Finding>,
}

/// Parameters of the template that this release is deployed by.
fn known_parameters() -> impl Iterator<Item = &'static str> {
    let template = include_str!("../../../template.yaml");
    let parameters = template.split("\nParameters:\n").nth(1).unwrap_or_default();
    let ends = |line: &&str| !line.is_empty() && !line.starts_with([' ', '#']);
    let lines = parameters.lines().take_while(move |line| !ends(line));
    lines.filter_map(|line| {
        let name = line.strip_prefix("  ")?.strip_suffix(':')?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric());
        plain.then_some(name)
    })
}

impl Subject {
    /// Of a deployment to come.
    pub async fn to_come(clients: &Clients, config: &Config) -> Self {
        let some = |name: &str| {
            let value = config.parameter(name);
            (!value.is_empty()).then(|| value.to_owned())
        };
        let key = some("BackupKmsKeyArn");
        let mut subject = Self {
            region: clients.region(),
            source: some("SourceBucketName"),
            table: some("CatalogTableName"),
            topic: some("NotificationTopicArn"),
            reports: some("ReportBucketName"),
            findings: stack_name(&config.stack).into_iter().collect(),
            ..Self::default()
        };
        let known: BTreeSet<_> = known_parameters().collect();
        let given = config.parameters.keys().map(String::as_str);
        let unknown = given.filter(|name| !known.contains(name)).map(|name| {
            Finding::new(
                "UnknownParameter",
                Severity::Problem,
                format!("parameter {name}"),
                "the template has no such parameter: SAM CLI leaves it out without a word",
                "correct its name",
            )
        });
        subject.findings.extend(unknown);
        let mut keys = config.list("KmsKeyArns");
        keys.extend(key.clone());
        subject.keys = Some(keys);
        subject.others.extend(config.list("InventoryBucketNames"));
        subject.others.extend(config.list("RestoreBucketNames"));
        let backup = some("BackupBucketName");
        let mut buckets = config.list("MoreBackupBucketNames");
        buckets.extend(backup.clone());
        subject.others.extend(buckets.iter().cloned());
        if let Some(name) = some("DeadLetterQueueName") {
            match aws::queue_url(clients, &name).await {
                Ok(url) => subject.queue = Some(url),
                Err(finding) => subject.findings.push(finding),
            }
        }
        if let Some(document) = some("PolicyDocument") {
            let sources: Vec<_> = subject.source.iter().cloned().collect();
            match parse(&document, &sources) {
                Ok(policy) => subject.take(&policy),
                Err(problem) => subject.findings.push(Finding::new(
                    "InvalidPolicy",
                    Severity::Unfit,
                    "parameter PolicyDocument",
                    problem.to_string(),
                    "correct it; docs/deploy.md shows how to quote it",
                )),
            }
            // The name of a bucket that the stack creates is not known beforehand.
            subject.buckets = backup.is_some().then_some(buckets);
        } else {
            let region = some("BackupRegionName").unwrap_or_else(|| subject.region.clone());
            match backup {
                Some(bucket) => subject.places.extend([Place {
                    bucket,
                    region,
                    account: None,
                    key,
                    weaker: false,
                }]),
                None => subject.unnamed_place = key.is_none(),
            }
        }
        subject
    }

    /// Of a stack that is there.
    pub async fn deployed(stack: &Stack, name: &str) -> Result<Self, Failure> {
        let resources = &stack.resources;
        let mut subject = Self {
            region: stack.region(),
            source: Some(resources.source.clone()),
            reports: Some(resources.reports.clone()),
            table: Some(resources.catalog.clone()),
            queue: Some(resources.queue.clone()),
            topic: Some(resources.topic.clone()),
            ..Self::default()
        };
        if let Some(access) = stack::access(&stack.clients.ssm(), name).await? {
            subject.keys = Some(access.keys());
            subject.buckets = Some(access.buckets());
        }
        let policy = PolicyStore::new(
            stack.clients.ssm(),
            resources.policy.clone(),
            vec![resources.source.clone()],
            Duration::ZERO,
        );
        match policy.load().await {
            Ok(policy) => subject.take(&policy),
            Err(problem) if problem.name == ErrorName::InvalidPolicy => {
                subject.findings.push(Finding::new(
                    "InvalidPolicy",
                    Severity::Unfit,
                    format!("parameter {}", resources.policy),
                    problem.message,
                    problem.advice,
                ));
            }
            Err(problem) => return Err(problem.into()),
        }
        Ok(subject)
    }

    /// Destinations that a rule names: what no rule names is never written to.
    fn take(&mut self, policy: &Policy) {
        let used: BTreeSet<_> = policy
            .rules
            .iter()
            .flat_map(|it| &it.destinations)
            .collect();
        let used = used
            .into_iter()
            .filter_map(|name| policy.destinations.get(name));
        self.places.extend(used.map(|it| Place {
            bucket: it.bucket.clone(),
            region: it.region.clone(),
            account: it.account.clone(),
            key: it.kms_key.clone(),
            weaker: it.allow_weaker_encryption,
        }));
    }

    /// Findings that need no call.
    pub fn own_findings(&self) -> Vec<Finding> {
        let mut found = self.findings.clone();
        let names: BTreeSet<_> = self.places.iter().map(|it| &it.bucket).collect();
        for name in &names {
            if self.buckets.as_ref().is_some_and(|all| !all.contains(name)) {
                found.push(not_named(name));
            }
        }
        let beside = self.reports.as_ref().filter(|it| {
            names.contains(it) || self.source.as_ref() == Some(it) || self.others.contains(*it)
        });
        if let Some(reports) = beside {
            found.push(Finding::new(
                "ReportsBesideCopies",
                Severity::Unfit,
                format!("bucket {reports}"),
                "reports would go to a bucket that is backed up, holds copies, or is restored to",
                "name another bucket in ReportBucketName",
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_parameters_are_known() {
        let known: Vec<_> = known_parameters().collect();
        for name in ["SourceBucketName", "AuditSchedule", "LogRetentionDays"] {
            assert!(known.contains(&name), "{name}: {known:?}");
        }
        assert!((40..100).contains(&known.len()), "{known:?}");
        assert!(!known.contains(&"Rules"));
    }

    #[test]
    fn copies_go_to_named_buckets_and_reports_to_one_of_their_own() {
        let place = |bucket: &str| Place {
            bucket: bucket.to_owned(),
            region: "eu-west-1".to_owned(),
            account: None,
            key: None,
            weaker: false,
        };
        let subject = |buckets: Option<&[&str]>, reports: &str| Subject {
            places: BTreeSet::from([place("one"), place("two")]),
            buckets: buckets.map(|it| it.iter().map(|&it| it.to_owned()).collect()),
            reports: Some(reports.to_owned()),
            ..Subject::default()
        };
        let names = |subject: Subject| {
            let found = subject.own_findings();
            found.iter().map(|it| it.name).collect::<Vec<_>>()
        };
        assert_eq!(names(subject(None, "reports")), [""; 0], "not known");
        assert_eq!(names(subject(Some(&["one", "two"]), "reports")), [""; 0]);
        assert_eq!(
            names(subject(Some(&["one"]), "two")),
            ["BucketNotNamed", "ReportsBesideCopies"]
        );
    }
}
