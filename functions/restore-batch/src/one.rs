//! One key: looked at, copied, proven; or hidden.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use backup_aws::prepare::{at_destination, copy_version, name_refusal, source_version};
use backup_aws::s3::copy::Made;
use backup_aws::s3::documents::Documents;
use backup_aws::s3::ending::is_occupied;
use backup_aws::s3::head::{Found, Head, head};
use backup_aws::s3::{archive, copy, delete};
use backup_aws::{ApiError, Clients, Deadline, ErrorName, Failure, S3};
use backup_domain::copy::Headed;
use backup_domain::limits::COPY_OBJECT_BYTES_MAX;
use backup_domain::multipart::Upload;
use backup_domain::policy::{Annotations, Archived, Deletes, Destination};
use backup_domain::restore::carry;
use backup_domain::restore::conflict::{Decided, Hiding, There, decide, hide};
use backup_domain::restore::estimate::OBJECTS_AT_ONCE;
use backup_domain::restore::line::{Copy, Item};
use backup_domain::restore::proof::still_good;
use backup_domain::restore::report::{Outcome, Restored, Unproven};
use backup_domain::restore::request::{Archive, Mode, Tier, To};
use backup_domain::task::{CopyTask, Target};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tracing::warn;

/// What every key of a line shares.
pub struct One {
    pub clients: Arc<Clients>,
    pub target_region: String,
    pub to: To,
    pub mode: Mode,
    pub at: Timestamp,
    pub archive: Archive,
    pub annotations: Annotations,
    /// Nothing lay at the target when planning began, and no run has worked on this line before.
    pub fresh: bool,
    /// What is restored is read.
    pub read: bool,
    /// What an earlier run has left at the target unproven, by source key.
    pub left: BTreeMap<String, Unproven>,
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
    /// Whether it lies in an archive and is on its way.
    pub is_asked_for: bool,
    pub s3: S3,
}

