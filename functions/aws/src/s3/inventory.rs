//! Reading S3 Inventory reports: which one, then its rows, a batch at a time.
//!
//! Files are read by ranged GETs as rows are asked for, so that a slow reader holds no connection and
//! a file costs some [`RANGE_BYTES`] of memory, whatever its size. Reading again from a [`Cursor`] unpacks
//! the file from its beginning, since gzip knows no places, and checks it as a whole all the same.

mod file;
mod ordered;

use std::sync::Arc;

use backup_domain::inventory::location::dated;
use backup_domain::inventory::{Cursor, InventoryError, Listed, Location, Manifest};

pub use file::OpenFile;
pub use ordered::OrderedRows;

use crate::{ApiError, ErrorName, Failure, S3};

/// Bytes of one GET.
const RANGE_BYTES: u64 = 1024 * 1024;

/// Code of an answer about a bucket that is not there.
const NO_BUCKET: &str = "NoSuchBucket";

/// A complete report.
#[derive(Debug, Clone)]
pub struct Inventory {
    client: S3,
    /// What its manifest says.
    pub manifest: Arc<Manifest>,
}

impl Inventory {
    /// Opens the report of `bucket` at a manifest, or the newest complete one under a prefix. `client`
    /// calls in the region of `bucket`, where its reports must lie.
    ///
    /// # Errors
    /// [`InventoryError`] by name; `AccessDenied`, `Throttled` or `DestinationUnavailable` of S3.
    pub async fn open(client: S3, at: &Location, bucket: &str) -> Result<Self, Failure> {
        let found = if at.is_manifest() {
            let Some(checksum) = bytes(&client, &at.checksum()).await? else {
                let at = at.clone();
                return Err(InventoryError::Incomplete { at }.into());
            };
            (at.clone(), checksum)
        } else {
            newest(&client, at).await?
        };
        let (at, checksum) = found;
        let Some(document) = bytes(&client, &at).await? else {
            return Err(InventoryError::None { at }.into());
        };
        let manifest =
            Manifest::parse(&at, &document, &String::from_utf8_lossy(&checksum), bucket)?;
        Ok(Self {
            client,
            manifest: Arc::new(manifest),
        })
    }

    /// One of its files, by its place in the manifest, behind so many of its rows.
    pub fn file(&self, file: usize, line: u64) -> OpenFile {
        OpenFile::new(self.client.clone(), Arc::clone(&self.manifest), file, line)
    }

    /// All rows from a place on, file by file as the manifest has them.
    pub fn reader(&self, from: Cursor) -> Reader {
        Reader {
            inventory: self.clone(),
            cursor: from,
            open: None,
        }
    }
}

/// Rows of all files, one file after the other.
#[derive(Debug)]
pub struct Reader {
    inventory: Inventory,
    cursor: Cursor,
    open: Option<OpenFile>,
}

impl Reader {
    /// The next rows, some thousand at most; none at the end.
    ///
    /// A file has proven sound when the cursor has left it: until then its rows must be taken back
    /// when an error comes.
    ///
    /// # Errors
    /// [`InventoryError`] by name; the answer of S3.
    pub async fn batch(&mut self) -> Result<Vec<Listed>, Failure> {
        while self.cursor.file < self.inventory.manifest.files.len() {
            let Cursor { file, line } = self.cursor;
            let open = self
                .open
                .get_or_insert_with(|| self.inventory.file(file, line));
            let rows = open.rows().await?;
            if !rows.is_empty() {
                self.cursor.line += rows.len() as u64;
                return Ok(rows);
            }
            self.open = None;
            self.cursor = Cursor {
                file: file + 1,
                line: 0,
            };
        }
        Ok(vec![])
    }

    /// Where the next batch begins.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

/// The newest complete report under a prefix: the manifest and its checksum.
async fn newest(client: &S3, at: &Location) -> Result<(Location, Vec<u8>), Failure> {
    let mut folders = Vec::new();
    let mut pages = client
        .list_objects_v2()
        .bucket(&at.bucket)
        .prefix(&at.key)
        .delimiter("/")
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = match page.map_err(|error| ApiError::of("ListObjectsV2", &error)) {
            Err(api) if api.code == NO_BUCKET => break,
            page => page.map_err(|api| denied(&api, at))?,
        };
        let prefixes = page.common_prefixes().iter();
        folders.extend(prefixes.filter_map(|it| it.prefix().map(str::to_owned)));
    }
    for folder in dated(folders.iter().map(String::as_str)) {
        let manifest = at.manifest_in(folder);
        if let Some(checksum) = bytes(client, &manifest.checksum()).await? {
            return Ok((manifest, checksum));
        }
    }
    Err(InventoryError::None { at: at.clone() }.into())
}

/// A small document; `None` where there is none.
async fn bytes(client: &S3, at: &Location) -> Result<Option<Vec<u8>>, Failure> {
    let answer = client.get_object().bucket(&at.bucket).key(&at.key).send();
    let body = match answer.await {
        Ok(answer) => answer.body.collect().await,
        Err(error) => {
            return match ApiError::of("GetObject", &error) {
                api if api.is_missing() || api.code == NO_BUCKET => Ok(None),
                api => Err(denied(&api, at)),
            };
        }
    };
    let body = body.map_err(|problem| InventoryError::BrokeOff {
        at: at.clone(),
        problem: problem.to_string(),
    })?;
    Ok(Some(body.to_vec()))
}

/// A call on the bucket of the reports failed.
fn denied(api: &ApiError, at: &Location) -> Failure {
    let mut failure = api.at_service(&at.to_string());
    if failure.name == ErrorName::AccessDenied {
        let bucket = &at.bucket;
        failure.advice = format!(
            "name {bucket} in the template's parameter InventoryBucketNames, and let its key policy and bucket policy allow reading"
        );
    }
    failure
}
