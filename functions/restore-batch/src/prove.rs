//! Whether what lies at the target is what the backup has: by stored evidence, else by reading.

use backup_aws::prepare::{at_destination, copy_version, source_version, unavailable};
use backup_aws::s3::copy::{Made, put_tags};
use backup_aws::s3::head::{Found, Head, Version, head, tags};
use backup_aws::s3::read;
use backup_aws::{ApiError, Failure, S3};
use backup_domain::evidence::{Evidence, Facts, Weighed, compare_read, weigh};
use backup_domain::restore::carry;
use backup_domain::restore::conflict::There;
use backup_domain::restore::proof::{Alike, alike};
use backup_domain::restore::report::{UNPROVEN, Unproven};
use tracing::warn;

use crate::one::{One, Original};

impl One {
    /// Proves what was just copied, by the rules that copies of the backup are proven by: by what the
    /// answer to the copying shows, where that is enough; else by a HEAD, and by reading.
    pub async fn prove(&self, original: &Original, made: &Made) -> Result<Evidence, Failure> {
        let ours = &original.headed.facts;
        let shown = Facts {
            // No answer shows it; a checksum or an MD5 of other bytes would be another.
            size: ours.size,
            ..made.facts.clone()
        };
        if let Weighed::Proven(evidence) = weigh(ours, &shown, self.read)? {
            return Ok(evidence);
        }
        let target = &original.task.target;
        let version = copy_version(target, exact(made.version_id.as_deref()));
        let s3 = self.target_s3();
        let found = head(&s3, version).await;
        let Found::Object(found) = found.map_err(|api| at_destination(&api, target))? else {
            let bucket = &target.destination.bucket;
            return Err(unavailable(format!("what was restored is not in {bucket}")));
        };
        let theirs = &found.headed.facts;
        match weigh(ours, theirs, self.read)? {
            Weighed::Proven(evidence) => Ok(evidence),
            Weighed::Read { source, copy } => {
                let copy = self.sum(&s3, version, theirs, copy).await;
                let copy = copy.map_err(|api| at_destination(&api, target))?;
                let source = self.sum_of(original, source).await?;
                Ok(compare_read(&source, &copy)?)
            }
        }
    }

    /// What was copied and failed its proof stays where it is: nothing here deletes. It gets a tag
    /// beside those it has, where that can be had, and is named in the report.
    pub async fn leave_unproven(&self, original: &Original, made: &Made) -> Unproven {
        let (s3, target) = (self.target_s3(), &original.task.target);
        let version_id = exact(made.version_id.as_deref());
        let version = copy_version(target, version_id);
        // An answer to parts shows no ETag.
        let etag = match head(&s3, version).await {
            Ok(Found::Object(head)) => head.headed.facts.etag,
            Ok(Found::Nothing) | Err(_) => made.facts.etag.clone(),
        };
        let tagged = self.tag_unproven(original, version).await;
        let problem = tagged.as_ref().err().map(|api| api.message.clone());
        warn!(key = %target.key, problem, "left at the target, not proven");
        Unproven {
            place: format!("s3://{}/{}", target.destination.bucket, target.key),
            version_id: version_id.map(str::to_owned),
            etag,
            tagged: tagged.is_ok(),
        }
    }

    async fn tag_unproven(
        &self,
        original: &Original,
        version: Version<'_>,
    ) -> Result<(), ApiError> {
        let mut tags = tags(&original.s3, source_version(&original.task.object)).await?;
        // Ten tags are the most an object takes (Amazon S3 User Guide, "Object tagging").
        while tags.len() > 9 {
            tags.pop_last();
        }
        tags.insert(UNPROVEN.0.to_owned(), UNPROVEN.1.to_owned());
        put_tags(&self.target_s3(), version, &tags).await
    }

    /// Whether what lies at the target is what an earlier run has left there unproven.
    pub fn is_left(&self, key: &str, there: &Head) -> bool {
        self.left.get(key).is_some_and(|left| {
            let is_version = left.version_id.is_none() || left.version_id == there.version_id;
            is_version && left.etag == there.headed.facts.etag
        })
    }

    /// What lies at the target, by HEADs alone: an archived copy cannot be read.
    pub fn by_head(&self, original: &Original, there: &Head) -> There {
        match alike(&original.headed.facts, &there.headed.facts) {
            Alike::Yes(_) => same(original, there),
            Alike::No | Alike::Unknown(..) => different(there),
        }
    }

    /// What lies at the target; where HEADs have nothing in common, both sides are read.
    pub async fn compare(&self, original: &Original, there: &Head) -> Result<There, Failure> {
        let facts = &there.headed.facts;
        let (ours, theirs) = match alike(&original.headed.facts, facts) {
            Alike::Unknown(ours, theirs) => (ours, theirs),
            Alike::Yes(_) => return Ok(same(original, there)),
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
            same(original, there)
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
    ) -> Result<String, ApiError> {
        match known {
            Some(sum) => Ok(sum),
            None => read::crc64nvme(s3, version, facts.size, &facts.etag, self.deadline).await,
        }
    }
}

/// Of the same content: whether it is dressed as the copy is.
fn same(original: &Original, there: &Head) -> There {
    if carry::is_dressed_alike(&original.headed, &there.headed) {
        return There::Same;
    }
    There::Redressed {
        modified: there.last_modified.unwrap_or_default(),
    }
}

fn different(there: &Head) -> There {
    There::Different {
        modified: there.last_modified.unwrap_or_default(),
    }
}

/// The id of a version that can be asked for by it.
fn exact(version_id: Option<&str>) -> Option<&str> {
    version_id.filter(|id| *id != "null")
}
