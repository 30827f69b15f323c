//! The deployed backup, as a user and an auditor see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use backup_stack::{Cloud, Object, Options, Outputs, Service, Stack};
use serde_json::{Value, json};

use crate::Proxy;

/// One stack for the whole run; it ends with the process.
pub struct World {
    _stack: Stack,
    /// The stack's services.
    pub cloud: Cloud,
    /// Between the functions and the services.
    pub proxy: Proxy,
    /// Outputs of the deployed template.
    pub outputs: Outputs,
    /// Held for reading by every test, for writing by one that changes the policy.
    pub policy: RwLock<()>,
    definition: String,
    inbox: String,
    taken: Mutex<BTreeMap<String, Vec<Value>>>,
}

/// An execution that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its ARN.
    pub arn: String,
    /// `SUCCEEDED` or `FAILED`.
    pub status: String,
    /// Its output, `null` when it failed.
    pub output: Value,
    /// Error of a failed one.
    pub error: String,
    /// Cause of a failed one.
    pub cause: Value,
    /// States entered, in order.
    pub states: Vec<String>,
}

impl World {
    /// The one of this process; the first to ask starts it.
    pub fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD
            .get_or_init(|| Self::start().expect("the local stack starts and the template deploys"))
    }

    fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let proxy = Proxy::start()?;
        let options = Options {
            lambda_endpoint: Some(proxy.endpoint().to_owned()),
            wait_scale: Some(0.0),
            ..Options::default()
        };
        let stack = Stack::start(options)?;
        proxy.forward_to(stack.endpoint());
        let outputs = stack.deploy(&[])?;
        let cloud = stack.cloud();
        let machine = json!({"stateMachineArn": outputs["StateMachineArn"]});
        let definition = cloud.json(Service::StepFunctions, "DescribeStateMachine", &machine)?;
        let definition = definition["definition"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let inbox = cloud.json(Service::Sqs, "CreateQueue", &json!({"QueueName": "inbox"}))?;
        let inbox = inbox["QueueUrl"].as_str().unwrap_or_default().to_owned();
        let subscription = [
            ("TopicArn", outputs["TopicArn"].as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", "arn:aws:sqs:us-east-1:000000000000:inbox"),
        ];
        cloud.query(Service::Sns, "Subscribe", &subscription)?;
        let world = Self {
            _stack: stack,
            cloud,
            proxy,
            outputs,
            policy: RwLock::default(),
            definition,
            inbox,
            taken: Mutex::default(),
        };
        world.put_policy(&world.usual_policy());
        Ok(world)
    }

    /// Bucket that is backed up.
    pub fn source(&self) -> &str {
        &self.outputs["SourceBucket"]
    }

    /// Bucket of the destination `primary`.
    pub fn backup(&self) -> &str {
        &self.outputs["BackupBucket"]
    }

    /// The policy of all tests: what a key begins with decides.
    pub fn usual_policy(&self) -> String {
        let rule = |name: &str, destinations: &[&str], more: Value| {
            let mut rule = json!({"name": name, "match": {"keys": {"include": [format!("{name}/**")]}}, "destinations": destinations});
            if let (Some(rule), Some(more)) = (rule.as_object_mut(), more.as_object()) {
                rule.extend(more.clone());
            }
            rule
        };
        json!({
            "version": 1,
            "destinations": {
                "primary": {"bucket": self.backup(), "region": self.outputs["BackupRegion"]},
                "second": {"bucket": self.backup(), "region": self.outputs["BackupRegion"], "prefix": "second/"},
                "nowhere": {"bucket": "no-such-bucket-at-all", "region": self.outputs["BackupRegion"]},
            },
            "rules": [
                rule("skip", &[], json!({})),
                rule("read", &["primary"], json!({"verify": "read"})),
                rule("told", &["primary"], json!({"notify": "all"})),
                rule("two", &["primary", "second"], json!({})),
                rule("half", &["nowhere", "primary"], json!({})),
                {"name": "everything", "destinations": ["primary"]},
            ],
        })
        .to_string()
    }

    /// Puts a policy in force.
    pub fn put_policy(&self, document: &str) {
        let input = json!({"Name": self.outputs["PolicyParameter"], "Value": document, "Type": "String", "Overwrite": true});
        self.cloud
            .json(Service::Ssm, "PutParameter", &input)
            .expect("the policy is written");
    }

    /// Takes the policy away.
    pub fn delete_policy(&self) {
        let input = json!({"Name": self.outputs["PolicyParameter"]});
        self.cloud
            .json(Service::Ssm, "DeleteParameter", &input)
            .expect("the policy is gone");
    }

    /// Uploads an object and waits for its execution to end.
    pub fn upload(&self, key: &str, body: &[u8], headers: &[(&str, &str)]) -> Ended {
        let before = self.executions();
        self.cloud
            .put_object(self.source(), key, body, headers)
            .expect("the object is uploaded");
        self.ended(|| {
            let new = self.executions();
            new.difference(&before)
                .find(|arn| self.key_of(arn).as_deref() == Some(key))
                .cloned()
        })
    }

    /// Starts an execution with this input and waits for it to end.
    pub fn start_with(&self, input: &str) -> Ended {
        let start = json!({"stateMachineArn": self.outputs["StateMachineArn"], "input": input});
        let arn = self
            .cloud
            .json(Service::StepFunctions, "StartExecution", &start)
            .expect("it starts");
        let arn = arn["executionArn"].as_str().map(str::to_owned);
        self.ended(|| arn.clone())
    }

    /// The input that an execution was started with.
    pub fn input_of(&self, arn: &str) -> String {
        self.describe(arn)["input"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn executions(&self) -> BTreeSet<String> {
        let list = json!({"stateMachineArn": self.outputs["StateMachineArn"], "maxResults": 1000});
        let list = self
            .cloud
            .json(Service::StepFunctions, "ListExecutions", &list)
            .expect("executions");
        let arns = list["executions"].as_array().into_iter().flatten();
        arns.filter_map(|execution| execution["executionArn"].as_str().map(str::to_owned))
            .collect()
    }

    fn describe(&self, arn: &str) -> Value {
        let describe = json!({"executionArn": arn});
        self.cloud
            .json(Service::StepFunctions, "DescribeExecution", &describe)
            .expect("an execution")
    }

    fn key_of(&self, arn: &str) -> Option<String> {
        let input: Value = serde_json::from_str(&self.input_of(arn)).ok()?;
        input
            .pointer("/detail/object/key")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    fn ended(&self, find: impl Fn() -> Option<String>) -> Ended {
        let arn = wait("the execution starts", || {
            find().ok_or_else(|| "none is there".to_owned())
        });
        let described = wait("the execution ends", || {
            let described = self.describe(&arn);
            if described["status"] == "RUNNING" {
                Err(described.to_string())
            } else {
                Ok(described)
            }
        });
        let text = |name: &str| described[name].as_str().unwrap_or_default().to_owned();
        let history = json!({"executionArn": arn, "maxResults": 1000});
        let history = self
            .cloud
            .json(Service::StepFunctions, "GetExecutionHistory", &history)
            .expect("a history");
        let entered = history["events"].as_array().into_iter().flatten();
        let states = entered.filter_map(|event| {
            event["stateEnteredEventDetails"]["name"]
                .as_str()
                .map(str::to_owned)
        });
        Ended {
            status: text("status"),
            output: serde_json::from_str(&text("output")).unwrap_or_default(),
            error: text("error"),
            cause: serde_json::from_str(&text("cause")).unwrap_or_default(),
            states: states.collect(),
            arn,
        }
    }

    /// Calls one function as the state machine would.
    pub fn invoke(&self, function: &str, payload: &Value) -> Value {
        let arn = self.definition.split('"').find(|text| {
            text.contains(":function:") && text.contains(&format!("{function}Function"))
        });
        let name = arn
            .and_then(|arn| arn.rsplit(':').next())
            .expect("the function is in the definition");
        let url = format!(
            "{}/2015-03-31/functions/{name}/invocations",
            self.cloud.endpoint()
        );
        let mut answer = ureq::post(url)
            .send(payload.to_string())
            .expect("an answer");
        serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON")
    }

    /// The JSON lines that a function has logged.
    pub fn logged(&self, folder: &str) -> Vec<Value> {
        let filter =
            json!({"logGroupName": format!("/aws/lambda/{}-{folder}", backup_stack::STACK_NAME)});
        let mut answer = ureq::post(self.cloud.endpoint())
            .header("x-amz-target", "Logs_20140328.FilterLogEvents")
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0")
            .send(filter.to_string())
            .expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let lines = events.iter().filter_map(|event| event["message"].as_str());
        // The platform's own lines about an invocation are plain text here.
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Version ids of exactly this key, the newest first.
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<String> {
        let prefix = key.bytes().fold(String::new(), |mut encoded, byte| {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
            encoded
        });
        let url = format!(
            "{}/{bucket}?versions&prefix={prefix}",
            self.cloud.endpoint()
        );
        let mut answer = ureq::get(url).call().expect("a listing");
        let text = answer.body_mut().read_to_string().expect("text");
        let versions = text.split("<Version>").skip(1);
        versions
            .filter_map(|version| {
                version
                    .split("<VersionId>")
                    .nth(1)?
                    .split('<')
                    .next()
                    .map(str::to_owned)
            })
            .collect()
    }

    /// The object at the destination.
    pub fn copy_of(&self, key: &str) -> Object {
        self.cloud
            .get_object(self.backup(), key, None)
            .expect("there is a copy")
    }

    /// The catalog's items of a key.
    pub fn points(&self, key: &str) -> Vec<Value> {
        let query = json!({
            "TableName": self.outputs["CatalogTable"],
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": format!("{}/{key}", self.source())}},
        });
        let answer = self
            .cloud
            .json(Service::DynamoDb, "Query", &query)
            .expect("an answer");
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    /// Parked messages whose body contains `needle`, with their attributes.
    pub fn parked(&self, needle: &str) -> Vec<Value> {
        self.messages(&self.outputs["DeadLetterQueueUrl"], needle)
    }

    /// Notifications whose text contains `needle`, as SNS hands them to a queue.
    pub fn told(&self, needle: &str) -> Vec<Value> {
        self.messages(&self.inbox, needle)
    }

    /// Takes all that waits off the queue and keeps it, so that parallel tests hide nothing from
    /// each other.
    fn messages(&self, queue: &str, needle: &str) -> Vec<Value> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = taken.entry(queue.to_owned()).or_default();
        loop {
            let receive = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
            let answer = self
                .cloud
                .json(Service::Sqs, "ReceiveMessage", &receive)
                .expect("an answer");
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let delete = json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
                self.cloud
                    .json(Service::Sqs, "DeleteMessage", &delete)
                    .expect("it is taken off");
                kept.push(message);
            }
        }
        let has = |message: &&Value| {
            message["Body"]
                .as_str()
                .is_some_and(|body| body.contains(needle))
        };
        kept.iter().filter(has).cloned().collect()
    }
}

/// Waits a minute at most; what was seen last is in the failure.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                start.elapsed() < Duration::from_mins(1),
                "waited a minute until {what}; last seen: {seen}"
            ),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
