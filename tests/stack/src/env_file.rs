//! The shell lines that point a user's tools at the kept stack.

use std::fmt::Write;

use crate::REGION;
use crate::deploy::Outputs;

/// One `export NAME=value` a line: the endpoint, credentials that the local stack takes, and every
/// output of the deployment under its name in capitals (`SourceBucket` is `SOURCE_BUCKET`).
pub fn env_lines(endpoint: &str, outputs: &Outputs) -> String {
    let fixed = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value));
    let outputs = outputs
        .iter()
        .map(|(name, value)| (capitals(name), value.as_str()));
    let mut lines = String::new();
    for (name, value) in fixed.into_iter().chain(outputs) {
        let _ = writeln!(lines, "export {name}={}", shell_quoted(value));
    }
    lines
}

/// A word that every POSIX shell reads as `value`.
pub fn shell_quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// `DeadLetterQueueUrl` as `DEAD_LETTER_QUEUE_URL`; a run of capitals is one word (`KMSKeyId` is
/// `KMS_KEY_ID`).
fn capitals(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut capitals = String::new();
    for (at, character) in characters.iter().enumerate() {
        let after_small = at > 0 && !characters[at - 1].is_uppercase();
        let before_small = characters
            .get(at + 1)
            .is_some_and(|next| next.is_lowercase());
        if at > 0 && character.is_uppercase() && (after_small || before_small) {
            capitals.push('_');
        }
        capitals.extend(character.to_uppercase());
    }
    capitals
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn output_names_become_variable_names() {
        for (output, variable) in [
            ("SourceBucket", "SOURCE_BUCKET"),
            ("DeadLetterQueueUrl", "DEAD_LETTER_QUEUE_URL"),
            ("RestoreStateMachineArn", "RESTORE_STATE_MACHINE_ARN"),
            ("KMSKeyId", "KMS_KEY_ID"),
            ("URL", "URL"),
            ("S3Bucket", "S3_BUCKET"),
        ] {
            assert_eq!(capitals(output), variable);
        }
    }

    #[test]
    fn shell_reads_back_any_value() {
        for value in [
            "",
            "plain",
            "it's",
            "a b\n$HOME `x` \"y\" \\ é🦀",
            "-n",
            "~",
        ] {
            let script = format!("printf %s {}", shell_quoted(value));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }

    #[test]
    fn lines_hold_the_endpoint_and_every_output() {
        let outputs = Outputs::from([("SourceBucket".to_owned(), "a b".to_owned())]);
        assert_eq!(
            env_lines("http://127.0.0.1:4566", &outputs),
            "export AWS_ENDPOINT_URL=http://127.0.0.1:4566\n\
             export AWS_ACCESS_KEY_ID=test\n\
             export AWS_SECRET_ACCESS_KEY=test\n\
             export AWS_REGION=us-east-1\n\
             export AWS_DEFAULT_REGION=us-east-1\n\
             export SOURCE_BUCKET='a b'\n"
        );
    }
}
