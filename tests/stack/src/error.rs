//! What can go wrong on the way to a running stack: each text says what happened and what to do.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

/// Why the local stack did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(
        "no Python 3.10 or newer was found ({found}); install one, for example with \
         `apt-get install python3 python3-venv`, and run this again"
    )]
    NoPython { found: String },

    #[error(
        "{python} cannot make virtual environments: its venv module is missing; install it, for \
         example with `apt-get install python3-venv`, and run this again"
    )]
    NoVenvModule { python: String },

    #[error(
        "the Python packages of `{name}` could not be installed:\n{lines}\n\
         check the network or the package index that pip uses and run this again; the whole log \
         is {}", log.display()
    )]
    PipFailed {
        name: String,
        lines: String,
        log: PathBuf,
    },

    #[error(
        "no Node.js 18 or newer was found ({found}); install it with npm, for example with \
         `apt-get install nodejs npm`, and run this again"
    )]
    NoNode { found: String },

    #[error(
        "the Node.js packages could not be installed:\n{lines}\ncheck the network or the registry \
         that npm uses and run this again; the whole log is {}", log.display()
    )]
    NpmFailed { lines: String, log: PathBuf },

    #[error(
        "the disk is full: {} could not be written; free some space (the local stack needs about \
         4 GB below target/) and run this again", path.display()
    )]
    DiskFull { path: PathBuf },

    #[error("{} could not be {action}; check that it exists and that you may use it", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },

    #[error("`{program}` could not be started; check that it is installed and on the PATH")]
    Program {
        program: String,
        #[source]
        cause: io::Error,
    },

    #[error(
        "{} names no Lambda function; give each one a line `CodeUri: functions/<name>`",
        path.display()
    )]
    NoFunctions { path: PathBuf },

    #[error("the template has no parameter `{name}`; it has {known}")]
    UnknownParameter { name: String, known: String },

    #[error(
        "the Lambda functions do not build:\n{lines}\nmend this and run it again; the whole log \
         is {}", log.display()
    )]
    BuildFailed { lines: String, log: PathBuf },

    #[error(
        "the Lambda functions cannot be linked: `{linker}` was not found; install a C compiler, for \
         example with `apt-get install build-essential` or `xcode-select --install`, and run this again"
    )]
    NoLinker { linker: String },

    #[error(
        "cargo built no binary `{name}`; check that functions/{name} is a workspace member with a \
         binary of this name"
    )]
    NoBinary { name: String },

    #[error(
        "port {port} is taken; stop what listens there or choose another with `--port`; without it \
         any free one is taken"
    )]
    PortTaken { port: u16 },

    #[error(
        "{address} is no address of this machine; `ip address` shows those it has, 127.0.0.1 is \
         always one"
    )]
    NoSuchAddress { address: Ipv4Addr },

    #[error(
        "port {port} is open to administrators alone; choose one from 1024 on, or leave `--port` out"
    )]
    PortForbidden { port: u16 },

    #[error(
        "the local stack runs already, at {endpoint}; leave `--port` and `--address` out to bring it \
         up to date, or stop it first with `cargo local down`"
    )]
    RunsElsewhere { endpoint: String },

    #[error(
        "the local stack ended while it started:\n{lines}\nthe whole log is {}", log.display()
    )]
    StackDied { lines: String, log: PathBuf },

    #[error(
        "the local stack gave no answer for {seconds} s; the machine may be overloaded: run this \
         again, and look into {} if it repeats", log.display()
    )]
    StackSilent { seconds: u64, log: PathBuf },

    #[error("`sam deploy` failed:\n{lines}\nmend this and run it again; the whole log is {}", log.display())]
    DeployFailed { lines: String, log: PathBuf },

    #[error(
        "the parameter `{name}` did not arrive as it was given; compare the file {} with what \
         `sam deploy` made of it in {}", file.display(), log.display()
    )]
    ParameterChanged {
        name: String,
        file: PathBuf,
        log: PathBuf,
    },

    #[error("{service} refused {action}: {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        service: &'static str,
        action: String,
        code: String,
        message: String,
    },

    #[error(
        "no answer from {endpoint} to {action}; the local stack may have ended: start it again"
    )]
    Unreachable {
        endpoint: String,
        action: String,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },

    #[error("the answer to {action} could not be understood: {what}")]
    Answer { action: String, what: String },
}

impl Error {
    /// For `map_err` on file operations; a full disk is told apart since its remedy is another one.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| {
            if cause.kind() == io::ErrorKind::StorageFull {
                Self::DiskFull { path }
            } else {
                Self::File {
                    action,
                    path,
                    cause,
                }
            }
        }
    }
}

/// The last lines of a program's talk that are worth showing, indented as a quotation.
pub(crate) fn quoted(lines: &[String], count: usize) -> String {
    let lines: Vec<_> = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(count);
    let quoted: Vec<_> = lines[first..]
        .iter()
        .map(|line| format!("  {line}"))
        .collect();
    if quoted.is_empty() {
        return "  (it said nothing)".into();
    }
    quoted.join("\n")
}

/// Whether a program's talk says that the disk is full.
pub(crate) fn tells_full_disk(lines: &[String]) -> bool {
    lines
        .iter()
        .any(|line| line.contains("No space left on device"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_told_apart_from_other_file_errors() {
        let full = Error::file("written", "/x/y")(io::ErrorKind::StorageFull.into());
        assert_eq!(
            full.to_string(),
            "the disk is full: /x/y could not be written; free some space (the local stack needs \
             about 4 GB below target/) and run this again"
        );
        let denied = Error::file("written", "/x/y")(io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            denied.to_string(),
            "/x/y could not be written; check that it exists and that you may use it"
        );
    }

    #[test]
    fn texts_quote_the_last_lines_and_name_the_log() {
        let talk: Vec<_> = ["a", "", "b", "c"].map(String::from).into();
        let error = Error::DeployFailed {
            lines: quoted(&talk, 2),
            log: "/tmp/sam.log".into(),
        };
        assert_eq!(
            error.to_string(),
            "`sam deploy` failed:\n  b\n  c\nmend this and run it again; the whole log is \
             /tmp/sam.log"
        );
    }

    #[test]
    fn silence_is_said_instead_of_an_empty_quotation() {
        assert_eq!(quoted(&[], 5), "  (it said nothing)");
    }

    #[test]
    fn refusal_without_a_message_ends_after_its_code() {
        let refused = |message: &str| Error::Refused {
            service: "SQS",
            action: "CreateQueue".into(),
            code: "Broken".into(),
            message: message.into(),
        };
        assert_eq!(refused("").to_string(), "SQS refused CreateQueue: Broken");
        assert_eq!(
            refused("no").to_string(),
            "SQS refused CreateQueue: Broken: no"
        );
    }
}
