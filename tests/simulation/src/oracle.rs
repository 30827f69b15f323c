//! What must be true when all is quiet, said by what the source went through.

use std::collections::{BTreeMap, BTreeSet};

use backup_domain::error::printable;

use crate::dynamodb::{Item, text};
use crate::faults::Fault;
use crate::run::Report;
use crate::s3::Version;
use crate::workload::{History, Truth};
use crate::world::State;

/// Destinations of an object, by the policy of the run: name, bucket, prefix.
fn destinations(key: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let primary = ("primary", "backup-a", "");
    if key.starts_with("reports/") {
        vec![primary, ("second", "backup-b", "copies/of é/")]
    } else {
        vec![primary]
    }
}

/// Compares the backup with the source, version by version, by content.
pub fn judge(state: &State, history: &History) -> Report {
    let mut report = Report {
        violations: state.broken.clone(),
        faults: state.faults.counts.clone(),
        calls: state.calls,
        seen: state.seen.clone(),
        executions: state.executions.len(),
        versions: history.versions.len(),
        ..Report::default()
    };
    for item in state.catalog.items.values() {
        *report
            .statuses
            .entry(text(item, "status").to_owned())
            .or_default() += 1;
    }
    for truth in &history.versions {
        for place in destinations(&truth.key) {
            is_accounted_for(state, history, truth, place.0, &mut report);
        }
    }
    let keys: BTreeSet<_> = history
        .versions
        .iter()
        .map(|truth| truth.key.as_str())
        .collect();
    for key in keys {
        for place in destinations(key) {
            newest_is_on_top(state, history, key, place, &mut report);
        }
    }
    let mut recorded = BTreeSet::new();
    for item in state.catalog.items.values() {
        is_what_it_says(state, history, item, &mut recorded, &mut report);
    }
    nothing_is_left_over(state, &recorded, &mut report);
    every_failure_is_told(state, &mut report);
    tags_are_those_of_the_source(state, history, &mut report);
    report
}

fn points<'a>(
    state: &'a State,
    truth: &'a Truth,
    destination: &'a str,
) -> impl Iterator<Item = &'a Item> {
    let pk = format!("{}/{}", truth.bucket, truth.key);
    state
        .catalog
        .items
        .iter()
        .filter(move |((item_pk, sk), item)| {
            let same = if truth.id == "null" {
                sk.starts_with(&format!("{destination}#null#"))
                    && item["object"]["M"]["etag"]["S"] == *truth.etag
            } else {
                *sk == format!("{destination}#{}", truth.id)
            };
            *item_pk == pk && same
        })
        .map(|(_, item)| item)
}

/// A version that is there is stored; one that is not may be recorded as gone or superseded.
fn is_accounted_for(
    state: &State,
    history: &History,
    truth: &Truth,
    destination: &str,
    report: &mut Report,
) {
    let statuses: Vec<_> = points(state, truth, destination)
        .map(|item| text(item, "status"))
        .collect();
    let stored = statuses
        .iter()
        .any(|status| matches!(*status, "stored" | "unsettled"));
    // A null version with the same content as a later one is the same to every reader.
    let later = |other: &Truth| {
        !other.removed
            && other.bucket == truth.bucket
            && other.key == truth.key
            && other.etag == truth.etag
    };
    let away = truth.removed && !(truth.id == "null" && history.versions.iter().any(later));
    let reported = statuses
        .iter()
        .any(|status| matches!(*status, "gone" | "superseded"));
    let accounted = stored || (away && reported);
    if !accounted {
        let what = if truth.removed { "removed" } else { "live" };
        report.violations.push(format!(
            "{what} version {} of {}/{:?} is {statuses:?} at {destination}",
            truth.id, truth.bucket, truth.key
        ));
    }
}

