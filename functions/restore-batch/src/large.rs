//! A large object: its parts many at once, going on with what an earlier run has begun.

use backup_aws::prepare::{at_destination, source_version, unavailable};
use backup_aws::s3::annotations::{self, Uncarried};
use backup_aws::s3::copy::Made;
use backup_aws::s3::ending::Ending;
use backup_aws::s3::multipart::{self, NewUpload};
use backup_aws::s3::{head, parts};
use backup_aws::{ApiError, ErrorName, Failure};
use backup_domain::multipart::{
    Upload, algorithm, can_resume, check_parts, expected_checksum, metadata, missing,
};
use backup_domain::parts::plan_parts;
use backup_domain::policy::Annotations;
use backup_domain::restore::carry;
use jiff::Timestamp;

use crate::one::{One, Original};

impl One {
    /// Copies in parts, then brings the annotations, which no part carries. The inner result is the
    /// answer of the request that makes the object.
    ///
    /// # Errors
    /// `OutOfTime` when parts are left: the next run goes on with them.
    pub async fn copy_in_parts(
        &self,
        original: &Original,
        key: &str,
        cover: bool,
    ) -> Result<Result<Made, ApiError>, Failure> {
        let (s3, target) = (self.target_s3(), &original.task.target);
        let facts = &original.headed.facts;
        let refused = |api: &ApiError| at_destination(api, target);
        let known = self.keeper.find(key).await;
        let mut upload = match known.filter(|it| can_resume(it, facts, algorithm(facts))) {
            Some(upload) => upload,
            None => self.new_upload(original, key).await?,
        };
        let listed = multipart::list_parts(&s3, target, &upload, upload.plan.all()).await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(api) if api.code == "NoSuchUpload" => {
                upload = self.new_upload(original, key).await?;
                vec![]
            }
            Err(api) => return Err(refused(&api)),
        };
        let all = upload.plan.all();
        let open = missing(&upload.plan, all, &listed);
        let object = &original.task.object;
        let (etag, deadline) = (&facts.etag, self.deadline);
        let ran = parts::run(&s3, object, target, &upload, etag, open, deadline).await;
        if let Some((_, api)) = ran.failed {
            return Ok(Err(api));
        }
        if ran.left > 0 {
            let message = format!("{} parts of {key} are left", ran.left);
            return Err(match ran.copied {
                0 => unavailable(message),
                _ => Failure::new(ErrorName::OutOfTime, message),
            });
        }
        let listed = multipart::list_parts(&s3, target, &upload, all).await;
        let listed = listed.map_err(|api| refused(&api))?;
        check_parts(&upload, &listed)?;
        let checksum = expected_checksum(&upload, facts, &listed);
        let made = if cover {
            multipart::complete(&s3, target, &upload, listed, checksum).await
        } else {
            // Copying the parts took a while since the look at the target.
            multipart::complete_of_nothing(&s3, target, &upload, listed, checksum).await
        };
        let ending = Ending::of(&made);
        if ending == Ending::Useless {
            let aborted = multipart::abort(&s3, target, &upload.id).await;
            aborted.map_err(|api| refused(&api))?;
        }
        if ending != Ending::Open {
            self.keeper.keep(key, None).await?;
        }
        let version_id = match made {
            Ok(version_id) => version_id,
            Err(api) => return Ok(Err(api)),
        };
        self.annotate(original, version_id.as_deref()).await?;
        Ok(Ok(Made {
            version_id,
            ..Made::default()
        }))
    }

    /// Brings the annotations of a large object; doing it twice is once.
    pub async fn annotate(
        &self,
        original: &Original,
        version_id: Option<&str>,
    ) -> Result<(), Failure> {
        if self.annotations == Annotations::Exclude {
            return Ok(());
        }
        let (object, target) = (&original.task.object, &original.task.target);
        let (from, to) = (
            source_version(object),
            version_id.filter(|id| *id != "null"),
        );
        match annotations::carry(&original.s3, from, &self.target_s3(), target, to).await {
            Ok(_) => Ok(()),
            Err(Uncarried::Source(api)) => Err(api.at_source(&object.bucket)),
            Err(Uncarried::Copy(api)) => Err(at_destination(&api, target)),
        }
    }

    async fn new_upload(&self, original: &Original, key: &str) -> Result<Upload, Failure> {
        let (headed, target) = (&original.headed, &original.task.target);
        let object = &original.task.object;
        let tags = head::tags(&original.s3, source_version(object)).await;
        let tags = tags.map_err(|api| api.at_source(&object.bucket))?;
        let request = carry::request(object, headed);
        let new = NewUpload {
            metadata: metadata(&request, headed),
            headers: &headed.headers,
            tags: &tags,
            algorithm: algorithm(&headed.facts),
        };
        let id = multipart::create(&self.target_s3(), target, new, Timestamp::now()).await;
        let upload = Upload {
            id: id.map_err(|api| at_destination(&api, target))?,
            plan: plan_parts(headed.facts.size, self.part_bytes_min)?,
            algorithm: algorithm(&headed.facts).to_owned(),
            marked: false,
        };
        self.keeper.keep(key, Some(upload.clone())).await?;
        Ok(upload)
    }
}
