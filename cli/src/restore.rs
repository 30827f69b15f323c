//! `s3-backup restore`.

pub mod follow;
mod show;

use backup_domain::restore::course::Course;
use backup_domain::restore::request::{Archive, Backup, From, Mode, Request, Tier, To};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, execution};

use follow::{Ended, follow, watch};

/// What a plan says already.
const PLANNED: [&str; 11] = [
    "at",
    "to",
    "to_region",
    "to_owner",
    "leave",
    "in_place",
    "overwrite",
    "rollback",
    "from_backup",
    "destination",
    "faster",
];

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["prefix", "key", "plan", "follow"])))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Arguments {
    /// Keys that begin with this; "" is the whole bucket.
    #[arg(long)]
    prefix: Option<String>,
    /// Exactly this key.
    #[arg(long)]
    key: Option<String>,
    /// Go on with a plan that was shown, or a restore that was cut off: its folder, `restores/…/`. All else
    /// is as it was planned.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = PLANNED)]
    plan: Option<String>,
    /// Watch one that runs, or see how it ended: its name, as the line that begins with "started" says it.
    #[arg(long, value_name = "RUN", conflicts_with_all = PLANNED, conflicts_with_all = ["dry_run", "yes"])]
    follow: Option<String>,
    /// The moment, such as 2026-11-01T00:00:00Z: the end of its second.
    #[arg(long, value_name = "TIME", required_unless_present_any = ["plan", "follow"])]
    at: Option<Timestamp>,
    /// Bucket, or bucket/prefix: a folder that every source key is put into, with or without its `/`.
    #[arg(long, value_name = "BUCKET/PREFIX", required_unless_present_any = ["plan", "follow"])]
    to: Option<String>,
    /// Region of the target bucket, where it is not the stack's own.
    #[arg(long, value_name = "REGION")]
    to_region: Option<String>,
    /// Account that owns the target bucket, where it is not the stack's own.
    #[arg(long, value_name = "ACCOUNT")]
    to_owner: Option<String>,
    /// Show the plan, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Leave what is at the target and differs, instead of refusing to begin.
    #[arg(long)]
    leave: bool,
    /// Into the source itself: bring back what is missing, leave the rest.
    #[arg(long, group = "mode")]
    in_place: bool,
    /// Cover what differs at the target; needs a bucket that keeps versions.
    #[arg(long, group = "mode")]
    overwrite: bool,
    /// Into the source itself: the moment, and what came later behind delete markers. Deletes no version.
    #[arg(long, group = "mode")]
    rollback: bool,
    /// Without the catalog: by the markers in this backup bucket (with the destination's prefix, if any).
    #[arg(long, value_name = "BUCKET/PREFIX")]
    from_backup: Option<String>,
    /// Region of that backup bucket, where it is not the stack's own.
    #[arg(long, value_name = "REGION", requires = "from_backup")]
    from_region: Option<String>,
    /// Destination whose copies are taken where several have one.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Bring archived copies back in hours for more money, instead of in up to two days.
    #[arg(long)]
    faster: bool,
}

impl Arguments {
    /// Whether it plans by the catalog: a backup bucket alone is enough for another restore, and a plan that was
    /// made, or a restore that runs, needs no second look.
    pub const fn needs_catalog(&self) -> bool {
        self.from_backup.is_none() && self.plan.is_none() && self.follow.is_none()
    }
}

/// Plans, shows, asks, restores, reports.
pub async fn run(
    stack: &Stack,
    global: &Global,
    arguments: &Arguments,
) -> Result<Verdict, Failure> {
    if let Some(run) = &arguments.follow {
        let (input, ended) = watch(stack, global, run).await?;
        if let Some(course) = ended.course().filter(|it| it.report.is_none()) {
            show::plan(global, course)?;
            return Ok(planned(course));
        }
        let folder = input["plan"].as_str().unwrap_or_default();
        return came_to(global, &ended, folder);
    }
    let input = match &arguments.plan {
        // Nothing but shown, like a new one.
        Some(folder) => json!({"plan": folder, "dryRun": true}),
        None => json!(request(arguments)?),
    };
    let shown = follow(stack, global, &input, "Planning").await?;
    let Some(course) = shown.course() else {
        return Err(shown.failure());
    };
    show::plan(global, course)?;
    if arguments.dry_run {
        return Ok(planned(course));
    }
    agreed(arguments, course)?;
    let folder = &course.work.folder;
    let ended = follow(stack, global, &resume(folder), "Restoring").await?;
    came_to(global, &ended, folder)
}