/// What a look at the target led to.
enum Put {
    /// Nothing was copied, for this reason.
    Ended(Restored),
    /// The answer to the copying.
    Answered(Result<Made, ApiError>),
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
        let restored = match &item.copy {
            None => self.hide(&item.key, &target).await,
            Some(copy) => self.bring_back(item, copy, target).await,
        };
        restored.map(|restored| Restored {
            at: item.at,
            ..restored
        })
    }

    fn target(&self, key: &str) -> Target {
        Target {
            name: "restore".to_owned(),
            destination: Destination {
                bucket: self.to.bucket.clone(),
                region: self.target_region.clone(),
                account: self.to.owner.clone(),
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
            annotations: self.annotations,
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

    /// Brings back the copy that was planned, or, where that is gone, damaged or out of reach, another
    /// destination's. Where none is any good, what the planned one came to is told.
    async fn bring_back(
        &self,
        item: &Item,
        copy: &Copy,
        target: Target,
    ) -> Result<Restored, Failure> {
        let key = &item.key;
        let first = match self.original(key, copy, &target).await {
            Ok(Some(original)) => return self.copy(key, &original).await,
            Ok(None) => Ok(Restored::because(key, Outcome::Missing, GONE)),
            Err(failure) if failure.name == ErrorName::Throttled => return Err(failure),
            Err(failure) => Err(failure),
        };
        for other in &item.others {
            if let Ok(Some(original)) = self.original(key, other, &target).await {
                warn!(%key, bucket = %other.bucket, "another destination's copy is taken");
                return self.copy(key, &original).await;
            }
        }
        first
    }

    /// A copy as it is now; `None` where it is gone.
    async fn original(
        &self,
        key: &str,
        copy: &Copy,
        target: &Target,
    ) -> Result<Option<Original>, Failure> {
        let object = copy.object(key, "");
        let s3 = self.clients.s3(&copy.region);
        let head = match head(&s3, source_version(&object)).await {
            Ok(Found::Object(head)) => head,
            Ok(Found::Nothing) => return Ok(None),
            Err(api) => return Err(api.at_source(&object.bucket)),
        };
        still_good(copy.evidence.as_ref(), &head.headed.facts)?;
        Ok(Some(Original {
            task: CopyTask::of(object, target.clone()),
            headed: head.headed,
            is_asked_for: head.is_asked_for,
            s3,
        }))
    }

    async fn copy(&self, key: &str, original: &Original) -> Result<Restored, Failure> {
        let begun = Instant::now();
        if original.headed.archived && self.archive.tier == Tier::Leave {
            let class = &original.headed.facts.storage_class;
            return Ok(Restored::because(key, Outcome::Archived, class.as_str()));
        }
        if original.headed.archived && original.is_asked_for {
            return Ok(waiting(key, original));
        }
        let made = if let Some(answer) = self.copy_unseen(original).await {
            answer
        } else {
            match self.look_and_copy(key, original).await? {
                Put::Ended(restored) => return Ok(restored),
                Put::Answered(answer) => answer,
            }
        };
        let at_once = if self.in_parts(original.headed.facts.size) {
            1
        } else {
            OBJECTS_AT_ONCE
        };
        let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let restored = Restored {
            busy_us: took_us / at_once,
            ..Restored::new(key, Outcome::Restored, original.headed.facts.size)
        };
        match made {
            Ok(made) => self.proven(restored, original, &made).await,
            Err(api) if is_occupied(&api) => self.occupied(key, original).await,
            Err(api) if api.is_missing() => Ok(Restored::because(key, Outcome::Missing, GONE)),
            Err(api) => {
                let (object, target) = (&original.task.object, &original.task.target);
                Err(name_refusal(&original.s3, object, target, &api).await)
            }
        }
    }

    /// Copies where nothing lay when planning began: the condition does what a look before would do.
    /// `None` where there is something to look at.
    async fn copy_unseen(&self, original: &Original) -> Option<Result<Made, ApiError>> {
        let headed = &original.headed;
        if !self.fresh || headed.archived || self.in_parts(headed.facts.size) {
            return None;
        }
        let answer = self.copy_whole(original, false).await;
        Some(answer).filter(|it| !it.as_ref().is_err_and(is_occupied))
    }

    /// Looks at the target, then copies what is to be copied.
    async fn look_and_copy(&self, key: &str, original: &Original) -> Result<Put, Failure> {
        let (facts, is_archived) = (&original.headed.facts, original.headed.archived);
        let is_large = self.in_parts(facts.size);
        let there = self.there(&original.task.target).await?;
        let cover = match self.decide(key, original, there.as_ref()).await? {
            Decided::Done => {
                let there = there.unwrap_or_default();
                if is_large && !is_archived {
                    self.annotate(original, there.version_id.as_deref()).await?;
                }
                if self.read && !is_archived {
                    // An earlier try has copied it, and may have died before it read it.
                    let facts = there.headed.facts;
                    let version_id = there.version_id;
                    return Ok(Put::Answered(Ok(Made { version_id, facts })));
                }
                return Ok(Put::Ended(Restored::new(key, Outcome::Same, facts.size)));
            }
            Decided::Conflict(why) => {
                return Ok(Put::Ended(Restored::because(key, Outcome::Conflict, why)));
            }
            Decided::Copy => false,
            Decided::Cover => true,
        };
        if is_archived {
            return self.ask(original, key).await.map(Put::Ended);
        }
        Ok(Put::Answered(if is_large {
            self.copy_in_parts(original, key, cover).await?
        } else {
            self.copy_whole(original, cover).await
        }))
    }

    /// Something was written to the target meanwhile: by a try of this restore, or by somebody else.
    async fn occupied(&self, key: &str, original: &Original) -> Result<Restored, Failure> {
        let there = self.there(&original.task.target).await?;
        let why = match self.decide(key, original, there.as_ref()).await? {
            Decided::Done => {
                let bytes = original.headed.facts.size;
                return Ok(Restored::new(key, Outcome::Same, bytes));
            }
            Decided::Conflict(why) => why,
            Decided::Copy | Decided::Cover => "something was written there meanwhile".to_owned(),
        };
        Ok(Restored::because(key, Outcome::Conflict, why))
    }

    /// What to do about what lies at the target.
    async fn decide(
        &self,
        key: &str,
        original: &Original,
        there: Option<&Head>,
    ) -> Result<Decided, Failure> {
        let there = match there {
            None => There::Nothing,
            // Our own, whatever the mode.
            Some(head) if self.is_left(key, head) => return Ok(Decided::Cover),
            Some(head) if original.headed.archived => self.by_head(original, head),
            Some(head) => self.compare(original, head).await?,
        };
        Ok(decide(there, self.mode, self.at))
    }

    /// Proves what was made; what fails that stays where it is, and is named.
    async fn proven(
        &self,
        restored: Restored,
        original: &Original,
        made: &Made,
    ) -> Result<Restored, Failure> {
        match self.prove(original, made).await {
            Ok(evidence) => Ok(Restored {
                version_id: made.version_id.clone(),
                evidence: Some(evidence),
                ..restored
            }),
            Err(failure) if failure.name == ErrorName::ChecksumMismatch => Ok(Restored {
                error: failure.name.to_string(),
                unproven: Some(self.leave_unproven(original, made).await),
                ..Restored::because(&restored.key, Outcome::Failed, failure.message)
            }),
            Err(failure) => Err(failure),
        }
    }

    async fn copy_whole(&self, original: &Original, cover: bool) -> Result<Made, ApiError> {
        let request = carry::request(&original.task.object, &original.headed);
        let (s3, task, now) = (self.target_s3(), &original.task, Timestamp::now());
        if cover {
            copy::make(&s3, task, &request, now).await
        } else {
            copy::make_of_nothing(&s3, task, &request, now).await
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
        Ok(waiting(key, original))
    }
}

fn waiting(key: &str, original: &Original) -> Restored {
    let class = &original.headed.facts.storage_class;
    let why = format!("it is brought back from {class}");
    Restored::because(key, Outcome::Waiting, why)
}

/// Why an offered copy may be missing all the same.
const GONE: &str =
    "its copy is no longer in the backup bucket: a lifecycle rule or a person removed it";
