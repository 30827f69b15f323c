//! Who may do what: the roles as they are deployed, and what a call asks of them.
//!
//! The local stack checks no permission; AWS does. The table of [`needs`] says what each call would
//! need (Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3",
//! and the same pages for DynamoDB, Systems Manager, SNS, SQS and Step Functions; Amazon S3 User Guide,
//! "Required permissions for Amazon S3 API operations").

use std::collections::BTreeSet;

use backup_stack::Service;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::World;
use crate::proxy::Call;

/// One action on one resource: asked for, or granted (then `*` in the resource stands for anything).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `s3:GetObject`
    pub action: String,
    /// An ARN.
    pub resource: String,
}

impl Permission {
    /// Both by name.
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.into(),
        }
    }

    /// Whether this grant allows what is asked.
    pub fn allows(&self, asked: &Self) -> bool {
        self.action == asked.action && matches(&self.resource, &asked.resource)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
        }),
    }
}

impl World {
    /// Names of the functions that the machine invokes.
    pub fn functions(&self) -> BTreeSet<String> {
        let arns = self.definition.split('"');
        arns.filter(|text| text.contains(":function:"))
            .filter_map(|arn| arn.rsplit(':').next().map(str::to_owned))
            .collect()
    }

    /// What the template grants to a function.
    pub fn grants(&self, function: &str) -> Vec<Permission> {
        let url = format!(
            "{}/2015-03-31/functions/{function}/configuration",
            self.cloud.endpoint()
        );
        let mut answer = ureq::get(url).call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        let configuration: Value = serde_json::from_str(&text).expect("JSON");
        let arn = configuration["Role"].as_str().expect("a role");
        let role = arn.rsplit('/').next().unwrap_or(arn);
        let ask = |action: &str, more: &[(&str, &str)]| {
            let input = [&[("RoleName", role)], more].concat();
            self.cloud
                .query(Service::Iam, action, &input)
                .expect("an answer")
        };
        let policies = ask("ListRolePolicies", &[]);
        let mut grants = Vec::new();
        for name in between(&policies, "<member>", "</member>") {
            let policy = ask("GetRolePolicy", &[("PolicyName", name)]);
            for document in between(&policy, "<PolicyDocument>", "</PolicyDocument>") {
                let document = percent_decode_str(document).decode_utf8_lossy();
                grants.extend(read(&serde_json::from_str(&document).expect("a policy")));
            }
        }
        assert!(!grants.is_empty(), "{role} grants nothing");
        grants
    }
}

fn between<'t>(text: &'t str, begin: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    let parts = text.split(begin).skip(1);
    parts.filter_map(move |part| part.split(end).next())
}

/// What the statements under a condition come to where it does not hold: the local stack takes a
/// condition with `Fn::Join` for true, and the lists are empty.
const NOTHING: [&str; 3] = ["", "arn:aws:s3:::", "arn:aws:s3:::/*"];

/// Plain grants alone: whatever else a statement could say would need another reader.
fn read(policy: &Value) -> Vec<Permission> {
    let mut found = Vec::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        let fields: BTreeSet<_> = statement.as_object().expect("fields").keys().collect();
        assert!(
            statement["Effect"] == "Allow"
                && fields.into_iter().eq(["Action", "Effect", "Resource"]),
            "{statement}"
        );
        for action in texts(&statement["Action"]) {
            let resources = texts(&statement["Resource"]);
            for resource in resources.into_iter().filter(|it| !NOTHING.contains(it)) {
                found.push(Permission::new(action, resource));
            }
        }
    }
    found
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// What AWS would look for in the caller's role before it did this call.
///
/// # Panics
/// At an operation that is not in the table yet.
pub fn needs(call: &Call) -> Vec<Permission> {
    let credential = call.header("authorization").unwrap_or_default();
    let scope: Vec<_> = credential.split('/').collect();
    let [_, _, region, service, ..] = scope.as_slice() else {
        panic!("unsigned: {}", call.request);
    };
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:000000000000:{rest}");
    let body: Value = serde_json::from_str(call.body()).unwrap_or_default();
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    match (*service, call.operation.as_str()) {
        ("s3", _) => s3(call),
        ("dynamodb", "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query" | "Scan") => {
            let table = format!("table/{}", text("TableName"));
            let table = match text("IndexName") {
                "" => table,
                index => format!("{table}/index/{index}"),
            };
            let action = format!("dynamodb:{}", call.operation);
            vec![Permission::new(&action, arn("dynamodb", &table))]
        }
        ("ssm", "GetParameter") => {
            let parameter = format!("parameter{}", text("Name"));
            vec![Permission::new("ssm:GetParameter", arn("ssm", &parameter))]
        }
        (
            "states",
            "DescribeExecution" | "ListExecutions" | "StartExecution" | "StartSyncExecution",
        ) => {
            let action = format!("states:{}", call.operation);
            let on = text("executionArn").to_owned() + text("stateMachineArn");
            vec![Permission::new(&action, on)]
        }
        (
            "sqs",
            "SendMessage"
            | "ReceiveMessage"
            | "DeleteMessage"
            | "ChangeMessageVisibility"
            | "GetQueueAttributes",
        ) => {
            let action = format!("sqs:{}", call.operation);
            let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default();
            vec![Permission::new(&action, arn("sqs", queue))]
        }
        ("sns", "Publish") => {
            let topic = call
                .body()
                .split('&')
                .find_map(|pair| pair.strip_prefix("TopicArn="));
            let topic = percent_decode_str(topic.unwrap_or_default()).decode_utf8_lossy();
            vec![Permission::new("sns:Publish", topic)]
        }
        (service, operation) => panic!("{service} {operation}: what does it need?"),
    }
}

