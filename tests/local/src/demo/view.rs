//! What is seen while executions run: a line for each object that grows on a terminal, a line for
//! each step anywhere else.

use std::time::Duration;

use console::{Alignment, Term, measure_text_width, pad_str, style};
use indicatif::{MultiProgress, ProgressBar};

use crate::say::{duration, printable, tell};
use crate::spinner::spinner_style;
use crate::steps::Step;

const KEY_COLUMNS: usize = 32;
const TICK: Duration = Duration::from_millis(100);

pub enum View {
    Terminal(Vec<ProgressBar>),
    Plain { keys: Vec<String>, told: Vec<usize> },
}

impl View {
    pub fn new(keys: &[&str]) -> Self {
        if !Term::stderr().is_term() {
            return Self::Plain {
                keys: keys.iter().map(|key| printable(key)).collect(),
                told: vec![0; keys.len()],
            };
        }
        let lines = MultiProgress::new();
        let bars = keys.iter().map(|key| {
            let bar = lines.add(ProgressBar::new_spinner());
            bar.set_style(spinner_style("{spinner} {prefix} {wide_msg}"));
            bar.set_prefix(column(key));
            bar.set_message("waiting for its event");
            bar.enable_steady_tick(TICK);
            bar
        });
        let bars = bars.collect();
        Self::Terminal(bars)
    }

    /// Shows how far the execution of the object at `index` has come.
    pub fn steps(&mut self, index: usize, steps: &[Step]) {
        match self {
            Self::Terminal(bars) => bars[index].set_message(trail(steps, room())),
            Self::Plain { keys, told } => {
                let done = steps.iter().take_while(|step| step.took.is_some());
                for step in done.skip(told[index]) {
                    told[index] += 1;
                    tell(format!("{}: {}", keys[index], text(step)));
                }
            }
        }
    }

    /// Shows how the execution has ended.
    pub fn end(&mut self, index: usize, succeeded: bool, steps: &[Step]) {
        self.steps(index, steps);
        match self {
            Self::Terminal(bars) => {
                let mark = if succeeded {
                    style("✔").green()
                } else {
                    style("✘").red()
                };
                let template = format!("{} {{prefix}} {{wide_msg}}", mark.for_stderr());
                bars[index].set_style(spinner_style(&template));
                bars[index].finish();
            }
            Self::Plain { keys, .. } => {
                let verb = if succeeded { "succeeded" } else { "failed" };
                tell(format!("{}: {verb}", keys[index]));
            }
        }
    }

    /// Leaves the lines as they are.
    pub fn close(&self) {
        if let Self::Terminal(bars) = self {
            for bar in bars {
                bar.abandon();
            }
        }
    }
}

/// The key in a column: cut in its middle, since both ends tell.
fn column(key: &str) -> String {
    let key = printable(key);
    if measure_text_width(&key) <= KEY_COLUMNS {
        return pad_str(&key, KEY_COLUMNS, Alignment::Left, None).into_owned();
    }
    let mut head: Vec<char> = key.chars().collect();
    let mut tail = head.split_off(head.len() / 2);
    let width = |head: &[char], tail: &[char]| {
        let text: String = head.iter().chain(tail).collect();
        measure_text_width(&text)
    };
    while width(&head, &tail) >= KEY_COLUMNS {
        if head.len() > tail.len() {
            head.pop();
        } else {
            tail.remove(0);
        }
    }
    let cut: String = head.into_iter().chain(['…']).chain(tail).collect();
    pad_str(&cut, KEY_COLUMNS, Alignment::Left, None).into_owned()
}

/// Columns beside the key, its mark and the spaces between them.
fn room() -> usize {
    let columns = usize::from(Term::stderr().size().1);
    columns.saturating_sub(KEY_COLUMNS + 3)
}

/// `Filter 12 ms › Copy 9 ms › Verify`; where that is too long, the latest steps after an ellipsis.
fn trail(steps: &[Step], room: usize) -> String {
    let texts: Vec<_> = steps.iter().map(text).collect();
    let mut shown = texts.join(" › ");
    for first in 1..texts.len() {
        if measure_text_width(&shown) <= room {
            break;
        }
        shown = format!("… › {}", texts[first..].join(" › "));
    }
    shown
}

/// A step with its time; one that still runs has none.
pub fn text(step: &Step) -> String {
    match step.took {
        Some(took) => format!("{} {}", step.state, duration(took)),
        None => step.state.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_shows_the_latest_steps() {
        let step = |state: &str, millis: Option<u64>| Step {
            state: state.into(),
            took: millis.map(Duration::from_millis),
        };
        let steps = [
            step("Filter", Some(586)),
            step("Copy", Some(38)),
            step("Verify", None),
        ];
        assert_eq!(trail(&steps, 80), "Filter 586 ms › Copy 38 ms › Verify");
        assert_eq!(trail(&steps, 30), "… › Copy 38 ms › Verify");
        assert_eq!(trail(&steps, 5), "… › Verify");
        assert_eq!(trail(&[], 80), "");
    }

    #[test]
    fn keys_fill_their_column_and_keep_both_ends() {
        for key in ["a", "a/b/é🦀", &"long/".repeat(20), &"🦀".repeat(60)] {
            let column = column(key);
            assert!(
                (KEY_COLUMNS - 1..=KEY_COLUMNS).contains(&measure_text_width(&column)),
                "{column}"
            );
        }
        let column = column("odd/naïve + 100% \"quoted\" 🦀//a?b#c&d=e.txt");
        assert!(column.starts_with("odd/naïve") && column.trim_end().ends_with("d=e.txt"));
    }
}
