//! The catalog's table as DynamoDB describes it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndexDescription, IndexStatus, KeySchemaElement, KeyType,
    PointInTimeRecoveryStatus, ProjectionType, ScalarAttributeType, TableDescription,
    TimeToLiveStatus,
};
use backup_domain::deployment::{Finding, Index, KeySchema, Severity, Table};

use super::{Inspected, not_checked};
use crate::{ApiError, Clients};

/// Items that are looked at for their version.
const ITEMS: i32 = 100;

/// A table by its name, with what protects it.
pub async fn table(clients: &Clients, name: &str) -> Inspected<Table> {
    let client = clients.dynamodb();
    let on = format!("table {name}");
    let described = match client.describe_table().table_name(name).send().await {
        Ok(answer) => answer.table,
        Err(error) => {
            let api = ApiError::of("DescribeTable", &error);
            return Inspected::none(if api.code == "ResourceNotFoundException" {
                missing(on)
            } else {
                not_checked(on, &api)
            });
        }
    };
    let Some(described) = described else {
        return Inspected::none(missing(on));
    };
    let mut seen = Inspected::of(Table {
        region: clients.region(),
        ..read(name, &described)
    });
    let Some(table) = seen.resource.as_mut() else {
        return seen;
    };
    match client.describe_time_to_live().table_name(name).send().await {
        Ok(answer) => {
            let told = answer.time_to_live_description;
            let on = |status: Option<&TimeToLiveStatus>| {
                matches!(
                    status,
                    Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
                )
            };
            table.time_to_live = told
                .filter(|it| on(it.time_to_live_status()))
                .and_then(|it| it.attribute_name);
        }
        Err(error) => {
            // Not known is not off: what could not be asked is said once, and not as another finding.
            table.time_to_live = backup_domain::deployment::wanted().time_to_live;
            let api = ApiError::of("DescribeTimeToLive", &error);
            seen.findings.push(not_checked(&on, &api));
        }
    }
    let asked = client.describe_continuous_backups().table_name(name);
    match asked.send().await {
        Ok(answer) => {
            let told = answer.continuous_backups_description;
            let told = told.and_then(|it| it.point_in_time_recovery_description);
            let status = told.and_then(|it| it.point_in_time_recovery_status);
            table.recoverable = status == Some(PointInTimeRecoveryStatus::Enabled);
        }
        Err(error) => {
            table.recoverable = true;
            let api = ApiError::of("DescribeContinuousBackups", &error);
            seen.findings.push(not_checked(&on, &api));
        }
    }
    let asked = client
        .scan()
        .table_name(name)
        .limit(ITEMS)
        .projection_expression("shape");
    match asked.send().await {
        Ok(answer) => {
            let versions = answer.items.unwrap_or_default().into_iter();
            let versions = versions.filter_map(|item| item.get("shape")?.as_n().ok()?.parse().ok());
            table.item_version = versions.max();
        }
        Err(error) => seen
            .findings
            .push(not_checked(&on, &ApiError::of("Scan", &error))),
    }
    seen
}

fn missing(on: String) -> Finding {
    Finding::new(
        "NoSuchTable",
        Severity::Unfit,
        on,
        "there is no such table in this account and region",
        "restore the catalog or correct CatalogTableName (docs/redeploy.md); a restore works without it: s3-backup restore --from-backup",
    )
}

fn read(name: &str, described: &TableDescription) -> Table {
    let strings: BTreeMap<_, _> = described
        .attribute_definitions()
        .iter()
        .map(|it| {
            (
                it.attribute_name(),
                *it.attribute_type() == ScalarAttributeType::S,
            )
        })
        .collect();
    let not_strings = strings.iter().filter(|(_, is_string)| !**is_string);
    Table {
        name: name.to_owned(),
        region: String::new(),
        key: key(described.key_schema()),
        not_strings: not_strings.map(|(name, _)| (*name).to_owned()).collect(),
        indexes: described
            .global_secondary_indexes()
            .iter()
            .filter_map(|it| Some((it.index_name()?.to_owned(), index(it))))
            .collect(),
        time_to_live: None,
        recoverable: false,
        protected: described.deletion_protection_enabled.unwrap_or_default(),
        // Without a summary it never was on demand.
        on_demand: described
            .billing_mode_summary()
            .and_then(|it| it.billing_mode())
            .is_some_and(|it| *it == BillingMode::PayPerRequest),
        encryption_key: described
            .sse_description()
            .and_then(|it| it.kms_master_key_arn.clone()),
        item_version: None,
    }
}

fn key(schema: &[KeySchemaElement]) -> KeySchema {
    let of = |kind: KeyType| {
        let element = schema.iter().find(|it| *it.key_type() == kind);
        element.map(|it| it.attribute_name().to_owned())
    };
    KeySchema {
        hash: of(KeyType::Hash).unwrap_or_default(),
        range: of(KeyType::Range),
    }
}

fn index(described: &GlobalSecondaryIndexDescription) -> Index {
    let projection = described.projection();
    let all = projection.and_then(|it| it.projection_type()) == Some(&ProjectionType::All);
    Index {
        key: key(described.key_schema()),
        attributes: (!all).then(|| {
            let names = projection.map(|it| it.non_key_attributes().to_vec());
            names.unwrap_or_default()
        }),
        active: !matches!(
            described.index_status(),
            Some(IndexStatus::Creating | IndexStatus::Deleting)
        ),
    }
}
