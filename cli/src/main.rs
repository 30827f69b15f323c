//! `s3-backup`: what an operator asks of a deployed backup, and tells it to do.

mod audit;
mod backfill;
mod check;
mod drill;
mod execution;
mod failure;
mod lag;
mod lifecycle;
mod redrive;
mod restore;
mod say;
mod stack;
mod status;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;

/// Asks a deployed s3-backup how it is, and tells it to do again what failed.
///
/// Works with your own AWS credentials and region, as the SDK finds them in the environment and in
/// ~/.aws; AWS_ENDPOINT_URL leads it elsewhere, such as to the stack of `cargo local up`.
#[derive(Debug, Parser)]
#[command(
    name = "s3-backup",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 all is well, 1 something is not, 2 wrong usage, 3 AWS refused or did not answer, \
                  4 no such stack, 5 the answer could not be written, 8 the catalog table is not fit; audit also: 6 damaged; audit and backfill: 7 it came to no end."
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
pub struct Global {
    /// CloudFormation stack of the backup.
    #[arg(
        long,
        global = true,
        env = "S3_BACKUP_STACK",
        default_value = "s3-backup"
    )]
    pub stack: String,
    /// Answer in JSON, one object a line.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what has failed, is owed or waits; with KEY, every recovery point of that key.
    ///
    /// Exits with 1 where something has failed or waits, or the key has no recovery point.
    Status(status::Arguments),
    /// Start again what failed: what waits in the dead-letter queue, and what the catalog holds as failed.
    ///
    /// With a filter only the catalog is gone through; messages whose work is done by then go with the
    /// next redrive without one. Nothing is started twice, however often this runs. Exits with 1 where
    /// something was given up, is held back, stays in the queue, or is left to the next run; with 3 where
    /// AWS let nothing be done.
    Redrive(redrive::Arguments),
    /// Bring back a key, a prefix or the bucket as it was at a moment.
    ///
    /// Plans first, writing nothing, and shows the plan; then asks, restores, follows and reports. What is
    /// there already with the right content is left alone, so that a restore that was cut off goes on.
    /// Exits with 1 where something was not restored, with 2 where the restore cannot be meant like that.
    Restore(restore::Arguments),
    /// Try a restore: a sample into the scratch bucket, proven; says what a real one could rely on.
    ///
    /// Needs a stack that has drills (parameter DrillDays). The scratch bucket empties itself. Exits with 1
    /// where the drill failed: its report names the objects.
    Drill(drill::Arguments),
    /// Compare source, backup and catalog, and say what is not safely in the backup.
    ///
    /// Read-only, unless told to repair. Shows each difference, then the verdict; with --json one finding a
    /// line, and the verdict on standard error. Exits with 0 where the backup is whole, 1 where something is
    /// not in it yet, 6 where something proven is lost or differs, 7 where the audit came to no end.
    Audit(audit::Arguments),
    /// Print the lifecycle configuration that a destination's bucket is to have, by what the policy says.
    ///
    /// Changes nothing: `aws s3api put-bucket-lifecycle-configuration` takes it. Exits with 2 where the policy
    /// says nothing of one.
    Lifecycle(lifecycle::Arguments),
    /// Check that buckets, keys, table, queue and topic meet the requirements of the backup.
    ///
    /// With --config-file before a deployment: reads the parameters that sam deploy will use. Without it on the
    /// deployed stack. Changes nothing; each finding comes with the command that removes it. Exits with 1 where
    /// something is not fit; advice alone is 0.
    Check(check::Arguments),
    /// Back up what was in the bucket before the backup watched it.
    ///
    /// Plans first, copying nothing, and shows what it takes; then asks, backs up, follows and reports. What
    /// is in the backup already is not copied again, so that a backfill that was cut off goes on. Exits with
    /// 0 where all that it found is in the backup, 1 where something is not, 2 where it cannot be meant like
    /// that and nothing was copied, 7 where it came to no end.
    Backfill(backfill::Arguments),
}

impl Verb {
    /// Whether it starts something that writes to the catalog, or goes by it.
    const fn needs_catalog(&self) -> bool {
        match self {
            Self::Restore(restore) => restore.needs_catalog(),
            Self::Drill(drill) => drill.starts(),
            Self::Redrive(_) | Self::Audit(_) | Self::Backfill(_) => true,
            Self::Status(_) | Self::Lifecycle(_) | Self::Check(_) => false,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::NotWell) => ExitCode::from(1),
        Ok(Verdict::Code(code)) => ExitCode::from(code),
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

async fn run(arguments: Arguments) -> Result<Verdict, Failure> {
    let global = arguments.global;
    if let Verb::Check(arguments) = &arguments.verb {
        return check::run(&global, arguments).await;
    }
    let stack = Stack::find(&global.stack).await?;
    if arguments.verb.needs_catalog() {
        check::catalog(&stack).await?;
    }
    match arguments.verb {
        Verb::Check(arguments) => check::run(&global, &arguments).await,
        Verb::Status(arguments) => status::run(&stack, &global, &arguments).await,
        Verb::Redrive(arguments) => redrive::run(&stack, &global, arguments).await,
        Verb::Restore(arguments) => restore::run(&stack, &global, &arguments).await,
        Verb::Drill(arguments) => drill::run(&stack, &global, &arguments).await,
        Verb::Audit(arguments) => audit::run(&stack, &global, &arguments).await,
        Verb::Lifecycle(arguments) => lifecycle::run(&stack, &global, &arguments).await,
        Verb::Backfill(arguments) => backfill::run(&stack, &global, &arguments).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
