//! Small documents of our own: plans, results, reports.

use aws_sdk_s3::primitives::{AggregatedBytes, ByteStream};
use serde::de::DeserializeOwned;

use crate::{ApiError, ErrorName, Failure, S3};

/// A bucket of documents.
#[derive(Debug, Clone)]
pub struct Documents {
    /// S3 in the bucket's region.
    pub client: S3,
    /// The bucket.
    pub bucket: String,
}

impl Documents {
    /// Writes a document whole; a second time overwrites it.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put(&self, key: &str, text: String, content_type: &str) -> Result<(), Failure> {
        let answer = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(text.into_bytes()))
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| ApiError::of("PutObject", &error).at_service(&self.bucket))
    }

    /// Writes a document of JSON over the one that was read, whose ETag `before` is; `None` where there
    /// was none. Says the new ETag, or nothing where somebody else has written meanwhile.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn put_over(
        &self,
        key: &str,
        text: String,
        before: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(text.into_bytes()));
        let request = match before {
            Some(etag) => request.if_match(etag),
            None => request.if_none_match("*"),
        };
        match request.send().await {
            Ok(answer) => Ok(Some(answer.e_tag.unwrap_or_default())),
            Err(error) => match ApiError::of("PutObject", &error) {
                api if matches!(api.status, Some(404 | 409 | 412)) => Ok(None),
                api => Err(api.at_service(&self.bucket)),
            },
        }
    }

    /// Reads a document of JSON; `None` where there is none.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`, the last also for what cannot be read.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        Ok(self.get_tagged(key).await?.map(|(read, _)| read))
    }

    /// The same with its ETag.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_tagged<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, String)>, Failure> {
        let Some((bytes, etag)) = self.bytes(key).await? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&bytes).map_err(|problem| self.unreadable(key, &problem));
        read.map(|read| Some((read, etag)))
    }

    /// Reads a document of JSON Lines; `None` where there is none.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn lines<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Vec<T>>, Failure> {
        let Some((bytes, _)) = self.bytes(key).await? else {
            return Ok(None);
        };
        let lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|it| !it.is_empty());
        let read: Result<Vec<T>, _> = lines.map(serde_json::from_slice).collect();
        read.map(Some)
            .map_err(|problem| self.unreadable(key, &problem))
    }

    fn unreadable(&self, key: &str, problem: &serde_json::Error) -> Failure {
        let bucket = &self.bucket;
        let message = format!("s3://{bucket}/{key} cannot be read: {problem}");
        Failure::new(ErrorName::DestinationUnavailable, message)
    }

    async fn bytes(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, Failure> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send();
        let (etag, body) = match answer.await {
            Ok(answer) => (
                answer.e_tag.unwrap_or_default(),
                answer.body.collect().await,
            ),
            Err(error) => {
                return match ApiError::of("GetObject", &error) {
                    api if api.is_missing() => Ok(None),
                    api => Err(api.at_service(&self.bucket)),
                };
            }
        };
        let bytes = body.map(AggregatedBytes::to_vec).map_err(|problem| {
            let message = format!("the body of {key} broke off: {problem}");
            Failure::new(ErrorName::DestinationUnavailable, message)
        });
        bytes.map(|bytes| Some((bytes, etag)))
    }
}
