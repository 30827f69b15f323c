//! `s3-backup check`: whether what the backup works on is fit for it, before a deployment and after.

mod config;
mod inspect;
mod subject;

use std::path::PathBuf;

use backup_aws::Clients;
use backup_domain::deployment::{Finding, Severity};
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, say};

use config::Config;
use subject::Subject;

/// What is to be checked.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The samconfig file of a deployment to come; without it the deployed stack is checked.
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Environment of that file.
    #[arg(long, default_value = "default", requires = "config_file")]
    config_env: String,
}

/// Looks at everything, and shows what is not fit.
pub async fn run(global: &Global, arguments: &Arguments) -> Result<Verdict, Failure> {
    let (clients, subject) = if let Some(file) = &arguments.config_file {
        let config = Config::read(file, &arguments.config_env)?;
        let mut clients = Clients::quiet("s3-backup").await;
        if let Some(region) = &config.region {
            clients = clients.in_region(region);
        }
        let subject = Subject::to_come(&clients, &config).await;
        (clients, subject)
    } else {
        let stack = Stack::find(&global.stack).await?;
        let subject = Subject::deployed(&stack, &global.stack).await?;
        (stack.clients, subject)
    };
    let findings = inspect::findings(&clients, &subject).await;
    show(global, &findings)
}

fn show(global: &Global, findings: &[Finding]) -> Result<Verdict, Failure> {
    if global.json {
        for finding in findings {
            say::json(&json!({"finding": finding}))?;
        }
    } else if findings.is_empty() {
        say::line("what exists already meets the requirements of the backup")?;
    } else {
        list(findings)?;
    }
    // What could not be looked at may not be fit.
    Ok(verdict(findings, Severity::Advice))
}

/// Shows findings for people, if there are any.
pub fn list(findings: &[Finding]) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    let rows = findings.iter().map(|it| {
        vec![
            format!("{}: {}", it.severity, it.name),
            it.resource.clone(),
            it.problem.clone(),
        ]
    });
    say::table(&["finding", "resource", "what differs"], rows)?;
    // Commands are copied: a table would break their lines.
    for finding in findings {
        say::line(&format!("{}: {}", finding.name, finding.remedy))?;
    }
    Ok(())
}

/// Whether anything is worse than what is tolerated.
pub fn verdict(findings: &[Finding], tolerated: Severity) -> Verdict {
    if findings.iter().all(|it| it.severity <= tolerated) {
        Verdict::Well
    } else {
        Verdict::NotWell
    }
}

/// Whether a verb may begin on the stack's table: refuses one that cannot be the catalog, and says on standard
/// error what else differs.
pub async fn catalog(stack: &Stack) -> Result<(), Failure> {
    for finding in table(stack).await? {
        if finding.severity > Severity::Advice {
            let Finding {
                name,
                resource,
                problem,
                remedy,
                ..
            } = finding;
            say::aside(&format!("{name}: {resource}: {problem}"))?;
            say::aside(&format!("{name}: {remedy}"))?;
        }
    }
    Ok(())
}

/// What differs of the stack's table.
///
/// # Errors
/// [`Failure::Unfit`] where it cannot be the catalog.
pub async fn table(stack: &Stack) -> Result<Vec<Finding>, Failure> {
    let findings = inspect::of_table(&stack.clients, &stack.resources.catalog).await;
    let unfit = findings.iter().find(|it| it.severity == Severity::Unfit);
    match unfit {
        Some(finding) => Err(Failure::Unfit(finding.clone())),
        None => Ok(findings),
    }
}
