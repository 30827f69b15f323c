//! A bucket as S3 describes it.

use aws_sdk_s3::types::BucketVersioningStatus;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use backup_domain::deployment::{
    Bucket, DefaultKey, Finding, Notifications, Role, Severity, Versioning,
};

use super::{Inspected, not_checked, owners_key};
use crate::{ApiError, Clients, S3};

/// A bucket by its name; `region` is the one that it is to be in, if that matters, `owner` the account that it
/// is to belong to.
pub async fn bucket(
    clients: &Clients,
    name: &str,
    role: Role,
    region: Option<&str>,
    owner: Option<&str>,
) -> Inspected<Bucket> {
    let on = format!("bucket {name}");
    let home = clients.region();
    let asked_in = region.unwrap_or(&home);
    let asked = clients.s3(asked_in).head_bucket().bucket(name);
    let asked = asked.set_expected_bucket_owner(owner.map(str::to_owned));
    let found = match asked.send().await {
        Ok(answer) => answer.bucket_region,
        Err(error) => {
            let headers = error.raw_response().map(HttpResponse::headers);
            let elsewhere = headers.and_then(|it| it.get("x-amz-bucket-region"));
            let elsewhere = elsewhere.map(str::to_owned);
            let api = ApiError::of("HeadBucket", &error);
            match elsewhere.filter(|_| api.is_elsewhere()) {
                Some(region) => Some(region),
                None if api.is_missing() || api.code == "NoSuchBucket" => {
                    return Inspected::none(Finding::new(
                        "NoSuchBucket",
                        Severity::Unfit,
                        on,
                        "there is no such bucket",
                        "correct its name, or leave the parameter empty to create one",
                    ));
                }
                None => return Inspected::none(not_checked(on, &api)),
            }
        }
    };
    let client = clients.s3(found.as_deref().unwrap_or(asked_in));
    let mut seen = Inspected::of(Bucket {
        name: name.to_owned(),
        role,
        wanted_region: region.map(str::to_owned),
        region: found,
        versioning: None,
        notifications: None,
    });
    let Some(bucket) = seen.resource.as_mut() else {
        return seen;
    };
    if matches!(role, Role::Source | Role::Destination) {
        match versioning(&client, name).await {
            Ok(versioning) => bucket.versioning = Some(versioning),
            Err(api) => seen.findings.push(not_checked(&on, &api)),
        }
    }
    if role == Role::Source {
        match notifications(&client, name).await {
            Ok(notifications) => bucket.notifications = Some(notifications),
            Err(api) => seen.findings.push(not_checked(&on, &api)),
        }
    }
    seen
}

async fn versioning(client: &S3, bucket: &str) -> Result<Versioning, ApiError> {
    let asked = client.get_bucket_versioning().bucket(bucket).send().await;
    let answer = asked.map_err(|error| ApiError::of("GetBucketVersioning", &error))?;
    Ok(match answer.status {
        Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
        Some(_) => Versioning::Suspended,
        None => Versioning::Never,
    })
}

async fn notifications(client: &S3, bucket: &str) -> Result<Notifications, ApiError> {
    let asked = client.get_bucket_notification_configuration();
    let answer = asked.bucket(bucket).send().await;
    let answer =
        answer.map_err(|error| ApiError::of("GetBucketNotificationConfiguration", &error))?;
    let others = !answer.queue_configurations().is_empty()
        || !answer.topic_configurations().is_empty()
        || !answer.lambda_function_configurations().is_empty();
    Ok(match (answer.event_bridge_configuration, others) {
        (Some(_), _) => Notifications::EventBridge,
        (None, true) => Notifications::Others,
        (None, false) => Notifications::None,
    })
}

/// The KMS key of a bucket's default encryption, absent where S3 encrypts with its own keys.
pub async fn default_key(clients: &Clients, bucket: &str, region: &str) -> Inspected<DefaultKey> {
    let on = format!("bucket {bucket}");
    let none = Inspected {
        resource: None,
        findings: vec![],
    };
    let asked = clients.s3(region).get_bucket_encryption().bucket(bucket);
    let answer = match asked.send().await {
        Ok(answer) => answer.server_side_encryption_configuration,
        Err(error) => {
            let api = ApiError::of("GetBucketEncryption", &error);
            return if api.code == "ServerSideEncryptionConfigurationNotFoundError" {
                none
            } else {
                Inspected::none(not_checked(on, &api))
            };
        }
    };
    let rules = answer.map(|it| it.rules).unwrap_or_default();
    let mut defaults = rules
        .into_iter()
        .filter_map(|it| it.apply_server_side_encryption_by_default);
    let kms = defaults.find(|it| it.sse_algorithm.as_str().starts_with("aws:kms"));
    let Some(kms) = kms else { return none };
    let Some(key) = kms.kms_master_key_id else {
        return Inspected::of(DefaultKey::OfAws);
    };
    let seen = owners_key(clients, &key, region, &on).await;
    match seen.resource {
        Some(arn) => Inspected::of(DefaultKey::OfOwner(arn)),
        None if seen.findings.is_empty() => Inspected::of(DefaultKey::OfAws),
        // An ARN is what it is, whoever may describe it.
        None if key.contains(":key/") => Inspected::of(DefaultKey::OfOwner(key)),
        None => Inspected {
            resource: None,
            findings: seen.findings,
        },
    }
}
