//! What the lifecycle of the backup bucket does and tells, as S3 does it: nothing expires on the local
//! stack by itself.

use backup_stack::Service;
use serde_json::{Value, json};

use crate::World;
use crate::world::wait;

/// Days after which noncurrent copies expire in [`World::auditing`].
pub const RETAINED_DAYS: &str = "30";
/// When S3 says that something has expired.
pub const EXPIRED_AT: &str = "2026-11-12T00:00:00Z";

impl World {
    /// The event of an expiry of a backup version.
    pub fn expiry_of(&self, key: &str, version_id: &str) -> Value {
        let event = include_str!("../../../events/object-deleted-expired-version.json");
        self.lifecycle_event(event, key, version_id)
    }

    /// The event of a backup version's transition to GLACIER.
    pub fn transition_of(&self, key: &str, version_id: &str) -> Value {
        let event = include_str!("../../../events/object-storage-class-changed.json");
        self.lifecycle_event(event, key, version_id)
    }

    fn lifecycle_event(&self, event: &str, key: &str, version_id: &str) -> Value {
        let mut event: Value = serde_json::from_str(event).expect("JSON");
        event["time"] = json!(EXPIRED_AT);
        event["detail"]["bucket"]["name"] = json!(self.backup());
        event["detail"]["object"]["key"] = json!(key);
        event["detail"]["object"]["version-id"] = json!(version_id);
        event
    }

    /// Tells an event as EventBridge does: nobody but S3 may send one of S3's, so the rule is asked
    /// whether it would pass it on to its queue.
    pub fn tell_lifecycle(&self, event: &Value) {
        let mut whole = event.clone();
        for (field, value) in [
            ("version", "0"),
            ("account", "000000000000"),
            ("region", "us-east-1"),
        ] {
            whole[field] = json!(value);
        }
        let asked = json!({"EventPattern": self.lifecycle_pattern(), "Event": whole.to_string()});
        let answer = self.cloud.json(Service::Events, "TestEventPattern", &asked);
        if answer.expect("an answer")["Result"] == true {
            let queue = &self.outputs["FollowLifecycleQueueUrl"];
            let message = json!({"QueueUrl": queue, "MessageBody": whole.to_string()});
            let sent = self.cloud.json(Service::Sqs, "SendMessage", &message);
            sent.expect("the queue takes it");
        }
    }

    /// The pattern of the rule, as deployed.
    fn lifecycle_pattern(&self) -> Value {
        let rules = self.cloud.json(Service::Events, "ListRules", &json!({}));
        let rules = rules.expect("the rules");
        let rules = rules["Rules"].as_array().expect("a list");
        let mut own = rules.iter().filter(|rule| {
            let name = rule["Name"].as_str();
            name.is_some_and(|it| it.contains("FollowLifecycleRule"))
        });
        own.next().expect("the rule")["EventPattern"].clone()
    }

    /// Waits until all that was told has been followed.
    pub fn followed(&self) {
        let queue = &self.outputs["FollowLifecycleQueueUrl"];
        wait("the lifecycle's queue is empty", || {
            match self.queue_length(queue) {
                [0, 0] => Ok(()),
                length => Err(format!("{length:?}")),
            }
        });
    }

    /// A backup version expires: S3 removes it, and tells.
    pub fn expire(&self, key: &str, version_id: &str) {
        self.remove_copy(key, version_id);
        self.tell_lifecycle(&self.expiry_of(key, version_id));
    }

    /// Removes a backup version past the pipeline, which may not do so.
    pub fn remove_copy(&self, key: &str, version_id: &str) {
        let gone = self
            .objects
            .delete_object(self.backup(), key, Some(version_id));
        gone.expect("the copy is gone");
    }

    /// Two versions of a key, the older one's copy noncurrent for years and gone; no event told of it.
    /// Returns the version id of that copy.
    pub fn expired_long_ago(&self, key: &str) -> String {
        self.fill(&[key.to_owned()]);
        let copy = self.versions(self.backup(), key).remove(0);
        self.fill(&[key.to_owned()]);
        for mut point in self.points(key) {
            let older = point["backup"]["M"]["versionId"]["S"] == copy.as_str();
            let year = if older { "2020" } else { "2021" };
            for field in ["copiedAt", "verifiedAt", "endedAt"] {
                point[field] = json!({"S": format!("{year}-01-01T00:00:00Z")});
            }
            self.put_point(&point);
        }
        self.remove_copy(key, &copy);
        copy
    }

    /// The point whose recorded copy is, or was, this backup version.
    pub fn point_of_copy(&self, key: &str, version_id: &str) -> Value {
        let points = self.points(key);
        let mut own = points.iter().filter(|point| {
            let ids = point["promotions"]["L"].as_array().into_iter().flatten();
            let mut ids = ids.chain([&point["backup"]["M"]["versionId"]]);
            ids.any(|id| id["S"] == version_id)
        });
        own.next()
            .unwrap_or_else(|| panic!("no point has {version_id}: {points:?}"))
            .clone()
    }

    /// Waits until the point of a backup version has this status; returns it.
    pub fn copy_has_become(&self, key: &str, version_id: &str, status: &str) -> Value {
        wait(&format!("{key} is {status}"), || {
            let point = self.point_of_copy(key, version_id);
            if point["status"]["S"] == status {
                Ok(point)
            } else {
                Err(point["status"].to_string())
            }
        })
    }
}
