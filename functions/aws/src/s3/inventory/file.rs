//! One data file: ranged GETs feed a thread that unpacks and reads rows.

use std::io::{self, Read};
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use backup_domain::inventory::{DataFile, InventoryError, Listed, Location, Manifest, Rows};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::{RANGE_BYTES, denied};
use crate::{ApiError, Failure, S3};

/// Rows that are handed over at once.
const ROWS: usize = 1_000;

/// A file that is being read.
#[derive(Debug)]
pub struct OpenFile {
    rows: Receiver<Result<Vec<Listed>, InventoryError>>,
    fetching: Option<JoinHandle<Result<(), Failure>>>,
    at: Location,
    over: bool,
}

impl OpenFile {
    pub(super) fn new(client: S3, manifest: Arc<Manifest>, file: usize, line: u64) -> Self {
        let (parts, fetched) = channel(1);
        let (read, rows) = channel(1);
        let file = manifest.files[file].clone();
        let at = file.at.clone();
        let fetching = tokio::spawn(fetch(client, file.clone(), parts));
        tokio::task::spawn_blocking(move || {
            let body = Parts {
                fetched,
                part: Vec::new(),
                read: 0,
                over: false,
            };
            unpack(Rows::new(&manifest, &file, body), line, &read);
        });
        Self {
            rows,
            fetching: Some(fetching),
            at,
            over: false,
        }
    }

    /// The next rows, 1,000 at most; none at the end of a file that has proven sound.
    ///
    /// # Errors
    /// [`InventoryError`] by name; the answer of S3.
    pub async fn rows(&mut self) -> Result<Vec<Listed>, Failure> {
        if self.over {
            return Ok(vec![]);
        }
        let ended = || InventoryError::BrokeOff {
            at: self.at.clone(),
            problem: "reading ended".to_owned(),
        };
        let read = self.rows.recv().await.unwrap_or_else(|| Err(ended()));
        let problem = match read {
            Ok(rows) => {
                self.over = rows.is_empty();
                return Ok(rows);
            }
            Err(problem) => problem,
        };
        // What ended the fetching is the cause of what ended the reading.
        if let (InventoryError::BrokeOff { .. }, Some(fetching)) = (&problem, self.fetching.take())
            && let Ok(Err(failure)) = fetching.await
        {
            return Err(failure);
        }
        Err(problem.into())
    }
}

/// Gets the file range by range; ends early when nobody reads on.
async fn fetch(client: S3, file: DataFile, parts: Sender<Option<Vec<u8>>>) -> Result<(), Failure> {
    let mut first = 0;
    while first < file.bytes {
        let bytes = RANGE_BYTES.min(file.bytes - first);
        let range = format!("bytes={first}-{}", first + bytes - 1);
        let request = client
            .get_object()
            .bucket(&file.at.bucket)
            .key(&file.at.key);
        let request = request.range(range);
        let part = match part_of(request.clone()).await {
            Err(api) if api.status.is_none() => part_of(request).await,
            answer => answer,
        };
        let part = match part {
            Ok(part) => part,
            Err(api) if api.is_missing() => {
                let at = file.at.clone();
                return Err(InventoryError::FileMissing { at }.into());
            }
            // Less is there than the manifest says: the reader finds the end too early.
            Err(api) if api.status == Some(416) => break,
            Err(api) => return Err(denied(&api, &file.at)),
        };
        first += bytes;
        if parts.send(Some(part)).await.is_err() {
            return Ok(());
        }
    }
    let _ = parts.send(None).await;
    Ok(())
}

/// The bytes of one GET.
async fn part_of(request: GetObjectFluentBuilder) -> Result<Vec<u8>, ApiError> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| ApiError::of("GetObject", &error))?;
    body_of(answer.body).await
}

/// The bytes of a body, or where it broke off.
pub(super) async fn body_of(body: ByteStream) -> Result<Vec<u8>, ApiError> {
    let body = body.collect().await.map_err(|problem| ApiError {
        operation: "GetObject",
        message: format!("the body broke off: {problem}"),
        ..ApiError::default()
    })?;
    Ok(body.to_vec())
}

/// Reads the rows behind the first `line`, and says the end by an empty batch.
fn unpack(mut rows: Rows<Parts>, line: u64, read: &Sender<Result<Vec<Listed>, InventoryError>>) {
    let mut skipped = rows.skip(line);
    loop {
        let batch = skipped.and_then(|()| batch(&mut rows));
        skipped = Ok(());
        let last = batch.as_ref().map_or(true, Vec::is_empty);
        // Nobody may want to have them any more.
        if read.blocking_send(batch).is_err() || last {
            return;
        }
    }
}

fn batch(rows: &mut Rows<Parts>) -> Result<Vec<Listed>, InventoryError> {
    let mut batch = Vec::with_capacity(ROWS);
    while batch.len() < ROWS {
        match rows.next_row()? {
            Some(row) => batch.push(row),
            None => break,
        }
    }
    Ok(batch)
}

/// What was fetched, as a body. `None` is its end; nothing more without one means that it broke off.
struct Parts {
    fetched: Receiver<Option<Vec<u8>>>,
    part: Vec<u8>,
    read: usize,
    over: bool,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.part.len() && !self.over {
            match self.fetched.blocking_recv() {
                Some(Some(part)) => (self.part, self.read) = (part, 0),
                Some(None) => self.over = true,
                None => return Err(io::Error::other("fetching ended")),
            }
        }
        let left = &self.part[self.read..];
        let bytes = left.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&left[..bytes]);
        self.read += bytes;
        Ok(bytes)
    }
}
