//! The deployed backup, as a user and an auditor see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use backup_stack::{Cloud, Options, Outputs, Seaweed, Service, Silent, Stack, Toolchain};
use serde_json::{Value, json};

use crate::Proxy;
use crate::implied::{BACKUP_KEY, SOURCE_KEY};

/// Parameters of all worlds: sizes small enough to try both ways of copying, every message told by
/// itself, breakers that no test opens by the way, and roles as they are where buckets have keys of KMS.
const USUAL: [(&str, &str); 6] = [
    ("MultipartThresholdMiB", "8"),
    ("PartSizeMinMiB", "5"),
    ("DigestMinutes", "0"),
    ("BreakerFailures", "1000"),
    ("KmsKeyArns", SOURCE_KEY),
    ("BackupKmsKeyArn", BACKUP_KEY),
];

/// What waits shares the machine with what it waits for.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(50);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(400);
/// The latest executions come first, and no more start between two looks.
const EXECUTIONS_SEEN: u32 = 500;

/// One stack for the whole run; it ends with the process.
pub struct World {
    stack: Stack,
    /// The second S3 server, where the buckets are on it.
    pub seaweed: Option<Seaweed>,
    /// The stack's services.
    pub cloud: Cloud,
    /// S3 where the buckets are.
    pub objects: Cloud,
    /// Between the functions and the services.
    pub proxy: Proxy,
    /// Outputs of the deployed template.
    pub outputs: Outputs,
    /// Held for reading by every test, for writing by one that changes the policy.
    pub policy: RwLock<()>,
    /// The deployed definition, its substitutions filled in.
    pub definition: String,
    pub(crate) inbox: String,
    pub(crate) taken: Mutex<BTreeMap<String, Vec<Value>>>,
    pub(crate) mocked: Mutex<Value>,
    role: String,
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
    /// States entered, in order; those inside of Maps leave no such event on the local stack.
    pub states: Vec<String>,
    /// How many tasks were tried, those inside of Maps too.
    pub tasks: usize,
    /// Causes of the tries that failed, in order.
    pub failures: Vec<String>,
}

