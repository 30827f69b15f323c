//! A world for backfills: its source was filled before anybody watched it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::inventoried::INVENTORIES;
use crate::{Ended, Proxy, World};

/// A version or delete marker at the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// Key.
    pub key: String,
    /// Version id.
    pub id: String,
    /// Content; `None` of a delete marker.
    pub body: Option<Vec<u8>>,
}

impl World {
    /// The one of this process that is backfilled. No upload starts anything; each test has a prefix of
    /// its own.
    pub fn backfilling() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let proxy = Proxy::start().expect("a proxy");
            let parameters = [
                ("SweepMinutes", "60"),
                ("AuditSchedule", ""),
                ("BackfillConcurrency", "4"),
                ("InventoryBucketNames", INVENTORIES),
            ];
            let world = Self::start_with_parts(proxy, &parameters, None);
            let world = world.expect("the local stack starts and the template deploys");
            world.cloud.create_bucket(INVENTORIES).expect("a bucket");
            world.deliver_uploads(false);
            // The quarter of an hour after which functions are dead takes longer than a function in a hurry lives.
            world.configure("stepfunctions._SFN_WAIT_SCALE", &json!(0.01));
            // A destination without a bucket would leave something out of every backfill.
            let mut policy: Value = serde_json::from_str(&world.usual_policy()).expect("JSON");
            let rules = policy["rules"].as_array_mut().expect("rules");
            rules.retain(|rule| rule["name"] != "half");
            world.put_policy(&policy.to_string());
            world
        })
    }

    /// Runs a backfill to its end.
    pub fn backfill(&self, input: &Value) -> Ended {
        self.finish(&self.begin_backfill(input))
    }

    /// Starts a backfill; returns the ARN of its execution.
    pub fn begin_backfill(&self, input: &Value) -> String {
        self.begin_on(&self.outputs["BackfillStateMachineArn"], &input.to_string())
    }

    /// Puts a version.
    pub fn lay(&self, key: &str, body: &[u8]) -> There {
        let put = self.objects.put_object(self.source(), key, body, &[]);
        let put = put.expect("the source takes it");
        There {
            key: key.to_owned(),
            id: put.version_id().unwrap_or("null").to_owned(),
            body: Some(body.to_vec()),
        }
    }

    /// Hides a key behind a delete marker.
    pub fn hide(&self, key: &str) -> There {
        let deleted = self.objects.delete_object(self.source(), key, None);
        let deleted = deleted.expect("the source takes it");
        There {
            key: key.to_owned(),
            id: deleted.version_id().unwrap_or_default().to_owned(),
            body: None,
        }
    }

    /// Objects of one version each.
    pub fn lay_many(&self, prefix: &str, objects: usize) -> Vec<There> {
        let key = |number: usize| format!("{prefix}{:02}/object {number:05}", number % 7);
        let numbers = 0..objects;
        numbers
            .map(|number| self.lay(&key(number), format!("content of {number}").as_bytes()))
            .collect()
    }

    /// That every version is in the backup once, byte for byte, and every delete marker recorded.
    pub fn check_backfilled(&self, there: &[There]) {
        let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
        for version in there {
            let points = self.points(&version.key);
            let own = points.iter().find(|point| {
                let sort = point["sk"]["S"].as_str().unwrap_or_default();
                sort.starts_with("primary#") && sort.ends_with(&format!("#{}", version.id))
            });
            let point = own.unwrap_or_else(|| panic!("no point of {version:?}: {points:#?}"));
            let Some(body) = &version.body else {
                assert_eq!(point["status"]["S"], "deleted", "{point:#}");
                continue;
            };
            assert_eq!(point["status"]["S"], "stored", "{point:#}");
            let copy = point["backup"]["M"]["versionId"]["S"].as_str();
            let found = self.objects.get_object(self.backup(), &version.key, copy);
            assert_eq!(found.expect("a copy").body, *body, "{:?}", version.key);
            *copies.entry(&version.key).or_default() += 1;
        }
        for (key, wanted) in copies {
            let found = self.versions(self.backup(), key);
            assert_eq!(found.len(), wanted, "copies of {key:?}: {found:?}");
        }
    }

    /// Notes since when events are watched, as the first measurement of the lag does.
    pub fn watched_since(&self, since: Option<jiff::Timestamp>) {
        let mut item = json!({
            "pk": {"S": "lag"}, "sk": {"S": format!("watched#{}", self.source())},
        });
        self.forget_item(&item);
        if let Some(since) = since {
            item["since"] = json!({"S": since.to_string()});
            self.put_point(&item);
        }
    }

    /// All recovery points.
    pub fn all_points(&self) -> Vec<Value> {
        let scan = json!({
            "TableName": self.outputs["CatalogTable"], "ConsistentRead": true,
            "FilterExpression": "begins_with(pk, :pk) AND attribute_exists(destination)",
            "ExpressionAttributeValues": {":pk": {"S": format!("{}/", self.source())}},
        });
        let answer = self
            .cloud
            .json(backup_stack::Service::DynamoDb, "Scan", &scan);
        let answer = answer.expect("an answer");
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    /// Calls that the backfill's own functions made, by operation.
    pub fn backfill_calls(&self, function: &str, needle: &str) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.proxy.calls(needle) {
            if call
                .caller()
                .is_some_and(|caller| caller.contains(function))
            {
                *calls.entry(call.operation).or_default() += 1;
            }
        }
        calls
    }
}

/// Counts of an execution's output or of its report.
pub fn done(world: &World, ended: &Ended) -> Value {
    if ended.status == "SUCCEEDED" {
        return ended.output["done"].clone();
    }
    let run = ended.arn.rsplit(':').next().unwrap_or_default();
    let report = world.document(&format!("backfills/{run}/report/report.json"));
    serde_json::from_str::<Value>(&report).expect("JSON")["done"].clone()
}

/// The input that goes on with the run of an execution.
pub fn resume(execution: &str) -> Value {
    let run = execution.rsplit(':').next().unwrap_or_default();
    json!({"resume": run})
}
