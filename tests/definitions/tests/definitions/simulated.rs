//! The roles as they are deployed with everything switched on, judged by an evaluator of IAM policies
//! (`tests/e2e/iam/simulate.mjs`): what a function asks for, by `tests/e2e/iam/requests.json`, is allowed; the same
//! on what is not the stack's is denied; whatever is taken out of a statement is missed.

mod kinds;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::thread;

use backup_stack::{Silent, Toolchain};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::evaluate::{ACCOUNT, Deployed, PLACES, Place, plain};
use crate::linters::expanded_in;
use crate::places::EVERYTHING;
use crate::{page, root};

/// Who owns the key of a further destination.
const OTHER_ACCOUNT: &str = "444455556666";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    asked: usize,
    probes: usize,
    mutants: usize,
    missing: Vec<String>,
    too_much: Vec<String>,
    surplus: Vec<String>,
}

/// A deployment with keys on the source and on every destination.
struct Keyed {
    place: &'static Place,
    deployed: Deployed,
    resources: BTreeMap<String, Value>,
    /// Of the source and of inventories, of the first destination, of the further ones.
    keys: [String; 3],
}

impl Keyed {
    fn new(place: &'static Place) -> Self {
        let (partition, region) = (place.partition, place.region);
        let key = |account: &str, name: &str| {
            format!("arn:{partition}:kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-{name}")
        };
        let keys = [
            key(ACCOUNT, "source000000"),
            key(ACCOUNT, "backup000000"),
            key(OTHER_ACCOUNT, "further00000"),
        ];
        let arns = [keys[0].as_str(), &keys[2]].join(",");
        let mut parameters: BTreeMap<_, _> = EVERYTHING.into();
        parameters.insert("KmsKeyArns", &arns);
        parameters.insert("BackupKmsKeyArn", &keys[1]);
        let parameters: Vec<_> = parameters.into_iter().collect();
        let deployed = Deployed::new(expanded_in(region), place, "backups", &parameters);
        let resources = deployed.resources();
        Self {
            place,
            deployed,
            resources,
            keys,
        }
    }

    /// Every role with what is written into it.
    fn roles(&self) -> BTreeMap<String, Value> {
        let mut roles = BTreeMap::new();
        for (name, resource) in &self.resources {
            if resource["Type"] == "AWS::IAM::Role" {
                let policies = resource["Properties"]["Policies"].as_array();
                let documents = policies.into_iter().flatten();
                let documents: Vec<_> = documents.map(|it| it["PolicyDocument"].clone()).collect();
                if !documents.is_empty() {
                    let arn = self.get(name, "Arn");
                    roles.insert(name.clone(), json!({"arn": arn, "policies": documents}));
                }
            }
        }
        let template = expanded_in(self.place.region);
        for (name, resource) in &self.resources {
            if resource["Type"] == "AWS::IAM::Policy" {
                let role = &template["Resources"][name]["Properties"]["Roles"][0]["Ref"];
                let policies = &mut roles.get_mut(role.as_str().unwrap()).unwrap()["policies"];
                let document = resource["Properties"]["PolicyDocument"].clone();
                policies.as_array_mut().unwrap().push(document);
            }
        }
        roles
    }

    fn get(&self, logical: &str, attribute: &str) -> String {
        let value = json!({"Fn::GetAtt": [logical, attribute]});
        plain(&self.deployed.value(&value).unwrap())
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        let Place {
            partition, region, ..
        } = self.place;
        format!("arn:{partition}:{service}:{region}:{ACCOUNT}:{rest}")
    }

    fn bucket(&self, name: &str) -> String {
        format!("arn:{}:s3:::{name}", self.place.partition)
    }

    fn judged(&self) -> Found {
        let (mut asked, mut probes) = self.requests();
        let (invoked, elsewhere) = self.invocations();
        asked.extend(invoked);
        probes.extend(elsewhere);
        let roles = self.roles();
        let asking: BTreeSet<_> = asked.iter().map(|it| it.role.clone()).collect();
        assert_eq!(
            asking,
            roles.keys().cloned().collect(),
            "who asks, and who may"
        );
        let question =
            json!({"account": ACCOUNT, "roles": roles, "asked": asked, "probes": probes});
        judge(self.place.partition, &question).unwrap()
    }
}

