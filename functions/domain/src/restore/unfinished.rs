//! What is told of a restore or a drill that came to no end, by the input of its execution alone.

use serde_json::{Value, json};

use super::request::FOLDER;
use super::sample::Sample;
use crate::error::{Cause, ErrorName, one_line};
use crate::message::{Message, subject};
use crate::policy::NotifyLevel;

/// Bytes of what a person has written, in the mail.
const TEXT_BYTES_MAX: usize = 400;

/// What a drill's input wants to be told; of one that cannot be read, failures.
pub fn level(input: &Value) -> NotifyLevel {
    Sample::parse(input).map_or(NotifyLevel::Failures, |sample| sample.notify)
}

/// Whether what came to no end was a restore, or a drill that was refused before it began: neither
/// counts as a drill.
pub fn is_no_drill(input: &Value, cause: &Cause) -> bool {
    input.get("sample").is_none() || cause.error == ErrorName::InvalidRestore.as_str()
}

/// What the owner is told; `None` of a plan alone, whose asker sees how it ended, and of a drill of
/// which nothing is to be told.
pub fn message(input: &Value, execution: &str, cause: &Cause) -> Option<Message> {
    let is_drill = input.get("sample").is_some();
    let is_silent = is_drill && level(input) == NotifyLevel::None;
    if is_silent || input["dryRun"] == true {
        return None;
    }
    let what = if is_drill { "restore drill" } else { "restore" };
    let run = execution.rsplit(':').next().unwrap_or_default();
    let folder = input["plan"].as_str();
    let folder = folder.map_or_else(|| format!("{FOLDER}{run}/"), str::to_owned);
    let text = |text: &str| one_line(text, TEXT_BYTES_MAX);
    Some(Message {
        subject: subject(&format!("s3-backup: {what} CAME TO NO END: {}", cause.error)),
        text: format!(
            "A {what} came to no end; what it has restored by then stays.\n\n\
             Why:       {}: {}\nDo next:   {}\nAsked for: {}\nFolder:    {}\nExecution: {execution}\n",
            cause.error,
            text(&cause.message),
            text(&cause.advice),
            text(&input.to_string()),
            text(&folder),
        ),
        json: json!({"restoreUnfinished": {"error": cause.error, "message": cause.message, "folder": folder}, "execution": execution})
            .to_string(),
        outcome: "failed",
        // Each restore is told by itself.
        kind: "restore".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_to_no_end_is_told_unless_it_was_a_plan_alone_or_a_silent_drill() {
        let cause = crate::error::cause_of(&json!({"Error": "AccessDenied", "Cause": "no"}));
        let told = |input: Value| message(&input, "arn:aws:states:::execution:m:run", &cause);
        let restore = told(json!({"prefix": "", "to": {"bucket": "b"}})).expect("told");
        assert_eq!(restore.outcome, "failed");
        assert!(restore.subject.contains("AccessDenied"), "{restore:?}");
        assert!(restore.text.contains("restores/run/"), "{restore:?}");
        let again = told(json!({"plan": "restores/one/"})).expect("told");
        assert!(again.text.contains("restores/one/"), "{again:?}");
        assert!(told(json!({"sample": {}})).is_some());
        assert!(told(json!({"sample": 7})).is_some(), "it cannot be read");
        assert_eq!(told(json!({"sample": {"notify": "none"}})), None);
        assert_eq!(told(json!({"prefix": "", "dryRun": true})), None);
    }
}
