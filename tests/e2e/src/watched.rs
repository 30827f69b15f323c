//! A world of its own for watcher and sweep: a sweep takes up every death that it finds, and would
//! take up those of other tests.

use std::collections::BTreeMap;
use std::sync::{OnceLock, RwLockWriteGuard};

use backup_stack::Service;
use serde_json::{Value, json};

use crate::world::wait;
use crate::{Fault, Proxy, World};

/// A call that is held so long: enough to stop an execution meanwhile.
const HELD_MS: u64 = 1500;

impl World {
    /// The one of this process whose dead executions are swept. Tests have it one after another.
    pub fn watched() -> (&'static Self, RwLockWriteGuard<'static, ()>) {
        static WORLD: OnceLock<World> = OnceLock::new();
        let world = WORLD.get_or_init(|| {
            let proxy = Proxy::start().expect("a proxy");
            let seldom = [("SweepMinutes", "60")];
            let world = Self::start_with_parts(proxy, &seldom, None);
            world.expect("the local stack starts and the template deploys")
        });
        // A test that failed has spoilt nothing but its own keys.
        let alone = world.policy.write();
        let alone = alone.unwrap_or_else(std::sync::PoisonError::into_inner);
        world.proxy.mend();
        world.deliver_status(true);
        (world, alone)
    }

    /// The deployed function of this short name, such as `Copy`.
    pub fn function(&self, name: &str) -> String {
        let url = format!("{}/2015-03-31/functions/", self.cloud.endpoint());
        let mut answer = ureq::get(url).call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let functions = list["Functions"].as_array().into_iter().flatten();
        functions
            .filter_map(|function| function["FunctionName"].as_str())
            .find(|found| found.contains(&format!("-{name}Function")))
            .expect("the function is deployed")
            .to_owned()
    }

    /// Whether status changes of executions reach the watcher.
    pub fn deliver_status(&self, delivered: bool) {
        self.switch("WatcherRule", delivered);
    }

    /// Whether events of the source start executions.
    pub fn deliver_uploads(&self, delivered: bool) {
        self.switch("SourceRule", delivered);
    }

    fn switch(&self, rule: &str, delivered: bool) {
        let rules = self.events("ListRules", &json!({}));
        let rules = rules["Rules"].as_array().into_iter().flatten();
        let rule = rules
            .filter_map(|found| found["Name"].as_str())
            .find(|name| name.contains(rule))
            .expect("the rule is deployed");
        let action = if delivered {
            "EnableRule"
        } else {
            "DisableRule"
        };
        self.events(action, &json!({"Name": rule}));
    }

    /// A rule of this name, as it is deployed, with its targets.
    pub fn rule(&self, name: &str) -> Value {
        let rules = self.events("ListRules", &json!({}));
        let rules = rules["Rules"].as_array().into_iter().flatten();
        let is_it = |rule: &&Value| rule["Name"].as_str().is_some_and(|it| it.contains(name));
        let mut rule = rules
            .into_iter()
            .find(is_it)
            .expect("it is deployed")
            .clone();
        let targets = self.events("ListTargetsByRule", &json!({"Rule": rule["Name"]}));
        rule["Targets"] = targets["Targets"].clone();
        rule
    }

