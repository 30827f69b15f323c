//! Questions to the deployed backup, and what only a test may do to it.

use std::collections::BTreeMap;
use std::fmt::Write;

use backup_stack::{Object, Service};
use serde_json::{Value, json};

use crate::{World, held};

/// Cause of what [`World::mock`] lets a state throw.
pub fn planned(state: &str) -> String {
    format!("planned in {state}")
}

impl World {
    /// Sets an option of the local stack, such as `stepfunctions._sfn_mock_config`.
    pub fn configure(&self, option: &str, value: &Value) {
        let url = format!("{}/_ministack/config", self.cloud.endpoint());
        let mut answer = ureq::post(url)
            .send(json!({option: value}).to_string())
            .expect("an answer");
        let applied = answer.body_mut().read_to_string().expect("text");
        assert!(applied.contains(option), "{applied}");
    }

    /// Plans throws: machine name, case, state, error. Cases add up; a case is started by its name.
    ///
    /// A planned throw is repeated at each retry of its state, and says so in its cause.
    pub fn mock(&self, machine: &str, cases: &[(String, BTreeMap<String, String>)]) {
        let mut mocked = held(&self.mocked);
        for (case, plan) in cases {
            for (state, error) in plan {
                let response = format!("{state} throws {error}");
                let throw = json!({"Throw": {"Error": error, "Cause": planned(state)}});
                mocked["MockedResponses"][&response] = json!({"0-999": throw});
                mocked["StateMachines"][machine]["TestCases"][case][state] = json!(response);
            }
        }
        self.configure("stepfunctions._sfn_mock_config", &mocked);
    }

    /// Makes a key one that has never been backed up: no points, no copies.
    pub fn forget(&self, key: &str) {
        self.forget_points(key);
        for version in self.versions(self.backup(), key) {
            self.objects
                .delete_object(self.backup(), key, Some(&version))
                .expect("the copy is gone");
        }
    }

    /// Calls one function as the state machine, or a rule, would.
    pub fn invoke(&self, function: &str, payload: &Value) -> Value {
        let name = self.function(function);
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
        let filter = json!({"logGroupName": self.log_group(folder)});
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

    /// The group whose name CloudFormation made.
    fn log_group(&self, folder: &str) -> String {
        let words = folder.split('-').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        let name = self.function(&words.collect::<String>());
        let endpoint = self.cloud.endpoint();
        let url = format!("{endpoint}/2015-03-31/functions/{name}/configuration");
        let mut answer = ureq::get(url).call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        let configuration: Value = serde_json::from_str(&text).expect("JSON");
        let group = configuration.pointer("/LoggingConfig/LogGroup");
        group
            .and_then(Value::as_str)
            .expect("a log group")
            .to_owned()
    }

    /// Version ids of exactly this key, the newest first.
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<String> {
        let text = self.listed(bucket, key);
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

    /// The listing of all versions that begin with this key.
    pub(crate) fn listed(&self, bucket: &str, key: &str) -> String {
        let prefix = key.bytes().fold(String::new(), |mut encoded, byte| {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
            encoded
        });
        let url = format!(
            "{}/{bucket}?versions&prefix={prefix}",
            self.objects.endpoint()
        );
        let mut answer = ureq::get(url).call().expect("a listing");
        answer.body_mut().read_to_string().expect("text")
    }

    /// How many delete markers exactly this key has.
    pub fn delete_markers(&self, bucket: &str, key: &str) -> usize {
        let text = self.listed(bucket, key);
        text.matches("<DeleteMarker>").count()
    }

    /// Gives the latest version of a key these tags, and no others.
    pub fn put_tags(&self, bucket: &str, key: &str, tags: &[(&str, &str)]) {
        let set = tags.iter().fold(String::new(), |set, (name, value)| {
            format!("{set}<Tag><Key>{name}</Key><Value>{value}</Value></Tag>")
        });
        let url = format!("{}/{bucket}/{key}?tagging", self.objects.endpoint());
        ureq::put(url)
            .send(format!("<Tagging><TagSet>{set}</TagSet></Tagging>"))
            .expect("it is tagged");
    }

    /// Lets a bucket encrypt with a KMS key by default, without a name with the one that AWS manages for S3.
    pub fn encrypt_bucket(&self, bucket: &str, key: Option<&str>) {
        let url = format!("{}/{bucket}?encryption", self.objects.endpoint());
        let key = key.map(|it| format!("<KMSMasterKeyID>{it}</KMSMasterKeyID>"));
        let rule = format!(
            "<SSEAlgorithm>aws:kms</SSEAlgorithm>{}",
            key.unwrap_or_default()
        );
        let rule = format!(
            "<Rule><ApplyServerSideEncryptionByDefault>{rule}</ApplyServerSideEncryptionByDefault></Rule>"
        );
        ureq::put(url)
            .send(format!(
                "<ServerSideEncryptionConfiguration>{rule}</ServerSideEncryptionConfiguration>"
            ))
            .expect("it is encrypted");
    }

    /// The tags of the latest version of a key.
    pub fn tags(&self, bucket: &str, key: &str) -> BTreeMap<String, String> {
        let url = format!("{}/{bucket}/{key}?tagging", self.objects.endpoint());
        let mut answer = ureq::get(url).call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        let tags = text.split("<Tag>").skip(1);
        tags.filter_map(|tag| {
            let name = tag.split("<Key>").nth(1)?.split('<').next()?;
            let value = tag.split("<Value>").nth(1)?.split('<').next()?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
    }

    /// Puts an annotation on the latest version at the source.
    pub fn annotate(&self, key: &str, name: &str, text: &str) {
        let url = format!(
            "{}/{}/{key}?annotation&annotationName={name}",
            self.objects.endpoint(),
            self.source()
        );
        ureq::put(url).send(text).expect("it is annotated");
    }

    /// An annotation of the latest copy.
    pub fn annotation(&self, key: &str, name: &str) -> Option<String> {
        let url = format!(
            "{}/{}/{key}?annotation&annotationName={name}",
            self.objects.endpoint(),
            self.backup()
        );
        let mut answer = ureq::get(url).call().ok()?;
        answer.body_mut().read_to_string().ok()
    }

    /// Keys of the multipart uploads under way at the destination.
    pub fn uploads(&self) -> Vec<String> {
        let url = format!("{}/{}?uploads", self.objects.endpoint(), self.backup());
        let mut answer = ureq::get(url).call().expect("a listing");
        let text = answer.body_mut().read_to_string().expect("text");
        let keys = text.split("<Upload>").skip(1);
        keys.filter_map(|upload| {
            let key = upload.split("<Key>").nth(1)?.split('<').next()?;
            Some(key.to_owned())
        })
        .collect()
    }

    /// The object at the destination.
    pub fn copy_of(&self, key: &str) -> Object {
        self.objects
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
        let mut taken = held(&self.taken);
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
