//! The table that the template makes is the one that `s3-backup check` asks for.

use std::collections::BTreeMap;

use backup_domain::deployment::{Index, KeySchema, Table, wanted};
use serde_json::Value;

use crate::linters::expanded;

fn key(schema: &Value) -> KeySchema {
    let of = |kind: &str| {
        let elements = schema.as_array().unwrap();
        let element = elements.iter().find(|it| it["KeyType"] == kind)?;
        Some(element["AttributeName"].as_str().unwrap().to_owned())
    };
    KeySchema {
        hash: of("HASH").unwrap(),
        range: of("RANGE"),
    }
}

fn index(described: &Value) -> (String, Index) {
    let projection = &described["Projection"];
    let names = projection["NonKeyAttributes"].as_array();
    let names = names.into_iter().flatten();
    let index = Index {
        key: key(&described["KeySchema"]),
        attributes: (projection["ProjectionType"] != "ALL")
            .then(|| names.map(|it| it.as_str().unwrap().to_owned()).collect()),
        active: true,
    };
    (described["IndexName"].as_str().unwrap().to_owned(), index)
}

#[test]
fn what_the_template_makes_is_what_the_check_wants() {
    let template = expanded();
    let made = &template["Resources"]["Catalog"]["Properties"];
    let attributes = made["AttributeDefinitions"].as_array().unwrap();
    let indexes: BTreeMap<_, _> = made["GlobalSecondaryIndexes"]
        .as_array()
        .unwrap()
        .iter()
        .map(index)
        .collect();
    let expiry = &made["TimeToLiveSpecification"];
    let replica = &made["Replicas"][0];
    let table = Table {
        name: String::new(),
        region: String::new(),
        key: key(&made["KeySchema"]),
        not_strings: attributes
            .iter()
            .filter(|it| it["AttributeType"] != "S")
            .map(|it| it["AttributeName"].to_string())
            .collect(),
        indexes,
        time_to_live: (expiry["Enabled"] == true)
            .then(|| expiry["AttributeName"].as_str().unwrap().to_owned()),
        recoverable: replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
            == true,
        // Advised, not made: a creation that fails could not delete a protected table.
        protected: true,
        on_demand: made["BillingMode"] == "PAY_PER_REQUEST",
        encryption_key: replica["SSESpecification"]["KMSMasterKeyId"]
            .as_str()
            .map(str::to_owned),
        item_version: wanted().item_version,
    };
    assert_eq!(table, wanted());
    assert_eq!(table.findings(), []);
}