/// The backup's latest version is the copy of the newest version that is stored; that of the source's
/// own latest will do as well. Where deletions are mirrored, it is a delete marker exactly when
/// nothing is there at the source.
fn newest_is_on_top(
    state: &State,
    history: &History,
    key: &str,
    place: (&str, &str, &str),
    report: &mut Report,
) {
    let (destination, bucket, prefix) = place;
    let stored = |truth: &&Truth| {
        let mut points = points(state, truth, destination);
        points.any(|item| matches!(text(item, "status"), "stored" | "unsettled"))
    };
    let mine = history.versions.iter().filter(|truth| truth.key == key);
    let stored: Vec<_> = mine.filter(stored).collect();
    let Some(newest) = stored.last() else {
        return;
    };
    // Gone before it was copied, or stored: an older one of the same content looks alike.
    let mut same = stored.iter().filter(|truth| truth.etag == newest.etag);
    if newest.id == "null" && newest.removed && same.by_ref().count() > 1 {
        return;
    }
    let live = stored.iter().rev().find(|truth| !truth.removed);
    let held = |bucket: &str, key: &str| {
        let versions = state.s3.buckets[bucket].keys.get(key)?;
        versions.last()
    };
    let top = held(bucket, &format!("{prefix}{key}"));
    if state.mirrored {
        let is_there = |version: Option<&Version>| version.is_some_and(|it| it.content.is_some());
        let (source, backup) = (is_there(held(history.source, key)), is_there(top));
        if source != backup {
            report.violations.push(format!(
                "{bucket}/{key:?} is there: {backup}, at the source: {source}"
            ));
        }
        if !source {
            return;
        }
    }
    let is_of = |truth: &Truth| {
        top.is_some_and(|top| {
            let source = top.metadata.get("s3-backup-source-version");
            // Without room for the marker, content alone tells.
            let unmarked = source.is_none();
            top.content.as_ref() == Some(&truth.content)
                && (truth.id == "null" || unmarked || source == Some(&truth.id))
        })
    };
    if !is_of(newest) && !live.is_some_and(|truth| is_of(truth)) {
        report.violations.push(format!(
            "the latest of {bucket}/{key:?} is not version {} of {} but {:?}",
            newest.id,
            newest.sequencer,
            top.map(|top| (&top.id, &top.metadata))
        ));
    }
}

/// A stored point has a copy, and the copy is what the source version was.
fn is_what_it_says(
    state: &State,
    history: &History,
    item: &Item,
    recorded: &mut BTreeSet<(String, String)>,
    report: &mut Report,
) {
    let (pk, sk) = (text(item, "pk"), text(item, "sk"));
    let status = text(item, "status");
    if !item.contains_key("object") {
        // No point: an event kept whole, or what watcher and sweep note.
        return;
    }
    if !matches!(status, "stored" | "unsettled") {
        if matches!(status, "copying" | "failed") {
            report
                .violations
                .push(format!("{pk} {sk} is still {status}"));
        }
        return;
    }
    let backup = &item["backup"]["M"];
    let field = |name: &str| backup[name]["S"].as_str().unwrap_or_default().to_owned();
    let id = field("versionId");
    let copy = state.s3.find(&field("bucket"), &field("key"), Some(&id));
    if !recorded.insert((field("bucket"), id)) {
        report
            .violations
            .push(format!("{pk} {sk} has the copy of another point"));
    }
    for list in ["promotions", "bad"] {
        for id in item
            .get(list)
            .and_then(|list| list["L"].as_array())
            .into_iter()
            .flatten()
        {
            recorded.insert((
                field("bucket"),
                id["S"].as_str().unwrap_or_default().to_owned(),
            ));
        }
    }
    let etag = item["object"]["M"]["etag"]["S"]
        .as_str()
        .unwrap_or_default();
    let mut truths = history.versions.iter();
    let truth = truths.find(|truth| {
        let place = format!("{}/{}", truth.bucket, truth.key) == pk;
        let name = format!("{}#{}", text(item, "destination"), truth.id);
        place && (sk == name || (sk.starts_with(&format!("{name}#")) && truth.etag == etag))
    });
    let content = copy.and_then(|copy: &Version| copy.content.as_ref());
    match truth {
        Some(truth) if content == Some(&truth.content) => {}
        Some(_) => report
            .violations
            .push(format!("the copy of {pk} {sk} differs")),
        None => report
            .violations
            .push(format!("{pk} {sk} is no version of the source")),
    }
}

