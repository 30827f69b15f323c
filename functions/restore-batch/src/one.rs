//! One key: looked at, copied, proven; or hidden.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_aws::prepare::{at_destination, copy_version, name_refusal, source_version};
use backup_aws::s3::documents::Documents;
use backup_aws::s3::head::{Found, Head, head};
use backup_aws::s3::{archive, copy, delete};
use backup_aws::{ApiError, Clients, Deadline, Failure, S3};
use backup_domain::SourceObject;
use backup_domain::copy::Headed;
use backup_domain::evidence::Evidence;
use backup_domain::limits::COPY_OBJECT_BYTES_MAX;
use backup_domain::multipart::Upload;
use backup_domain::policy::{Annotations, Archived, Deletes, Destination};
use backup_domain::restore::carry;
use backup_domain::restore::conflict::{Decided, Hiding, There, decide, hide};
use backup_domain::restore::line::{Copy, Item};
use backup_domain::restore::proof::still_good;
use backup_domain::restore::report::{Outcome, Restored};
use backup_domain::restore::request::{Archive, Mode, To};
use backup_domain::task::{CopyTask, Target};
use jiff::Timestamp;
use tokio::sync::Mutex;

/// What every key of a line shares.
pub struct One {
    pub clients: Arc<Clients>,
    pub target_region: String,
    pub to: To,
    pub mode: Mode,
    pub at: Timestamp,
    pub archive: Archive,
    pub multipart_bytes: u64,
    pub part_bytes_min: u64,
    pub deadline: Deadline,
    pub keeper: Keeper,
}

/// Remembers the uploads under way of a line's large objects, so that the next run goes on with them.
pub struct Keeper {
    documents: Documents,
    key: String,
    uploads: Mutex<BTreeMap<String, Upload>>,
}

impl Keeper {
    /// With what an earlier run has left.
    pub fn new(documents: Documents, key: String, uploads: BTreeMap<String, Upload>) -> Self {
        Self {
            documents,
            key,
            uploads: Mutex::new(uploads),
        }
    }

    /// The upload of a key.
    pub async fn find(&self, key: &str) -> Option<Upload> {
        self.uploads.lock().await.get(key).cloned()
    }

    /// Remembers the upload of a key, or that there is none any more.
    pub async fn keep(&self, key: &str, upload: Option<Upload>) -> Result<(), Failure> {
        let mut uploads = self.uploads.lock().await;
        match upload {
            Some(upload) => drop(uploads.insert(key.to_owned(), upload)),
            None if uploads.remove(key).is_none() => return Ok(()),
            None => {}
        }
        let text = serde_json::json!(*uploads).to_string();
        self.documents
            .put(&self.key, text, "application/json")
            .await
    }
}

/// A copy that is to be restored, as its HEAD shows it.
pub struct Original {
    pub task: CopyTask,
    pub headed: Headed,
    pub s3: S3,
}

impl One {
    /// Whether a key is copied in parts.
    pub fn is_large(&self, item: &Item) -> bool {
        item.copy
            .as_ref()
            .is_some_and(|copy| self.in_parts(copy.size))
    }

    fn in_parts(&self, bytes: u64) -> bool {
        bytes >= self.multipart_bytes || bytes > COPY_OBJECT_BYTES_MAX
    }

    /// S3 where the target is.
    pub fn target_s3(&self) -> S3 {
        self.clients.s3(&self.target_region)
    }

    /// Restores a key, whatever an earlier run has done to it.
    pub async fn restore(&self, item: &Item) -> Result<Restored, Failure> {
        let target = self.target(&item.key);
        match &item.copy {
            None => self.hide(&item.key, &target).await,
            Some(copy) => self.bring_back(item, copy, target).await,
        }
    }

    fn target(&self, key: &str) -> Target {
        Target {
            name: "restore".to_owned(),
            destination: Destination {
                bucket: self.to.bucket.clone(),
                region: self.target_region.clone(),
                account: None,
                prefix: self.to.prefix.clone(),
                // That of an archived copy would be out of reach again.
                storage_class: Some("STANDARD".to_owned()),
                kms_key: None,
                object_lock: None,
                lifecycle: None,
                allow_weaker_encryption: false,
            },
            key: format!("{}{key}", self.to.prefix),
            read: false,
            archived: Archived::Fail,
            annotations: Annotations::Exclude,
            deletes: Deletes::Keep,
            settle_only: None,
            rule: String::new(),
            attempts: 1,
            upload: None,
            bad: vec![],
            owed_after: None,
        }
    }

