//! Answers on standard output: a table for people, or one JSON object a line.

use std::io::{self, Write};

use backup_domain::error::printable;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use console::Term;
use serde::Serialize;

/// A table's width where there is no terminal that has one.
const WIDTH_WITHOUT_TERMINAL: u16 = 160;

/// Writes one JSON object on a line of its own.
pub fn json(answer: &impl Serialize) -> io::Result<()> {
    let line = serde_json::to_string(answer)?;
    writeln!(io::stdout().lock(), "{line}")
}

/// Writes a line for people, whatever an object is called.
pub fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", printable(text))
}

/// Writes a table as wide as the terminal.
pub fn table<R>(header: &[&str], rows: R) -> io::Result<()>
where
    R: IntoIterator<Item = Vec<String>>,
{
    let width = Term::stdout().size_checked().map(|(_, columns)| columns);
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width.unwrap_or(WIDTH_WITHOUT_TERMINAL))
        .set_header(header);
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    writeln!(io::stdout().lock(), "{table}")
}

/// Asks on standard error; the answer comes on standard input.
pub fn ask(question: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    write!(out, "{} ", printable(question))?;
    out.flush()
}
