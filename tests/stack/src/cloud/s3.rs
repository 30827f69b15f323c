//! Objects in S3: keys of any bytes, headers as they come.

use std::collections::BTreeMap;
use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::{HeaderValue, Method, Request, Response};

use super::query::refusal;
use super::{Cloud, Service, unsendable};
use crate::error::{Error, Result};

/// Everything but the characters a signed path carries as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// What S3 answered about one object: its headers (names in small letters) and, to a GET, its body.
#[derive(Debug, Clone)]
pub struct Object {
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Object {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn version_id(&self) -> Option<&str> {
        self.header("x-amz-version-id")
    }
}

impl Cloud {
    pub fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Object> {
        self.object(&Method::PUT, &path(bucket, key, None), body, headers)
    }

    /// The object, or the version of it that is named.
    pub fn get_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Object> {
        self.object(&Method::GET, &path(bucket, key, version), &[], &[])
    }

    /// Like [`Cloud::get_object`] without the body; a missing object is refused with the code `404`.
    pub fn head_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Object> {
        self.object(&Method::HEAD, &path(bucket, key, version), &[], &[])
    }

    /// Makes a bucket in this client's region; one of ours that is there already is left alone.
    pub fn create_bucket(&self, bucket: &str) -> Result<()> {
        match self.object(&Method::PUT, &format!("/{bucket}"), &[], &[]) {
            Err(Error::Refused { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Deletes a version for good, or puts a delete marker on top where none is named.
    pub fn delete_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Object> {
        self.object(&Method::DELETE, &path(bucket, key, version), &[], &[])
    }

    /// Lets a bucket keep versions.
    pub fn enable_versioning(&self, bucket: &str) -> Result<()> {
        self.put_versioning(bucket, "Enabled")
    }

    /// Lets a bucket keep no more versions than it has: new ones are `null`.
    pub fn suspend_versioning(&self, bucket: &str) -> Result<()> {
        self.put_versioning(bucket, "Suspended")
    }

    fn put_versioning(&self, bucket: &str, status: &str) -> Result<()> {
        let body =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let path = format!("/{bucket}?versioning");
        self.object(&Method::PUT, &path, body.as_bytes(), &[])
            .map(drop)
    }

    fn object(
        &self,
        method: &Method,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Object> {
        let action = format!("{method} {path}");
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.endpoint))
            .header("authorization", self.authorization(Service::S3));
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes());
            let value = value.map_err(|cause| unsendable(&action)(cause.into()))?;
            request = request.header(*name, value);
        }
        if *method == Method::PUT && body.is_empty() {
            request = request.header("content-length", "0");
        }
        let request = request.body(body.to_vec()).map_err(unsendable(&action))?;
        let answer = self.send(&action, request)?;
        if answer.status().is_success() {
            return Ok(object(answer));
        }
        if answer.body().is_empty() {
            return Err(Error::Refused {
                service: "S3",
                action,
                code: answer.status().as_u16().to_string(),
                message: String::new(),
            });
        }
        let xml = String::from_utf8_lossy(answer.body());
        Err(refusal(Service::S3, &action, &xml))
    }
}

fn object(answer: Response<Vec<u8>>) -> Object {
    let (parts, body) = answer.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Object {
        headers: headers.collect(),
        body,
    }
}

fn path(bucket: &str, key: &str, version: Option<&str>) -> String {
    let mut path = format!("/{bucket}/{}", utf8_percent_encode(key, ENCODED));
    if let Some(version) = version {
        let version = utf8_percent_encode(version, NON_ALPHANUMERIC);
        let _ = write!(path, "?versionId={version}");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_with_their_slashes_kept() {
        assert_eq!(
            path("b", "odd/é 100% \"q\"//a?b#c&d=e+f.txt/", None),
            "/b/odd/%C3%A9%20100%25%20%22q%22//a%3Fb%23c%26d%3De%2Bf.txt/"
        );
        assert_eq!(path("b", "k", Some("a/b")), "/b/k?versionId=a%2Fb");
    }
}
