//! What the functions answer, taken from their types: what a type leaves out when it is serialised may
//! be missing in a definition.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use backup_domain::multipart::{Aborted, Begun, CopiedParts, ReadRange};
use backup_domain::task::{Copied, Decision, Outcome, Verified};
use backup_domain::{backfill, restore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::shape::{Maybe, Shape};
use crate::read;

const AT: &str = "2026-11-01T00:00:00Z";

/// A value of a type from what the type cannot do without, and as the type serialises it.
fn told<T: Serialize + DeserializeOwned>(fields: Value) -> Value {
    let value: T = serde_json::from_value(fields).unwrap();
    serde_json::to_value(value).unwrap()
}

fn object() -> Value {
    json!({
        "bucket": "b", "key": "k", "size": 1, "etag": "e", "sequencer": "0", "eventAt": AT,
        "account": "111122223333", "region": "eu-west-1",
    })
}

fn target() -> Value {
    json!({
        "name": "primary", "destination": {"bucket": "b", "region": "eu-west-1"}, "key": "k",
        "read": false, "archived": "fail", "rule": "all", "attempts": 1,
    })
}

fn with(mut value: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("{more}")
    };
    value.as_object_mut().unwrap().extend(more);
    value
}

/// The object is told with every action but `nothing`: Filter decides on `small` and `large` by its size.
fn decisions() -> Shape {
    let decision = |action: &str| {
        json!({
            "action": action, "outcome": "o", "reason": "", "rule": "all", "notify": "all",
            "targets": [target()],
        })
    };
    let copying = ["small", "large"]
        .map(|action| told::<Decision>(with(decision(action), json!({"object": object()}))));
    let nothing = told::<Decision>(decision("nothing"));
    let [small, large] = copying;
    Shape::of_all(&[small, large, nothing], Some("action"))
}

fn copied() -> [Value; 2] {
    let least = json!({"outcome": "gone", "at": AT});
    let most = with(least.clone(), json!({"versionId": "v", "reason": "r"}));
    [least, most].map(told::<Copied>)
}

fn begun() -> Shape {
    let least = json!({"segments": [{"firstPart": 1, "lastPart": 2}]});
    let upload = json!({"id": "u", "objectBytes": 1, "partBytes": 1, "algorithm": "CRC64NVME", "marked": true});
    let most = with(
        least.clone(),
        json!({"upload": upload, "ended": copied()[0].clone()}),
    );
    Shape::of_all(&[least, most].map(told::<Begun>), None)
}

fn range() -> Value {
    let range = json!({"side": "copy", "etag": "e", "first": 0, "bytes": 1, "read": 0, "sum": ""});
    told::<ReadRange>(range)
}

fn verified() -> Shape {
    let least = told::<Verified>(json!({"at": AT}));
    let reading = told::<Verified>(json!({"at": AT, "reading": [range()]}));
    Shape::of_all(&[least, reading], None)
}

fn outcomes() -> Shape {
    let least = json!({"destination": "primary", "outcome": "stored"});
    let cause = json!({"error": "e", "message": "m", "advice": "a"});
    let most = with(least.clone(), json!({"cause": cause, "reason": "r"}));
    Shape::of_all(&[least, most].map(told::<Outcome>), None)
}

fn restores() -> Shape {
    let course = |next: &str| {
        told::<restore::course::Course>(json!({
            "next": next, "work": {"bucket": "b", "folder": "f/"}, "slices": 1, "slice": 1,
            "request": {"at": AT, "to": {"bucket": "b"}}, "pass": 1, "lines": "l", "waitSeconds": 0,
            "plan": restore::course::Summary::default(),
        }))
    };
    let all = ["plan", "restore", "wait", "finish", "end"].map(course);
    Shape::of_all(&all, Some("next"))
}

fn backfills() -> Shape {
    let course = |next: &str| {
        told::<backfill::course::Course>(json!({
            "shape": 1, "next": next, "request": {}, "slices": 1, "slice": 1, "pass": 1, "lines": "l",
            "work": {"bucket": "b", "run": "r", "execution": "e", "begun": AT}, "waitSeconds": 0,
            "waits": 0, "plan": backfill::course::Summary::default(),
        }))
    };
    let all = ["plan", "pause", "backfill", "wait", "finish", "end"].map(course);
    Shape::of_all(&all, Some("next"))
}

