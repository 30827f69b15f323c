//! How steps are shown: with a spinner on a terminal, as plain lines anywhere else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backup_stack::{PlainLines, Progress};
use console::{Term, style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::say::{duration, printable, tell};

const TICK: Duration = Duration::from_millis(100);

/// What fits the place that standard error goes to.
pub fn progress() -> Arc<dyn Progress> {
    if Term::stderr().is_term() {
        Arc::new(Spinner::default())
    } else {
        Arc::new(PlainLines)
    }
}

#[derive(Default)]
struct Spinner {
    bar: Mutex<Option<ProgressBar>>,
}

impl Spinner {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Spinner {
    fn begin(&self, step: &str) {
        let bar =
            ProgressBar::new_spinner().with_style(spinner_style("{spinner} {prefix} {wide_msg}"));
        bar.set_prefix(step.to_owned());
        bar.enable_steady_tick(TICK);
        *self.bar() = Some(bar);
    }

    fn detail(&self, line: &str) {
        if let Some(bar) = &*self.bar() {
            let line = printable(line);
            bar.set_message(style(line).dim().for_stderr().to_string());
        }
    }

    fn waiting(&self, reason: &str) {
        match &*self.bar() {
            Some(bar) => bar.println(reason),
            None => tell(format!("{reason} ...")),
        }
    }

    fn done(&self, result: &str, took: Duration) {
        self.failed();
        let took = style(duration(took)).dim().for_stderr();
        let mark = style("✔").green().for_stderr();
        tell(format!("{mark} {result} {took}"));
    }

    fn failed(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}

/// The style of a line; an invalid template would be a plain one.
pub fn spinner_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