fn s3(call: &Call) -> Vec<Permission> {
    let line = call.request.lines().next().unwrap_or_default();
    let target = line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
    let on = format!("arn:aws:s3:::{path}");
    let bucket = format!(
        "arn:aws:s3:::{}",
        path.split('/').next().unwrap_or_default()
    );
    let version = |query: &str| {
        if query.contains("versionId=") {
            "Version"
        } else {
            ""
        }
    };
    let own = version(query);
    let source = call.header("x-amz-copy-source").unwrap_or_default();
    let (source, source_query) = source.split_once('?').unwrap_or((source, ""));
    let from = percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy();
    let from = format!("arn:aws:s3:::{from}");
    let of_source = version(source_query);
    let one = |action: String, on: &str| Permission::new(&action, on);
    let mut needed = match call.operation.as_str() {
        "HeadObject" | "GetObject" => vec![one(format!("s3:GetObject{own}"), &on)],
        "GetObjectTagging" => vec![one(format!("s3:GetObject{own}Tagging"), &on)],
        "PutObjectTagging" => vec![one(format!("s3:PutObject{own}Tagging"), &on)],
        "ListObjectVersions" => vec![one("s3:ListBucketVersions".to_owned(), &bucket)],
        "ListObjectsV2" => vec![one("s3:ListBucket".to_owned(), &bucket)],
        "GetBucketVersioning" => vec![one("s3:GetBucketVersioning".to_owned(), &bucket)],
        "RestoreObject" => vec![one("s3:RestoreObject".to_owned(), &on)],
        "PutObject" => vec![one("s3:PutObject".to_owned(), &on)],
        "ListMultipartUploads" => vec![one("s3:ListBucketMultipartUploads".to_owned(), &bucket)],
        "ListParts" => vec![one("s3:ListMultipartUploadParts".to_owned(), &on)],
        "DeleteObject" => vec![one(format!("s3:DeleteObject{own}"), &on)],
        "AbortMultipartUpload" => vec![one("s3:AbortMultipartUpload".to_owned(), &on)],
        "CreateMultipartUpload" | "CompleteMultipartUpload" => {
            vec![one("s3:PutObject".to_owned(), &on)]
        }
        "ListObjectAnnotations" | "GetObjectAnnotation" | "PutObjectAnnotation" => {
            annotation(&call.operation, !own.is_empty(), &on)
        }
        "UploadPartCopy" => vec![
            one(format!("s3:GetObject{of_source}"), &from),
            one("s3:PutObject".to_owned(), &on),
        ],
        "CopyObject" => {
            let mut needed = vec![
                one(format!("s3:GetObject{of_source}"), &from),
                one("s3:PutObject".to_owned(), &on),
            ];
            if call.header("x-amz-object-annotation-directive") != Some("EXCLUDE") {
                let is_version = !of_source.is_empty();
                needed.extend(annotation("GetObjectAnnotation", is_version, &from));
                needed.extend(annotation("PutObjectAnnotation", false, &on));
            }
            if call.header("x-amz-tagging-directive") != Some("REPLACE") {
                needed.push(one(format!("s3:GetObject{of_source}Tagging"), &from));
                needed.push(one("s3:PutObjectTagging".to_owned(), &on));
            }
            needed
        }
        operation => panic!("s3 {operation}: what does it need? {line}"),
    };
    if call.header("x-amz-tagging").is_some() {
        needed.push(one("s3:PutObjectTagging".to_owned(), &on));
    }
    if call.header("x-amz-object-lock-mode").is_some() {
        needed.push(one("s3:PutObjectRetention".to_owned(), &on));
    }
    needed
}

/// Calls on the annotations of a version: the pages of the operations name the action without the
/// version (Amazon S3 API Reference, "GetObjectAnnotation", "ListObjectAnnotations",
/// "PutObjectAnnotation"), the Service Authorization Reference has one with it too. Which of them AWS
/// looks for is question V-20 of docs/testing.md: until it is answered, both must be granted.
fn annotation(operation: &str, of_a_version: bool, on: &str) -> Vec<Permission> {
    let mut needed = vec![Permission::new(&format!("s3:{operation}"), on)];
    if of_a_version {
        let versioned = operation.replacen("Object", "ObjectVersion", 1);
        needed.push(Permission::new(&format!("s3:{versioned}"), on));
    }
    needed
}
