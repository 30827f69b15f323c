//! What became of each object, and whether that is what should have.

use backup_stack::Cloud;
use serde_json::Value;

use super::Deployed;
use super::follow::Followed;
use super::objects::{DemoObject, Expected};
use super::view;

/// One row of the demo's table.
#[derive(Debug, Default)]
pub struct Verdict {
    pub key: &'static str,
    pub outcome: String,
    /// What proves the copy; for a failure, what to do.
    pub evidence: String,
    pub copy: String,
    pub steps: String,
    pub problems: Vec<String>,
}

pub fn all(
    cloud: &Cloud,
    deployed: &Deployed,
    objects: &[DemoObject],
    followed: &[Followed],
) -> Vec<Verdict> {
    let pairs = objects.iter().zip(followed);
    pairs
        .map(|(object, followed)| one(cloud, deployed, object, followed))
        .collect()
}

fn one(cloud: &Cloud, deployed: &Deployed, object: &DemoObject, followed: &Followed) -> Verdict {
    let steps: Vec<_> = followed.steps.iter().map(view::text).collect();
    let mut verdict = Verdict {
        key: object.key,
        steps: steps.join("\n"),
        ..Verdict::default()
    };
    let Some(execution) = &followed.execution else {
        verdict.outcome = "no execution began".into();
        verdict.problem("no execution began; is the rule on the bucket's events in place?");
        return verdict;
    };
    match execution.status.as_str() {
        "SUCCEEDED" => {
            verdict.succeeded(&execution.output);
            verdict.judge_success(cloud, deployed, object, &execution.output);
        }
        "FAILED" => {
            verdict.failed(&execution.error, &execution.cause);
            verdict.judge_failure(object, &execution.error, &execution.cause);
        }
        status => {
            verdict.outcome = status.into();
            let last = followed.steps.last().map_or("none", |step| &step.state);
            verdict.problem(&format!(
                "the execution is {status}; its last state was {last}"
            ));
        }
    }
    verdict
}

impl Verdict {
    fn problem(&mut self, what: &str) {
        self.problems.push(format!("{}: {what}", self.key));
    }

    fn succeeded(&mut self, output: &Value) {
        self.outcome = text(&output["outcome"]).into();
        if let Some(reason) = output["reason"].as_str() {
            self.evidence = reason.into();
        }
        let destination = &output["destinations"][0];
        if destination.is_null() {
            return;
        }
        self.outcome = format!("{}, {}", self.outcome, text(&destination["outcome"]));
        self.evidence = evidence(&destination["evidence"]);
        self.copy = format!(
            "{}\n{}\n{}\n{}",
            text(&destination["bucket"]),
            text(&destination["key"]),
            text(&destination["versionId"]),
            text(&destination["region"]),
        );
    }

    fn failed(&mut self, error: &str, cause: &Value) {
        self.outcome = format!("failed, {error}");
        self.evidence = match (cause["message"].as_str(), cause["advice"].as_str()) {
            (Some(message), Some(advice)) => format!("{message}; {advice}"),
            _ => text(cause).into(),
        };
    }

    fn judge_success(
        &mut self,
        cloud: &Cloud,
        deployed: &Deployed,
        object: &DemoObject,
        output: &Value,
    ) {
        let outcome = text(&output["outcome"]);
        match object.expected {
            Expected::Stored if outcome == "backed-up" => {
                for problem in read_back(cloud, object, &output["destinations"][0]) {
                    self.problem(&problem);
                }
            }
            Expected::Skipped if outcome == "skipped" => {
                let backup = cloud.in_region(&deployed.backup_region);
                if backup
                    .head_object(&deployed.backup, object.key, None)
                    .is_ok()
                {
                    self.problem("it was skipped, and yet there is a copy");
                }
            }
            Expected::Stored => self.problem(&format!("ended as {outcome} instead of backed-up")),
            Expected::Skipped => self.problem(&format!("ended as {outcome} instead of skipped")),
            Expected::Failed(error) => {
                self.problem(&format!(
                    "ended as {outcome} instead of failing with {error}"
                ));
            }
        }
    }

    fn judge_failure(&mut self, object: &DemoObject, error: &str, cause: &Value) {
        // With several destinations there are several reasons, so the message names them.
        let named = |name| cause["error"] == name || text(&cause["message"]).contains(name);
        match object.expected {
            Expected::Failed(expected) if error == "BackupFailed" && named(expected) => {
                self.outcome = "failed, as it should".into();
                if cause["advice"].as_str().is_none_or(str::is_empty) {
                    self.problem("its failure comes without advice");
                }
            }
            Expected::Failed(expected) => {
                let reason = self.evidence.clone();
                self.problem(&format!(
                    "failed with {error}, but not for {expected}: {reason}"
                ));
            }
            Expected::Stored | Expected::Skipped => {
                self.problem(&format!("failed: {}", self.evidence.clone()));
            }
        }
    }
}

/// Reads the copy as a user would who needs it, and compares it with what was uploaded.
fn read_back(cloud: &Cloud, object: &DemoObject, destination: &Value) -> Vec<String> {
    let cloud = cloud.in_region(text(&destination["region"]));
    let bucket = text(&destination["bucket"]);
    let version = destination["versionId"].as_str();
    let copy = match cloud.get_object(bucket, text(&destination["key"]), version) {
        Ok(copy) => copy,
        Err(error) => return vec![format!("its copy cannot be read: {error}")],
    };
    let mut problems = Vec::new();
    if copy.body != object.body {
        problems.push("its copy holds other bytes".into());
    }
    for (name, value) in &object.headers {
        let there = copy.header(name).unwrap_or("missing");
        if there != *value {
            problems.push(format!("{name} of its copy is {there} instead of {value}"));
        }
    }
    problems
}

/// In words: what was compared to prove the copy, and the value.
fn evidence(evidence: &Value) -> String {
    let algorithm = text(&evidence["algorithm"]);
    let value = text(&evidence["value"]);
    let compared = match text(&evidence["kind"]) {
        "stored" => format!("{algorithm} stored on both sides is equal"),
        "etag" => format!("{algorithm} in both ETags is equal"),
        "read" => format!("{algorithm} of the content read is equal"),
        other => format!("{other} {algorithm}"),
    };
    format!("{compared}\n{value}")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
