//! Services that speak JSON: Step Functions, DynamoDB, EventBridge, SQS, SSM.

use serde_json::{Value, json};
use ureq::http::{Method, Request};

use super::{Cloud, Service, unsendable};
use crate::error::{Error, Result};

impl Cloud {
    /// Calls an action by the JSON protocol, e.g. `json(Service::Sqs, "CreateQueue", &json!({…}))`.
    pub fn json(&self, service: Service, action: &str, input: &Value) -> Result<Value> {
        let (prefix, version) = protocol(service);
        let request = Request::post(format!("{}/", self.endpoint))
            .header("authorization", self.authorization(service))
            .header("content-type", format!("application/x-amz-json-{version}"))
            .header("x-amz-target", format!("{prefix}.{action}"))
            .body(input.to_string().into_bytes())
            .map_err(unsendable(action))?;
        let answer = self.send(action, request)?;
        let body = if answer.body().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(answer.body()).map_err(|cause| Error::Answer {
                action: action.into(),
                what: cause.to_string(),
            })?
        };
        if answer.status().is_success() {
            return Ok(body);
        }
        Err(refusal(service, action, &body))
    }
}

impl Cloud {
    /// The Lambda functions, each as GetFunctionConfiguration shows it.
    pub(crate) fn functions(&self) -> Result<Vec<Value>> {
        let body = self.lambda("ListFunctions", Method::GET, "functions/", Vec::new())?;
        Ok(body["Functions"].as_array().cloned().unwrap_or_default())
    }

    /// Makes numbers of the limits of event source mappings: what a parameter of the template gives
    /// stays text on the local stack, and its poller fails at the comparison.
    pub(crate) fn mend_mappings(&self) -> Result<()> {
        let action = "ListEventSourceMappings";
        let path = "event-source-mappings/";
        let body = self.lambda(action, Method::GET, path, Vec::new())?;
        for mapping in body["EventSourceMappings"].as_array().into_iter().flatten() {
            let limit = mapping["ScalingConfig"]["MaximumConcurrency"].as_str();
            let limit = limit.and_then(|text| text.parse::<u32>().ok());
            if let (Some(limit), Some(id)) = (limit, mapping["UUID"].as_str()) {
                let change = json!({"ScalingConfig": {"MaximumConcurrency": limit}});
                let path = format!("{path}{id}");
                let change = change.to_string().into_bytes();
                self.lambda("UpdateEventSourceMapping", Method::PUT, &path, change)?;
            }
        }
        Ok(())
    }

    /// Switches on what the template asks for a table and the local stack reads over: point-in-time recovery of a
    /// global table's replica, and time to live.
    pub(crate) fn mend_table(&self, table: &str) -> Result<()> {
        let specification = json!({"PointInTimeRecoveryEnabled": true});
        let change = json!({"TableName": table, "PointInTimeRecoverySpecification": specification});
        self.json(Service::DynamoDb, "UpdateContinuousBackups", &change)?;
        let name = json!({"TableName": table});
        let expiry = self.json(Service::DynamoDb, "DescribeTimeToLive", &name)?;
        // AWS refuses to switch on what is on.
        if expiry["TimeToLiveDescription"]["TimeToLiveStatus"] != "ENABLED" {
            let specification = json!({"Enabled": true, "AttributeName": "expiresAt"});
            let change = json!({"TableName": table, "TimeToLiveSpecification": specification});
            self.json(Service::DynamoDb, "UpdateTimeToLive", &change)?;
        }
        Ok(())
    }

    fn lambda(&self, action: &str, method: Method, path: &str, body: Vec<u8>) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/2015-03-31/{path}", self.endpoint))
            .header("authorization", self.authorization(Service::Lambda))
            .body(body)
            .map_err(unsendable(action))?;
        let answer = self.send(action, request)?;
        let body: Value = serde_json::from_slice(answer.body()).map_err(|cause| Error::Answer {
            action: action.into(),
            what: cause.to_string(),
        })?;
        if answer.status().is_success() {
            return Ok(body);
        }
        Err(refusal(Service::Lambda, action, &body))
    }
}

/// The prefix of the target header and the protocol's version.
fn protocol(service: Service) -> (&'static str, &'static str) {
    match service {
        Service::DynamoDb => ("DynamoDB_20120810", "1.0"),
        Service::Events => ("AWSEvents", "1.1"),
        Service::Kms => ("TrentService", "1.1"),
        Service::Sqs => ("AmazonSQS", "1.0"),
        Service::Ssm => ("AmazonSSM", "1.1"),
        Service::StepFunctions => ("AWSStepFunctions", "1.0"),
        // These speak the query protocol; asked by JSON they refuse, and the refusal tells why.
        Service::CloudFormation => ("CloudFormation", "1.0"),
        Service::Sns => ("SNS", "1.0"),
        Service::Iam => ("IAM", "1.0"),
        Service::S3 => ("S3", "1.0"),
        Service::Lambda => ("AWSGirApiService", "1.1"),
    }
}

fn refusal(service: Service, action: &str, body: &Value) -> Error {
    let code = body["__type"].as_str().unwrap_or("UnknownError");
    let message = body["message"].as_str().or(body["Message"].as_str());
    Error::Refused {
        service: service.name(),
        action: action.into(),
        code: code.rsplit('#').next().unwrap_or(code).into(),
        message: message.unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusal_names_service_action_and_code() {
        let body = json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no queue"});
        assert_eq!(
            refusal(Service::Sqs, "ReceiveMessage", &body).to_string(),
            "SQS refused ReceiveMessage: QueueDoesNotExist: no queue"
        );
    }
}
