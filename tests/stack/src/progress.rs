//! How the stack tells what it is doing: a spinner, plain lines or nothing, as its user likes.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Hears of the steps of starting and deploying, one at a time.
pub trait Progress: Send + Sync {
    /// A step has begun, e.g. "Building 6 Lambda functions".
    fn begin(&self, _step: &str) {}
    /// What the running step is busy with; may come often.
    fn detail(&self, _line: &str) {}
    /// Nothing goes on before another process is done with something.
    fn waiting(&self, _reason: &str) {}
    /// The running step is done; `result` says what there is now.
    fn done(&self, _result: &str, _took: Duration) {}
    /// The running step has failed; the error itself goes to the caller.
    fn failed(&self) {}
}

/// Says nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}

/// One line on standard error for each step that is done.
#[derive(Debug, Default, Clone, Copy)]
pub struct PlainLines;

impl Progress for PlainLines {
    fn begin(&self, step: &str) {
        tell(format_args!("{step} ..."));
    }

    fn waiting(&self, reason: &str) {
        tell(format_args!("{reason} ..."));
    }

    fn done(&self, result: &str, took: Duration) {
        tell(format_args!("{result} ({:.1} s)", took.as_secs_f64()));
    }
}

/// Unlike `eprintln!` this outlives a closed pipe: talk is no reason to fail.
fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Runs one step and tells `progress` of its begin and end; `work` gives its value and the result
/// to tell.
pub(crate) fn step<T, E>(
    progress: &dyn Progress,
    label: &str,
    work: impl FnOnce() -> Result<(T, String), E>,
) -> Result<T, E> {
    let begun = Instant::now();
    progress.begin(label);
    match work() {
        Ok((value, result)) => {
            progress.done(&result, begun.elapsed());
            Ok(value)
        }
        Err(error) => {
            progress.failed();
            Err(error)
        }
    }
}
