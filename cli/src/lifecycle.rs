//! `s3-backup lifecycle`: the lifecycle that a backup bucket is to have.

use std::time::Duration;

use backup_aws::policy_store::PolicyStore;
use backup_domain::lifecycle::configuration;
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, say};

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Destination of the policy whose bucket is meant.
    #[arg(long)]
    destination: String,
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
    let document = configuration(declared);
    if global.json {
        say::json(&json!({"bucket": bucket, "configuration": document}))?;
    } else {
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        for line in text.lines() {
            say::line(line)?;
        }
        say::aside(&format!(
            "for the bucket {bucket}, in the place of all that get-bucket-lifecycle-configuration shows"
        ))?;
    }
    Ok(Verdict::Well)
}
