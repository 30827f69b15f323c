//! Promoting: copying a version on top that has been copied before.

use backup_domain::SourceObject;
use backup_domain::catalog::RecoveryPoint;
use backup_domain::copy::{CopyRequest, Headed, Plan, again, plan};
use backup_domain::evidence::{CRC64NVME, Facts};
use backup_domain::limits::PART_BYTES_MAX;
use backup_domain::multipart::{
    Upload, algorithm, can_resume, check_parts, expected_checksum, metadata, missing,
};
use backup_domain::order::{From, owed_after};
use backup_domain::parts::plan_parts;
use backup_domain::policy::Annotations;
use backup_domain::task::{CopyOutcome, CopyTask};
use jiff::Timestamp;
use tracing::{info, warn};

use super::Settle;
use crate::catalog::Owed;
use crate::prepare::{
    at_destination, copy_version, head_source, name_refusal, source_changed, source_version,
    unavailable, versioned,
};
use crate::s3::annotations::{Uncarried, carry};
use crate::s3::head::{self, Found};
use crate::s3::multipart::{self, NewUpload};
use crate::s3::{copy, parts, read};
use crate::{ApiError, Deadline, ErrorName, Failure, S3};

/// What is copied on top: a version, at the source or at the backup itself.
struct Original {
    task: CopyTask,
    headed: Headed,
    request: CopyRequest,
    s3: S3,
}

