//! What BeginMultipart does with one large version and one destination.

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::prepare::{Prepared, Ready, at_destination, name_refusal, prepare, source_version};
use backup_aws::s3::head;
use backup_aws::s3::multipart::{self, NewUpload};
use backup_aws::{Clients, Failure};
use backup_domain::catalog::{partition_key, sort_key};
use backup_domain::copy::plan;
use backup_domain::limits::MIB;
use backup_domain::multipart::{Begun, Upload, algorithm, can_resume, metadata, remark, strays};
use backup_domain::parts::{Segment, plan_parts};
use backup_domain::task::{Copied, CopyTask};
use jiff::Timestamp;
use tracing::{info, warn};

/// The function's clients and settings.
pub struct Begin {
    pub clients: Clients,
    pub catalog: Catalog,
    pub breakers: Breakers,
    pub part_mib_min: u64,
}

impl Begin {
    /// Begins an upload, goes on with one, or says why there is nothing to upload; none of it while
    /// the destination's breaker is open.
    pub async fn begin(&self, task: CopyTask) -> Result<Begun, Failure> {
        // No upload makes a version before it is completed.
        let sent_nothing = task.begun == 0 && task.rejected.is_empty();
        let begun = self.admitted(task).await;
        begun.map_err(|failure| Failure {
            sent_nothing,
            ..failure
        })
    }

    async fn admitted(&self, task: CopyTask) -> Result<Begun, Failure> {
        let probe = self.breakers.admit(&task.target, task.execution.as_ref());
        let probe = probe.await?;
        let mut begun = self.tried(task).await?;
        begun.probe = probe;
        if let Some(ended) = &mut begun.ended {
            ended.probe = probe;
        }
        Ok(begun)
    }

    async fn tried(&self, mut task: CopyTask) -> Result<Begun, Failure> {
        let ready = match prepare(&self.clients, &mut task, plan).await? {
            Prepared::Ended(copied) => return Ok(ended(*copied)),
            Prepared::Ready(ready) => ready,
        };
        if let Some(upload) = self.unfinished(&task, &ready).await? {
            info!(upload = %upload.id, "going on with an unfinished upload");
            return Ok(begun(&task, &ready, upload));
        }
        if task.may_be_done() {
            self.abort_strays(&task, &ready).await?;
        }
        let upload = self.create(&task, &ready).await?;
        self.note(&task, &upload).await;
        Ok(begun(&task, &ready, upload))
    }

    /// The upload of an earlier try, where it still is there and was cut for this object.
    async fn unfinished(&self, task: &CopyTask, ready: &Ready) -> Result<Option<Upload>, Failure> {
        let facts = &ready.headed.facts;
        let known = task.upload.as_ref().or(task.target.upload.as_ref());
        let Some(upload) = known.filter(|it| can_resume(it, facts, algorithm(facts))) else {
            return Ok(None);
        };
        let one = Segment {
            first_part: 1,
            last_part: 1,
        };
        match multipart::list_parts(&ready.destination, &task.target, upload, one).await {
            Ok(_) => Ok(Some(upload.clone())),
            Err(api) if api.code == "NoSuchUpload" => Ok(None),
            Err(api) => Err(at_destination(&api, &task.target)),
        }
    }

    async fn abort_strays(&self, task: &CopyTask, ready: &Ready) -> Result<(), Failure> {
        let listed = multipart::list_uploads(&ready.destination, &task.target)
            .await
            .map_err(|api| at_destination(&api, &task.target))?;
        if listed.is_empty() {
            return Ok(());
        }
        let pk = partition_key(&task.object.bucket, &task.object.key);
        // What this version's own point has noted was looked at above, unless it was noted by the
        // very try whose answer was lost: nobody else goes on with it.
        let own = sort_key(&task.target.name, &task.object);
        let noted = self.catalog.uploads_of_others(&pk, &own).await?;
        for stray in strays(&listed, &noted, task.object.event_at) {
            warn!(upload = %stray.id, "aborting an upload that an earlier try began and never noted");
            multipart::abort(&ready.destination, &task.target, &stray.id)
                .await
                .map_err(|api| at_destination(&api, &task.target))?;
        }
        Ok(())
    }

    async fn create(&self, task: &CopyTask, ready: &Ready) -> Result<Upload, Failure> {
        let (headed, object) = (&ready.headed, &task.object);
        let part_bytes_min = self.part_mib_min.saturating_mul(MIB);
        let plan = plan_parts(headed.facts.size, part_bytes_min)?;
        let tags = head::tags(&ready.source, source_version(object))
            .await
            .map_err(|api| api.at_source(&object.bucket))?;
        let new = NewUpload {
            metadata: metadata(&ready.request, headed),
            headers: &headed.headers,
            tags: &tags,
            algorithm: algorithm(&headed.facts),
        };
        match multipart::create(&ready.destination, &task.target, new, Timestamp::now()).await {
            Ok(id) => Ok(Upload {
                id,
                plan,
                algorithm: algorithm(&headed.facts).to_owned(),
                marked: ready.request.metadata.is_some(),
            }),
            Err(api) => Err(name_refusal(&ready.source, object, &task.target, &api).await),
        }
    }

    /// Notes the upload in the recovery point. Where that fails this execution goes on all the same:
    /// it knows the id, and another one would find the upload as a stray.
    async fn note(&self, task: &CopyTask, upload: &Upload) {
        let Some(execution) = &task.execution else {
            return;
        };
        let pk = partition_key(&task.object.bucket, &task.object.key);
        let sk = sort_key(&task.target.name, &task.object);
        let owner = execution.owner();
        if let Err(problem) = self.catalog.note_upload(&pk, &sk, &owner, upload).await {
            warn!(problem = %problem.message, upload = %upload.id, "the upload could not be noted");
        }
    }
}

fn begun(task: &CopyTask, ready: &Ready, upload: Upload) -> Begun {
    Begun {
        ended: None,
        segments: upload.plan.segments(),
        upload: Some(upload),
        source: Some(ready.headed.facts.clone()),
        modified: task.object.last_modified,
        cut_off: task.cut_off(),
        probe: false,
        remark: remark(&ready.headed),
    }
}

fn ended(copied: Copied) -> Begun {
    Begun {
        source: copied.source.clone(),
        modified: copied.modified,
        cut_off: copied.cut_off,
        probe: copied.probe,
        ended: Some(copied),
        upload: None,
        remark: String::new(),
        segments: vec![],
    }
}
