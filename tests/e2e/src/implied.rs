//! What a service asks of KMS in the caller's name: the caller's role needs it although no call of the
//! caller names KMS.
//!
//! By operation and header, for buckets that encrypt with a key of KMS:
//!
//! | operation | on the key of what is read | on the key of what is written | page |
//! |---|---|---|---|
//! | GetObject | Decrypt | | S3 API Reference, "GetObject" |
//! | HeadObject with `x-amz-checksum-mode: ENABLED` | Decrypt | | "HeadObject", ChecksumMode |
//! | CopyObject | Decrypt | GenerateDataKey | S3 User Guide, "Protecting data with SSE-KMS", Permissions; "CopyObject" |
//! | PutObject | | GenerateDataKey | the same; "PutObject" |
//! | CreateMultipartUpload | | GenerateDataKey, Decrypt | "CreateMultipartUpload"; User Guide, "Multipart upload API and permissions" |
//! | UploadPartCopy | Decrypt | GenerateDataKey, Decrypt | "UploadPartCopy"; the same |
//! | CompleteMultipartUpload | | GenerateDataKey, Decrypt | "CompleteMultipartUpload"; the same |
//! | ListParts | | Decrypt | "ListParts" |
//! | GetObjectAnnotation | Decrypt | | "PutObjectAnnotation": annotations have their object's encryption (V-21) |
//! | PutObjectAnnotation | | GenerateDataKey, Decrypt | the same (V-21) |
//! | HeadObject without that header, tagging, listings, ListObjectAnnotations, DeleteObject, AbortMultipartUpload, RestoreObject, GetBucketVersioning | | | none is named on the pages of these operations |
//!
//! Buckets that encrypt with S3's own keys (SSE-S3: those that the stack creates) imply nothing.
//!
//! The other services encrypt here with keys that ask nothing of the caller: DynamoDB with the AWS
//! managed key `aws/dynamodb`, whose policy lets in whoever uses the table (DynamoDB Developer Guide,
//! "DynamoDB encryption at rest: usage notes"), SQS with its own keys (SQS Developer Guide, "Using SQS
//! managed encryption keys"), SNS, CloudWatch Logs and SSM parameters of the type String with none that
//! a caller needs. A key of the owner's is one more line of [`Keys`]; what it would imply for a queue, a topic and the
//! catalog stands here already, and no role grants it yet.

use std::collections::BTreeMap;

use crate::World;
use crate::iam::{Permission, needs};
use crate::inventoried::INVENTORIES;
use crate::proxy::Call;

/// Key of the source and of inventories.
pub const SOURCE_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/source";
/// Key of the first destination.
pub const BACKUP_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/backup";
/// Which key encrypts what: by the ARN of a bucket, a table, a queue or a topic. What is not there has
/// none that implies anything.
#[derive(Debug, Clone, Default)]
pub struct Keys(BTreeMap<String, String>);

impl Keys {
    /// From ARNs of resources and of their keys.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (String, &'a str)>) -> Self {
        let owned = pairs.into_iter().map(|(on, key)| (on, key.to_owned()));
        Self(owned.collect())
    }

    fn of(&self, resource: &str) -> Option<&str> {
        // An object has the key of its bucket, an index that of its table.
        let whole = resource.split('/').next().unwrap_or(resource);
        let parts = resource
            .splitn(3, '/')
            .take(2)
            .collect::<Vec<_>>()
            .join("/");
        let found = self.0.get(whole).or_else(|| self.0.get(&parts));
        found.map(String::as_str)
    }

    /// What the permissions that a call needs imply.
    ///
    /// `needed` are those of [`crate::iam::needs`] for the same call: its resources say what is read
    /// and what is written.
    pub fn implied(&self, call: &Call, needed: &[Permission]) -> Vec<Permission> {
        let mut found = Vec::new();
        for one in needed {
            let Some(key) = self.of(&one.resource) else {
                continue;
            };
            let actions = implied_by(call, &one.action);
            found.extend(actions.iter().map(|action| Permission::new(action, key)));
        }
        found
    }
}

