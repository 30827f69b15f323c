//! A world for restores: buckets to restore to, moments of the source, and what lies where.

use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use backup_stack::Service;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::world::wait;
use crate::{Ended, Proxy, World};

/// Bucket to restore to; it keeps versions.
pub const SCRATCH: &str = "restore-scratch";
/// Bucket to restore to that keeps none.
pub const UNVERSIONED: &str = "restore-unversioned";
/// Bucket that may be restored to, and is not there.
pub const NO_BUCKET: &str = "restore-nowhere";

/// Keys and their contents.
pub type Contents = BTreeMap<String, Vec<u8>>;

impl World {
    /// The one of this process that is restored from.
    pub fn restoring() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let targets = [SCRATCH, UNVERSIONED, NO_BUCKET].join(",");
            let parameters = [("RestoreBucketNames", targets.as_str())];
            let proxy = Proxy::start().expect("a proxy");
            let world = Self::start_with_parts(proxy, &parameters, None);
            let world = world.expect("the local stack starts and the template deploys");
            world.cloud.create_bucket(SCRATCH).expect("a bucket");
            world.cloud.create_bucket(UNVERSIONED).expect("a bucket");
            world.cloud.enable_versioning(SCRATCH).expect("versions");
            let mut policy: Value = serde_json::from_str(&world.usual_policy()).expect("JSON");
            policy["destinations"]["cold"] = json!({
                "bucket": world.backup(), "region": world.outputs["BackupRegion"],
                "prefix": "cold-copies/", "storageClass": "GLACIER",
            });
            let cold = json!({"name": "cold", "match": {"keys": {"include": ["cold/**"]}}, "destinations": ["cold"]});
            let rules = policy["rules"].as_array_mut().expect("rules");
            rules.insert(0, cold);
            world.put_policy(&policy.to_string());
            // A look at archives takes a second or two: they are brought back in as many here.
            world.configure("stepfunctions._SFN_WAIT_SCALE", &json!(0.0003));
            world
        })
    }

    /// For a test that breaks no call.
    pub fn among_others(&self) -> RwLockReadGuard<'_, ()> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a test that breaks calls, and mends them.
    pub fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        let alone = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        self.proxy.mend();
        alone
    }

    /// Runs a restore to its end.
    pub fn restore(&self, input: &Value) -> Ended {
        self.start_on(&self.outputs["RestoreStateMachineArn"], &input.to_string())
    }

    /// Makes many changes to the source, and waits until all of them are backed up or recorded.
    /// `None` deletes.
    pub fn change(&self, changes: &[(String, Option<Vec<u8>>)]) {
        let mut open = Vec::new();
        for (key, body) in changes {
            let source = self.source();
            let mark = if let Some(body) = body {
                let done = self.objects.put_object(source, key, body, &[]);
                let done = done.expect("the source takes it");
                done.version_id()
                    .expect("the source keeps versions")
                    .to_owned()
            } else {
                let done = self.objects.delete_object(source, key, None);
                done.expect("the source takes it");
                "#deleted#".to_owned()
            };
            open.push((key, mark));
        }
        wait("every change is in the catalog", || {
            open.retain(|(key, mark)| !self.is_recorded(key, mark));
            match open.first() {
                None => Ok(()),
                Some(first) => Err(format!("{} are open, {first:?} the first", open.len())),
            }
        });
    }

    /// Whether a version, or as many deletions as the key has delete markers, have come to an end.
    fn is_recorded(&self, key: &str, mark: &str) -> bool {
        let points = self.points(key);
        let own = points.iter().filter(|point| {
            let sort = point["sk"]["S"].as_str().unwrap_or_default();
            sort.contains(mark) && point["status"]["S"] != "copying"
        });
        let wanted = if mark == "#deleted#" {
            self.delete_markers(self.source(), key)
        } else {
            1
        };
        own.count() >= wanted
    }

    /// A moment that all changes until now are in, and no later ones.
    pub fn moment(&self) -> String {
        let now = jiff::Timestamp::now();
        let second = jiff::Timestamp::from_second(now.as_second()).expect("a time");
        std::thread::sleep(Duration::from_millis(1100));
        second.to_string()
    }

    /// What a bucket shows under a prefix: keys without it, with their contents.
    pub fn contents(&self, bucket: &str, prefix: &str) -> Contents {
        let mut found = Contents::new();
        let mut token = String::new();
        let encoded = utf8_percent_encode(prefix, NON_ALPHANUMERIC);
        loop {
            let url = format!(
                "{}/{bucket}?list-type=2&encoding-type=url&prefix={encoded}{token}",
                self.objects.endpoint()
            );
            let mut answer = ureq::get(url).call().expect("a listing");
            let text = answer.body_mut().read_to_string().expect("text");
            for entry in text.split("<Contents>").skip(1) {
                let key = between(entry, "<Key>", "</Key>").expect("a key");
                let key = key.replace('+', " ");
                let key = percent_decode_str(&key).decode_utf8().expect("a key");
                let object = self.objects.get_object(bucket, &key, None);
                let body = object.expect("it is listed").body;
                let key = key.strip_prefix(prefix).expect("under the prefix");
                found.insert(key.to_owned(), body);
            }
            match between(&text, "<NextContinuationToken>", "</NextContinuationToken>") {
                Some(next) => {
                    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
                    token = format!("&continuation-token={next}");
                }
                None => return found,
            }
        }
    }

    /// Takes all points of keys with this prefix out of the catalog.
    pub fn empty_catalog(&self, prefix: &str) -> usize {
        let table = &self.outputs["CatalogTable"];
        let scan = json!({
            "TableName": table, "FilterExpression": "begins_with(pk, :pk)",
            "ExpressionAttributeValues": {":pk": {"S": format!("{}/{prefix}", self.source())}},
        });
        let found = self.cloud.json(Service::DynamoDb, "Scan", &scan);
        let found = found.expect("a scan")["Items"].clone();
        let items = found.as_array().cloned().unwrap_or_default();
        for item in &items {
            let delete = json!({"TableName": table, "Key": {"pk": item["pk"], "sk": item["sk"]}});
            self.cloud
                .json(Service::DynamoDb, "DeleteItem", &delete)
                .expect("it is gone");
        }
        items.len()
    }

    /// A document of the report bucket.
    pub fn document(&self, key: &str) -> String {
        let document = self
            .cloud
            .get_object(&self.outputs["ReportBucket"], key, None);
        String::from_utf8(document.expect("it is there").body).expect("text")
    }
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    text.split(begin).nth(1)?.split(end).next()
}
