//! What AWS does and the local stack does not, where the request alone does not say it: conditions of
//! copies, sizes of parts, executions that are started twice, and times in whole seconds.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use backup_stack::{Cloud, Service};
use serde_json::{Value, json};

use crate::locks::Locks;
use crate::refusals::{Refusal, address, query_value, refused};
use crate::{Call, held};

/// Bytes of every part but the last (Amazon S3 User Guide, "Amazon S3 multipart upload limits").
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// What is remembered of requests that have gone by.
#[derive(Debug, Default)]
pub(crate) struct Strict {
    /// Bytes of each copied part, by upload and number.
    parts: Mutex<BTreeMap<(String, u32), u64>>,
    conditional: Mutex<()>,
    locks: Locks,
}

impl Strict {
    /// Held while a copy on condition is decided and made: of two at once one loses.
    pub(crate) fn alone(&self, call: &Call) -> Option<MutexGuard<'_, ()>> {
        is_conditional_copy(call).then(|| held(&self.conditional))
    }

    /// What AWS refuses of a request; asks the service where it must.
    pub(crate) fn refused(&self, call: &Call, upstream: &str) -> Option<Refusal> {
        let refusal = refused(call).or_else(|| self.upload(call));
        refusal.or_else(|| occupied(call, upstream))
    }

    /// Whether the answer to a request has to be put right.
    pub(crate) fn looks_at_answers(call: &Call) -> bool {
        let operations = [
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "ListMultipartUploads",
            "ListObjectVersions",
            "ListObjectsV2",
            "ListParts",
            "StartExecution",
            "UploadPartCopy",
        ];
        operations.contains(&call.operation.as_str())
    }

    /// The answer as AWS would give it.
    pub(crate) fn answered(&self, call: &Call, mut answer: Vec<u8>, upstream: &str) -> Vec<u8> {
        match call.operation.as_str() {
            "StartExecution" => started(call, &answer, upstream).unwrap_or(answer),
            _ if Self::looks_at_answers(call) => {
                self.locks.made(call, &answer, upstream);
                to_seconds(&mut answer);
                answer
            }
            _ => answer,
        }
    }

    /// Parts are in ascending order, and all but the last have 5 MiB (Amazon S3 API Reference,
    /// "CompleteMultipartUpload").
    fn upload(&self, call: &Call) -> Option<Refusal> {
        let (_, _, query) = address(call);
        let upload = query_value(query, "uploadId")?;
        let mut parts = held(&self.parts);
        if call.operation == "UploadPartCopy" {
            let number = query_value(query, "partNumber")?.parse().ok()?;
            let range = call.header("x-amz-copy-source-range")?;
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            parts.insert((upload, number), (last + 1).saturating_sub(first));
            return None;
        }
        if call.operation != "CompleteMultipartUpload" {
            return None;
        }
        let listed = call.body().split("<PartNumber>").skip(1);
        let numbers = listed.filter_map(|text| text.split('<').next()?.parse::<u32>().ok());
        let numbers: Vec<_> = numbers.collect();
        if !numbers.is_sorted_by(|one, next| one < next) {
            return Some(Refusal::new(400, "InvalidPartOrder", "parts out of order"));
        }
        let (_, all_but_last) = numbers.split_last()?;
        let small = all_but_last.iter().find(|number| {
            let size = parts.get(&(upload.clone(), **number));
            size.is_some_and(|size| *size < PART_BYTES_MIN)
        })?;
        let said = format!("part {small} has less than 5 MiB");
        Some(Refusal::new(400, "EntityTooSmall", said))
    }
}

fn is_conditional_copy(call: &Call) -> bool {
    call.operation == "CopyObject" && call.header("if-none-match") == Some("*")
}

/// A copy on condition that nothing is there fails where an object is; a delete marker is nothing (Amazon
/// S3 User Guide, "How to prevent object overwrites with conditional writes").
fn occupied(call: &Call, upstream: &str) -> Option<Refusal> {
    if !is_conditional_copy(call) {
        return None;
    }
    let target = call.request.split(' ').nth(1)?.split('?').next()?;
    let head = ureq::head(format!("http://{upstream}{target}"));
    head.call().ok()?;
    let said = "At least one of the pre-conditions you specified did not hold";
    Some(Refusal::new(412, "PreconditionFailed", said))
}

/// Starting what runs under this name with this input once more answers as the first time did (AWS Step
/// Functions API Reference, "StartExecution").
fn started(call: &Call, answer: &[u8], upstream: &str) -> Option<Vec<u8>> {
    if !String::from_utf8_lossy(answer).contains("ExecutionAlreadyExists") {
        return None;
    }
    let request: Value = serde_json::from_str(call.body()).ok()?;
    let machine = request["stateMachineArn"].as_str()?;
    let execution = machine.replacen(":stateMachine:", ":execution:", 1);
    let arn = format!("{execution}:{}", request["name"].as_str()?);
    let cloud = Cloud::new(&format!("http://{upstream}"));
    let describe = json!({"executionArn": arn});
    let described = cloud.json(Service::StepFunctions, "DescribeExecution", &describe);
    let described = described.ok()?;
    if described["status"] != "RUNNING" || described["input"] != request["input"] {
        return None;
    }
    let body = json!({"executionArn": arn, "startDate": described["startDate"]}).to_string();
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0";
    Some(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
}

/// S3 keeps times in whole seconds; listings write `.000` after them.
fn to_seconds(answer: &mut [u8]) {
    for end in [b"Z</LastModified>".as_slice(), b"Z</Initiated>"] {
        let found = answer.windows(end.len()).enumerate();
        let found = found.filter(|(_, window)| *window == end);
        let ends: Vec<_> = found.map(|(at, _)| at).collect();
        for at in ends {
            if let Some([b'.', digits @ ..]) =
                at.checked_sub(4).and_then(|from| answer.get_mut(from..at))
            {
                digits.fill(b'0');
            }
        }
    }
}
