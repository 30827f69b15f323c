//! What happens at the source, decided by the seed: writers, deletions, and the events that follow.

use serde_json::{Value, json};

use crate::content::Content;
use crate::faults::Fault;
use crate::functions::{SOURCE, SUSPENDED, UNVERSIONED};
use crate::s3::New;
use crate::s3_answers::{ACCOUNT, iso};
use crate::world::State;

/// Keys that have broken copiers before.
const KEYS: [&str; 8] = [
    "reports/november.csv",
    "a b+%41//é🦀",
    "a+b",
    "a b",
    "%2B",
    "trailing/",
    "../up?versionId=x&y=<z>",
    "e\u{301}\"'\n#",
];

/// Whether a version was there, and what became of it.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id, `null` where the bucket keeps none.
    pub id: String,
    /// ETag.
    pub etag: String,
    /// The bytes.
    pub content: Content,
    /// Sequencer of its event.
    pub sequencer: String,
    /// Whether it has been removed for good, or overwritten.
    pub removed: bool,
}

/// What the source has gone through.
#[derive(Debug, Clone)]
pub struct History {
    /// The bucket that is backed up.
    pub source: &'static str,
    /// The few keys of this run: their versions meet.
    pub keys: Vec<&'static str>,
    /// Every version that ever was, in the order it was written.
    pub versions: Vec<Truth>,
    /// Counts sequencers up.
    sequence: u64,
}

impl History {
    /// Nothing has happened yet, to a bucket that the seed chooses.
    pub fn new(rng: &mut fastrand::Rng) -> Self {
        let source = [SOURCE, SOURCE, SOURCE, SUSPENDED, UNVERSIONED][rng.usize(..5)];
        let count = rng.usize(1..4);
        Self {
            source,
            keys: rng.choose_multiple(KEYS, count),
            versions: Vec::new(),
            sequence: 0,
        }
    }
}

/// One thing that a writer does; the event that follows.
pub fn act(state: &mut State, history: &mut History) -> Option<Value> {
    let bucket = history.source;
    let key = history.keys[state.rng.usize(..history.keys.len())];
    let what = state.rng.u8(..20);
    history.sequence += 1;
    let sequencer = format!("0068{:012X}", history.sequence);
    if what >= 18 {
        return tag(state, history, key);
    }
    if what < 4 {
        let now_ms = state.clock_ms;
        let object = delete(state, history, bucket, key)?;
        let mut object = object;
        object["sequencer"] = json!(sequencer);
        let kind = object["deletion-type"].take();
        let mut event = event(bucket, &object, &iso(now_ms), history.sequence);
        event["detail-type"] = json!("Object Deleted");
        event["detail"]["reason"] = json!("DeleteObject");
        event["detail"]["deletion-type"] = kind;
        if let Some(object) = event["detail"]["object"].as_object_mut() {
            object.remove("deletion-type");
        }
        return Some(event);
    }
    Some(written(state, history, key, &sequencer))
}

/// One object is written at this key.
pub fn one(state: &mut State, history: &mut History, key: &str) -> Value {
    history.sequence += 1;
    let sequencer = format!("0068{:012X}", history.sequence);
    written(state, history, key, &sequencer)
}

fn written(state: &mut State, history: &mut History, key: &str, sequencer: &str) -> Value {
    let bucket = history.source;
    let now_ms = state.clock_ms;
    let new = new(state, bucket == SOURCE);
    let content = new.content.clone();
    let made = state.s3.put(bucket, key, new, now_ms);
    overwritten(history, bucket, key, &made.id);
    history.versions.push(Truth {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        id: made.id.clone(),
        etag: made.etag.clone(),
        content: content.clone(),
        sequencer: sequencer.to_owned(),
        removed: false,
    });
    let mut object = json!({
        "key": key, "size": content.len(), "etag": made.etag, "sequencer": sequencer,
    });
    if bucket != UNVERSIONED {
        object["version-id"] = json!(made.id);
    }
    event(bucket, &object, &iso(now_ms), history.sequence)
}

/// Gives a version that is there other tags, which makes no new version.
fn tag(state: &mut State, history: &History, key: &str) -> Option<Value> {
    let bucket = history.source;
    let there = state.s3.bucket(bucket).keys.get(key)?;
    let ids: Vec<_> = there
        .iter()
        .filter(|version| version.content.is_some())
        .map(|version| (version.id.clone(), version.etag.clone()))
        .collect();
    let (id, etag) = ids.get(state.rng.usize(..ids.len().max(1)))?.clone();
    let tags = vec![("k".to_owned(), history.sequence.to_string())];
    let versions = state.s3.bucket(bucket).keys.get_mut(key)?;
    for version in versions.iter_mut().filter(|version| version.id == id) {
        version.tags.clone_from(&tags);
    }
    *state.seen.entry("tags changed").or_default() += 1;
    let mut object = json!({"key": key, "etag": etag});
    if bucket != UNVERSIONED {
        object["version-id"] = json!(id);
    }
    let mut event = event(bucket, &object, &iso(state.clock_ms), history.sequence);
    event["detail-type"] = json!("Object Tags Added");
    Some(event)
}

