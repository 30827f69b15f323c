//! What AWS refuses by its documentation and the local stack takes, of the requests that functions could
//! make. The proxy answers these itself, as AWS would. Limits are not taken from the functions: one that is
//! wrong there is to be seen here.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::Call;

/// Bytes of a key (Amazon S3 User Guide, "Naming Amazon S3 objects").
const KEY_BYTES_MAX: usize = 1024;
/// Bytes of names and values of user-defined metadata (Amazon S3 User Guide, "Working with object
/// metadata").
const METADATA_BYTES_MAX: usize = 2 * 1024;
/// Tags of an object (Amazon S3 User Guide, "Categorizing your objects using tags").
const TAGS_MAX: usize = 10;
/// A subject has fewer characters (Amazon SNS API Reference, "Publish").
const SUBJECT_MAX: usize = 100;
/// Seconds that a message may be delayed (Amazon SQS API Reference, "SendMessage").
const DELAY_SECONDS_MAX: u64 = 900;
/// Bytes of a standard parameter (AWS Systems Manager User Guide, "Managing parameter tiers").
const PARAMETER_BYTES_MAX: usize = 4096;
/// Characters of an execution's name (AWS Step Functions API Reference, "StartExecution").
const EXECUTION_NAME_MAX: usize = 80;
/// Bytes of an execution's input (AWS Step Functions Developer Guide, "Service quotas").
const INPUT_BYTES_MAX: usize = 256 * 1024;

/// What AWS answers instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Name of the error.
    pub code: &'static str,
    /// What is wrong with the request.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
        }
    }

    /// The answer's body in the protocol of the request.
    pub(crate) fn body(&self, call: &Call) -> String {
        let Self { code, message, .. } = self;
        if call.header("x-amz-target").is_some() {
            return serde_json::json!({"__type": code, "message": message}).to_string();
        }
        let error = format!(
            "<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        if call.body().contains("Action=") {
            format!("<ErrorResponse>{error}</ErrorResponse>")
        } else {
            error
        }
    }
}

/// What AWS refuses of a request, by the request alone.
pub fn refused(call: &Call) -> Option<Refusal> {
    let json = || serde_json::from_str::<Value>(call.body()).unwrap_or_default();
    match call.operation.as_str() {
        "SendMessage" => delay(&json()),
        "SendMessageBatch" => {
            let message = json();
            let entries = message["Entries"].as_array().into_iter().flatten();
            entries.into_iter().find_map(delay)
        }
        "Publish" => subject(call.body()),
        "PutParameter" => parameter(&json()),
        "StartExecution" | "StartSyncExecution" => execution(&json()),
        "Query" => filter(&json()),
        "UpdateItem" => update(&json()),
        _ if call.header("x-amz-target").is_none() => object(call),
        _ => None,
    }
}

/// Bucket, key and query of a request to S3, the key as it is without encoding.
pub(crate) fn address(call: &Call) -> (String, Vec<u8>, &str) {
    let target = call.request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (bucket.to_owned(), percent_decode_str(key).collect(), query)
}

/// A value of the query, without encoding.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn object(call: &Call) -> Option<Refusal> {
    let (bucket, key, _) = address(call);
    if key.len() > KEY_BYTES_MAX {
        let said = format!("the key has {} bytes", key.len());
        return Some(Refusal::new(400, "KeyTooLongError", said));
    }
    let tags = call.header("x-amz-tagging").and_then(tags);
    tags.or_else(|| metadata(call))
        .or_else(|| onto_itself(call, &bucket, &key))
}

fn tags(header: &str) -> Option<Refusal> {
    let invalid = |said: &str| Some(Refusal::new(400, "InvalidTag", said));
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs: Vec<_> = header.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.len() > TAGS_MAX {
        return Some(Refusal::new(400, "BadRequest", "more than 10 tags"));
    }
    let mut seen = BTreeSet::new();
    for pair in pairs {
        let key = decoded(pair.split('=').next().unwrap_or_default());
        if key.to_ascii_lowercase().starts_with("aws:") {
            return invalid("a tag of the system cannot be set");
        }
        if !seen.insert(key) {
            return invalid("one tag key twice");
        }
    }
    None
}

fn metadata(call: &Call) -> Option<Refusal> {
    let head = call.request.split("\r\n\r\n").next()?;
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    let own = pairs.filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("x-amz-meta-")?;
        Some(name.len() + value.trim().len())
    });
    let bytes: usize = own.sum();
    (bytes > METADATA_BYTES_MAX)
        .then(|| Refusal::new(400, "MetadataTooLarge", format!("{bytes} bytes")))
}

/// A copy of the latest version onto itself has to change something (Amazon S3 API Reference,
/// "CopyObject").
fn onto_itself(call: &Call, bucket: &str, key: &[u8]) -> Option<Refusal> {
    if call.operation != "CopyObject" {
        return None;
    }
    let source: Vec<u8> = percent_decode_str(call.header("x-amz-copy-source")?).collect();
    let source = source.strip_prefix(b"/").unwrap_or(&source);
    let changes = [
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
    ];
    let is_changed = call.header("x-amz-metadata-directive") == Some("REPLACE")
        || changes.iter().any(|name| call.header(name).is_some());
    let own = [bucket.as_bytes(), b"/", key].concat();
    (source == own && !is_changed).then(|| {
        let said = "a copy of an object to itself changes nothing";
        Refusal::new(400, "InvalidRequest", said)
    })
}