    async fn there(&self, target: &Target) -> Result<Option<Head>, Failure> {
        match head(&self.target_s3(), copy_version(target, None)).await {
            Ok(Found::Object(head)) => Ok(Some(*head)),
            Ok(Found::Nothing) => Ok(None),
            Err(api) => Err(at_destination(&api, target)),
        }
    }

    async fn hide(&self, key: &str, target: &Target) -> Result<Restored, Failure> {
        let modified = self.there(target).await?.and_then(|it| it.last_modified);
        match hide(modified, self.at) {
            Hiding::Done => {}
            Hiding::Conflict(why) => return Ok(Restored::because(key, Outcome::Conflict, why)),
            Hiding::Hide => delete::put_marker(&self.target_s3(), target)
                .await
                .map_err(|api| at_destination(&api, target))?,
        }
        Ok(Restored::new(key, Outcome::Hidden, 0))
    }

    async fn bring_back(
        &self,
        item: &Item,
        copy: &Copy,
        target: Target,
    ) -> Result<Restored, Failure> {
        let key = item.key.as_str();
        let object = copy.object(key, "");
        let s3 = self.clients.s3(&copy.region);
        let Some(headed) = self.headed(&s3, &object).await? else {
            return Ok(Restored::because(key, Outcome::Missing, GONE));
        };
        still_good(copy.evidence.as_ref(), &headed.facts)?;
        let original = Original {
            task: CopyTask::of(object, target),
            headed,
            s3,
        };
        let target = &original.task.target;
        let there = match self.there(target).await? {
            None => There::Nothing,
            Some(head) if original.headed.archived => self.by_head(&original, &head),
            Some(head) => self.compare(&original, &head).await?,
        };
        let cover = match decide(there, self.mode, self.at) {
            Decided::Done => return Ok(Restored::new(key, Outcome::Same, copy.size)),
            Decided::Conflict(why) => return Ok(Restored::because(key, Outcome::Conflict, why)),
            Decided::Copy => false,
            Decided::Cover => true,
        };
        if original.headed.archived {
            return self.ask(&original, key).await;
        }
        let made = if self.in_parts(original.headed.facts.size) {
            self.copy_in_parts(&original, key).await?
        } else {
            self.copy_whole(&original, cover).await
        };
        let version_id = match made {
            Ok(version_id) => version_id,
            Err(api) if is_occupied(&api) => {
                let why = "something was written there meanwhile";
                return Ok(Restored::because(key, Outcome::Conflict, why));
            }
            Err(api) if api.is_missing() => {
                return Ok(Restored::because(key, Outcome::Missing, GONE));
            }
            Err(api) => {
                let object = &original.task.object;
                return Err(name_refusal(&original.s3, object, target, &api).await);
            }
        };
        let evidence = self.prove(&original, version_id.as_deref()).await?;
        Ok(restored(key, copy.size, version_id, evidence))
    }

    async fn headed(&self, s3: &S3, object: &SourceObject) -> Result<Option<Headed>, Failure> {
        match head(s3, source_version(object)).await {
            Ok(Found::Object(head)) => Ok(Some(head.headed)),
            Ok(Found::Nothing) => Ok(None),
            Err(api) => Err(api.at_source(&object.bucket)),
        }
    }

    async fn copy_whole(
        &self,
        original: &Original,
        cover: bool,
    ) -> Result<Option<String>, ApiError> {
        let request = carry::request(&original.task.object, &original.headed);
        let (s3, task, now) = (self.target_s3(), &original.task, Timestamp::now());
        if cover {
            copy::copy(&s3, task, &request, now).await
        } else {
            copy::copy_to_nothing(&s3, task, &request, now).await
        }
    }

    /// Asks for a readable copy; the next pass copies it.
    async fn ask(&self, original: &Original, key: &str) -> Result<Restored, Failure> {
        let object = &original.task.object;
        let class = &original.headed.facts.storage_class;
        let tiered = class == "INTELLIGENT_TIERING";
        archive::ask(&original.s3, source_version(object), &self.archive, tiered)
            .await
            .map_err(|api| api.at_source(&object.bucket))?;
        let why = format!("it is brought back from {class}");
        Ok(Restored::because(key, Outcome::Waiting, why))
    }
}

/// Why an offered copy may be missing all the same.
const GONE: &str =
    "its copy is no longer in the backup bucket: a lifecycle rule or a person removed it";

fn is_occupied(api: &ApiError) -> bool {
    api.code == "PreconditionFailed" || api.status == Some(412)
}

fn restored(key: &str, bytes: u64, version_id: Option<String>, evidence: Evidence) -> Restored {
    Restored {
        version_id,
        evidence: Some(evidence),
        ..Restored::new(key, Outcome::Restored, bytes)
    }
}
