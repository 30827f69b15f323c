//! `cargo local demo`: five telling objects on a stack that ends with the demo.

mod follow;
mod inbox;
mod objects;
mod report;
mod verdict;
mod view;

use std::io::{Write, stdout};

use backup_stack::{Cloud, Options, Outputs, Service, Stack};
use console::style;
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::say::tell;
use crate::spinner::progress;

/// What the demo needs of the deployed template.
struct Deployed {
    source: String,
    backup: String,
    backup_region: String,
    machine: String,
    topic: String,
    policy: String,
}

impl Deployed {
    fn from(outputs: &Outputs) -> Result<Self> {
        let output = |name| {
            let value = outputs.get(name).cloned();
            value.ok_or(Failure::NoOutput { name })
        };
        Ok(Self {
            source: output("SourceBucket")?,
            backup: output("BackupBucket")?,
            backup_region: output("BackupRegion")?,
            machine: output("StateMachineArn")?,
            topic: output("TopicArn")?,
            policy: output("PolicyParameter")?,
        })
    }
}

pub fn run() -> Result<()> {
    let stack = Stack::start(Options {
        progress: progress(),
        ..Options::default()
    })?;
    let deployed = Deployed::from(&stack.deploy(&[("DigestMinutes", "0")])?)?;
    let cloud = stack.cloud();
    let inbox = inbox::Inbox::subscribe(&cloud, &deployed.topic)?;
    put_policy(&cloud, &deployed)?;

    let objects = objects::all();
    tell(format!("\nUploading {} objects:", objects.len()));
    for object in &objects {
        let headers: Vec<_> = object.headers.clone();
        cloud.put_object(&deployed.source, object.key, object.body, &headers)?;
    }
    let followed = follow::to_their_end(&cloud, &deployed.machine, &objects)?;
    let verdicts = verdict::all(&cloud, &deployed, &objects, &followed);
    let messages = inbox.messages(&cloud)?;
    let mut problems: Vec<_> = verdicts
        .iter()
        .flat_map(|verdict| verdict.problems.clone())
        .collect();
    problems.extend(inbox::missing(&messages, &objects));

    let mut out = stdout().lock();
    report::verdicts(&mut out, &verdicts)?;
    report::messages(&mut out, &messages)?;
    if !problems.is_empty() {
        let log = stack.log()?.display().to_string();
        return Err(Failure::Demo { problems, log });
    }
    stack.stop()?;
    let next = style("cargo local up").cyan();
    writeln!(
        out,
        "\nEverything came out as it should, and the demo's stack is gone. Next: `{next}` starts one \
         that stays, for objects of your own."
    )?;
    Ok(())
}

/// Everything is copied and told, but for temporary files.
fn put_policy(cloud: &Cloud, deployed: &Deployed) -> Result<()> {
    let policy = json!({
        "version": 1,
        "destinations": {
            "primary": {"bucket": deployed.backup, "region": deployed.backup_region},
        },
        "rules": [{
            "name": "everything-but-scratch",
            "match": {"keys": {"include": ["**"], "exclude": ["**/*.tmp"]}},
            "destinations": ["primary"],
            "notify": "all",
        }],
    });
    let input = json!({
        "Name": deployed.policy,
        "Value": policy.to_string(),
        "Type": "String",
        "Overwrite": true,
    });
    cloud.json(Service::Ssm, "PutParameter", &input)?;
    Ok(())
}
