//! The event that would have come for a version, and who works on it.

use serde_json::{Value, json};

use super::course::Work;
use super::line::{Item, Line, Version};
use crate::sequencer;
use crate::task::Execution;
use crate::watch::execution_name;

/// Where the source is.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Bucket.
    pub bucket: &'a str,
    /// Account that owns it.
    pub account: &'a str,
    /// Its region.
    pub region: &'a str,
}

/// The event of a version or delete marker: "Object Created" or "Object Deleted", with the time of
/// its last-modified and a sequencer made of it, since listings tell none.
pub fn event_of(source: Source<'_>, key: &str, version: &Version) -> Value {
    let mut object =
        json!({"key": key, "sequencer": sequencer::of_second(version.modified, version.rank)});
    if let Some(id) = &version.id {
        object["version-id"] = json!(id);
    }
    let mut detail = json!({"bucket": {"name": source.bucket}, "reason": "backfill"});
    let kind = if version.marker {
        detail["deletion-type"] = json!("Delete Marker Created");
        "Object Deleted"
    } else {
        object["size"] = json!(version.size);
        object["etag"] = json!(version.etag);
        "Object Created"
    };
    detail["object"] = object;
    json!({
        "version": "0", "id": name_of("backfill", source, key, version), "detail-type": kind,
        "source": "aws.s3", "account": source.account, "time": version.modified,
        "region": source.region, "detail": detail,
    })
}

/// Name of the execution that backs a large object up: the same however often the line is worked on,
/// another in the next run.
pub fn execution_of(source: Source<'_>, work: &Work, key: &str, version: &Version) -> String {
    name_of(&work.run, source, key, version)
}

fn name_of(run: &str, source: Source<'_>, key: &str, version: &Version) -> String {
    let id = version.in_order().id.to_owned();
    let modified = version.modified.to_string();
    let subject = [run, source.bucket, key, &id, &version.etag, &modified];
    execution_name("backfill", &subject, 0)
}

/// Who holds the leases of one key of a line: the same however often the line is worked on. Written as
/// an EXPRESS execution, which nobody can ask how it is: a lease of it ends by its time.
pub fn holder(line: &Line, number: usize) -> Execution {
    let Line { work, slice, .. } = line;
    let machine = work.execution.replacen(":execution:", ":express:", 1);
    Execution {
        id: format!("{machine}:{slice:05}-{:05}-{number:04}", line.line),
        start_time: work.begun.to_string(),
    }
}

/// All versions of a line with the number of their key, for who counts.
pub fn versions_of(items: &[Item]) -> usize {
    items.iter().map(|item| item.versions.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{S3Event, parse_any};
    use crate::object::SourceObject;

    const SOURCE: Source<'_> = Source {
        bucket: "source",
        account: "111122223333",
        region: "eu-west-1",
    };

    fn version(id: Option<&str>, marker: bool) -> Version {
        Version {
            id: id.map(str::to_owned),
            size: if marker { 0 } else { 5 },
            etag: if marker { "" } else { "e" }.to_owned(),
            modified: "2026-11-01T00:00:00Z".parse().expect("a time"),
            marker,
            rank: 0,
        }
    }

    fn read(version: &Version) -> S3Event {
        let event = event_of(SOURCE, "a b/é", version);
        parse_any(&event, &["source".to_owned()]).expect("the filter understands it")
    }

    #[test]
    fn the_event_of_a_version_is_one_that_the_filter_understands() {
        let S3Event::Created(created) = read(&version(Some("v1"), false)) else {
            panic!("a version is created");
        };
        assert_eq!((created.key.as_str(), created.size), ("a b/é", 5));
        assert_eq!(SourceObject::created(&created).version_key(), "v1");
        assert_eq!(created.redrive, None);
        let S3Event::Created(unversioned) = read(&version(None, false)) else {
            panic!("a version is created");
        };
        assert_eq!(unversioned.version_id, None);
        let S3Event::Deleted(deleted) = read(&version(Some("m1"), true)) else {
            panic!("a marker is a deletion");
        };
        assert_eq!(deleted.deletion_key(), "m1");
    }

    fn line(slice: u32, line: u32) -> Line {
        Line {
            items: vec![],
            slice,
            line,
            work: Work {
                bucket: "reports".into(),
                run: "run".into(),
                execution: "arn:aws:states:eu-west-1:111122223333:execution:s3-backup-backfill:run"
                    .into(),
                begun: "2026-11-24T00:00:00Z".parse().expect("a time"),
            },
        }
    }

    #[test]
    fn a_holder_is_the_same_for_the_same_key_of_a_line_and_no_other() {
        let first = holder(&line(1, 1), 0);
        assert_eq!(first, holder(&line(1, 1), 0));
        assert!(first.id.contains(":express:"));
        for other in [
            holder(&line(1, 1), 1),
            holder(&line(1, 2), 0),
            holder(&line(2, 1), 0),
        ] {
            assert_ne!(first.owner(), other.owner());
        }
    }

    #[test]
    fn an_execution_is_named_by_run_and_version() {
        let own = version(Some("v1"), false);
        let name = |work: &Work, version: &Version| execution_of(SOURCE, work, "k", version);
        let work = line(1, 1).work;
        let first = name(&work, &own);
        assert_eq!(first, name(&work, &own));
        assert!(first.len() <= 80, "{first}");
        let next = Work {
            run: "next".into(),
            ..work.clone()
        };
        assert_ne!(first, name(&next, &own));
        assert_ne!(first, name(&work, &version(Some("v2"), false)));
    }
}
