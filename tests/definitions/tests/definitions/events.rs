//! The sample events: faithful in shape, each with its end, one task a function.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use aws_lambda_events::sqs::SqsEvent;
use backup_domain::backfill::course::{
    FinishTask as FinishBackfillTask, PlanTask as PlanBackfillTask,
};
use backup_domain::backfill::line::Line as BackfillLine;
use backup_domain::error::Named;
use backup_domain::multipart::{CopyPartsTask, FinishTask, ReadRangeTask};
use backup_domain::redrive::Request;
use backup_domain::restore::course::{FinishTask as FinishRestoreTask, PlanTask};
use backup_domain::restore::line::Line;
use backup_domain::task::{CopyTask, FailureTask, FilterTask, NotifyTask, RecordTask, VerifyTask};
use backup_domain::watch::StatusChange;
use backup_domain::{ErrorName, SourceEvent, event};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::machine::{self, OUTSIDE};
use crate::{read, root};

/// Fields of `detail` and of its `object` by kind of event, from the Amazon S3 User Guide,
/// "EventBridge event message structure"; a field with `?` may be absent.
const KINDS: [(&str, &str, &str); 13] = [
    (
        "Object Created",
        "reason source-ip-address",
        "key size etag version-id? sequencer has-object-annotation?",
    ),
    (
        "Object Deleted",
        "reason deletion-type source-ip-address?",
        "key etag? version-id? sequencer",
    ),
    (
        "Object Tags Added",
        "source-ip-address",
        "key etag version-id?",
    ),
    (
        "Object Tags Deleted",
        "source-ip-address",
        "key etag version-id?",
    ),
    (
        "Object ACL Updated",
        "source-ip-address",
        "key etag version-id?",
    ),
    (
        "Object Restore Initiated",
        "source-storage-class source-ip-address",
        "key size etag version-id?",
    ),
    (
        "Object Restore Completed",
        "source-storage-class restore-expiry-time",
        "key size etag version-id?",
    ),
    ("Object Restore Expired", "", "key etag version-id?"),
    (
        "Object Storage Class Changed",
        "destination-storage-class",
        "key size etag version-id?",
    ),
    (
        "Object Access Tier Changed",
        "destination-access-tier",
        "key size etag version-id?",
    ),
    (
        "Object Annotation Created",
        "reason object-annotation source-ip-address",
        "key etag version-id? sequencer",
    ),
    (
        "Object Annotation Removed",
        "reason object-annotation source-ip-address",
        "key etag version-id? sequencer",
    ),
    (
        "Step Functions Execution Status Change",
        "executionArn stateMachineArn stateMachineVersionArn stateMachineAliasArn name status startDate stopDate \
         input inputDetails output outputDetails error cause redriveCount redriveDate redriveStatus redriveStatusReason",
        "",
    ),
];

/// Sample events by file name, those that are spoilt on purpose left out.
fn samples() -> BTreeMap<String, Value> {
    files("events")
        .into_iter()
        .filter(|(name, _)| !name.starts_with("malformed-"))
        .collect()
}

pub fn files(folder: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "json") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            found.insert(name, serde_json::from_str(&text).unwrap());
        }
    }
    found
}

fn parse(input: &Value) -> Result<SourceEvent, event::EventError> {
    event::parse(input, &["amzn-s3-demo-source".to_owned()])
}

