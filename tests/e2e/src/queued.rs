//! A world whose events wait in a queue: what is in it, and what the intake has done with it.

use std::sync::OnceLock;

use backup_stack::Service;
use serde_json::{Value, json};

use crate::world::wait;
use crate::{Proxy, World};

impl World {
    /// The one of this process with `Intake=QUEUED`. What goes back comes again at once.
    pub fn queued() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let proxy = Proxy::start().expect("a proxy");
            let queued = [
                ("Intake", "QUEUED"),
                ("IntakeConcurrency", "2"),
                ("SweepMinutes", "60"),
            ];
            let world = Self::start_with_parts(proxy, &queued, None);
            let world = world.expect("the local stack starts and the template deploys");
            let mut variables = world.configuration("Intake")["Environment"].clone();
            variables["Variables"]["RETRY_SECONDS"] = json!("0");
            world.set_configuration("Intake", &json!({"Environment": variables}));
            world
        })
    }

    /// How a function is configured, by its short name.
    pub fn configuration(&self, function: &str) -> Value {
        let url = self.configuration_url(function);
        let mut answer = ureq::get(url).call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Changes some of it.
    pub fn set_configuration(&self, function: &str, changed: &Value) {
        let url = self.configuration_url(function);
        let mut answer = ureq::put(url)
            .send(changed.to_string())
            .expect("it is changed");
        let text = answer.body_mut().read_to_string().expect("text");
        let now: Value = serde_json::from_str(&text).expect("JSON");
        for (field, value) in changed.as_object().into_iter().flatten() {
            assert_eq!(&now[field], value, "{text}");
        }
    }

    fn configuration_url(&self, function: &str) -> String {
        let name = self.function(function);
        let endpoint = self.cloud.endpoint();
        format!("{endpoint}/2015-03-31/functions/{name}/configuration")
    }

    /// Sends a message to the queue, as EventBridge does.
    pub fn enqueue(&self, body: &str) {
        let send = json!({"QueueUrl": self.outputs["IntakeQueueUrl"], "MessageBody": body});
        self.cloud
            .json(Service::Sqs, "SendMessage", &send)
            .expect("it is sent");
    }

    /// Sets how long a received message stays hidden, in seconds.
    pub fn set_visibility(&self, seconds: u32) {
        let set = json!({
            "QueueUrl": self.outputs["IntakeQueueUrl"],
            "Attributes": {"VisibilityTimeout": seconds.to_string()},
        });
        self.cloud
            .json(Service::Sqs, "SetQueueAttributes", &set)
            .expect("it is set");
    }

    /// Messages of the queue: those that wait, and those that are being worked on.
    pub fn queue_length(&self, url: &str) -> [u64; 2] {
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let get = json!({"QueueUrl": url, "AttributeNames": names});
        let answer = self
            .cloud
            .json(Service::Sqs, "GetQueueAttributes", &get)
            .expect("an answer");
        names.map(|name| {
            let text = answer["Attributes"][name].as_str().unwrap_or_default();
            text.parse().expect("a number")
        })
    }

    /// Waits until no message is left.
    pub fn drained(&self) {
        wait("the queue is empty", || {
            match self.queue_length(&self.outputs["IntakeQueueUrl"]) {
                [0, 0] => Ok(()),
                length => Err(format!("{length:?}")),
            }
        });
    }

    /// How often an event of this key was started: on the EXPRESS machine, and on the Standard one.
    pub fn starts(&self, key: &str) -> (usize, usize) {
        let calls = self.proxy.calls(key);
        let of = |operation: &str| {
            let calls = calls.iter();
            calls.filter(|call| call.operation == operation).count()
        };
        (of("StartSyncExecution"), of("StartExecution"))
    }
}
