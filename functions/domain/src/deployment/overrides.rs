//! Parameters as the SAM CLI keeps them in a samconfig file.

use std::collections::BTreeMap;

/// A text that is no list of parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "parameter_overrides cannot be read at {at:?}: a parameter is Name=value or Name=\"value\", and \
     not ParameterKey=Name,ParameterValue=value"
)]
pub struct OverridesError {
    /// What is left of the text.
    pub at: String,
}

/// Reads `Name=value Other="a value"`, the form in which `sam deploy --guided` writes
/// `parameter_overrides`. Values stand within `"`, within `'`, or without spaces. As SAM CLI 1.170 does,
/// `\"`, `\'` and `\ ` lose their backslash in a quoted value, and any other backslash stays.
///
/// # Errors
/// [`OverridesError`], with the rest of the text that is not of this form.
pub fn overrides(text: &str) -> Result<BTreeMap<String, String>, OverridesError> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let error = || OverridesError {
            at: rest.chars().take(40).collect(),
        };
        let (name, after) = rest.split_once('=').ok_or_else(error)?;
        let legal = name.chars().all(|c| c.is_ascii_alphanumeric());
        if name.is_empty() || !legal || name == "ParameterKey" {
            return Err(error());
        }
        let (value, left) = if let Some(mark) = after.chars().next().filter(|c| "\"'".contains(*c))
        {
            unquote(&after[1..], mark).ok_or_else(error)?
        } else {
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        if left.starts_with(|c: char| !c.is_whitespace()) {
            return Err(error());
        }
        found.insert(name.to_owned(), value);
        rest = left.trim_start();
    }
    Ok(found)
}

/// The value up to its closing quotation mark, and what follows that.
fn unquote(text: &str, mark: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == mark {
            return Some((value, &text[at + 1..]));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        match characters.next()?.1 {
            escaped @ ('"' | '\'' | ' ') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_come_as_they_were_given() {
        let text = r#"SourceBucketName="shop" DrillDays=7 AuditSchedule="cron(0 3 ? * SUN *)" PolicyDocument="{\"version\": 1}" Quoted='{"a b": "c\d"}' Empty="""#;
        let values = overrides(text).expect("there");
        assert_eq!(values["SourceBucketName"], "shop");
        assert_eq!(values["DrillDays"], "7");
        assert_eq!(values["AuditSchedule"], "cron(0 3 ? * SUN *)");
        assert_eq!(values["PolicyDocument"], "{\"version\": 1}");
        assert_eq!(values["Quoted"], "{\"a b\": \"c\\d\"}");
        assert_eq!(values["Empty"], "");
        assert_eq!(overrides("  ").expect("there").len(), 0);
    }

    #[test]
    fn what_is_no_list_of_parameters_is_refused_where_it_begins() {
        for (text, at) in [
            ("Name", "Name"),
            ("A=1 =2", "=2"),
            ("A=\"open", "A=\"open"),
            ("A=\"x\"y", "A=\"x\"y"),
            (
                "ParameterKey=A,ParameterValue=b",
                "ParameterKey=A,ParameterValue=b",
            ),
            ("A=cron(0 3 ? * SUN *)", "3 ? * SUN *)"),
        ] {
            assert_eq!(overrides(text).expect_err("refused").at, at, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_value_without_backslashes_survives_quoting(value in r"[^\\]*") {
            let quoted = value.replace('"', "\\\"");
            let text = format!("A=1 Value=\"{quoted}\" B=2");
            let read = overrides(&text).expect("there");
            prop_assert_eq!(&read["Value"], &value);
            prop_assert_eq!(&read["B"], "2");
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = overrides(&text);
        }
    }
}
