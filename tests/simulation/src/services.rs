//! The answers of SSM, SNS, SQS and Step Functions, and what each service says when it fails.

use serde_json::{Value, json};

use crate::wire::{Answer, Request, pairs};
use crate::world::{Execution, Parked, State};

/// A failure as the service writes it.
pub fn failure(request: &Request, status: u16, code: &str) -> Answer {
    match request.service.as_str() {
        "s3" if request.operation == "HeadObject" => Answer {
            status,
            ..Answer::default()
        },
        "s3" => Answer::s3_error(status, code),
        "sns" => Answer {
            status,
            ..Answer::ok(format!(
                "<ErrorResponse><Error><Type>Receiver</Type><Code>{code}</Code><Message>said so</Message></Error></ErrorResponse>"
            ))
        },
        "dynamodb" if status == 503 => json_error(400, "ProvisionedThroughputExceededException"),
        "ssm" | "states" | "sqs" if status == 503 => json_error(400, "ThrottlingException"),
        _ => json_error(status, "InternalServerError"),
    }
}

fn json_error(status: u16, code: &str) -> Answer {
    Answer {
        status,
        ..Answer::ok(json!({"__type": code, "message": "said so"}).to_string())
    }
}

/// What an answer shows to have been visited.
pub fn seen(operation: &str, status: u16) -> &'static str {
    match (operation, status) {
        ("CompleteMultipartUpload", 200) => "multipart copies",
        ("CompleteMultipartUpload", 400) => "uploads refused",
        ("GetObject", 206) => "contents read",
        ("PutItem", 400) => "conditions that failed",
        ("DeleteObject", 204) => "deletions mirrored",
        ("DescribeExecution", 200) => "owners asked for",
        ("StartExecution", 200) => "restarts",
        ("StartExecution", 400) => "restarts that were there",
        ("Scan", 200) => "pages swept",
        ("PutObjectTagging", 200) => "copies tagged as bad",
        ("AbortMultipartUpload", 204) => "uploads aborted",
        ("Publish", 200) => "messages told",
        _ => "other calls",
    }
}

/// Answers one request.
///
/// # Panics
/// On what nothing here understands.
pub fn answer(state: &mut State, request: &Request) -> Answer {
    match request.operation.as_str() {
        "GetParameter" => Answer::ok(
            json!({"Parameter": {"Name": "policy", "Value": state.policy, "Version": 1}})
                .to_string(),
        ),
        "Publish" => {
            let mut form = pairs(&request.body);
            let mut take = |name: &str| form.remove(name).unwrap_or_default();
            state.told.push((take("Subject"), take("Message")));
            Answer::ok(
                "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>",
            )
        }
        "SendMessage" => send_message(state, &json_of(request)),
        "DescribeExecution" => describe(state, &json_of(request)),
        "ListExecutions" => list(state, &json_of(request)),
        "StartExecution" => start(state, &json_of(request)),
        name => panic!("nothing here answers {name}"),
    }
}

/// The state machine.
pub const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:backup";
/// What the ARNs of its executions begin with.
pub const EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:backup:";
/// Executions of one page: few, so that there is a next one.
const PAGE: usize = 3;

fn json_of(request: &Request) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

fn send_message(state: &mut State, body: &Value) -> Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    state.parked.push(Parked {
        event: serde_json::from_str(&text(&body["MessageBody"])).expect("an event"),
        destinations: text(&body["MessageAttributes"]["destinations"]["StringValue"]),
    });
    Answer::ok(json!({"MessageId": "m"}).to_string())
}

fn seconds(ms: i64) -> Value {
    json!(std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64())
}

fn described(arn: &str, execution: &Execution) -> Value {
    let mut described = json!({
        "executionArn": arn, "stateMachineArn": MACHINE, "name": &arn[EXECUTION.len()..],
        "status": execution.status, "startDate": seconds(execution.started_ms),
    });
    if let Some(stopped) = execution.stopped_ms {
        described["stopDate"] = seconds(stopped);
    }
    described
}

fn describe(state: &State, body: &Value) -> Answer {
    let arn = body["executionArn"].as_str().unwrap_or_default();
    let Some(execution) = state.executions.get(arn) else {
        return json_error(400, "ExecutionDoesNotExist");
    };
    let mut described = described(arn, execution);
    described["input"] = json!(execution.input.to_string());
    if !execution.error.is_empty() {
        described["error"] = json!(execution.error);
        described["cause"] = json!(execution.cause);
    }
    Answer::ok(described.to_string())
}

/// Those of one status, the last started first.
fn list(state: &State, body: &Value) -> Answer {
    let mut found: Vec<_> = state
        .executions
        .iter()
        .filter(|(_, execution)| execution.status == body["statusFilter"])
        .collect();
    found.sort_by_key(|(arn, execution)| (std::cmp::Reverse(execution.started_ms), *arn));
    let from = body["nextToken"]
        .as_str()
        .map_or(0, |token| token.parse().expect("a token of ours"));
    let page: Vec<_> = found
        .iter()
        .skip(from)
        .take(PAGE)
        .map(|(arn, execution)| described(arn, execution))
        .collect();
    let mut listed = json!({"executions": page});
    if from + PAGE < found.len() {
        listed["nextToken"] = json!((from + PAGE).to_string());
    }
    Answer::ok(listed.to_string())
}

/// One name, one execution; asked for again while it runs, it is the same one.
fn start(state: &mut State, body: &Value) -> Answer {
    let arn = format!("{EXECUTION}{}", body["name"].as_str().expect("a name"));
    let input: Value =
        serde_json::from_str(body["input"].as_str().expect("an input")).expect("JSON");
    if let Some(there) = state.executions.get(&arn) {
        if there.status != "RUNNING" || there.input != input {
            return json_error(400, "ExecutionAlreadyExists");
        }
    } else {
        let now_ms = state.clock_ms;
        state
            .executions
            .insert(arn.clone(), Execution::new(input, now_ms));
        state.to_start.push(arn.clone());
    }
    Answer::ok(json!({"executionArn": arn, "startDate": 0}).to_string())
}
