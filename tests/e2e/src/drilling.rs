//! A world with drills, whose restores come in small slices.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::restoring::{Contents, SCRATCH};
use crate::{Ended, Proxy, World};

/// Objects of a line at most here; 100 as deployed.
pub const LINE_ITEMS: usize = 40;
/// Objects of a slice here, and items of a page of the catalog; 100,000 as deployed.
pub const SLICE_ITEMS: usize = 60;
/// Days from drill to drill.
pub const DRILL_DAYS: i64 = 7;

impl World {
    /// The one of this process that has drills. Nothing in it is broken, but by a test that has it
    /// [`World::alone`].
    pub fn drilling() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let days = DRILL_DAYS.to_string();
            let parameters = [
                ("RestoreBucketNames", SCRATCH),
                ("DrillDays", days.as_str()),
            ];
            let proxy = Proxy::start().expect("a proxy");
            let world = Self::start_with_parts(proxy, &parameters, None);
            let world = world.expect("the local stack starts and the template deploys");
            world.cloud.create_bucket(SCRATCH).expect("a bucket");
            world.cloud.enable_versioning(SCRATCH).expect("versions");
            let mut variables = world.configuration("PlanRestore")["Environment"].clone();
            variables["Variables"]["SLICE_ITEMS_MAX"] = json!(SLICE_ITEMS.to_string());
            variables["Variables"]["LINE_ITEMS_MAX"] = json!(LINE_ITEMS.to_string());
            world.set_configuration("PlanRestore", &json!({"Environment": variables}));
            world
        })
    }

    /// Runs a drill to its end.
    pub fn drill(&self, sample: &Value) -> Ended {
        self.restore(&json!({"sample": sample}))
    }

    /// What a drill has brought to the scratch bucket.
    pub fn drilled(&self, ended: &Ended) -> Contents {
        let prefix = ended.output["request"]["to"]["prefix"].as_str();
        let prefix = prefix.expect("it came to its end");
        self.contents(&self.outputs["DrillBucket"], prefix)
    }

    /// One line of the report for each object of a restore or drill, by key.
    pub fn reported(&self, folder: &str) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        for slice in 1.. {
            let key = format!("{folder}report/objects-{slice:05}.jsonl");
            let bucket = &self.outputs["ReportBucket"];
            let Ok(document) = self.cloud.get_object(bucket, &key, None) else {
                break;
            };
            for line in document.body.split(|byte| *byte == b'\n') {
                if let Ok(line) = serde_json::from_slice::<Value>(line) {
                    let key = line["key"].as_str().unwrap_or_default();
                    found.insert(key.to_owned(), line.clone());
                }
            }
        }
        found
    }

    /// The folder that the message of a restore names that did not bring back everything.
    pub fn folder_of(ended: &Ended) -> String {
        let said = ended.cause["message"].as_str().unwrap_or_default();
        let report = said.split("s3://").nth(1).unwrap_or_default();
        let key = report.split_once('/').map_or("", |(_, key)| key);
        key.split("report/").next().unwrap_or_default().to_owned()
    }

    /// How often each key below `prefix` of a bucket was copied to, by asking.
    pub fn copies_to(&self, prefix: &str) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for call in self.proxy.calls(prefix) {
            let path = call.request.split([' ', '?']).nth(1).unwrap_or_default();
            if call.operation == "CopyObject" && path.contains(prefix) {
                *found.entry(path.to_owned()).or_default() += 1;
            }
        }
        found
    }
}
