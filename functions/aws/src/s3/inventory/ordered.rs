//! The rows of a report in the order of their keys, as a listing gives them.

use std::collections::BTreeMap;
use std::io::Cursor as Bytes;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::types::ServerSideEncryption;
use backup_domain::inventory::ordered::Next;
use backup_domain::inventory::{DataFile, InventoryError, Listed, Manifest, Ordered, Place, Rows};

use super::file::body_of;
use super::{Inventory, OpenFile, denied};
use crate::at_once::each;
use crate::{ApiError, Failure, S3};

/// Bytes of a file that hold its first row for certain, packed.
const FIRST_BYTES: u64 = 64 * 1024;
/// Files that are looked into at once.
const AT_ONCE: usize = 16;

/// See the module.
#[derive(Debug)]
pub struct OrderedRows {
    inventory: Inventory,
    ordered: Ordered,
    open: BTreeMap<usize, OpenFile>,
}

impl Inventory {
    /// From a place on; the first row of every file is read at once. Rows of other keys than those
    /// with this prefix come too.
    ///
    /// # Errors
    /// [`InventoryError`] by name; the answer of S3.
    pub async fn ordered(&self, prefix: &str, from: &Place) -> Result<OrderedRows, Failure> {
        let files = (0..self.manifest.files.len()).collect();
        let first = each(files, AT_ONCE, |file| {
            let (client, manifest) = (self.client.clone(), Arc::clone(&self.manifest));
            async move { Ok((file, first_key(client, &manifest, file).await?)) }
        })
        .await;
        let first: Result<Vec<(usize, Option<String>)>, Failure> = first.into_iter().collect();
        let first = first?.into_iter();
        let first = first.filter_map(|(file, key)| Some((file, key?)));
        Ok(OrderedRows {
            ordered: Ordered::new(&self.manifest, first, prefix, from),
            inventory: self.clone(),
            open: BTreeMap::new(),
        })
    }
}

impl OrderedRows {
    /// The next rows; fewer than `rows_max` only at the end, where every file has proven sound.
    ///
    /// # Errors
    /// [`InventoryError`] by name; the answer of S3.
    pub async fn page(&mut self, rows_max: usize) -> Result<Vec<Listed>, Failure> {
        let mut page = Vec::new();
        while page.len() < rows_max {
            match self.ordered.advance()? {
                Next::Row(row) => page.push(row),
                Next::End => break,
                Next::Rows(from) => {
                    let inventory = &self.inventory;
                    let open = self.open.entry(from.file);
                    let open = open.or_insert_with(|| inventory.file(from.file, from.line));
                    let rows = open.rows().await?;
                    if rows.is_empty() {
                        self.open.remove(&from.file);
                    }
                    self.ordered.rows(from.file, rows)?;
                }
            }
        }
        Ok(page)
    }

    /// Where the next page begins.
    pub fn place(&self) -> Place {
        self.ordered.place()
    }
}

async fn first_key(
    client: S3,
    manifest: &Manifest,
    file: usize,
) -> Result<Option<String>, Failure> {
    let file: &DataFile = &manifest.files[file];
    let last = file.bytes.min(FIRST_BYTES).saturating_sub(1);
    let request = client
        .get_object()
        .bucket(&file.at.bucket)
        .key(&file.at.key);
    let bytes = match begin(request.range(format!("bytes=0-{last}"))).await {
        // Files that begin behind the prefix are not read: what they begin with must be theirs.
        Ok((_, Some(md5))) if !md5.eq_ignore_ascii_case(&file.md5) => {
            let problem = format!("its MD5 is {md5}, not {}", file.md5);
            let at = file.at.clone();
            return Err(InventoryError::Damaged { at, problem }.into());
        }
        Ok((bytes, _)) => bytes,
        Err(api) if api.is_missing() => {
            let at = file.at.clone();
            return Err(InventoryError::FileMissing { at }.into());
        }
        // An empty object has no range: there is no gzip in it either.
        Err(api) if api.status == Some(416) => vec![],
        Err(api) => return Err(denied(&api, &file.at)),
    };
    let row = Rows::new(manifest, file, Bytes::new(bytes)).next_row()?;
    Ok(row.map(|row| row.key))
}

/// The first bytes of a file, and its MD5 where S3 tells it: the ETag of what was uploaded in one part
/// and is not encrypted with a key of KMS (Amazon S3 API Reference, "Object", `ETag`).
async fn begin(request: GetObjectFluentBuilder) -> Result<(Vec<u8>, Option<String>), ApiError> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| ApiError::of("GetObject", &error))?;
    let plain = matches!(
        answer.server_side_encryption(),
        None | Some(ServerSideEncryption::Aes256)
    );
    let etag = answer.e_tag().map(|etag| etag.trim_matches('"').to_owned());
    let md5 = etag.filter(|etag| {
        plain && etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    Ok((body_of(answer.body).await?, md5))
}