fn delay(message: &Value) -> Option<Refusal> {
    let seconds = message["DelaySeconds"].as_u64()?;
    (seconds > DELAY_SECONDS_MAX).then(|| {
        let said = format!("DelaySeconds is {seconds}");
        Refusal::new(400, "InvalidParameterValue", said)
    })
}

/// A subject has no line break or control character and less than 100 characters (Amazon SNS API
/// Reference, "Publish").
fn subject(form: &str) -> Option<Refusal> {
    let subject = query_value(form, "Subject")?.replace('+', " ");
    let is_good = !subject.is_empty()
        && !subject.contains(char::is_control)
        && subject.chars().count() < SUBJECT_MAX;
    (!is_good).then(|| {
        let said = format!("a subject of {} characters", subject.chars().count());
        Refusal::new(400, "InvalidParameter", said)
    })
}

fn parameter(request: &Value) -> Option<Refusal> {
    let value = request["Value"].as_str().unwrap_or_default();
    let tier = request["Tier"].as_str().unwrap_or("Standard");
    let invalid = |said: String| Some(Refusal::new(400, "ValidationException", said));
    match value.len() {
        0 => invalid("the value is empty".to_owned()),
        bytes if tier == "Standard" && bytes > PARAMETER_BYTES_MAX => {
            invalid(format!("a standard parameter of {bytes} bytes"))
        }
        _ => None,
    }
}

/// Names have no white space, brackets, wildcards, special or control characters (AWS Step Functions API
/// Reference, "StartExecution").
fn execution(request: &Value) -> Option<Refusal> {
    if let Some(name) = request["name"].as_str() {
        let is_special = |it: char| {
            it.is_whitespace() || it.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(it)
        };
        let length = name.chars().count();
        if length == 0 || length > EXECUTION_NAME_MAX || name.contains(is_special) {
            return Some(Refusal::new(400, "InvalidName", format!("{name:?}")));
        }
    }
    let input = request["input"].as_str().unwrap_or("{}");
    (input.len() > INPUT_BYTES_MAX).then(|| {
        let said = format!("an input of {} bytes", input.len());
        Refusal::new(400, "InvalidExecutionInput", said)
    })
}

/// The key attributes of a request belong into its key condition (Amazon DynamoDB Developer Guide, "Filter
/// expressions for the Query operation").
fn filter(request: &Value) -> Option<Refusal> {
    let condition = request["KeyConditionExpression"].as_str()?;
    let filter = request["FilterExpression"].as_str()?;
    let keys = attributes(condition, request);
    let mut filtered = attributes(filter, request).into_iter();
    let both = filtered.find(|it| keys.contains(it))?;
    let said = format!("Filter Expression can only contain non-primary key attributes: {both}");
    Some(Refusal::new(400, "ValidationException", said))
}

/// The attributes that an expression names, by placeholder or plainly.
fn attributes(expression: &str, request: &Value) -> BTreeSet<String> {
    let is_name = |it: char| it.is_alphanumeric() || "#:_.-".contains(it);
    let words = expression
        .split(|it| !is_name(it))
        .filter(|it| !it.is_empty());
    let plain = words.filter(|it| !it.starts_with(':'));
    let names = plain.map(
        |word| match request["ExpressionAttributeNames"][word].as_str() {
            Some(name) => name.to_owned(),
            None => word.to_owned(),
        },
    );
    let words = ["AND", "OR", "NOT", "IN", "BETWEEN", "and", "or", "not"];
    names.filter(|it| !words.contains(&it.as_str())).collect()
}

/// An update has each path once (Amazon DynamoDB API Reference, "UpdateItem").
fn update(request: &Value) -> Option<Refusal> {
    let expression = request["UpdateExpression"].as_str()?;
    let mut seen = BTreeSet::new();
    for clause in clauses(expression) {
        let path = clause.split(['=', ' ']).next().unwrap_or_default();
        let name = request["ExpressionAttributeNames"][path].as_str();
        let name = name.unwrap_or(path).to_owned();
        if !name.is_empty() && !seen.insert(name.clone()) {
            let said = format!("Two document paths overlap with each other: {name}");
            return Some(Refusal::new(400, "ValidationException", said));
        }
    }
    None
}

/// What stands between the commas outside of parentheses, the words before left out.
fn clauses(expression: &str) -> Vec<String> {
    let (mut clauses, mut depth) = (vec![String::new()], 0_u32);
    for word in expression.split_inclusive([' ', ',', '(', ')']) {
        if ["SET", "REMOVE", "ADD", "DELETE"].contains(&word.trim()) {
            clauses.push(String::new());
            continue;
        }
        match word.chars().last() {
            Some('(') => depth += 1,
            Some(')') => depth = depth.saturating_sub(1),
            Some(',') if depth == 0 => {
                if let Some(clause) = clauses.last_mut() {
                    clause.push_str(word.trim_end_matches(','));
                }
                clauses.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(clause) = clauses.last_mut() {
            clause.push_str(word);
        }
    }
    clauses.iter().map(|it| it.trim().to_owned()).collect()
}
