//! A world of its own for redrives: each takes up all that failed, and would take up what other tests
//! have let fail.

use std::sync::{OnceLock, RwLockWriteGuard};

use backup_stack::Service;
use serde_json::{Value, json};

use crate::world::wait;
use crate::{Ended, Fault, Proxy, World};

impl World {
    /// The one of this process whose failures are redriven. Tests have it one after another, and each
    /// finds no failure of another.
    pub fn redriven() -> (&'static Self, RwLockWriteGuard<'static, ()>) {
        static WORLD: OnceLock<World> = OnceLock::new();
        let world = WORLD.get_or_init(|| {
            let proxy = Proxy::start().expect("a proxy");
            let by_hand = [("RedriveMinutes", "0"), ("SweepMinutes", "60")];
            let world = Self::start_with_parts(proxy, &by_hand, None);
            world.expect("the local stack starts and the template deploys")
        });
        // A test that failed has spoilt nothing but its own keys.
        let alone = world.policy.write();
        let alone = alone.unwrap_or_else(std::sync::PoisonError::into_inner);
        world.proxy.mend();
        world.deliver_status(true);
        world.forget_failures();
        (world, alone)
    }

    /// Forgets what other tests have let fail, and what is parked of it.
    pub fn forget_failures(&self) {
        let queue = json!({"QueueUrl": self.outputs["DeadLetterQueueUrl"]});
        let purged = self.cloud.json(Service::Sqs, "PurgeQueue", &queue);
        purged.expect("what others have parked is gone");
        for point in self.failed_points() {
            self.forget_item(&point);
        }
    }

    fn failed_points(&self) -> Vec<Value> {
        let scan = json!({"TableName": self.outputs["CatalogTable"], "IndexName": "by-failed"});
        let answer = self.cloud.json(Service::DynamoDb, "Scan", &scan);
        let answer = answer.expect("an answer");
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    /// Runs a redrive as its rule does.
    pub fn redrive_all(&self) -> Value {
        self.redrive(&json!({}))
    }

    /// Runs a redrive as an operator does.
    pub fn redrive(&self, request: &Value) -> Value {
        self.invoke("Redrive", request)
    }

    /// Uploads an object whose copies to keys that contain `refused` are denied once.
    pub fn upload_refused(&self, key: &str, refused: &str) -> Ended {
        let denied = Fault::Error(403, "AccessDenied");
        self.proxy.fail("CopyObject", refused, denied, 1);
        let ended = self.upload(key, format!("content of {key}").as_bytes(), &[]);
        assert_eq!(ended.error, "BackupFailed", "{ended:?}");
        ended
    }

    /// Makes the one point of a backed-up key one that has failed so often.
    pub fn make_failed(&self, key: &str, attempts: u32) {
        let mut point = self.points(key).remove(0);
        self.forget(key);
        point["status"] = json!({"S": "failed"});
        point["attempts"] = json!({"N": attempts.to_string()});
        point["failedAt"] = json!({"S": "2026-01-01T00:00:00Z"});
        point["error"] = json!({"S": "AccessDenied"});
        self.put_point(&point);
    }

    /// Puts a message into the dead-letter queue.
    pub fn send(&self, body: &str, attributes: &[(&str, &str)]) {
        let attributes = attributes.iter().map(|(name, value)| {
            let value = json!({"DataType": "String", "StringValue": value});
            ((*name).to_owned(), value)
        });
        let message = json!({
            "QueueUrl": self.outputs["DeadLetterQueueUrl"], "MessageBody": body,
            "MessageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
        });
        self.cloud
            .json(Service::Sqs, "SendMessage", &message)
            .expect("it is sent");
    }

    /// The executions of a key that a redrive has started, in any state; all have ended afterwards.
    pub fn redrives(&self, key: &str) -> Vec<Ended> {
        let redriven = self
            .executions()
            .into_iter()
            .filter(|arn| arn.contains(":redrive-") && self.key_of(arn).as_deref() == Some(key));
        redriven.map(|arn| self.finish(&arn)).collect()
    }

    /// Waits until nothing of the machine runs.
    pub fn is_quiet(&self) {
        wait("all executions have ended", || {
            let list = json!({"stateMachineArn": self.outputs["StateMachineArn"], "statusFilter": "RUNNING"});
            let list = self
                .cloud
                .json(Service::StepFunctions, "ListExecutions", &list)
                .expect("executions");
            match list["executions"].as_array().map_or(0, Vec::len) {
                0 => Ok(()),
                running => Err(format!("{running} run")),
            }
        });
    }
}
