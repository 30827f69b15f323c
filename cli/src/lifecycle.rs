//! `s3-backup lifecycle`: the lifecycle that a backup bucket is to have.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_aws::policy_store::PolicyStore;
use backup_domain::lifecycle::{configuration, merged};
use serde_json::{Value, json};

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, say};

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Destination of the policy whose bucket is meant.
    #[arg(long)]
    destination: String,
    /// What the bucket has now, as `aws s3api get-bucket-lifecycle-configuration` answers: rules of others stay.
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
}

/// Prints the document; changes nothing.
pub async fn run(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
) -> Result<Verdict, Failure> {
    let resources = &stack.resources;
    let policy = PolicyStore::new(
        stack.clients.ssm(),
        resources.policy.clone(),
        vec![resources.source.clone()],
        Duration::ZERO,
    );
    let policy = policy.load().await?;
    let name = &arguments.destination;
    let Some(destination) = policy.destinations.get(name) else {
        let known: Vec<_> = policy.destinations.keys().map(String::as_str).collect();
        let known = known.join(", ");
        return Err(Failure::Unmeant {
            message: format!("no destination of the policy is called {name:?}"),
            advice: format!("there are {known}"),
        });
    };
    let bucket = &destination.bucket;
    let own = policy
        .destinations
        .iter()
        .filter(|(_, it)| it.bucket == *bucket);
    let declared = own.filter_map(|(name, it)| {
        let lifecycle = it.lifecycle.as_ref()?;
        Some((name.as_str(), it.prefix.as_str(), lifecycle))
    });
    let declared: Vec<_> = declared.collect();
    if declared.is_empty() {
        return Err(Failure::Unmeant {
            message: format!("the policy says nothing of a lifecycle in {bucket}"),
            advice: "give the destination a lifecycle there; a bucket that the stack creates has it by the stack's parameters".to_owned(),
        });
    }
    let mut document = configuration(declared);
    if let Some(file) = &arguments.merge {
        document = merged(&there(file)?, &document).map_err(|problem| unusable(file, problem))?;
    }
    if global.json {
        say::json(&json!({"bucket": bucket, "configuration": document}))?;
    } else {
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        for line in text.lines() {
            say::line(line)?;
        }
        say::aside(&format!(
            "for the bucket {bucket}, in the place of all that get-bucket-lifecycle-configuration shows{}",
            if arguments.merge.is_some() {
                ": that is in it"
            } else {
                ": rules of others go, unless --merge keeps them"
            }
        ))?;
    }
    Ok(Verdict::Well)
}

fn there(file: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file).map_err(|problem| unusable(file, problem))?;
    serde_json::from_str(&text).map_err(|problem| unusable(file, problem))
}

fn unusable(file: &Path, problem: impl Display) -> Failure {
    Failure::Unmeant {
        message: format!("{} cannot be merged: {problem}", file.display()),
        advice: "give it what get-bucket-lifecycle-configuration answers; where that is NoSuchLifecycleConfiguration, leave --merge out".to_owned(),
    }
}
