//! A world for audits: differences of every kind can be seeded into it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use backup_stack::{Object, Silent, Toolchain};
use serde_json::{Value, json};

use crate::inventoried::INVENTORIES;
use crate::{Ended, Proxy, World};

/// A moment at which every lease has run out.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// What an audit came to.
#[derive(Debug)]
pub struct Audit {
    /// Its execution.
    pub ended: Ended,
    /// Its findings, in the order of the report.
    pub findings: Vec<Value>,
    /// `report.json`.
    pub summary: Value,
    /// `report.md`.
    pub page: String,
}

impl Audit {
    /// Findings as key and kind.
    pub fn found(&self) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for finding in &self.findings {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            found.entry(text("key")).or_default().push(text("finding"));
        }
        found
    }

    /// The verdict.
    pub fn verdict(&self) -> &str {
        self.ended.output["verdict"].as_str().unwrap_or_default()
    }
}

impl World {
    /// The one of this process that is audited. Each test has a prefix of its own.
    pub fn auditing() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let proxy = Proxy::start().expect("a proxy");
            Self::start_auditing(proxy)
        })
    }

    pub(crate) fn start_auditing(proxy: Proxy) -> Self {
        let seldom = [
            ("SweepMinutes", "60"),
            ("InventoryBucketNames", INVENTORIES),
        ];
        let world = Self::start_with_parts(proxy, &seldom, None);
        let world = world.expect("the local stack starts and the template deploys");
        let made = world.cloud.create_bucket(INVENTORIES);
        made.expect("there is a bucket for inventories");
        // A destination without a bucket would end every audit.
        let mut policy: Value = serde_json::from_str(&world.usual_policy()).expect("JSON");
        let destinations = policy["destinations"]
            .as_object_mut()
            .expect("destinations");
        destinations.remove("nowhere");
        let rules = policy["rules"].as_array_mut().expect("rules");
        rules.retain(|rule| rule["name"] != "half");
        let unwanted = json!({"keys": {"include": ["**/*.tmp"]}});
        let unwanted = json!({"name": "tmp", "match": unwanted, "destinations": []});
        rules.insert(0, unwanted);
        world.put_policy(&policy.to_string());
        world
    }

    /// Runs an audit of the keys with this prefix to its end; nothing is too young for it.
    pub fn audit(&self, prefix: &str, more: &Value) -> Audit {
        let mut input = json!({"prefix": prefix, "graceSeconds": 0});
        if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
            input.extend(more.clone());
        }
        let machine = &self.outputs["AuditStateMachineArn"];
        self.audited(self.start_on(machine, &input.to_string()))
    }

    /// Reads what an audit that has ended left behind.
    pub fn audited(&self, ended: Ended) -> Audit {
        let name = ended.arn.rsplit(':').next().unwrap_or_default().to_owned();
        let run = ended.output["run"].as_str().map_or(name, str::to_owned);
        let folder = format!("audits/{run}");
        let summary: Value =
            serde_json::from_str(&self.document(&format!("{folder}/report.json"))).expect("JSON");
        let mut findings = Vec::new();
        for part in 1..=summary["parts"].as_u64().expect("parts") {
            let lines = self.document(&format!("{folder}/findings/{part:06}.jsonl"));
            let lines = lines
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"));
            findings.extend(lines);
        }
        Audit {
            page: self.document(&format!("{folder}/report.md")),
            ended,
            findings,
            summary,
        }
    }

    /// Uploads objects and waits until all of them are backed up.
    pub fn fill(&self, keys: &[String]) {
        let changes: Vec<_> = keys
            .iter()
            .map(|key| (key.clone(), Some(format!("content of {key}").into_bytes())))
            .collect();
        self.change(&changes);
    }

    /// Puts objects like one that is backed up into source, backup and catalog, past the pipeline, which
    /// would take minutes for thousands. Its content is that of all; keys have one length.
    pub fn fill_like(&self, first: &str, keys: &[String]) {
        let [point] = &self.points(first)[..] else {
            panic!("one point of {first}");
        };
        let id_of = |bucket: &str| self.versions(bucket, first).remove(0);
        let (source_id, backup_id) = (id_of(self.source()), id_of(self.backup()));
        let copy = self.copy_of(first);
        let (point, marker) = (point.to_string(), marker_of(&copy));
        let one = |key: &String| {
            let put = self.objects.put_object(self.source(), key, &copy.body, &[]);
            let put = put.expect("the source takes it");
            let id = put.version_id().expect("the source keeps versions");
            let marker: Vec<_> = marker
                .iter()
                .map(|(name, value)| (name.as_str(), value.replace(&source_id, id)))
                .collect();
            let marker: Vec<_> = marker.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let copied = self.put_copy(key, &copy.body, &marker);
            let point = point
                .replace(first, key)
                .replace(&source_id, id)
                .replace(&backup_id, &copied);
            self.put_point(&serde_json::from_str(&point).expect("JSON"));
        };
        std::thread::scope(|scope| {
            for keys in keys.chunks(keys.len().div_ceil(4).max(1)) {
                scope.spawn(move || keys.iter().for_each(one));
            }
        });
    }

    /// Takes the points of a key out of the catalog; its copies stay.
    pub fn forget_points(&self, key: &str) {
        for point in self.points(key) {
            let delete = json!({"TableName": self.outputs["CatalogTable"], "Key": {"pk": point["pk"], "sk": point["sk"]}});
            self.cloud
                .json(backup_stack::Service::DynamoDb, "DeleteItem", &delete)
                .expect("it is gone");
        }
    }

    /// Changes the one point of a key.
    pub fn edit_point(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let points = self.points(key);
        let [point] = &points[..] else {
            panic!("one point of {key}: {points:?}");
        };
        let mut point = point.clone();
        change(&mut point);
        self.put_point(&point);
    }

    /// Makes the point of a key one of an execution that has left it in this state.
    pub fn leave(&self, key: &str, status: &str) {
        let copies = self.versions(self.backup(), key);
        self.edit_point(key, |point| {
            point["status"] = json!({"S": status});
            point["until"] = json!({"S": LONG_AGO});
            for field in ["backup", "evidence", "endedAt", "day"] {
                point.as_object_mut().expect("an item").remove(field);
            }
        });
        for copy in copies {
            let gone = self.objects.delete_object(self.backup(), key, Some(&copy));
            gone.expect("the copy is gone");
        }
    }

    /// Puts other bytes in the place of a copy, unnoticed by the catalog.
    pub fn replace_copy(&self, key: &str, body: &[u8]) {
        let old = self.versions(self.backup(), key);
        let id = self.put_copy(key, body, &[]);
        self.edit_point(key, |point| {
            point["backup"]["M"]["versionId"] = json!({"S": id});
        });
        for copy in old {
            let gone = self.objects.delete_object(self.backup(), key, Some(&copy));
            gone.expect("the copy is gone");
        }
    }

    /// Writes to the backup past the pipeline; returns the version id.
    pub fn put_copy(&self, key: &str, body: &[u8], headers: &[(&str, &str)]) -> String {
        let put = self.objects.put_object(self.backup(), key, body, headers);
        let put = put.expect("the backup takes it");
        put.version_id().expect("it keeps versions").to_owned()
    }

    /// The latest copy, with its marker, once more.
    pub fn put_copy_again(&self, key: &str) -> String {
        let copy = self
            .objects
            .get_object(self.backup(), key, None)
            .expect("a copy");
        let marker = marker_of(&copy);
        let marker: Vec<_> = marker
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        self.put_copy(key, &copy.body, &marker)
    }

    /// Begins a multipart upload at the backup that nobody will end.
    pub fn begin_upload(&self, key: &str) {
        let url = format!(
            "{}/{}/{key}?uploads",
            self.objects.endpoint(),
            self.backup()
        );
        ureq::post(url).send_empty().expect("it is begun");
    }

    /// Puts an annotation on the latest copy of a key.
    pub fn annotate_copy(&self, key: &str, name: &str, text: &str) {
        let (endpoint, bucket) = (self.objects.endpoint(), self.backup());
        let url = format!("{endpoint}/{bucket}/{key}?annotation&annotationName={name}");
        ureq::put(url).send(text).expect("it is annotated");
    }

    /// Whether rclone finds the objects under a prefix equal in source and backup, bytes and all.
    pub fn rclone_agrees(&self, prefix: &str) -> Result<(), String> {
        self.rclone_check(self.objects.endpoint(), prefix)
    }

    /// The same with S3 at this endpoint.
    pub fn rclone_check(&self, endpoint: &str, prefix: &str) -> Result<(), String> {
        let rclone = Toolchain::ensure(&Silent).and_then(|toolchain| toolchain.rclone());
        let remote = format!(
            ":s3,provider=Other,endpoint='{endpoint}',access_key_id=test,secret_access_key=test:"
        );
        let output = Command::new(rclone.expect("rclone is installed"))
            .args(["check", "--download", "--config", "/dev/null"])
            .args([self.source(), self.backup()].map(|bucket| format!("{remote}{bucket}/{prefix}")))
            .output()
            .expect("rclone runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(said)
        }
    }
}

fn marker_of(copy: &Object) -> Vec<(String, String)> {
    [
        "source-bucket",
        "source-version",
        "sequencer",
        "last-modified",
    ]
    .iter()
    .filter_map(|name| {
        let name = format!("x-amz-meta-s3-backup-{name}");
        let value = copy.header(&name)?.to_owned();
        Some((name, value))
    })
    .collect()
}