/// An "Object Created" event.
pub fn event(bucket: &str, object: &Value, time: &str, number: u64) -> Value {
    json!({
        "version": "0", "id": format!("event-{number}"), "detail-type": "Object Created",
        "source": "aws.s3", "account": ACCOUNT, "time": time, "region": "eu-west-1",
        "resources": [format!("arn:aws:s3:::{bucket}")],
        "detail": {
            "version": "0", "bucket": {"name": bucket}, "object": object,
            "request-id": "R", "requester": ACCOUNT, "source-ip-address": "203.0.113.7", "reason": "PutObject",
        },
    })
}

fn new(state: &mut State, versioned: bool) -> New {
    let rng = &mut state.rng;
    let mib = 1024 * 1024;
    let large = [
        5 * mib,
        5 * mib + 1,
        6 * mib,
        10 * mib,
        11 * mib + 7,
        15 * mib,
    ];
    let bytes = match rng.u8(..120) {
        0..18 => 0,
        18..108 => [1, 2, 700, 4096][rng.usize(..4)],
        108 => 5 * mib - 1,
        109..119 => large[rng.usize(..large.len())],
        // More parts than one segment takes.
        _ => 85 * mib + 1,
    };
    // Few patterns: contents come back, x after y after x.
    let content = Content::new(rng.u64(..3), bytes);
    let parts = if bytes > 8 * mib && rng.bool() { 2 } else { 0 };
    // Without a stored checksum large content is read, which takes long.
    let rare = if bytes > mib { 40 } else { 8 };
    let read = rng.u8(..rare) == 0 && bytes < 16 * mib;
    // All that user metadata may be leaves no room for the marker: such a copy cannot be found again
    // by a retry, so large ones are left out; and so are those without a version id.
    let full = rng.u8(..10) == 0 && bytes < 5 * mib && versioned;
    let owner = if full {
        "m".repeat(2000)
    } else {
        "me".to_owned()
    };
    New {
        content,
        parts,
        checksummed: !read,
        metadata: [("owner".to_owned(), owner)].into(),
        headers: [("content-type".to_owned(), "text/plain".to_owned())].into(),
        tags: vec![("a b".to_owned(), "c&d".to_owned())],
    }
}

fn overwritten(history: &mut History, bucket: &str, key: &str, id: &str) {
    for truth in &mut history.versions {
        if id == "null" && truth.bucket == bucket && truth.key == key && truth.id == id {
            truth.removed = true;
        }
    }
}

/// Deletes, and says so as the event will; `None` where there is nothing to delete.
fn delete(state: &mut State, history: &mut History, bucket: &str, key: &str) -> Option<Value> {
    let now_ms = state.clock_ms;
    let versions = state.s3.bucket(bucket).keys.get(key)?;
    let ids: Vec<_> = versions.iter().map(|version| version.id.clone()).collect();
    let for_good = bucket == SOURCE && !ids.is_empty() && state.rng.bool();
    if for_good {
        let id = &ids[state.rng.usize(..ids.len())];
        state.s3.delete(bucket, key, Some(id), now_ms);
        for truth in &mut history.versions {
            truth.removed |= truth.id == *id && truth.key == key;
        }
        return Some(
            json!({"key": key, "version-id": id, "etag": "e", "deletion-type": "Permanently Deleted"}),
        );
    }
    let marker = state.s3.delete(bucket, key, None, now_ms);
    if bucket != SOURCE {
        overwritten(history, bucket, key, "null");
    }
    let kind = if marker.is_some() {
        "Delete Marker Created"
    } else {
        "Permanently Deleted"
    };
    let mut object = json!({"key": key, "etag": "e", "deletion-type": kind});
    if let Some(id) = marker {
        object["version-id"] = json!(id);
    }
    Some(object)
}

/// When an event arrives, as often as it arrives, in milliseconds from now.
pub fn arrivals(state: &mut State) -> Vec<i64> {
    let mut arrivals = vec![state.rng.i64(50..2000)];
    let State { rng, faults, .. } = state;
    if faults.strikes(rng, Fault::Delayed, 0.2) {
        arrivals[0] += rng.i64(1000..15 * 60_000);
    }
    while arrivals.len() < 4 && faults.strikes(rng, Fault::Duplicated, 0.12) {
        arrivals.push(rng.i64(50..5 * 60_000));
    }
    arrivals
}
