//! The end of the demo on standard output.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, Width};
use console::style;

use super::inbox::Message;
use super::verdict::Verdict;
use crate::say::{printable, printable_lines, table};

/// From here on a table has room for checksums and version ids in one piece.
const WIDE: u16 = 130;
/// `version ` is on a line of its own, so the id decides.
const ID_COLUMNS: u16 = 38;

pub fn verdicts(out: &mut impl Write, verdicts: &[Verdict]) -> io::Result<()> {
    let mut table = table();
    table.set_header([
        "object",
        "outcome, evidence or advice",
        "copy",
        "time per step",
    ]);
    if table.width().is_some_and(|width| width >= WIDE) {
        let room = |columns| ColumnConstraint::LowerBoundary(Width::Fixed(columns));
        table.set_constraints([room(16), room(ID_COLUMNS), room(ID_COLUMNS), room(20)]);
    }
    for verdict in verdicts {
        let mark = if verdict.problems.is_empty() {
            "✔"
        } else {
            "✘"
        };
        let outcome = format!("{mark} {}\n{}", verdict.outcome, verdict.evidence);
        table.add_row([
            printable(verdict.key),
            printable_lines(&outcome).join("\n"),
            printable_lines(&verdict.copy).join("\n"),
            printable_lines(&verdict.steps).join("\n"),
        ]);
    }
    writeln!(out, "\n{table}")
}

pub fn messages(out: &mut impl Write, messages: &[Message]) -> io::Result<()> {
    let heading = format!("{} notifications", messages.len());
    writeln!(out, "\n{}", style(heading).bold())?;
    for message in messages {
        let subject = printable(&message.subject);
        writeln!(
            out,
            "\n{} {}",
            style("Subject:").dim(),
            style(subject).bold()
        )?;
        for line in printable_lines(message.text.trim_end()) {
            writeln!(out, "{}", format!("  {line}").trim_end())?;
        }
    }
    Ok(())
}
