//! `s3-backup audit`.

use std::io::IsTerminal;
use std::time::Duration;

use backup_aws::executions::{self, State};
use backup_aws::s3::documents::Documents;
use backup_aws::{ErrorName, Failure as Refused};
use backup_domain::audit::finding::{Finding, Verdict as Found};
use backup_domain::audit::progress::{Progress, page_key, part_key, progress_key, summary_key};
use backup_domain::audit::report::{Summary, line};
use backup_domain::audit::request::{Inventories, Level, Request};
use jiff::Timestamp;
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, say};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);
/// Findings that are shown to people; the others are in the report.
const SHOWN_MAX: usize = 50;

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How closely to look.
    #[arg(long, value_enum, default_value_t = Depth::Listing)]
    level: Depth,
    /// Of what goes beyond listing, the n-th of t parts alone, such as 1/30, or today/30.
    #[arg(long, value_name = "N/T")]
    slice: Option<String>,
    /// Keys at the source that begin so.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only this destination; may be given several times.
    #[arg(long, value_name = "NAME")]
    destination: Vec<String>,
    /// S3 Inventory to read instead of listing, s3://bucket/prefix/source-bucket/config-id/ or the
    /// manifest.json of one: the source's, or NAME=s3://... that of a destination's bucket.
    #[arg(long, value_name = "[NAME=]S3URI")]
    inventory: Vec<String>,
    /// Seconds within which a version may still be under way.
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
    /// Start the backup of what is missing, failed or in the wrong order.
    #[arg(long)]
    repair: bool,
    /// Go on with an audit that was cut off.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["level", "slice", "prefix", "destination", "inventory", "grace", "repair"])]
    resume: Option<String>,
}

/// Levels, as they are typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Depth {
    /// Listings and catalog: existence, size, order, and ETags where those were the evidence. Costs
    /// grow with the listing alone.
    Listing,
    /// Also stored checksums, tags and annotations: two HEADs and two requests for tags a version.
    Checksums,
    /// Also the bytes of every copy.
    Read,
}

/// Starts an audit, waits for its end, shows what it found.
pub async fn run(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
) -> Result<Verdict, Failure> {
    let request = request(arguments)?;
    let name = format!("audit-{}", Timestamp::now().as_millisecond());
    let run = request.resume.clone().unwrap_or_else(|| name.clone());
    let documents = Documents {
        client: stack.clients.home_s3(),
        bucket: stack.resources.reports.clone(),
    };
    let client = stack.clients.step_functions();
    let machine = &stack.resources.audit_machine;
    let input = json!(request).to_string();
    executions::start(&client, machine, &name, &input).await?;
    let arn = executions::arn_of(machine, &name);
    say::aside(&format!("run: {run}"))?;
    let talks = !global.json && std::io::stderr().is_terminal();
    loop {
        let state = executions::describe(&client, &arn).await?;
        if state != State::Running {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        if talks {
            let progress: Option<Progress> = documents.get(&progress_key(&run)).await?;
            let keys = progress.map_or(0, |progress| progress.totals.keys);
            eprint!("\r{keys} keys audited ");
        }
    }
    if talks {
        eprintln!();
    }
    // Of its own name, where the run was another execution's.
    let mut summary: Option<Summary> = documents.get(&summary_key(&name)).await?;
    if summary.is_none() {
        summary = documents.get(&summary_key(&run)).await?;
    }
    let Some(summary) = summary else {
        let message = format!("the execution {arn} ended without a report");
        return Err(Refused::new(ErrorName::DestinationUnavailable, message).into());
    };
    show(global, &documents, &summary).await?;
    Ok(Verdict::Code(summary.verdict.exit_code()))
}

/// A later one of the same side replaces an earlier one.
fn inventories(given: &[String]) -> Inventories {
    let mut inventories = Inventories::default();
    for text in given {
        match text.split_once("=s3://") {
            Some((name, rest)) if !text.starts_with("s3://") => {
                let at = format!("s3://{rest}");
                inventories.destinations.insert(name.to_owned(), at);
            }
            _ => inventories.source = Some(text.clone()),
        }
    }
    inventories
}

fn request(arguments: &Arguments) -> Result<Request, Failure> {
    let request = Request {
        level: match arguments.level {
            Depth::Listing => Level::Listing,
            Depth::Checksums => Level::Checksums,
            Depth::Read => Level::Read,
        },
        slice: arguments.slice.clone(),
        prefix: arguments.prefix.clone(),
        destinations: arguments.destination.clone(),
        inventory: inventories(&arguments.inventory),
        grace_seconds: arguments.grace,
        repair: arguments.repair,
        resume: arguments.resume.clone(),
    };
    // What the function would refuse is refused before it is started.
    Request::parse(&json!(request)).map_err(|problem| Failure::Unmeant {
        message: problem.to_string(),
        advice: "s3-backup audit --help says what can be asked".to_owned(),
    })
}

/// Findings on standard output; the verdict last, beside them where they are for machines.
async fn show(global: &Global, documents: &Documents, summary: &Summary) -> Result<(), Failure> {
    let mut shown = 0;
    for part in 1..=summary.parts {
        let key = part_key(&summary.run, part);
        let findings: Vec<Finding> = documents.lines(&key).await?.unwrap_or_default();
        for finding in findings {
            if global.json {
                say::json(&finding)?;
            } else if shown < SHOWN_MAX {
                say::line(&format!("{}: {}", finding.finding.as_str(), line(&finding)))?;
            }
            shown += 1;
        }
        if !global.json && shown > SHOWN_MAX {
            say::line("and more, in the report")?;
            break;
        }
    }
    let report = format!("s3://{}/{}", documents.bucket, page_key(&summary.run));
    let mut last = summary.remarks.clone();
    for (name, own) in &summary.totals.destinations {
        let (wanted, safe, behind) = (own.wanted, own.safe, own.behind.versions);
        let pending = own.pending.versions;
        last.push(format!(
            "{name}: {safe} of {wanted} versions are safe, {behind} are not, {pending} are under way"
        ));
    }
    if let Some(cause) = &summary.cause {
        last.push(format!("{}: {}", cause.error, cause.message));
        last.push(format!("hint: {}", cause.advice));
    }
    if summary.verdict == Found::Unfinished {
        last.push(format!(
            "to go on: s3-backup audit --resume {}",
            summary.run
        ));
    }
    if summary.request.repair {
        last.push(format!(
            "started to mend it: {} executions",
            summary.started
        ));
    }
    last.push(format!("report: {report}"));
    last.push(format!("verdict: {}", summary.verdict.as_str()));
    for text in last {
        if global.json {
            say::aside(&text)?;
        } else {
            say::line(&text)?;
        }
    }
    Ok(())
}
