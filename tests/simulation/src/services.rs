//! The answers of SSM, SNS and Step Functions, and what each service says when it fails.

use serde_json::{Value, json};

use crate::wire::{Answer, Request, pairs};
use crate::world::State;

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
        "ssm" | "states" if status == 503 => json_error(400, "ThrottlingException"),
        _ => json_error(status, "InternalServerError"),
    }
}

fn json_error(status: u16, code: &str) -> Answer {
    Answer {
        status,
        ..Answer::ok(json!({"__type": code, "message": "said so"}).to_string())
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
        "DescribeExecution" => {
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            let arn = body["executionArn"].as_str().unwrap_or_default();
            let Some(execution) = state.executions.get(arn) else {
                return json_error(400, "ExecutionDoesNotExist");
            };
            let body = json!({
                "executionArn": arn, "stateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:backup",
                "status": execution.status, "startDate": 0,
            });
            Answer::ok(body.to_string())
        }
        name => panic!("nothing here answers {name}"),
    }
}
