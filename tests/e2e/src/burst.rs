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
/// The longest that nothing may happen, in seconds.
const STILL_SECONDS: u64 = 60;

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
        let (mut stored, mut last) = (0, Instant::now());
        while stored < count {
            look();
            let now = self.count_points(prefix, "stored");
            if now > stored {
                (stored, last) = (now, Instant::now());
            }
            assert!(
                last.elapsed() < Duration::from_secs(STILL_SECONDS),
                "{stored} of {count} are stored, and no more come"
            );
            thread::sleep(Duration::from_millis(100));
        }
        last
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
