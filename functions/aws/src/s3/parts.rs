//! Copying a run of parts: many at once, until all are there or the time is over.

use std::collections::VecDeque;
use std::time::Duration;

use backup_domain::SourceObject;
use backup_domain::multipart::Upload;
use backup_domain::parts::{ByteRange, PARTS_AT_ONCE};
use backup_domain::task::Target;
use tokio::task::JoinSet;

use super::multipart;
use crate::{ApiError, Deadline};

/// How a run of parts ended.
#[derive(Debug)]
pub struct Ran {
    /// Parts that were copied.
    pub copied: u64,
    /// Parts that were not begun.
    pub left: u64,
    /// The first part that failed, and with what.
    pub failed: Option<(u64, ApiError)>,
}

/// Copies parts. After a failure, or near the deadline, no more are begun, and those under way are
/// waited for: whatever they bring is kept for the next try.
pub async fn run(
    client: &aws_sdk_s3::Client,
    object: &SourceObject,
    target: &Target,
    upload: &Upload,
    source_etag: &str,
    missing: Vec<(u64, ByteRange)>,
    deadline: Deadline,
) -> Ran {
    let mut queue = VecDeque::from(missing);
    let mut running = JoinSet::new();
    let mut ran = Ran {
        copied: 0,
        left: 0,
        failed: None,
    };
    loop {
        while (running.len() as u64) < PARTS_AT_ONCE && ran.failed.is_none() && !deadline.is_near()
        {
            let Some(part) = queue.pop_front() else {
                break;
            };
            let (client, object, target) = (client.clone(), object.clone(), target.clone());
            let (id, etag) = (upload.id.clone(), source_etag.to_owned());
            let time = deadline.left().max(Duration::from_millis(1));
            running.spawn(async move {
                let copied =
                    multipart::copy_part(&client, &object, &target, &id, part, &etag, time).await;
                (part.0, copied)
            });
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        match done {
            Ok((_, Ok(()))) => ran.copied += 1,
            Ok((part, Err(api))) => ran.failed = ran.failed.or(Some((part, api))),
            Err(problem) => {
                let api = ApiError {
                    operation: "UploadPartCopy",
                    message: format!("a copying task ended: {problem}"),
                    ..ApiError::default()
                };
                ran.failed = ran.failed.or(Some((0, api)));
            }
        }
    }
    ran.left = queue.len() as u64;
    ran
}