impl Settle<'_> {
    /// Copies a point's version on top, noted before it is sent. Where the version is gone meanwhile
    /// nothing is copied: the next round sees why. One that the source has and does not give, since
    /// it is archived there or may not be read, is promoted from its good copy.
    pub(super) async fn promote(
        &self,
        point: &RecoveryPoint,
        from: From<'_>,
        deadline: Deadline,
    ) -> Result<Owed, Failure> {
        let after = owed_after(self.catalog.now());
        let owed = self.catalog.owe(&point.pk, &point.sk, after).await?;
        let promoted = self.promoted_from(point, from, deadline).await;
        match (promoted, from, point.in_order().good_copy()) {
            (Err(problem), From::Source, Some(copy)) if is_withheld(&problem) => {
                info!(problem = %problem.message, "the source does not give it: promoting its copy");
                self.promoted_from(point, From::Backup(copy), deadline)
                    .await?;
            }
            (promoted, ..) => promoted?,
        }
        Ok(owed)
    }

    async fn promoted_from(
        &self,
        point: &RecoveryPoint,
        from: From<'_>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let Some(original) = self.original(point, from).await? else {
            return Ok(());
        };
        let answer = if original.headed.facts.size >= self.multipart_bytes {
            self.in_parts(point, &original, deadline).await?
        } else {
            let s3 = self.place.destination();
            copy::copy(&s3, &original.task, &original.request, Timestamp::now()).await
        };
        let version_id = match answer {
            Ok(version_id) => versioned(version_id, self.place.target)?,
            Err(api) if source_changed(&api).is_some() => return Ok(()),
            Err(api) => {
                let object = &original.task.object;
                return Err(name_refusal(&original.s3, object, self.place.target, &api).await);
            }
        };
        self.annotate(&original, &version_id).await?;
        self.record(point, &original, &version_id, deadline).await
    }

    async fn record(
        &self,
        point: &RecoveryPoint,
        original: &Original,
        version_id: &str,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let good = self.is_good(point, original, version_id, deadline).await?;
        self.catalog
            .promoted(&point.pk, &point.sk, version_id, good)
            .await?;
        info!(backup_version_id = %version_id, good, "promoted");
        Ok(())
    }

    /// Records the promotion that lies on top and whose answer was lost: its point has no other copy.
    /// Says whether there was anything to prove it by.
    pub(super) async fn adopt(
        &self,
        point: &RecoveryPoint,
        version_id: &str,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let original = match self.original(point, From::Source).await {
            Ok(original) => original,
            Err(problem) if is_withheld(&problem) => None,
            Err(problem) => return Err(problem),
        };
        let Some(original) = original else {
            return Ok(false);
        };
        self.record(point, &original, version_id, deadline).await?;
        Ok(true)
    }

    async fn original(
        &self,
        point: &RecoveryPoint,
        from: From<'_>,
    ) -> Result<Option<Original>, Failure> {
        let (mut object, s3) = match from {
            From::Source => (point.object.clone(), self.place.source()),
            From::Backup(version_id) => {
                let owner = self.place.target.destination.account.clone();
                let object = SourceObject {
                    bucket: self.place.target.destination.bucket.clone(),
                    key: self.place.target.key.clone(),
                    version_id: Some(version_id.to_owned()),
                    account: owner.unwrap_or_else(|| point.object.account.clone()),
                    region: self.place.target.destination.region.clone(),
                    ..point.object.clone()
                };
                (object, self.place.destination())
            }
        };
        let found = head_source(&s3, &mut object).await;
        let found = found.map_err(|api| match from {
            From::Source => api.at_source(&object.bucket),
            From::Backup(_) => at_destination(&api, self.place.target),
        })?;
        let Found::Object(found) = found else {
            return Ok(None);
        };
        let headed = found.headed;
        let task = CopyTask::of(object, self.place.target.clone());
        let request = match from {
            From::Backup(_) => again(&task.object, &headed),
            From::Source => match plan(&task, &headed)? {
                Plan::Copy(request) => *request,
                Plan::End(CopyOutcome::Skipped, reason) => {
                    return Err(Failure::new(ErrorName::SourceArchived, reason));
                }
                Plan::End(..) => return Ok(None),
            },
        };
        Ok(Some(Original {
            task,
            headed,
            request,
            s3,
        }))
    }

    /// A large promotion: its parts one after the other in this Lambda, many at once. When
    /// the time is over, the next try goes on with the upload.
    async fn in_parts(
        &self,
        point: &RecoveryPoint,
        original: &Original,
        deadline: Deadline,
    ) -> Result<Result<Option<String>, ApiError>, Failure> {
        let s3 = self.place.destination();
        let target = self.place.target;
        let facts = &original.headed.facts;
        let known = point.upload.as_ref();
        let mut upload = match known.filter(|it| can_resume(it, facts, algorithm(facts))) {
            Some(upload) => upload.clone(),
            None => self.new_upload(point, original).await?,
        };
        let all = upload.plan.all();
        let listed = match multipart::list_parts(&s3, target, &upload, all).await {
            Ok(listed) => listed,
            Err(api) if api.code == "NoSuchUpload" => {
                upload = self.new_upload(point, original).await?;
                vec![]
            }
            Err(api) => return Err(at_destination(&api, target)),
        };
        let all = upload.plan.all();
        let left = missing(&upload.plan, all, &listed);
        let object = &original.task.object;
        let ran = parts::run(&s3, object, target, &upload, &facts.etag, left, deadline).await;
        if let Some((_, api)) = ran.failed {
            return Ok(Err(api));
        }
        if ran.left > 0 {
            let message = format!("{} parts of a promotion are left", ran.left);
            return Err(match ran.copied {
                0 => unavailable(message),
                _ => Failure::new(ErrorName::OutOfTime, message),
            });
        }
        let listed = multipart::list_parts(&s3, target, &upload, all)
            .await
            .map_err(|api| at_destination(&api, target))?;
        check_parts(&upload, &listed)?;
        let checksum = expected_checksum(&upload, facts, &listed);
        let made = multipart::complete(&s3, target, &upload, listed, checksum).await;
        if made.as_ref().is_err_and(|api| api.code == "BadDigest") {
            // Its parts are not to be trusted: the next try must not go on with them.
            multipart::abort(&s3, target, &upload.id)
                .await
                .map_err(|api| at_destination(&api, target))?;
        }
        Ok(made)
    }

    async fn new_upload(
        &self,
        point: &RecoveryPoint,
        original: &Original,
    ) -> Result<Upload, Failure> {
        let headed = &original.headed;
        let version = source_version(&original.task.object);
        let tags = head::tags(&original.s3, version)
            .await
            .map_err(|api| at_destination(&api, self.place.target))?;
        let new = NewUpload {
            metadata: metadata(&original.request, headed),
            headers: &headed.headers,
            tags: &tags,
            algorithm: algorithm(&headed.facts),
        };
        let s3 = self.place.destination();
        let id = multipart::create(&s3, self.place.target, new, Timestamp::now())
            .await
            .map_err(|api| at_destination(&api, self.place.target))?;
        let upload = Upload {
            id,
            // As large as parts can be would be few at once; a sixteenth of that is many.
            plan: plan_parts(headed.facts.size, PART_BYTES_MAX / 16)?,
            algorithm: algorithm(&headed.facts).to_owned(),
            marked: true,
        };
        self.catalog
            .note_promotion(&point.pk, &point.sk, &upload)
            .await?;
        Ok(upload)
    }

    /// CopyObject carries annotations by itself, parts do not.
    async fn annotate(&self, original: &Original, version_id: &str) -> Result<(), Failure> {
        let in_parts = original.headed.facts.size >= self.multipart_bytes;
        if !in_parts || self.place.target.annotations != Annotations::Carry {
            return Ok(());
        }
        let version = source_version(&original.task.object);
        let s3 = self.place.destination();
        match carry(
            &original.s3,
            version,
            &s3,
            self.place.target,
            Some(version_id),
        )
        .await
        {
            Ok(_) => Ok(()),
            Err(Uncarried::Source(api)) => Err(api.at_source(&original.task.object.bucket)),
            Err(Uncarried::Copy(api)) => Err(at_destination(&api, self.place.target)),
        }
    }

    /// Whether a promotion has the content that was proven when the version was stored.
    async fn is_good(
        &self,
        point: &RecoveryPoint,
        original: &Original,
        version_id: &str,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let s3 = self.place.destination();
        let version = copy_version(self.place.target, Some(version_id));
        let found = head::head(&s3, version)
            .await
            .map_err(|api| at_destination(&api, self.place.target))?;
        let Found::Object(found) = found else {
            return Ok(false);
        };
        let facts = found.headed.facts;
        if facts.size != original.headed.facts.size {
            return self.refuse(version_id, "its size differs").await;
        }
        let (algorithm, value) = match known(point, &original.headed.facts, &facts) {
            Some(known) => known,
            // Nothing to hold it against: both are read.
            None => (
                CRC64NVME.to_owned(),
                self.read_original(original, deadline).await?,
            ),
        };
        let stored = facts.checksums.get(&algorithm).cloned();
        let stored = stored.or_else(|| (algorithm == "MD5").then(|| facts.etag.clone()));
        let theirs = match stored {
            Some(stored) => stored,
            None => read::crc64nvme(&s3, version, facts.size, &facts.etag, deadline)
                .await
                .map_err(|api| at_destination(&api, self.place.target))?,
        };
        if theirs == value {
            return Ok(true);
        }
        self.refuse(
            version_id,
            &format!("its {algorithm} is {theirs}, not {value}"),
        )
        .await
    }

    async fn read_original(
        &self,
        original: &Original,
        deadline: Deadline,
    ) -> Result<String, Failure> {
        let (object, facts) = (&original.task.object, &original.headed.facts);
        let version = source_version(object);
        let read = read::crc64nvme(&original.s3, version, facts.size, &facts.etag, deadline);
        read.await.map_err(|api| api.at_source(&object.bucket))
    }

    async fn refuse(&self, version_id: &str, why: &str) -> Result<bool, Failure> {
        warn!(backup_version_id = %version_id, why, "a promotion is bad");
        let version = copy_version(self.place.target, Some(version_id));
        copy::tag_bad(&self.place.destination(), version)
            .await
            .map_err(|api| at_destination(&api, self.place.target))?;
        Ok(false)
    }
}

/// Whether the source has a version and does not give it.
fn is_withheld(failure: &Failure) -> bool {
    matches!(
        failure.name,
        ErrorName::SourceArchived | ErrorName::SourceUnreadable
    )
}

/// What is known of the content: the evidence by which the version was stored, where the promotion
/// can be held against it; else a checksum or MD5 of the original. `None` where neither has any.
fn known(point: &RecoveryPoint, original: &Facts, promoted: &Facts) -> Option<(String, String)> {
    let md5 = |facts: &Facts| facts.etag.len() == 32;
    if let Some(evidence) = &point.evidence {
        let usable = evidence.algorithm == CRC64NVME
            || promoted.checksums.contains_key(&evidence.algorithm)
            || (evidence.algorithm == "MD5"
                && md5(promoted)
                && promoted.encryption == original.encryption);
        if usable {
            return Some((evidence.algorithm.clone(), evidence.value.clone()));
        }
    }
    let shared = original
        .checksums
        .iter()
        .find(|(name, _)| promoted.checksums.contains_key(*name));
    shared.map(|(name, value)| (name.clone(), value.clone()))
}
