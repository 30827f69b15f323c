//! `s3-backup backfill`.

mod follow;
mod show;

use backup_aws::ErrorName;
use backup_domain::backfill::report::Verdict as Found;
use backup_domain::backfill::request::{Request, Versions, parse};
use serde_json::{Value, json};

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, execution};

pub use follow::counts;
use follow::{Ended, follow, no_end, refused};

/// Options of the verb.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Keys at the source that begin so; without it the whole bucket.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Which versions of a key.
    #[arg(long, value_enum, default_value_t = Which::All)]
    versions: Which,
    /// Read S3 Inventory instead of listing: s3://bucket/…/manifest.json, or the folder whose newest is
    /// taken.
    #[arg(long, value_name = "PLACE")]
    inventory: Option<String>,
    /// Show what it would take, and copy nothing.
    #[arg(long)]
    dry_run: bool,
    /// Copy anew what the backup holds, where the catalog that knew it is lost for good.
    #[arg(long)]
    again: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Carry out a plan that was shown, or go on with a backfill that was cut off or left something.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["prefix", "versions", "inventory", "dry_run", "again"])]
    resume: Option<String>,
}

/// Versions, as they are typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Which {
    /// Every version, the oldest first, and delete markers.
    All,
    /// What a plain GET finds.
    Latest,
}

/// Plans, shows, asks, backs up, reports.
pub async fn run(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
) -> Result<Verdict, Failure> {
    let run = if let Some(run) = &arguments.resume {
        run.clone()
    } else {
        let input = request(arguments)?;
        let planned = follow(stack, global, &input, None).await?;
        let Ended::Well(course) = planned else {
            return refused(&planned);
        };
        show::plan(global, &course)?;
        if arguments.dry_run {
            return Ok(Verdict::Well);
        }
        let run = &course.work.run;
        if !arguments.yes {
            execution::agreed(&format!("--resume {run}"), "nothing was copied")?;
        }
        run.clone()
    };
    let ended = follow(stack, global, &json!({"resume": run}), Some(&run)).await?;
    match &ended {
        // A report is what tells an end from a plan.
        Ended::Well(course) if course.report.is_none() => Ok(no_end(
            "the backfill came to no end: its execution ended with a plan",
        )),
        Ended::Well(course) => {
            show::ended(global, course)?;
            Ok(match Found::of(&course.done) {
                Found::Whole => Verdict::Well,
                Found::Behind => Verdict::NotWell,
            })
        }
        Ended::Badly(cause) if cause.error == ErrorName::BackfillIncomplete.as_str() => {
            show::incomplete(global, cause, &run)?;
            Ok(Verdict::NotWell)
        }
        Ended::Badly(_) => refused(&ended),
    }
}

/// The request, always as a dry run: what was shown is what is carried out.
fn request(arguments: &Arguments) -> Result<Value, Failure> {
    let request = Request {
        prefix: arguments.prefix.clone(),
        versions: match arguments.versions {
            Which::All => Versions::All,
            Which::Latest => Versions::Latest,
        },
        inventory: arguments.inventory.clone(),
        dry_run: true,
        again: arguments.again,
    };
    let input = json!(request);
    // What the function would refuse is refused before it is started.
    parse(&input).map_err(|problem| Failure::Unmeant {
        message: problem.to_string(),
        advice: "s3-backup backfill --help says what can be asked".to_owned(),
    })?;
    Ok(input)
}