/// An execution that failed by name is told by itself, or by the watcher, or within a digest.
fn every_failure_is_told(state: &State, report: &mut Report) {
    for execution in state.executions.values() {
        if execution.status != "FAILED" {
            continue;
        }
        let key = execution.input.pointer("/detail/object/key");
        let key = printable(key.and_then(|key| key.as_str()).unwrap_or_default());
        let names =
            |(subject, text): &(String, String)| subject.contains(&key) || text.contains(&key);
        report.failures += 1;
        if !state.told.iter().any(names) {
            report.violations.push(format!(
                "a failure of {key:?} was told by nobody: {}",
                execution.cause
            ));
        }
    }
}

/// Tags follow to the recorded copy. Where a Lambda died or a write landed late, an older one may have
/// come after the newer one: nobody promises more.
fn tags_are_those_of_the_source(state: &State, history: &History, report: &mut Report) {
    let late = [
        Fault::LandsLate,
        Fault::Killed,
        Fault::Stopped,
        Fault::RunsBesideItself,
    ];
    if late
        .iter()
        .any(|fault| state.faults.counts.contains_key(fault))
    {
        return;
    }
    // One without an id that was written twice with one content has two points that look alike here.
    let alike = |truth: &Truth| {
        let mut others = history.versions.iter();
        let same = |other: &&Truth| (&other.key, &other.etag) == (&truth.key, &truth.etag);
        truth.id == "null" && others.by_ref().filter(same).count() > 1
    };
    let there = history.versions.iter().filter(|truth| !truth.removed);
    for truth in there.filter(|truth| !alike(truth)) {
        let Some(source) = state.s3.find(&truth.bucket, &truth.key, Some(&truth.id)) else {
            continue;
        };
        for (destination, _, _) in destinations(&truth.key) {
            let stored = points(state, truth, destination);
            for item in stored.filter(|item| text(item, "status") == "stored") {
                let backup = &item["backup"]["M"];
                let field = |name: &str| backup[name]["S"].as_str().unwrap_or_default();
                let id = Some(field("versionId"));
                let copy = state.s3.find(field("bucket"), field("key"), id);
                if let Some(copy) = copy {
                    report.tagged += u64::from(copy.tags.iter().any(|(name, _)| name == "k"));
                    if copy.tags != source.tags {
                        report.violations.push(format!(
                            "the copy of {}/{:?} {} at {destination} has the tags {:?}, not {:?}",
                            truth.bucket, truth.key, truth.id, copy.tags, source.tags
                        ));
                    }
                }
            }
        }
    }
}

/// Copies beside the recorded ones, and uploads under way, only where nobody could hear of them.
fn nothing_is_left_over(state: &State, recorded: &BTreeSet<(String, String)>, report: &mut Report) {
    let mut surplus: BTreeMap<String, u64> = BTreeMap::new();
    for bucket in ["backup-a", "backup-b"] {
        let held = &state.s3.buckets[bucket];
        for (key, versions) in &held.keys {
            let beside = versions.iter().filter(|version| {
                let bad = version.tags.iter().any(|(name, _)| name == "s3-backup");
                version.content.is_some()
                    && !bad
                    && !recorded.contains(&(bucket.to_owned(), version.id.clone()))
            });
            *surplus.entry(format!("{bucket}/{key}")).or_default() += beside.count() as u64;
        }
        for upload in held.uploads.values() {
            *surplus
                .entry(format!("{bucket}/{}", upload.key))
                .or_default() += 1;
        }
    }
    for (place, count) in surplus {
        report.surplus += count;
        if count > state.unheard.get(&place).copied().unwrap_or_default() {
            report
                .violations
                .push(format!("{place:?} has {count} copies or uploads too many"));
        }
    }
}
