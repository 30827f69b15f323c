//! Child processes that cannot outlive us: each runs under `leash.py`, which ends it, with all it
//! started, as soon as the pipe to our process closes.
//!
//! A helper process, because std offers no safe way to ask this of the kernel, and the kernel of no
//! system ends grandchildren.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::error::{Error, Result};
use crate::layout::Layout;

/// A command line that runs `program` on a leash; arguments and environment are added as to any
/// other command.
pub(crate) fn command(
    layout: &Layout,
    python: &Path,
    options: &[&OsStr],
    program: impl AsRef<OsStr>,
) -> Command {
    let mut command = Command::new(python);
    command
        .arg(layout.helper("leash.py"))
        .args(options)
        .arg("--")
        .arg(program);
    command
}

/// Starts a leashed command; the child's standard input is the leash.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::piped()).spawn().map_err(|cause| {
        let program = command.get_program().display().to_string();
        Error::Program { program, cause }
    })
}

/// What a command that ran to its end has said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl Finished {
    /// What explains a failure best.
    pub(crate) fn complaint(&self) -> &[String] {
        if self.err.iter().any(|line| !line.trim().is_empty()) {
            &self.err
        } else {
            &self.out
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Stream {
    Out,
    Err,
}

/// Runs a leashed command to its end. Every line goes to the file `log` and to `on_line`.
pub(crate) fn run(
    command: &mut Command,
    log: &Path,
    mut on_line: impl FnMut(&str),
) -> Result<Finished> {
    let mut file = File::create(log).map_err(Error::file("written", log))?;
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let leash = child.stdin.take();

    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), Stream::Out, &sender);
    forward(child.stderr.take(), Stream::Err, &sender);
    drop(sender);

    let mut finished = Finished {
        success: false,
        out: Vec::new(),
        err: Vec::new(),
    };
    for (stream, line) in lines {
        writeln!(file, "{line}").map_err(Error::file("written", log))?;
        on_line(&line);
        match stream {
            Stream::Out => finished.out.push(line),
            Stream::Err => finished.err.push(line),
        }
    }
    let status = child.wait().map_err(Error::file("waited for", log))?;
    drop(leash);
    finished.success = status.success();
    Ok(finished)
}

fn forward<R: Read + Send + 'static>(
    stream: Option<R>,
    which: Stream,
    sender: &mpsc::Sender<(Stream, String)>,
) {
    let Some(stream) = stream else { return };
    let sender = sender.clone();
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send((which, text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}
