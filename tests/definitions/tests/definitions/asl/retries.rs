//! Retriers and catchers (AWS Step Functions Developer Guide, "Handling errors in Step Functions
//! workflows").

use serde_json::Value;

use super::Finding;
use super::walk::{items, scopes};

/// Names that Step Functions itself reports; no other name may begin with `States.`.
const RESERVED: [&str; 17] = [
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];
/// `IntervalSeconds` and `MaxAttempts`.
const COUNT_MAX: u64 = 99_999_999;
/// `MaxDelaySeconds`.
const DELAY_MAX: u64 = 31_622_400;

pub fn checked(definition: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for scope in scopes(definition) {
        for (name, state) in scope.states() {
            for field in ["Retry", "Catch"] {
                let at = format!("{}/{field}", scope.named(name));
                errors(&state[field], &at, &mut found);
            }
            let at = format!("{}/Retry", scope.named(name));
            for (place, retrier) in items(&state["Retry"]).enumerate() {
                bounds(retrier, &format!("{at}[{place}]"), &mut found);
            }
            let error = state["Error"].as_str().unwrap_or_default();
            if state["Type"] == "Fail" && error.starts_with("States.") {
                let says = format!("a state of ours may not raise {error}");
                found.push(Finding::new("error-reserved", &scope.named(name), says));
            }
        }
    }
    found
}

/// The names of a list of retriers or catchers, in its order.
fn errors(list: &Value, whose: &str, found: &mut Vec<Finding>) {
    let mut taken: Vec<&str> = Vec::new();
    let end = items(list).count().saturating_sub(1);
    for (place, one) in items(list).enumerate() {
        let at = format!("{whose}[{place}]");
        let mut report = |rule, says: String| found.push(Finding::new(rule, &at, says));
        let names: Vec<_> = items(&one["ErrorEquals"])
            .filter_map(Value::as_str)
            .collect();
        if names.is_empty() {
            report("error-names", "it names no error".to_owned());
        }
        let all = names.contains(&"States.ALL");
        if all && (names.len() > 1 || place < end) {
            report("error-all", "States.ALL stands alone and last".to_owned());
        }
        for name in names {
            if name.starts_with("States.") && !RESERVED.contains(&name) {
                report("error-known", format!("Step Functions reports no {name}"));
            }
            // No catcher sees these two: a terminal error, and one that always ends the execution.
            if name == "States.Runtime" {
                report("error-caught", format!("{name} is never caught"));
            }
            let covered = taken.contains(&name)
                || (taken.contains(&"States.TaskFailed")
                    && !["States.Timeout", "States.ALL"].contains(&name));
            if covered && !taken.contains(&"States.ALL") {
                report("error-dead", format!("{name} has gone another way before"));
            }
            taken.push(name);
        }
    }
}

fn bounds(retrier: &Value, at: &str, found: &mut Vec<Finding>) {
    let mut report = |says: String| found.push(Finding::new("retry-bounds", at, says));
    let whole = |name: &str, default: u64| match retrier.get(name) {
        None => Some(default),
        Some(value) => value.as_u64(),
    };
    let interval = whole("IntervalSeconds", 1);
    if !interval.is_some_and(|value| (1..=COUNT_MAX).contains(&value)) {
        report(format!("IntervalSeconds is {}", retrier["IntervalSeconds"]));
    }
    if whole("MaxAttempts", 3).is_none_or(|value| value > COUNT_MAX) {
        report(format!("MaxAttempts is {}", retrier["MaxAttempts"]));
    }
    let rate = retrier.get("BackoffRate").map_or(Some(2.0), Value::as_f64);
    if !rate.is_some_and(|rate| rate >= 1.0) {
        report(format!("BackoffRate is {}", retrier["BackoffRate"]));
    }
    let delay = whole("MaxDelaySeconds", DELAY_MAX);
    if !delay.is_some_and(|value| (1..=DELAY_MAX).contains(&value)) {
        report(format!("MaxDelaySeconds is {}", retrier["MaxDelaySeconds"]));
    }
    if let (Some(interval), Some(delay)) = (interval, delay)
        && delay <= interval
    {
        report(format!(
            "MaxDelaySeconds {delay} is no more than {interval}"
        ));
    }
    let jitter = retrier.get("JitterStrategy");
    if !jitter.is_none_or(|jitter| jitter == "FULL" || jitter == "NONE") {
        report(format!("JitterStrategy is {}", retrier["JitterStrategy"]));
    }
}