fn planned(course: &Course) -> Verdict {
    let plan = &course.plan;
    verdict(plan.missing + plan.conflicts + plan.too_long == 0)
}

/// Shows how a restore ended.
fn came_to(global: &Global, ended: &Ended, folder: &str) -> Result<Verdict, Failure> {
    if let Some(course) = ended.course() {
        show::ended(global, course)?;
        let done = &course.done;
        return Ok(verdict(done.is_complete() && done.conflicts == 0));
    }
    if ended.is_incomplete() {
        show::incomplete(global, ended, folder)?;
        return Ok(Verdict::NotWell);
    }
    Err(ended.failure())
}

fn verdict(is_well: bool) -> Verdict {
    if is_well {
        Verdict::Well
    } else {
        Verdict::NotWell
    }
}

fn resume(folder: &str) -> Value {
    json!({"plan": folder})
}

/// The request, always as a dry run: what was shown is what is carried out.
fn request(arguments: &Arguments) -> Result<Request, Failure> {
    let (Some(at), Some(to)) = (arguments.at, &arguments.to) else {
        return Err(unmeant(
            "--at and --to are missing",
            "name a moment and a target",
        ));
    };
    let (bucket, prefix) = place(to)?;
    let prefix = as_folder(prefix);
    let from = match &arguments.from_backup {
        None => From::Catalog,
        Some(backup) => {
            let (bucket, prefix) = place(backup)?;
            From::Backup(Backup {
                bucket,
                region: arguments.from_region.clone(),
                prefix,
            })
        }
    };
    let mode = match (arguments.in_place, arguments.overwrite, arguments.rollback) {
        (true, _, _) => Mode::InPlace,
        (_, true, _) => Mode::Overwrite,
        (_, _, true) => Mode::Rollback,
        _ => Mode::Beside,
    };
    let tier = if arguments.faster {
        Tier::Standard
    } else {
        Tier::Bulk
    };
    Ok(Request {
        prefix: arguments.prefix.clone(),
        key: arguments.key.clone(),
        at,
        to: To {
            bucket,
            prefix,
            region: arguments.to_region.clone(),
            owner: arguments.to_owner.clone(),
        },
        mode,
        from,
        destination: arguments.destination.clone(),
        archive: Archive {
            tier,
            ..Archive::default()
        },
        dry_run: true,
        sample: None,
    })
}

/// `bucket` or `bucket/prefix`, with or without `s3://`.
fn place(text: &str) -> Result<(String, String), Failure> {
    let text = text.strip_prefix("s3://").unwrap_or(text);
    let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
    if bucket.is_empty() {
        return Err(unmeant(
            &format!("{text:?} names no bucket"),
            "write it as bucket/prefix",
        ));
    }
    Ok((bucket.to_owned(), prefix.to_owned()))
}

/// As everybody means it who copies to `bucket/was`: into a folder, not to `bucket/wasreports/…`.
fn as_folder(prefix: String) -> String {
    if prefix.is_empty() || prefix.ends_with('/') {
        return prefix;
    }
    prefix + "/"
}

fn unmeant(message: &str, advice: &str) -> Failure {
    Failure::Unmeant {
        message: message.to_owned(),
        advice: advice.to_owned(),
    }
}

/// Whether the plan is to be carried out.
fn agreed(arguments: &Arguments, course: &Course) -> Result<(), Failure> {
    let (plan, request) = (&course.plan, &course.request);
    let is_new = arguments.plan.is_none();
    if is_new && request.mode == Mode::Beside && plan.conflicts > 0 && !arguments.leave {
        let message = format!(
            "the target is not empty: {} objects there differ",
            plan.conflicts
        );
        let advice = "restore to another prefix; or leave them as they are with --leave, or cover them with --overwrite";
        return Err(unmeant(&message, advice));
    }
    if arguments.yes {
        return Ok(());
    }
    let later = format!("--plan {}", course.work.folder);
    execution::agreed(&later, "nothing was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_whatever_follows_it() {
        for (text, bucket, prefix) in [
            ("b", "b", ""),
            ("b/", "b", ""),
            ("b/p/q/", "b", "p/q/"),
            ("s3://b/p q", "b", "p q"),
        ] {
            let found = place(text).expect("a place");
            assert_eq!(found, (bucket.to_owned(), prefix.to_owned()));
        }
        assert!(place("/p").is_err() && place("").is_err());
    }

    #[test]
    fn a_target_prefix_is_a_folder() {
        for (prefix, folder) in [("", ""), ("was", "was/"), ("was/", "was/"), ("a/b", "a/b/")] {
            assert_eq!(as_folder(prefix.to_owned()), folder);
        }
    }
}
