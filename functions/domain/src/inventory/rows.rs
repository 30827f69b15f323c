//! The rows of a data file, read one by one from its bytes; no more than a row is held.

use std::io::{self, ErrorKind, Read};

use csv::{ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use md5::{Digest, Md5};

use super::manifest::{Column, Places, hex};
use super::{DataFile, InventoryError, Manifest};
use crate::audit::Entry;
use crate::key;
use crate::object::NULL_VERSION;

/// A version or delete marker, as a row says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Key, raw.
    pub key: String,
    /// Version id, `null` for one that was written without versioning; `None` where the report lists
    /// current versions alone.
    pub version_id: Option<String>,
    /// Whether a plain GET found it.
    pub latest: bool,
    /// Whether it is a delete marker: it has no size and no ETag.
    pub delete_marker: bool,
    /// Size in bytes.
    pub size: u64,
    /// Last-modified.
    pub modified: Timestamp,
    /// ETag without quotes.
    pub etag: String,
    /// Storage class.
    pub class: String,
    /// Algorithm of its stored checksum, where the report says.
    pub checksum_algorithm: Option<String>,
}

impl Listed {
    /// As a listing shows it: its key, and the rest.
    pub fn into_entry(self) -> (String, Entry) {
        let entry = Entry {
            id: self.version_id.unwrap_or_else(|| NULL_VERSION.to_owned()),
            size: self.size,
            etag: self.etag,
            modified: self.modified,
            class: self.class,
            latest: self.latest,
            delete_marker: self.delete_marker,
        };
        (self.key, entry)
    }
}

/// The rows of one file.
///
/// The file counts as sound when [`Self::next_row`] has given `None`: its size, its MD5 and the sums
/// of gzip are known at the end alone. What was given before an error must not be concluded from.
pub struct Rows<R: Read> {
    csv: csv::Reader<MultiGzDecoder<Counted<R>>>,
    file: DataFile,
    bucket: String,
    places: Places,
    record: StringRecord,
    line: u64,
}

impl<R: Read> Rows<R> {
    /// Of a file of this manifest, from its first byte on.
    pub fn new(manifest: &Manifest, file: &DataFile, body: R) -> Self {
        let counted = Counted {
            body,
            bytes: 0,
            md5: Md5::new(),
        };
        Self {
            csv: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(MultiGzDecoder::new(counted)),
            file: file.clone(),
            bucket: manifest.bucket.clone(),
            places: manifest.places.clone(),
            record: StringRecord::new(),
            line: 0,
        }
    }

    /// Rows that have been read.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Passes over rows without a look at them, the first ones that an earlier reader had.
    ///
    /// # Errors
    /// As [`Self::next_row`].
    pub fn skip(&mut self, rows: u64) -> Result<(), InventoryError> {
        for _ in 0..rows {
            if !self.read()? {
                break;
            }
        }
        Ok(())
    }

    /// The next row; `None` at the end of a file that is as the manifest says.
    ///
    /// # Errors
    /// `Line`, `Damaged`, or `BrokeOff` where the body itself failed.
    pub fn next_row(&mut self) -> Result<Option<Listed>, InventoryError> {
        if !self.read()? {
            return Ok(None);
        }
        let read = listed(&self.record, &self.places, &self.bucket);
        read.map(Some).map_err(|problem| InventoryError::Line {
            at: self.file.at.clone(),
            line: self.line,
            problem,
        })
    }

    fn read(&mut self) -> Result<bool, InventoryError> {
        match self.csv.read_record(&mut self.record) {
            Ok(true) => {
                self.line += 1;
                Ok(true)
            }
            Ok(false) => self.check().map(|()| false),
            Err(problem) => Err(self.failed(problem)),
        }
    }

    fn check(&self) -> Result<(), InventoryError> {
        let counted = self.csv.get_ref().get_ref();
        let (bytes, wanted) = (counted.bytes, self.file.bytes);
        if bytes != wanted {
            return Err(self.damaged(format!("{bytes} bytes, the manifest says {wanted}")));
        }
        let md5 = hex(&counted.md5.clone().finalize());
        if md5 != self.file.md5 {
            let wanted = &self.file.md5;
            return Err(self.damaged(format!("its MD5 is {md5}, the manifest says {wanted}")));
        }
        Ok(())
    }

    fn failed(&self, problem: csv::Error) -> InventoryError {
        let problem = match problem.into_kind() {
            csv::ErrorKind::Io(problem) => problem,
            csv::ErrorKind::Utf8 { .. } => {
                return InventoryError::Line {
                    at: self.file.at.clone(),
                    line: self.line + 1,
                    problem: "it is no UTF-8".to_owned(),
                };
            }
            other => return self.damaged(format!("{other:?}")),
        };
        match problem.kind() {
            ErrorKind::UnexpectedEof => self.damaged("its end is missing".to_owned()),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                self.damaged(format!("it cannot be unpacked: {problem}"))
            }
            _ => InventoryError::BrokeOff {
                at: self.file.at.clone(),
                problem: problem.to_string(),
            },
        }
    }

    fn damaged(&self, problem: String) -> InventoryError {
        InventoryError::Damaged {
            at: self.file.at.clone(),
            problem,
        }
    }
}

/// A body, its length and its MD5.
struct Counted<R> {
    body: R,
    bytes: u64,
    md5: Md5,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buffer)?;
        self.md5.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

fn listed(record: &StringRecord, places: &Places, bucket: &str) -> Result<Listed, String> {
    if record.len() != places.fields {
        let (found, wanted) = (record.len(), places.fields);
        return Err(format!("{found} fields, the manifest says {wanted}"));
    }
    let field = |column| {
        let place = places.of(column)?;
        record.get(place)
    };
    let text = |column| field(column).unwrap_or_default();
    if text(Column::Bucket) != bucket {
        return Err(format!("it is of bucket {:?}", text(Column::Bucket)));
    }
    let id = field(Column::VersionId).map(|id| if id.is_empty() { NULL_VERSION } else { id });
    let delete_marker = flag(field(Column::IsDeleteMarker), false)?;
    let size = match text(Column::Size) {
        "" if delete_marker => 0,
        size => size.parse().map_err(|_| format!("size {size:?}"))?,
    };
    let modified = text(Column::LastModifiedDate);
    let class = text(Column::StorageClass);
    Ok(Listed {
        key: decoded(text(Column::Key))?,
        version_id: id.map(str::to_owned),
        latest: flag(field(Column::IsLatest), true)?,
        delete_marker,
        size,
        modified: modified.parse().map_err(|_| format!("date {modified:?}"))?,
        etag: text(Column::ETag).trim_matches('"').to_owned(),
        class: if class.is_empty() { "STANDARD" } else { class }.to_owned(),
        checksum_algorithm: field(Column::ChecksumAlgorithm)
            .filter(|it| !it.is_empty())
            .map(str::to_owned),
    })
}

/// A key as a row has it: a space is `+` there, a plus `%2B`.
fn decoded(text: &str) -> Result<String, String> {
    let key = key::decode(&text.replace('+', " ")).filter(|key| !key.is_empty());
    key.ok_or_else(|| format!("key {text:?}"))
}

fn flag(field: Option<&str>, absent: bool) -> Result<bool, String> {
    match field {
        None => Ok(absent),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(text) => Err(format!("{text:?} is neither true nor false")),
    }
}

#[cfg(test)]
mod tests;
