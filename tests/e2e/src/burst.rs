//! Many objects at once.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use backup_stack::Service;
use serde_json::json;

use crate::World;

/// Uploads and copies that run at once.
const THREADS: usize = 8;
/// The longest that nothing may happen, in seconds: a call that hangs for its time-out, and the retry after it.
const STILL_SECONDS: u64 = 90;

/// Key of one object of a burst.
pub fn key_of(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:05}.txt")
}

/// Does something for each of so many numbers, several at once.
pub fn each(count: usize, act: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(number) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < count)
                {
                    act(number);
                }
            });
        }
    });
}

impl World {
    /// Uploads the objects of these numbers, each with its key for content.
    pub fn upload_burst(&self, prefix: &str, numbers: Range<usize>) {
        let first = numbers.start;
        each(numbers.len(), |number| {
            let key = key_of(prefix, first + number);
            let put = self
                .objects
                .put_object(self.source(), &key, key.as_bytes(), &[]);
            put.expect("the object is uploaded");
        });
    }

    /// How many recovery points below a prefix have a status.
    pub fn count_points(&self, prefix: &str, status: &str) -> usize {
        let mut count = 0;
        let mut start = None;
        loop {
            let mut scan = json!({
                "TableName": self.outputs["CatalogTable"],
                "Select": "COUNT",
                "FilterExpression": "begins_with(pk, :pk) AND #status = :status",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {
                    ":pk": {"S": format!("{}/{prefix}", self.source())},
                    ":status": {"S": status},
                },
            });
            if let Some(from) = start {
                scan["ExclusiveStartKey"] = from;
            }
            let page = self.cloud.json(Service::DynamoDb, "Scan", &scan);
            let page = page.expect("an answer");
            let found = page["Count"].as_u64().unwrap_or_default();
            count += usize::try_from(found).unwrap_or_default();
            match page.get("LastEvaluatedKey") {
                Some(key) => start = Some(key.clone()),
                None => return count,
            }
        }
    }

    /// Waits until so many objects are stored, as long as something happens; `look` is called now and
    /// then. Returns when it was.
    pub fn stored_burst(&self, prefix: &str, count: usize, look: impl Fn()) -> Instant {
        let stored = self.try_stored_burst(prefix, count, look);
        stored.unwrap_or_else(|missing| panic!("{missing}"))
    }

    /// The same where something may have failed: it is parked then, and stored by a redrive.
    pub fn stored_burst_by_redrive(&self, prefix: &str, count: usize) {
        if let Err(missing) = self.try_stored_burst(prefix, count, || {}) {
            println!("{missing}");
            self.redrive_all();
            self.stored_burst(prefix, count, || {});
        }
    }

    /// An error says what is known of those that are not stored.
    fn try_stored_burst(
        &self,
        prefix: &str,
        count: usize,
        look: impl Fn(),
    ) -> Result<Instant, String> {
        let (mut stored, mut last) = (0, Instant::now());
        while stored < count {
            look();
            let now = self.count_points(prefix, "stored");
            if now > stored {
                (stored, last) = (now, Instant::now());
            }
            if last.elapsed() > Duration::from_secs(STILL_SECONDS) {
                let missing = self.not_stored(prefix, count);
                return Err(format!(
                    "{stored} of {count} are stored, and no more come:\n{missing}"
                ));
            }
            thread::sleep(Duration::from_millis(300));
        }
        Ok(last)
    }

    /// What is known of each object of a burst that is not stored: its points, and what was asked for it.
    /// What is parked stays where a redrive finds it.
    fn not_stored(&self, prefix: &str, count: usize) -> String {
        let known = |key: String| {
            let points = self.points(&key);
            if points.iter().any(|it| it["status"]["S"] == "stored") {
                return None;
            }
            let calls = self.proxy.calls(&key).into_iter();
            let calls: Vec<_> = calls.map(|it| (it.operation, it.answered)).collect();
            Some(format!("{key}: points {points:?}, calls {calls:?}"))
        };
        let known = (0..count).filter_map(|number| known(key_of(prefix, number)));
        known.collect::<Vec<_>>().join("\n")
    }

    /// Every object has one copy of its content.
    pub fn check_burst(&self, prefix: &str, count: usize) {
        each(count, |number| {
            let key = key_of(prefix, number);
            assert_eq!(self.copy_of(&key).body, key.as_bytes(), "{key}");
            assert_eq!(self.versions(self.backup(), &key).len(), 1, "{key}");
        });
        assert_eq!(self.count_points(prefix, "stored"), count);
        assert!(self.parked(prefix).is_empty());
    }
}