/// What a child execution of a Distributed Map gets: a line of the plan.
pub fn line(file: &str) -> Shape {
    let line = match file {
        "restore" => told::<restore::line::Line>(json!({
            "Items": [], "slice": 1, "line": 1, "work": {"bucket": "b", "folder": "f/"}, "at": AT,
            "to": {"bucket": "b"}, "mode": "beside", "archive": {"tier": "bulk", "days": 1},
        })),
        "backfill" => told::<backfill::line::Line>(json!({
            "Items": [], "slice": 1, "line": 1,
            "work": {"bucket": "b", "run": "r", "execution": "e", "begun": AT},
        })),
        _ => return Shape::Any,
    };
    Shape::of(&line)
}

/// A type that its function keeps to itself: fields as the source has them.
fn written(path: &str, name: &str) -> Shape {
    let source = read(path);
    let (before, rest) = source
        .split_once(&format!("pub struct {name} {{\n"))
        .unwrap();
    let camel = before
        .trim_end()
        .ends_with("#[serde(rename_all = \"camelCase\")]");
    assert!(camel, "{name}: how are its fields written?");
    let body = rest.split("\n}\n").next().unwrap();
    let mut optional = false;
    let mut fields = BTreeMap::new();
    for line in body.lines().map(str::trim) {
        optional |= line.contains("skip");
        assert!(!line.contains("rename"), "{name}: {line}");
        assert!(!line.contains("flatten"), "{name}: {line}");
        let Some((field, kind)) = line.trim_end_matches(',').split_once(": ") else {
            continue;
        };
        if line.starts_with("//") || line.starts_with('#') {
            continue;
        }
        let shape = match kind {
            "bool" => Shape::Bool,
            "u32" | "u64" | "usize" => Shape::Number,
            // A verdict is written as its name.
            "String" | "&'static str" | "Verdict" => Shape::text(),
            _ => Shape::Any,
        };
        let field = field.trim_start_matches("pub ");
        let value = Maybe::always(shape).unless(optional);
        fields.insert(camel_case(field), value);
        optional = false;
    }
    assert!(fields.len() > 1, "{name}: {fields:?}");
    Shape::Object(fields)
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |all, part| {
        all + &part[..1].to_uppercase() + &part[1..]
    })
}

/// Output of a function that a state invokes.
pub fn of(function: &str) -> &'static Shape {
    static ALL: LazyLock<BTreeMap<&str, Shape>> = LazyLock::new(all);
    let known = ALL.get(function);
    known.unwrap_or_else(|| panic!("what does {function} answer?"))
}

fn all() -> BTreeMap<&'static str, Shape> {
    let parts = json!({"outcome": "copied", "copied": 1, "found": 0});
    let copied = Shape::of_all(&copied(), None);
    BTreeMap::from([
        ("Filter", decisions()),
        ("Copy", copied.clone()),
        ("CompleteMultipart", copied),
        ("Verify", verified()),
        ("Record", outcomes()),
        ("RecordFailure", outcomes()),
        ("BeginMultipart", begun()),
        ("CopyParts", Shape::of(&told::<CopiedParts>(parts))),
        (
            "AbortMultipart",
            Shape::of(&told::<Aborted>(json!({"aborted": true}))),
        ),
        ("ReadRange", Shape::of(&range())),
        ("Notify", written("functions/notify/src/notify.rs", "Told")),
        (
            "AuditSlice",
            written("functions/audit-slice/src/audit.rs", "Sliced"),
        ),
        (
            "Repair",
            written("functions/repair/src/repair.rs", "Repaired"),
        ),
        (
            "FinishAudit",
            written("functions/finish-audit/src/finish.rs", "Finished"),
        ),
        // FinishRestore has nothing to say where a restore came to no end, and nobody asks it then.
        ("PlanRestore", restores()),
        ("FinishRestore", restores()),
        ("PlanBackfill", backfills()),
        ("FinishBackfill", backfills()),
        ("RestoreBatch", Shape::Any),
        ("BackfillBatch", Shape::Any),
    ])
}
