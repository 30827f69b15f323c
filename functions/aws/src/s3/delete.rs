//! The one deletion there is: a delete marker on top, which hides what lies below and removes nothing.

use backup_domain::task::Target;

use crate::ApiError;

/// Puts a delete marker on the backup. No version id is ever named, so no version is ever deleted.
///
/// # Errors
/// The answer of S3.
pub async fn put_marker(client: &aws_sdk_s3::Client, target: &Target) -> Result<(), ApiError> {
    client
        .delete_object()
        .bucket(&target.destination.bucket)
        .key(&target.key)
        .set_expected_bucket_owner(target.destination.account.clone())
        .send()
        .await
        .map(drop)
        .map_err(|error| ApiError::of("DeleteObject", &error))
}
