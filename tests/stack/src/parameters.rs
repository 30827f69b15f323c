//! Hands template parameters to `sam deploy` so that they arrive byte for byte.
//!
//! They go through a file (`--parameter-overrides file://…`), which spares them the shell-like
//! splitting of the command line. What SAM reads from such a file it still "unquotes" (wrapping
//! quotes go, `\ `, `\"` and `\'` lose their backslash), and twice: once for the file, once for the
//! option that names it. So every value is quoted twice.

use std::fmt::Write;

/// How often SAM CLI unquotes a value that comes from a file.
const ROUNDS: usize = 2;

/// The YAML file for `--parameter-overrides`.
pub(crate) fn overrides_file(parameters: &[(String, String)]) -> String {
    let mut text = String::from("{\n");
    for (name, value) in parameters {
        let mut value = value.clone();
        for _ in 0..ROUNDS {
            value = quoted(&value);
        }
        let _ = writeln!(text, "  {}: {},", yaml_string(name), yaml_string(&value));
    }
    text.push_str("}\n");
    text
}

/// The inverse of one round of SAM's unquoting. Every space and quote gets a backslash, so each
/// loses just that one again, and no value begins with a quote that could count as wrapping.
fn quoted(value: &str) -> String {
    value
        .replace('\'', "\\'")
        .replace('"', "\\\"")
        .replace(' ', "\\ ")
}

/// A double-quoted YAML scalar. YAML readers refuse or fold what is not printable, so everything
/// but plain characters is escaped.
fn yaml_string(value: &str) -> String {
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(character),
            _ => {
                let _ = write!(text, "\\U{:08X}", u32::from(character));
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SAM CLI 1.170, `samcli/cli/types.py`, `_unquote_wrapped_quotes`.
    fn sam_unquotes(value: &str) -> String {
        let mut value = value;
        let (first, last) = (value.chars().next(), value.chars().last());
        if first == last && matches!(first, Some('"' | '\'')) {
            value = value.get(1..value.len() - 1).unwrap_or("");
        }
        value
            .replace("\\ ", " ")
            .replace("\\\"", "\"")
            .replace("\\'", "'")
    }

    #[test]
    fn quoting_is_the_inverse_of_what_sam_does() {
        for value in [
            "",
            "plain",
            "'",
            "\"wrapped\"",
            "'wrapped'",
            "a \\ b\\",
            "\\\\ \\\" \\'",
            "{\"a\": [1, \"b c\"],\n \"d\": \"it's\"}\r\n",
        ] {
            let mut read = quoted(&quoted(value));
            for _ in 0..ROUNDS {
                read = sam_unquotes(&read);
            }
            assert_eq!(read, value);
        }
    }

    #[test]
    fn file_holds_escaped_yaml_strings() {
        let parameters = [("A".to_owned(), "x\ny é🦀\\".to_owned())];
        assert_eq!(
            overrides_file(&parameters),
            "{\n  \"A\": \"x\\U0000000Ay\\\\\\\\ \\U000000E9\\U0001F980\\\\\",\n}\n"
        );
    }
}