/// What the evaluator says, by way of a file of this name.
fn judge(name: &str, question: &Value) -> Result<Found, String> {
    let mut node = Toolchain::ensure(&Silent).unwrap().node().unwrap();
    let path = format!("{}/roles-{name}.json", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, question.to_string()).unwrap();
    let output = node
        .arg(root().join("tests/e2e/iam/simulate.mjs"))
        .stdin(Stdio::from(fs::File::open(&path).unwrap()))
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(complaint);
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn each_role_allows_what_is_asked_in_every_partition_and_nothing_more() {
    let judging = |place: &'static Place| move || (place, Keyed::new(place).judged());
    let judged: Vec<_> = thread::scope(|scope| {
        let running = PLACES.iter().map(|place| scope.spawn(judging(place)));
        let running: Vec<_> = running.collect();
        running.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let tables = judged.iter().map(|(_, found)| table(found));
    let tables: BTreeSet<_> = tables.collect();
    assert_eq!(tables.len(), 1, "alike in each partition: {tables:#?}");
    for (place, found) in judged {
        let partition = place.partition;
        assert!(found.asked > 300 && found.probes > 300 && found.mutants > 300);
        assert_eq!(found.missing, [""; 0], "not allowed in {partition}");
        assert_eq!(found.too_much, [""; 0], "allowed in {partition}");
        assert_eq!(found.surplus, [""; 0], "never missed in {partition}");
    }
    page::says(
        "docs/testing.md",
        "figures of roles",
        tables.first().unwrap(),
    );
}

/// The table of docs/testing.md.
fn table(found: &Found) -> String {
    let rows = [
        (
            "a request of the table on each resource that it stands for, with bucket policy or key policy",
            "Allowed",
            found.asked,
        ),
        (
            "the same on a resource that is not the stack's; without TLS; under a key policy for others",
            "denied",
            found.probes,
        ),
        (
            "one action, resource or condition taken out of one statement",
            "the verdict of a request changes, or it is surplus",
            found.mutants,
        ),
    ];
    let head = "| what | requirement | figure, for each partition |\n|---|---|---|\n".to_owned();
    let lines = rows.map(|(what, wanted, figure)| format!("| {what} | {wanted} | {figure} |\n"));
    head + &lines.concat()
}

#[test]
fn the_evaluation_tells_what_is_missing_too_wide_surplus_or_no_question() {
    let request = |action: &str, resource: &str| {
        json!({"role": "R", "action": action, "resource": resource, "account": ACCOUNT,
               "context": {}, "resourcePolicy": null, "why": ""})
    };
    let with = |statements: Value, asked: Value| {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/R");
        let probes = [request("s3:GetObject", "arn:aws:s3:::another/key")];
        json!({"account": ACCOUNT, "roles": {"R": {"arn": arn, "policies": [document]}},
               "asked": asked, "probes": probes})
    };
    let read = |resources: Value| json!([{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": resources}]);
    let own = request("s3:GetObject", "arn:aws:s3:::own/key");
    let found = |statements: Value, asked: Value| judge("test", &with(statements, asked));

    let right = found(read(json!("arn:aws:s3:::own/*")), json!([own])).unwrap();
    assert_eq!((right.asked, right.probes, right.mutants), (1, 1, 1));
    assert!(right.missing.is_empty() && right.too_much.is_empty() && right.surplus.is_empty());
    let version = request("s3:GetObjectVersion", "arn:aws:s3:::own/key");
    let missing = found(read(json!("arn:aws:s3:::own/*")), json!([own, version])).unwrap();
    assert_eq!(missing.missing.len(), 1, "{:?}", missing.missing);
    let wide = found(read(json!("arn:aws:s3:::*")), json!([own])).unwrap();
    assert_eq!(wide.too_much.len(), 1, "{:?}", wide.too_much);
    let two = json!(["arn:aws:s3:::own/*", "arn:aws:s3:::unasked/*"]);
    let surplus = found(read(two), json!([own])).unwrap();
    assert_eq!(surplus.surplus.len(), 1, "{:?}", surplus.surplus);
    // The name of an operation that is no action.
    let head = request("s3:HeadObject", "arn:aws:s3:::own/key");
    let refused = found(read(json!("arn:aws:s3:::own/*")), json!([head]));
    assert!(refused.is_err_and(|said| said.contains("no verdict")));
}