impl World {
    /// What AWS would look for in the caller's role before it did this call, KMS included.
    pub fn needs(&self, call: &Call) -> Vec<Permission> {
        let bucket = |name: &str| format!("arn:aws:s3:::{name}");
        let keys = Keys::new([
            (bucket(self.source()), SOURCE_KEY),
            (bucket(self.backup()), BACKUP_KEY),
            (bucket(INVENTORIES), SOURCE_KEY),
        ]);
        let mut needed = needs(call);
        needed.extend(keys.implied(call, &needed));
        needed
    }
}

const READ: &[&str] = &["kms:Decrypt"];
const WRITE: &[&str] = &["kms:GenerateDataKey"];
const BOTH: &[&str] = &["kms:GenerateDataKey", "kms:Decrypt"];

fn implied_by(call: &Call, action: &str) -> &'static [&'static str] {
    match action {
        action if action.starts_with("s3:") => implied_by_s3(call, action),
        // Amazon SQS Developer Guide, "Key management"; Amazon SNS Developer Guide, "Managing encryption
        // keys"; Amazon DynamoDB Developer Guide, "DynamoDB encryption at rest: how it works".
        "sqs:SendMessage" | "sns:Publish" => BOTH,
        "sqs:ReceiveMessage" => READ,
        action if action.starts_with("dynamodb:") => READ,
        _ => &[],
    }
}

fn implied_by_s3(call: &Call, action: &str) -> &'static [&'static str] {
    match (call.operation.as_str(), action) {
        ("HeadObject", _) => match call.header("x-amz-checksum-mode") {
            Some(mode) if mode.eq_ignore_ascii_case("ENABLED") => READ,
            _ => &[],
        },
        ("GetObject" | "ListParts" | "GetObjectAnnotation", _)
        | ("CopyObject" | "UploadPartCopy", "s3:GetObject" | "s3:GetObjectVersion") => READ,
        ("CopyObject" | "PutObject", "s3:PutObject") => WRITE,
        (
            "CreateMultipartUpload" | "UploadPartCopy" | "CompleteMultipartUpload",
            "s3:PutObject",
        )
        | ("PutObjectAnnotation", _) => BOTH,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/own";
    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";
    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/c";

    /// What a call implies on a resource that has a key of the owner's, and on one that has none.
    fn implied(operation: &str, action: &str, resource: &str) -> Vec<String> {
        let call = Call {
            operation: operation.to_owned(),
            request: String::new(),
            answered: None,
        };
        let keys = Keys::new([QUEUE, TOPIC, TABLE].map(|it| (it.to_owned(), KEY)));
        let needed = Permission::new(action, resource);
        let found = keys.implied(&call, &[needed]);
        assert!(found.iter().all(|it| it.resource == KEY), "{found:?}");
        found.into_iter().map(|it| it.action).collect()
    }

    #[test]
    fn a_key_of_a_queue_a_topic_or_a_table_is_asked_of_the_caller() {
        assert_eq!(implied("SendMessage", "sqs:SendMessage", QUEUE), BOTH);
        assert_eq!(implied("ReceiveMessage", "sqs:ReceiveMessage", QUEUE), READ);
        assert_eq!(implied("Publish", "sns:Publish", TOPIC), BOTH);
        assert_eq!(implied("PutItem", "dynamodb:PutItem", TABLE), READ);
        let index = format!("{TABLE}/index/by-open");
        assert_eq!(implied("Query", "dynamodb:Query", &index), READ);
        // Deletions ask for nothing, and neither does what has no key.
        assert!(implied("DeleteMessage", "sqs:DeleteMessage", QUEUE).is_empty());
        let other = format!("{QUEUE}-other");
        assert!(implied("SendMessage", "sqs:SendMessage", &other).is_empty());
    }
}
