//! Object Lock on copies: S3 locks each version as it is made, by the request's headers or else by the
//! bucket's default; the local stack leaves copies unlocked, so the proxy locks them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::refusals::{address, query_value};
use crate::{Call, held};

/// A retention: the mode, and until when.
type Retention = (String, String);

/// What is known of locks.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    /// Retentions that multipart uploads began with.
    uploads: Mutex<BTreeMap<String, Retention>>,
    /// Default retention of each bucket asked about: mode and days.
    defaults: Mutex<BTreeMap<String, Option<(String, i64)>>>,
}

impl Locks {
    /// Locks what the answer says was made.
    pub(crate) fn made(&self, call: &Call, answer: &[u8], upstream: &str) {
        let answer = String::from_utf8_lossy(answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if !head.starts_with("HTTP/1.1 200") || body.contains("<Error>") {
            return;
        }
        let (bucket, _, query) = address(call);
        let asked = match call.operation.as_str() {
            "CreateMultipartUpload" => {
                let upload = between(body, "<UploadId>", "</UploadId>");
                if let (Some(upload), Some(asked)) = (upload, asked(call)) {
                    let mut uploads = held(&self.uploads);
                    uploads.insert(upload.to_owned(), asked);
                }
                return;
            }
            "CopyObject" => asked(call),
            "CompleteMultipartUpload" => query_value(query, "uploadId")
                .and_then(|upload| held(&self.uploads).get(&upload).cloned()),
            _ => return,
        };
        let retention = asked.or_else(|| self.default_of(&bucket, upstream));
        let version = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_version = name.eq_ignore_ascii_case("x-amz-version-id");
            is_version.then(|| value.trim().to_owned())
        });
        let target = call.request.split(' ').nth(1);
        let path = target.and_then(|it| it.split('?').next());
        if let (Some((mode, until)), Some(version), Some(path)) = (retention, version, path) {
            let url = format!("http://{upstream}{path}?retention&versionId={version}");
            let body = format!(
                "<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
            );
            ureq::put(url).send(body).expect("the copy is locked");
        }
    }

    fn default_of(&self, bucket: &str, upstream: &str) -> Option<Retention> {
        let known = held(&self.defaults).get(bucket).cloned();
        let (mode, days) = known.unwrap_or_else(|| {
            let asked = default_retention(bucket, upstream);
            held(&self.defaults).insert(bucket.to_owned(), asked.clone());
            asked
        })?;
        let until = Timestamp::now() + SignedDuration::from_hours(24 * days);
        Some((mode, until.to_string()))
    }
}

/// The retention that a request's headers ask for.
fn asked(call: &Call) -> Option<Retention> {
    let mode = call.header("x-amz-object-lock-mode")?;
    let until = call.header("x-amz-object-lock-retain-until-date")?;
    Some((mode.to_owned(), until.to_owned()))
}

/// A bucket without Object Lock answers with an error.
fn default_retention(bucket: &str, upstream: &str) -> Option<(String, i64)> {
    let url = format!("http://{upstream}/{bucket}?object-lock");
    let mut answer = ureq::get(url).call().ok()?;
    let body = answer.body_mut().read_to_string().ok()?;
    let mode = between(&body, "<Mode>", "</Mode>")?;
    let number = |name: &str| -> Option<i64> {
        let text = between(&body, &format!("<{name}>"), &format!("</{name}>"))?;
        text.parse().ok()
    };
    let days = number("Days").or_else(|| number("Years").map(|years| 365 * years))?;
    Some((mode.to_owned(), days))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(it, _)| it)
}
