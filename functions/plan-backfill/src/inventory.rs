//! An inventory instead of a listing: its rows, taken together key by key as far as a slice holds them.

use std::collections::BTreeMap;

use backup_aws::s3::inventory::Inventory;
use backup_aws::{Deadline, ErrorName, Failure};
use backup_domain::Policy;
use backup_domain::audit::Entry;
use backup_domain::backfill::course::{Cursor, ReadTo, Summary};
use backup_domain::backfill::held::Held;
use backup_domain::backfill::request::{BackfillError, Versions, check_age};
use backup_domain::inventory::{self, Location};
use jiff::Timestamp;

use crate::plan::Planner;
use crate::slice::Slice;

impl Planner {
    /// The report that is gone by: the one that is named, or the newest of a place; and when it was
    /// begun.
    pub async fn choose(&self, place: &str) -> Result<(ReadTo, Timestamp), Failure> {
        let at = Location::parse(place).map_err(|problem| unusable(problem.into()))?;
        let inventory = self.inventory(&at).await?;
        let (manifest, begun) = (
            inventory.manifest.at.to_string(),
            inventory.manifest.created,
        );
        check_age(
            &manifest,
            begun,
            self.catalog.watched_since(&self.source).await?,
        )?;
        let read = ReadTo {
            manifest: inventory.manifest.at.clone(),
            md5: inventory.manifest.md5.clone(),
            cursor: inventory::Cursor::default(),
        };
        Ok((read, begun))
    }

    async fn inventory(&self, at: &Location) -> Result<Inventory, Failure> {
        let client = self.clients.s3(&self.region);
        let opened = Inventory::open(client, at, &self.source).await;
        opened.map_err(unusable)
    }

    /// Plans by the rows of an inventory; says whether all are planned.
    pub async fn by_inventory(
        &self,
        cursor: &mut Cursor,
        policy: &Policy,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let Some(read) = cursor.inventory.clone() else {
            return Ok(true);
        };
        let inventory = self.inventory(&read.manifest).await?;
        if inventory.manifest.md5 != read.md5 {
            let problem = "another report has taken its place".to_owned();
            let what = read.manifest.to_string();
            return Err(BackfillError::Unusable { what, problem }.into());
        }
        let request = cursor.course.request.clone();
        let mut reader = inventory.reader(read.cursor);
        let (mut held, mut slice) = (Held::default(), self.slice(policy, &request));
        loop {
            let file = reader.cursor().file;
            let rows = reader.batch().await.map_err(unusable)?;
            let is_over = rows.is_empty();
            if reader.cursor().file != file {
                held.interrupt();
            }
            for row in rows {
                if row.version_id.is_none() && request.versions == Versions::All {
                    return Err(current_alone(&read.manifest));
                }
                let (key, entry) = row.into_entry();
                if key.starts_with(&request.prefix) {
                    held.push(key, entry);
                } else {
                    held.interrupt();
                }
            }
            let stop = deadline.is_near();
            if !(held.is_full() || stop || is_over) {
                continue;
            }
            let (keys, kept) = held.take(is_over);
            push_all(&mut slice, keys, &mut cursor.course.plan);
            slice
                .write((&self.documents(), &self.catalog), &mut cursor.course)
                .await?;
            let mut at = reader.cursor();
            at.line = at.line.saturating_sub(kept);
            cursor.inventory = Some(ReadTo {
                cursor: at,
                ..read.clone()
            });
            self.keep(cursor).await?;
            if is_over || stop {
                return Ok(is_over);
            }
        }
    }
}

fn push_all(slice: &mut Slice<'_>, keys: BTreeMap<String, Vec<Entry>>, plan: &mut Summary) {
    for (key, mut entries) in keys {
        // No order of rows is promised.
        entries.sort_by(|a, b| b.latest.cmp(&a.latest).then(b.modified.cmp(&a.modified)));
        slice.push(key, &entries, plan);
    }
}

fn current_alone(at: &Location) -> Failure {
    let mut failure = Failure::from(BackfillError::Unusable {
        what: at.to_string(),
        problem: "it lists current versions alone".to_owned(),
    });
    failure.advice = "ask for the latest versions (--versions latest), or let the inventory include all versions".to_owned();
    failure
}

/// What is wrong with an inventory is wrong with the request: its message and advice say more.
fn unusable(failure: Failure) -> Failure {
    match failure.name {
        ErrorName::Throttled | ErrorName::DestinationUnavailable => failure,
        _ => Failure {
            name: ErrorName::InvalidBackfill,
            ..failure
        },
    }
}
