//! The end of the demo on standard output.

use std::io::{self, Write};

use console::style;

use super::inbox::Message;
use super::verdict::Verdict;
use crate::say::{printable, printable_lines, table};

pub fn verdicts(out: &mut impl Write, verdicts: &[Verdict]) -> io::Result<()> {
    let mut table = table();
    table.set_header(["object", "outcome", "evidence or advice", "copy", "steps"]);
    for verdict in verdicts {
        let mark = if verdict.problems.is_empty() {
            "✔"
        } else {
            "✘"
        };
        table.add_row([
            printable(verdict.key),
            format!("{mark} {}", printable(&verdict.outcome)),
            printable_lines(&verdict.evidence).join("\n"),
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
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}
