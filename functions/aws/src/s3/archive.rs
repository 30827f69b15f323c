//! RestoreObject: a copy in an archive class is made readable for some days.

use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier as S3Tier};
use backup_domain::restore::request::{Archive, Tier};

use super::head::Version;
use crate::ApiError;

/// Asks for a readable copy; one that is on its way is asked for once. `tiered`: the object lies in
/// an archive tier of INTELLIGENT_TIERING, and comes back for good.
///
/// # Errors
/// The answer of S3.
pub async fn ask(
    client: &aws_sdk_s3::Client,
    version: Version<'_>,
    archive: &Archive,
    tiered: bool,
) -> Result<(), ApiError> {
    let tier = match archive.tier {
        Tier::Standard => S3Tier::Standard,
        // What is to be left is not asked for.
        Tier::Bulk | Tier::Leave => S3Tier::Bulk,
    };
    let job = GlacierJobParameters::builder().tier(tier).build();
    let job = job.map_err(|problem| ApiError {
        operation: "RestoreObject",
        message: problem.to_string(),
        ..ApiError::default()
    })?;
    let request = RestoreRequest::builder()
        .set_days((!tiered).then_some(i32::from(archive.days)))
        .glacier_job_parameters(job)
        .build();
    let answer = client
        .restore_object()
        .bucket(version.bucket)
        .key(version.key)
        .set_version_id(version.version_id.map(str::to_owned))
        .set_expected_bucket_owner(version.owner.map(str::to_owned))
        .restore_request(request)
        .send()
        .await;
    match answer.map_err(|error| ApiError::of("RestoreObject", &error)) {
        Ok(_) => Ok(()),
        Err(api) if api.code == "RestoreAlreadyInProgress" => Ok(()),
        Err(api) => Err(api),
    }
}