fn fields(of: &Value) -> BTreeSet<&str> {
    let object = of.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

/// Every event has the fields that the documentation gives its kind, and no others.
#[test]
fn sample_events_have_exactly_the_fields_of_their_kind() {
    let mut seen = BTreeSet::new();
    for (name, event) in samples() {
        let Some(kind) = event["detail-type"].as_str() else {
            assert!(name.starts_with("dead-letter-"), "{name} has no kind");
            continue;
        };
        assert_eq!(
            fields(&event),
            BTreeSet::from([
                "version",
                "id",
                "detail-type",
                "source",
                "account",
                "time",
                "region",
                "resources",
                "detail"
            ]),
            "{name}"
        );
        let documented = KINDS.iter().find(|documented| documented.0 == kind);
        let (_, detail, object) = documented.unwrap_or_else(|| panic!("{name}: {kind}"));
        seen.insert(kind.to_owned());
        if object.is_empty() {
            assert_fields(&name, &event["detail"], detail);
        } else {
            let common = "version event-version bucket object request-id requester";
            assert_fields(&name, &event["detail"], &format!("{common} {detail}"));
            assert_fields(&name, &event["detail"]["object"], object);
        }
    }
    let documented: BTreeSet<_> = KINDS.iter().map(|kind| kind.0.to_owned()).collect();
    assert_eq!(seen, documented, "a kind without a sample");
}

fn assert_fields(name: &str, of: &Value, documented: &str) {
    let there = fields(of);
    for field in documented.split_whitespace() {
        let required = !field.ends_with('?');
        assert!(!required || there.contains(field), "{name} has no {field}");
    }
    for field in there {
        let mut known = documented.split_whitespace();
        assert!(
            known.any(|known| known.trim_end_matches('?') == field),
            "{name}: {field} is not documented"
        );
    }
}

/// A deletion says by its fields which kind it is: only a delete marker has an ETag, and only what
/// somebody asked for has an address.
#[test]
fn deletions_differ_as_documented() {
    let deletions: BTreeMap<_, _> = samples()
        .into_iter()
        .filter(|(name, _)| name.starts_with("object-deleted-"))
        .collect();
    assert_eq!(deletions.len(), 5);
    for (name, event) in deletions {
        let detail = &event["detail"];
        let marker = detail["deletion-type"] == "Delete Marker Created";
        assert_eq!(marker, name.contains("marker"), "{name}");
        assert_eq!(detail["object"]["etag"].is_string(), marker, "{name}");
        let expired = detail["reason"] == "Lifecycle Expiration";
        assert_eq!(expired, name.contains("expired"), "{name}");
        assert_eq!(expired, detail["requester"] == "s3.amazonaws.com", "{name}");
        assert_eq!(expired, detail["source-ip-address"].is_null(), "{name}");
    }
}

/// What the filter takes is read; all else ends as `InvalidEvent`, naming what came.
#[test]
fn sample_events_are_read_or_refused_by_name() {
    for (name, event) in files("events") {
        let read = event::parse_any(&event, &["amzn-s3-demo-source".to_owned()]);
        let kinds = ["object-created", "object-deleted", "object-tags"];
        if kinds.iter().any(|kind| name.starts_with(kind)) {
            assert!(read.is_ok(), "{name}: {read:?}");
            continue;
        }
        let refused = read.expect_err(&name);
        assert_eq!(refused.name(), ErrorName::InvalidEvent, "{name}");
        if let Some(kind) = event["detail-type"].as_str()
            && !name.starts_with("malformed-")
        {
            assert!(refused.to_string().contains(kind), "{name}: {refused}");
        }
    }
}

/// Versions as the three states of a bucket write them.
#[test]
fn created_events_pin_a_version_only_where_there_is_one() {
    let pinned = |name: &str| parse(&samples()[name]).unwrap().version_id;
    assert!(pinned("object-created").is_some_and(|id| id != "null"));
    assert_eq!(pinned("object-created-suspended").as_deref(), Some("null"));
    assert_eq!(pinned("object-created-unversioned"), None);
}

/// A status change carries the execution's input: what a dead execution was about can be started again.
#[test]
fn status_changes_carry_an_event_that_can_be_started_again() {
    for status in ["failed", "timed-out", "aborted"] {
        let event = &samples()[&format!("execution-{status}")];
        let detail = &event["detail"];
        assert_eq!(detail["status"], status.to_uppercase().replace('-', "_"));
        let input: Value = serde_json::from_str(detail["input"].as_str().unwrap()).unwrap();
        parse(&input).unwrap();
        if status == "failed" {
            let cause: Value = serde_json::from_str(detail["cause"].as_str().unwrap()).unwrap();
            assert_eq!(
                fields(&cause),
                BTreeSet::from(["error", "object", "destination", "message", "advice"])
            );
        }
    }
}

/// Dead letters: the body is the event, untouched; who wrote it tells the attributes.
#[test]
fn dead_letters_hold_the_event_and_the_attributes_of_their_writer() {
    let machine: Value = machine::machine("backup");
    let ours = &machine["States"]["ParkEvent"]["Arguments"]["MessageAttributes"];
    let eventbridge = [
        "RULE_ARN",
        "TARGET_ARN",
        "ERROR_CODE",
        "ERROR_MESSAGE",
        "RETRY_ATTEMPTS",
    ];
    for (name, letter) in samples() {
        if !name.starts_with("dead-letter-") {
            continue;
        }
        let message = &letter["Messages"][0];
        let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        parse(&body).unwrap();
        let attributes = &message["MessageAttributes"];
        if name.ends_with("parked") {
            assert_eq!(fields(attributes), fields(ours), "{name}");
            for (attribute, value) in attributes.as_object().unwrap() {
                assert_eq!(value["DataType"], ours[attribute]["DataType"], "{name}");
            }
            let error = attributes["error"]["StringValue"].as_str().unwrap();
            assert!(error.parse::<ErrorName>().is_ok(), "{name}: {error}");
            continue;
        }
        let mut expected = BTreeSet::from(eventbridge);
        // Only where retries ran out; a missing permission is not retried.
        if attributes["RETRY_ATTEMPTS"]["StringValue"] != "0" {
            expected.insert("EXHAUSTED_RETRY_CONDITION");
        }
        assert_eq!(fields(attributes), expected, "{name}");
    }
}

/// `sam local invoke <Function> -e events/functions/<folder>.json`: what the state machine sends, in
/// the type that the function reads.
#[test]
fn every_function_has_a_sample_task_of_its_type() {
    let template = read("template.yaml");
    let tasks = files("events/functions");
    let folders: BTreeSet<String> = template
        .split("CodeUri: functions/")
        .skip(1)
        .map(|rest| rest.lines().next().unwrap().trim().to_owned())
        .collect();
    let named: BTreeSet<String> = tasks.keys().cloned().collect();
    assert_eq!(
        named, folders,
        "events/functions holds one task for each function of the template"
    );
    for (folder, task) in &tasks {
        let readable = match folder.as_str() {
            "filter" => readable::<FilterTask>(task),
            "copy" | "begin-multipart" => readable::<CopyTask>(task),
            "copy-parts" => readable::<CopyPartsTask>(task),
            "complete-multipart" | "abort-multipart" => readable::<FinishTask>(task),
            "read-range" => readable::<ReadRangeTask>(task),
            "verify" => readable::<VerifyTask>(task),
            "record" => readable::<RecordTask>(task),
            "record-failure" => readable::<FailureTask>(task),
            "notify" => readable::<NotifyTask>(task),
            "plan-backfill" => readable::<PlanBackfillTask>(task),
            "backfill-batch" => readable::<BackfillLine>(task),
            "finish-backfill" => readable::<FinishBackfillTask>(task),
            "plan-restore" => readable::<PlanTask>(task),
            "restore-batch" => readable::<Line>(task),
            "finish-restore" => readable::<FinishRestoreTask>(task),
            // Their input is read as plain JSON, so that what is wrong with it can be told.
            "audit-slice" | "repair" | "finish-audit" | "sweep" | "report-lag" => {
                readable::<Value>(task)
            }
            "watcher" => readable::<StatusChange>(task),
            "intake" | "follow-lifecycle" => readable::<SqsEvent>(task),
            "redrive" => readable::<Request>(task),
            other => panic!("name the task type of {other} here"),
        };
        readable.unwrap_or_else(|problem| panic!("{folder}: {problem}"));
        if OUTSIDE
            .iter()
            .any(|(name, _)| machine::folder(name) == *folder)
        {
            let other = folder == "redrive" || task["Records"][0]["body"].is_string();
            assert!(other || task["detail-type"].is_string(), "{folder}");
            continue;
        }
        let sent = payload_fields(folder);
        let there: BTreeSet<String> = fields(task).into_iter().map(str::to_owned).collect();
        assert_eq!(there, sent, "{folder}: as the state machine sends it");
    }
}

fn readable<T: DeserializeOwned>(task: &Value) -> Result<(), serde_json::Error> {
    serde_json::from_value::<T>(task.clone()).map(drop)
}

/// Fields of the payload that the state of this function sends.
fn payload_fields(folder: &str) -> BTreeSet<String> {
    fn find(scope: &Value, state: &str) -> Option<Value> {
        let states = scope["States"].as_object().unwrap();
        states.iter().find_map(|(name, found)| {
            if name == state {
                return Some(found["Arguments"]["Payload"].clone());
            }
            found.get("ItemProcessor").and_then(|it| find(it, state))
        })
    }
    let capitalised = |word: &str| word[..1].to_uppercase() + &word[1..];
    let state: String = folder.split('-').map(capitalised).collect();
    let mut machines = machine::MACHINES.into_iter().map(machine::machine);
    let payload = machines.find_map(|machine| find(&machine, &state));
    let payload = payload.unwrap_or_else(|| panic!("no state {state}"));
    fields(&payload).into_iter().map(str::to_owned).collect()
}

/// Nothing is listed that is not there, nothing is there that is not listed.
#[test]
fn the_index_of_sample_events_is_complete() {
    let index = read("events/README.md");
    let listed: BTreeSet<String> = index
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .flat_map(|row| row.split(" |").next().unwrap().split(", "))
        .filter_map(|name| name.strip_suffix(".json"))
        .map(str::to_owned)
        .collect();
    let there: BTreeSet<String> = files("events").into_keys().collect();
    assert_eq!(listed, there);
}