    fn events(&self, action: &str, input: &Value) -> Value {
        let mut answer = ureq::post(self.cloud.endpoint())
            .header("x-amz-target", format!("AWSEvents.{action}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/events/aws4_request, SignedHeaders=host, Signature=0")
            .send(input.to_string())
            .expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Hands the watcher the status change of an execution, as its rule does.
    pub fn watch(&self, execution: &str) -> Value {
        self.invoke("Watcher", &json!({"detail": {"executionArn": execution}}))
    }

    /// Runs the sweep, as its rule does.
    pub fn sweep(&self) -> Value {
        self.invoke("Sweep", &json!({"detail-type": "Scheduled Event"}))
    }

    /// An execution that is stopped while it copies this key for the first time: its ARN and input.
    ///
    /// On the local stack the iterations of a Map run on after a stop: planned throws keep them from
    /// what a stopped one cannot do either.
    pub fn stopped_in_the_middle(&self, key: &str) -> (String, String) {
        let first = self.upload(key, b"in the middle", &[]);
        self.forget(key);
        let input = self.input_of(&first.arn);
        let plan: BTreeMap<_, _> = ["Verify", "RecordFailure", "Park"]
            .map(|state| (state.to_owned(), "Stopped".to_owned()))
            .into();
        let machine = &self.outputs["StateMachineArn"];
        let machine = machine.rsplit(':').next().unwrap_or_default();
        self.mock(machine, &[("stopped".to_owned(), plan)]);
        let held = Fault::HoldMs(HELD_MS);
        let before = self.copies_asked(key);
        self.proxy.fail("CopyObject", key, held, 1);
        let dead = self.begin_case(&input, "stopped");
        wait("the copy is under way", || {
            let asked = self.copies_asked(key);
            if asked > before {
                Ok(())
            } else {
                Err(format!("{asked} copies"))
            }
        });
        self.stop(&dead);
        (dead, input)
    }

    /// How often a copy of this key was asked for.
    pub fn copies_asked(&self, key: &str) -> usize {
        let calls = self.proxy.calls(key);
        let copies = calls.iter().filter(|call| call.operation == "CopyObject");
        copies.count()
    }

    /// Makes the one point of a backed-up key one that an execution was copying which nobody knows.
    pub fn orphan(&self, key: &str, attempts: u32) {
        let mut point = self.points(key).remove(0);
        self.forget(key);
        point["status"] = json!({"S": "copying"});
        point["owner"] = json!({"S": format!("{}:nobody-{key}@2026-01-01T00:00:00Z", self.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:"))});
        point["until"] = json!({"S": "2999-01-01T00:00:00Z"});
        point["attempts"] = json!({"N": attempts.to_string()});
        // What is being copied stands in the index of open points, in any of its partitions.
        point["open"] = json!({"S": "primary#0"});
        point["openSince"] = point["eventAt"].clone();
        self.put_point(&point);
    }

    /// Writes an item of the catalog as it is.
    pub fn put_point(&self, point: &Value) {
        let put = json!({"TableName": self.outputs["CatalogTable"], "Item": point});
        self.cloud
            .json(Service::DynamoDb, "PutItem", &put)
            .expect("it is written");
    }

    /// The breaker of a destination, as plain JSON; `None` where it never counted a failure.
    pub fn breaker(&self, destination: &str) -> Option<Value> {
        let item = self.breaker_item(destination);
        (!item.is_null()).then(|| plain(&json!({"M": item})))
    }

    /// Changes the item of a breaker.
    pub fn change_breaker(&self, destination: &str, change: impl FnOnce(&mut Value)) {
        let mut item = self.breaker_item(destination);
        change(&mut item);
        self.put_point(&item);
    }

    fn breaker_item(&self, destination: &str) -> Value {
        let key = json!({"pk": {"S": "breaker"}, "sk": {"S": destination}});
        let get = json!({"TableName": self.outputs["CatalogTable"], "Key": key});
        let answer = self.cloud.json(Service::DynamoDb, "GetItem", &get);
        answer.expect("an answer")["Item"].clone()
    }

    /// The executions of a key that a sweep has started, in any state.
    pub fn restarts(&self, key: &str) -> Vec<String> {
        self.started_by("sweep", key)
    }

    /// The executions of a key whose names begin with their starter, in any state.
    pub fn started_by(&self, starter: &str, key: &str) -> Vec<String> {
        let starter = format!(":{starter}-");
        let mut executions = Vec::from_iter(self.executions());
        executions.retain(|arn| arn.contains(&starter) && self.key_of(arn).as_deref() == Some(key));
        executions
    }

    /// Waits until the one point of a key has this status; returns it.
    pub fn has_become(&self, key: &str, status: &str) -> Value {
        wait(&format!("{key} is {status}"), || {
            let points = self.points(key);
            let [point] = &points[..] else {
                return Err(format!("{points:?}"));
            };
            if point["status"]["S"] == status {
                Ok(point.clone())
            } else {
                Err(point.to_string())
            }
        })
    }
}

/// An attribute value as JSON.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|it| it.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "M" => {
            let fields = inner.as_object().into_iter().flatten();
            fields
                .map(|(name, field)| (name.clone(), plain(field)))
                .collect()
        }
        "L" => inner.as_array().into_iter().flatten().map(plain).collect(),
        "N" => inner.as_str().and_then(|it| it.parse::<i64>().ok()).into(),
        _ => inner.clone(),
    }
}
