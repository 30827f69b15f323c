//! Why a command did not do what was asked, and its exit code.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use console::style;

use crate::say::tell;

pub type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Stack(#[from] backup_stack::Error),

    #[error("no local stack runs; start one with `cargo local up`")]
    NotRunning,

    #[error("the local stack runs, but the template is not deployed; run `cargo local up`")]
    NotDeployed,

    #[error("the deployed template has no output `{name}`, which this command needs; add it")]
    NoOutput { name: &'static str },

    #[error("{what} could not be understood; check the version of the local stack")]
    Answer { what: String },

    #[error(
        "{} not what should have been:\n{}\nlook into {log}",
        if problems.len() == 1 { "one thing was" } else { "some things were" },
        problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
    )]
    Demo { problems: Vec<String>, log: String },

    /// Whoever read our output has closed it, as `head` does: nothing to tell, nobody to tell it to.
    #[error("the output was closed")]
    OutputClosed,

    #[error("the output could not be written")]
    Output(#[source] io::Error),
}

impl Failure {
    /// Tells people on standard error, with the chain of causes.
    pub fn tell(&self) {
        if matches!(self, Self::OutputClosed) {
            return;
        }
        tell(format!(
            "{} {self}",
            style("error:").red().bold().for_stderr()
        ));
        let mut cause = match self {
            Self::Stack(error) => error.source(),
            other => other.source(),
        };
        while let Some(error) = cause {
            tell(format!("  caused by: {error}"));
            cause = error.source();
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::NotRunning | Self::NotDeployed => 3,
            _ => 1,
        })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Output(error),
        }
    }
}
