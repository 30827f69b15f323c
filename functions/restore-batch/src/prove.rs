//! Whether what lies at the target is what the backup has: by stored evidence, else by reading.

use backup_aws::prepare::{at_destination, copy_version, source_version, unavailable};
use backup_aws::s3::head::{Found, Head, Version, head};
use backup_aws::s3::read;
use backup_aws::{Failure, S3};
use backup_domain::evidence::{Evidence, Facts, Weighed, compare_read, weigh};
use backup_domain::restore::conflict::There;
use backup_domain::restore::proof::{Alike, alike};

use crate::one::{One, Original};

impl One {
    /// Proves what was just copied, by the rules that copies of the backup are proven by.
    pub async fn prove(
        &self,
        original: &Original,
        version_id: Option<&str>,
    ) -> Result<Evidence, Failure> {
        let target = &original.task.target;
        let version = copy_version(target, version_id.filter(|id| *id != "null"));
        let s3 = self.target_s3();
        let found = head(&s3, version).await;
        let Found::Object(found) = found.map_err(|api| at_destination(&api, target))? else {
            let bucket = &target.destination.bucket;
            return Err(unavailable(format!("what was restored is not in {bucket}")));
        };
        let (ours, theirs) = (&original.headed.facts, &found.headed.facts);
        match weigh(ours, theirs, false)? {
            Weighed::Proven(evidence) => Ok(evidence),
            Weighed::Read { source, copy } => {
                let copy = self.sum(&s3, version, theirs, copy).await;
                let copy = copy.map_err(|api| at_destination(&api, target))?;
                let source = self.sum_of(original, source).await?;
                Ok(compare_read(&source, &copy)?)
            }
        }
    }

    /// What lies at the target, by HEADs alone: an archived copy cannot be read.
    pub fn by_head(&self, original: &Original, there: &Head) -> There {
        match alike(&original.headed.facts, &there.headed.facts) {
            Alike::Yes(_) => There::Same,
            Alike::No | Alike::Unknown(..) => different(there),
        }
    }

    /// What lies at the target; where HEADs have nothing in common, both sides are read.
    pub async fn compare(&self, original: &Original, there: &Head) -> Result<There, Failure> {
        let facts = &there.headed.facts;
        let (ours, theirs) = match alike(&original.headed.facts, facts) {
            Alike::Unknown(ours, theirs) => (ours, theirs),
            Alike::Yes(_) => return Ok(There::Same),
            Alike::No => return Ok(different(there)),
        };
        if there.headed.archived {
            return Ok(different(there));
        }
        let target = &original.task.target;
        let version = copy_version(target, there.version_id.as_deref());
        let theirs = self.sum(&self.target_s3(), version, facts, theirs).await;
        let theirs = theirs.map_err(|api| at_destination(&api, target))?;
        let ours = self.sum_of(original, ours).await?;
        Ok(if ours == theirs {
            There::Same
        } else {
            different(there)
        })
    }

    async fn sum_of(&self, original: &Original, known: Option<String>) -> Result<String, Failure> {
        let object = &original.task.object;
        let version = source_version(object);
        let facts = &original.headed.facts;
        let sum = self.sum(&original.s3, version, facts, known).await;
        sum.map_err(|api| api.at_source(&object.bucket))
    }

    async fn sum(
        &self,
        s3: &S3,
        version: Version<'_>,
        facts: &Facts,
        known: Option<String>,
    ) -> Result<String, backup_aws::ApiError> {
        match known {
            Some(sum) => Ok(sum),
            None => read::crc64nvme(s3, version, facts.size, &facts.etag, self.deadline).await,
        }
    }
}

fn different(there: &Head) -> There {
    There::Different {
        modified: there.last_modified.unwrap_or_default(),
    }
}