impl World {
    /// The one of this process; the first to ask starts it.
    pub fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD
            .get_or_init(|| Self::start().expect("the local stack starts and the template deploys"))
    }

    /// The one of this process whose buckets, `weed-source` (without versions), `weed-backup` and, to
    /// restore to, `weed-restored`, lie on SeaweedFS. It raises no events: see [`World::back_up`].
    pub fn on_seaweed() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            Self::start_on_seaweed("weed-source", &[])
                .expect("both servers start and the template deploys")
        })
    }

    /// The one of this process that gathers messages of one kind, as is usual.
    pub fn in_digests() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            Self::with_parameters(&[("DigestMinutes", "60"), ("SweepMinutes", "60")])
        })
    }

    pub(crate) fn start_on_seaweed(
        source: &str,
        more: &[(&str, &str)],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let seaweed = Seaweed::start(&Toolchain::ensure(&Silent)?, &Silent)?;
        let objects = seaweed.cloud();
        let restored = "weed-restored";
        for bucket in ["weed-source", "weed-versions", "weed-backup", restored] {
            objects.create_bucket(bucket)?;
        }
        objects.enable_versioning("weed-backup")?;
        objects.enable_versioning("weed-versions")?;
        let proxy = Proxy::start()?;
        proxy.forward_buckets("weed-", seaweed.endpoint());
        let backup = ("BackupBucketName", "weed-backup");
        let target = ("RestoreBucketNames", restored);
        let parameters = [&[("SourceBucketName", source), backup, target], more].concat();
        Self::start_with_parts(proxy, &parameters, Some((seaweed, objects)))
    }

    fn start() -> Result<Self, Box<dyn std::error::Error>> {
        Self::start_with_parts(Proxy::start()?, &[], None)
    }

    /// One of its own, with these parameters.
    pub fn with_parameters(parameters: &[(&str, &str)]) -> Self {
        let proxy = Proxy::start().expect("a proxy");
        Self::start_with_parts(proxy, parameters, None)
            .expect("the local stack starts and the template deploys")
    }

    /// One more of this process, with parameters of its own.
    ///
    /// # Errors
    /// When the local stack does not start or the template does not deploy.
    pub fn start_with_parts(
        proxy: Proxy,
        parameters: &[(&str, &str)],
        seaweed: Option<(Seaweed, Cloud)>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let options = Options {
            lambda_endpoint: Some(proxy.endpoint().to_owned()),
            wait_scale: Some(0.0),
            ..Options::default()
        };
        let stack = Stack::start(options)?;
        proxy.forward_to(stack.endpoint());
        // The last of a name counts.
        let mut all = BTreeMap::from(USUAL);
        all.extend(parameters.iter().copied());
        let all: Vec<_> = all.into_iter().collect();
        let outputs = stack.deploy(&all)?;
        let cloud = stack.cloud();
        let (seaweed, objects) = match seaweed {
            Some((seaweed, objects)) => (Some(seaweed), objects),
            None => (None, cloud.clone()),
        };
        let machine = json!({"stateMachineArn": outputs["StateMachineArn"]});
        let described = cloud.json(Service::StepFunctions, "DescribeStateMachine", &machine)?;
        let text = |name: &str| described[name].as_str().unwrap_or_default().to_owned();
        let (definition, role) = (text("definition"), text("roleArn"));
        let inbox = cloud.json(Service::Sqs, "CreateQueue", &json!({"QueueName": "inbox"}))?;
        let inbox = inbox["QueueUrl"].as_str().unwrap_or_default().to_owned();
        let subscription = [
            ("TopicArn", outputs["TopicArn"].as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", "arn:aws:sqs:us-east-1:000000000000:inbox"),
        ];
        cloud.query(Service::Sns, "Subscribe", &subscription)?;
        let world = Self {
            stack,
            seaweed,
            cloud,
            objects,
            proxy,
            outputs,
            policy: RwLock::default(),
            definition,
            inbox,
            taken: Mutex::default(),
            mocked: Mutex::new(json!({"StateMachines": {}, "MockedResponses": {}})),
            role,
        };
        world.put_policy(&world.usual_policy());
        Ok(world)
    }

    /// Deploys once more, with these parameters beside the tests' own; returns the new outputs.
    pub fn deploy_again(&self, parameters: &[(&str, &str)]) -> Outputs {
        let mut all = BTreeMap::from(USUAL);
        all.extend(parameters.iter().copied());
        let all: Vec<_> = all.into_iter().collect();
        self.stack.deploy(&all).expect("it is deployed again")
    }

    /// Bucket that is backed up.
    pub fn source(&self) -> &str {
        &self.outputs["SourceBucket"]
    }

    /// Bucket of the destination `primary`.
    pub fn backup(&self) -> &str {
        &self.outputs["BackupBucket"]
    }

    /// Uploads an object and waits for its execution to end.
    pub fn upload(&self, key: &str, body: &[u8], headers: &[(&str, &str)]) -> Ended {
        let mut others = self.executions();
        self.objects
            .put_object(self.source(), key, body, headers)
            .expect("the object is uploaded");
        self.ended(|| {
            let new = self.executions();
            let mut started = new.difference(&others);
            let own = started.find(|arn| self.key_of(arn).as_deref() == Some(key));
            let own = own.cloned();
            others.extend(new);
            own
        })
    }

    /// Uploads an object where no events are raised, and starts an execution with one of our own.
    pub fn back_up(&self, key: &str, body: &[u8], headers: &[(&str, &str)]) -> Ended {
        self.objects
            .put_object(self.source(), key, body, headers)
            .expect("the object is uploaded");
        self.start_with(&self.event_of(key))
    }

    /// Starts an execution with this input and waits for it to end.
    pub fn start_with(&self, input: &str) -> Ended {
        self.start_on(&self.outputs["StateMachineArn"], input)
    }

    /// The same under a mock case, see [`World::configure`].
    pub fn start_case(&self, input: &str, case: &str) -> Ended {
        self.start_on(
            &format!("{}#{case}", self.outputs["StateMachineArn"]),
            input,
        )
    }

    /// Makes a machine beside the deployed one, under its role; returns its ARN.
    pub fn create_machine(&self, name: &str, definition: &Value) -> String {
        let create =
            json!({"name": name, "definition": definition.to_string(), "roleArn": self.role});
        let created = self
            .cloud
            .json(Service::StepFunctions, "CreateStateMachine", &create)
            .expect("the machine is made");
        created["stateMachineArn"]
            .as_str()
            .expect("an ARN")
            .to_owned()
    }

    /// Starts an execution of any machine, `#` and a mock case behind its ARN where there is one,
    /// and waits for it to end.
    pub fn start_on(&self, machine: &str, input: &str) -> Ended {
        self.finish(&self.begin_on(machine, input))
    }

    /// Starts an execution with this input and hands back its ARN at once.
    pub fn begin(&self, input: &str) -> String {
        self.begin_on(&self.outputs["StateMachineArn"], input)
    }

    /// The same on any machine.
    pub fn begin_on(&self, machine: &str, input: &str) -> String {
        let start = json!({"stateMachineArn": machine, "input": input});
        let arn = self
            .cloud
            .json(Service::StepFunctions, "StartExecution", &start)
            .expect("it starts");
        arn["executionArn"].as_str().expect("an ARN").to_owned()
    }

    /// Waits for an execution to end.
    pub fn finish(&self, arn: &str) -> Ended {
        self.ended(|| Some(arn.to_owned()))
    }

    /// The input that an execution was started with.
    pub fn input_of(&self, arn: &str) -> String {
        self.describe(arn)["input"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn executions(&self) -> BTreeSet<String> {
        let list = json!({"stateMachineArn": self.outputs["StateMachineArn"], "maxResults": EXECUTIONS_SEEN});
        let list = self
            .cloud
            .json(Service::StepFunctions, "ListExecutions", &list)
            .expect("executions");
        let arns = list["executions"].as_array().into_iter().flatten();
        arns.filter_map(|execution| execution["executionArn"].as_str().map(str::to_owned))
            .collect()
    }

    pub(crate) fn describe(&self, arn: &str) -> Value {
        let describe = json!({"executionArn": arn});
        self.cloud
            .json(Service::StepFunctions, "DescribeExecution", &describe)
            .expect("an execution")
    }

    pub(crate) fn key_of(&self, arn: &str) -> Option<String> {
        let input: Value = serde_json::from_str(&self.input_of(arn)).ok()?;
        input
            .pointer("/detail/object/key")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    pub(crate) fn ended(&self, mut find: impl FnMut() -> Option<String>) -> Ended {
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
        let (mut states, mut tasks, mut failures) = (Vec::new(), 0, Vec::new());
        for event in history["events"].as_array().into_iter().flatten() {
            if let Some(name) = event["stateEnteredEventDetails"]["name"].as_str() {
                states.push(name.to_owned());
            } else if let Some(cause) = event["taskFailedEventDetails"]["cause"].as_str() {
                failures.push(cause.to_owned());
            }
            tasks += usize::from(event["type"] == "TaskScheduled");
        }
        self.every_call_is_tabled();
        Ended {
            status: text("status"),
            output: serde_json::from_str(&text("output")).unwrap_or_default(),
            error: text("error"),
            cause: serde_json::from_str(&text("cause")).unwrap_or_default(),
            states,
            tasks,
            failures,
            arn,
        }
    }
}

/// As S3 writes checksums.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Waits a minute at most, looks less and less often; what was seen last is in the failure.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let (start, mut pause) = (Instant::now(), LOOK_AGAIN_MIN);
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                start.elapsed() < Duration::from_mins(1),
                "waited a minute until {what}; last seen: {seen}"
            ),
        }
        std::thread::sleep(pause);
        pause = LOOK_AGAIN_MAX.min(pause * 3 / 2);
    }
}
