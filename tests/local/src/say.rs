//! Words for people: safe to print whatever an object is called.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use console::Term;

/// A table's width where there is no terminal that has one.
const WIDTH_WITHOUT_TERMINAL: u16 = 132;

/// Says a line to people, on standard error; a closed one is no reason to fail.
pub fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The text with everything escaped that would move a cursor, ring a bell, turn the writing
/// direction or hide: an object's key may hold any of it.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_treacherous(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Like [`printable`], for texts of several lines.
pub fn printable_lines(text: &str) -> Vec<String> {
    text.lines().map(printable).collect()
}

fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `12 ms`, `3.4 s`, `5 min`, `2 h 10 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Pages of the AWS console lead nowhere from a local stack.
pub fn is_of_use_here(output: &str) -> bool {
    !output.ends_with("Console")
}

/// A table as wide as the terminal.
pub fn table() -> Table {
    let width = Term::stdout().size_checked().map(|(_, columns)| columns);
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width.unwrap_or(WIDTH_WITHOUT_TERMINAL));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cannot_drive_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2J\nb\u{202e}txt.exe\u{200b}"),
            "a\\u{1b}[2J\\u{a}b\\u{202e}txt.exe\\u{200b}"
        );
    }

    #[test]
    fn ordinary_writing_stays_as_it_is() {
        let key = "odd/naïve + 100% \"quoted\" 🦀//a?b#c&d=e.txt";
        assert_eq!(printable(key), key);
    }

    #[test]
    fn durations_have_a_fitting_unit() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(text(12), "12 ms");
        assert_eq!(text(3_449), "3.4 s");
        assert_eq!(text(300_000), "5 min");
        assert_eq!(text(7_800_000), "2 h 10 min");
    }
}
