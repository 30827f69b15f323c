//! Statements of a resource policy, as far as the checks read them.

use serde_json::Value;

/// What a policy says of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It is allowed.
    Allowed,
    /// Under conditions, for some, or something is denied: only a call shows it.
    Undecided,
    /// Nothing allows it.
    No,
}

/// One value or a list of them.
pub(super) fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => vec![],
        one => vec![one],
    }
}

/// The same as texts.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    many(value).into_iter().filter_map(Value::as_str).collect()
}

/// Statements of a policy.
pub(super) fn statements(policy: &Value) -> Vec<&Value> {
    many(&policy["Statement"])
}

/// Whether a statement is about this action; case does not matter in names of actions.
pub(super) fn is_about(statement: &Value, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let patterns = texts(&statement["Action"]).into_iter();
    patterns
        .map(str::to_ascii_lowercase)
        .any(|pattern| matches(&pattern, &action))
}

/// Whether a pattern with `*` and `?` matches the whole text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }
        Some(one) => {
            let mut left = text.chars();
            left.next()
                .is_some_and(|c| (one == '?' || one == c) && matches(rest.as_str(), left.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("kms:*", "kms:decrypt", true),
            ("kms:generatedatakey*", "kms:generatedatakey", true),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("kms:decrypt", "kms:decryptall", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
