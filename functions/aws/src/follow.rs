//! Tags that changed at the source follow to the copies of the version.
//!
//! Safe to run twice or beside itself: it writes what it has read, and reads again until both sides
//! are equal.

use backup_domain::catalog::RecoveryPoint;
use tracing::info;

use crate::glance::Place;
use crate::prepare::{at_destination, copy_version, source_version};
use crate::s3::{copy, head};
use crate::{ErrorName, Failure};

/// Rounds of writing and reading again; more are needed only while the source's tags keep changing.
const ROUNDS_MAX: u32 = 8;

impl Place<'_> {
    /// Gives every copy of the version the tags that the source has; says how many were written.
    ///
    /// # Errors
    /// `Unsettled` when the tags kept changing, and what either side answers.
    pub async fn follow_tags(&self, point: &RecoveryPoint) -> Result<usize, Failure> {
        let recorded = point.backup.iter().map(|copy| copy.version_id.as_str());
        let copies: Vec<_> = recorded
            .chain(point.promotions.iter().map(String::as_str))
            .collect();
        let mut written = 0;
        for _ in 0..ROUNDS_MAX {
            let version = source_version(self.object);
            let wanted = match head::tags(&self.source(), version).await {
                Ok(tags) => tags,
                // Gone meanwhile: the copies keep what they have.
                Err(api) if api.is_missing() => return Ok(written),
                Err(api) => return Err(api.at_source(&self.object.bucket)),
            };
            let mut changed = 0;
            for copy in &copies {
                let version = copy_version(self.target, Some(copy));
                let s3 = self.destination();
                let failed = |api: crate::ApiError| at_destination(&api, self.target);
                match head::tags(&s3, version).await {
                    Ok(there) if there == wanted => {}
                    Ok(_) => {
                        copy::put_tags(&s3, version, &wanted)
                            .await
                            .map_err(failed)?;
                        changed += 1;
                    }
                    // It has expired and nobody has noted it yet: an audit finds out.
                    Err(api) if api.is_missing() => info!(copy, "the copy is gone"),
                    Err(api) => return Err(failed(api)),
                }
            }
            if changed == 0 {
                info!(written, "tags are equal");
                return Ok(written);
            }
            written += changed;
        }
        let message = "the tags of the source kept changing while they were followed";
        Err(Failure::new(ErrorName::Unsettled, message))
    }
}
