//! What a verb can end with, and its exit code.

use std::process::ExitCode;

use backup_aws::Failure as Refused;
use backup_domain::deployment::Finding;
use backup_domain::error::printable;

/// How a verb that did its work found things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Exit code 0.
    Well,
    /// Exit code 1: something needs a person, or another run.
    NotWell,
    /// An exit code of the verb's own.
    Code(u8),
}

impl Verdict {
    /// The worse of two.
    pub fn worse(self, other: Self) -> Self {
        if self == Self::Well { other } else { self }
    }
}

/// Why a verb could not do its work. Exit code 2 is the command line's own (wrong usage).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// AWS refused, or did not answer.
    #[error("{}: {}", .0.name, .0.message)]
    Refused(Refused),
    /// What was started goes on, but this program cannot watch it any longer.
    #[error("{execution} goes on, but cannot be watched: {}: {}", .refused.name, .refused.message)]
    GoesOn {
        /// ARN of the execution.
        execution: String,
        /// What AWS answered last, or did not.
        refused: Refused,
    },
    /// No stack of that name.
    #[error("there is no stack {stack} in this account and region")]
    NoStack {
        /// Its name.
        stack: String,
    },
    /// The table cannot be the catalog. Nothing was done.
    #[error("{}: {}: {}", .0.name, .0.resource, .0.problem)]
    Unfit(Finding),
    /// What was asked for cannot be meant, or was not agreed to. Nothing was done.
    #[error("{message}")]
    Unmeant {
        /// What is wrong.
        message: String,
        /// What to do instead.
        advice: String,
    },
    /// Standard output is closed.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Failure {
    fn hint(&self) -> String {
        match self {
            Self::Refused(refused) => refused.advice.clone(),
            Self::GoesOn { execution, refused } => {
                let run = execution.rsplit(':').next().unwrap_or_default();
                let machine = execution.rsplit(':').nth(1).unwrap_or_default();
                // CloudFormation makes the name of the resource's, with letters behind.
                let again = if machine.contains("RestoreStateMachine-") {
                    format!(
                        "s3-backup restore --follow {run} (of a drill: s3-backup drill --follow {run})"
                    )
                } else {
                    format!("aws stepfunctions describe-execution --execution-arn {execution}")
                };
                format!("{}; watch it again: {again}", refused.advice)
            }
            Self::NoStack { .. } => {
                "name it with --stack, and its region with AWS_REGION".to_owned()
            }
            Self::Unmeant { advice, .. } => advice.clone(),
            Self::Unfit(finding) => finding.remedy.clone(),
            Self::Output(_) => "give the answer a place to go".to_owned(),
        }
    }

    /// Says it on standard error.
    pub fn tell(&self) {
        eprintln!("error: {}", printable(&self.to_string()));
        eprintln!("hint: {}", printable(&self.hint()));
    }

    /// 2 for what cannot be meant, 3 where AWS refused or did not answer, 4 without a stack, 5 where the answer goes nowhere, 8 on a table that cannot be the catalog.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unmeant { .. } => 2,
            Self::Refused(_) | Self::GoesOn { .. } => 3,
            Self::NoStack { .. } => 4,
            Self::Output(_) => 5,
            Self::Unfit(_) => 8,
        })
    }
}
