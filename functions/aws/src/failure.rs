//! From an SDK error to a named failure: the one place where AWS codes are read.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use backup_domain::error::{Cause, Side, chain};
use backup_domain::{ErrorName, Named};

use crate::clients::own_name;

/// A failure that leaves a Lambda: its name is what the ASL catches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `errorType` of the Lambda.
    pub name: ErrorName,
    /// What happened, in one line.
    pub message: String,
    /// What to do next.
    pub advice: String,
    /// The failure behind this one, where that is what a reader must act on.
    pub behind: Option<Box<Cause>>,
    /// Which side the call was on, where it is the answer of one.
    pub side: Option<Side>,
    /// Whether no write to the backup can come of it any more, see
    /// [`backup_domain::error::sent_nothing`].
    pub sent_nothing: bool,
    /// AWS's own code, where it is the answer of a call.
    pub code: String,
}

impl Failure {
    /// A failure with the advice of its name.
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self {
            name,
            message: message.into(),
            advice: name.advice().to_owned(),
            behind: None,
            side: None,
            sent_nothing: false,
            code: String::new(),
        }
    }

    fn on(self, side: Side) -> Self {
        Self {
            side: Some(side),
            ..self
        }
    }

    /// Whose role was refused: as many roles as functions read the same buckets.
    fn of_role(self, function: Option<&str>) -> Self {
        let Some(function) = function else {
            return self;
        };
        let role = format!("the role of {function}");
        Self {
            advice: self.advice.replacen("the function's role", &role, 1),
            ..self
        }
    }
}

impl<E: Named + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            name: error.name(),
            message: chain(&error),
            advice: error.advice(),
            behind: None,
            side: None,
            sent_nothing: false,
            code: String::new(),
        }
    }
}

/// What AWS answered instead of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiError {
    /// Operation, as AWS calls it.
    pub operation: &'static str,
    /// Error code; empty where there is none (HEAD, transport).
    pub code: String,
    /// HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// The text that came with it.
    pub message: String,
}

/// Codes that ask for a slower pace.
const THROTTLES: &[&str] = &[
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "RequestThrottled",
    "ServiceUnavailable",
    "KMS.ThrottlingException",
    "TooManyUpdates",
];
/// Codes that say that a bucket lies elsewhere.
const ELSEWHERE: &[&str] = &[
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "TemporaryRedirect",
];

/// Codes that say that nobody is known by these credentials, or no longer.
const UNKNOWN_CALLER: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
];

/// Codes by which a bucket refuses what the policy asks for, such as retention without Object Lock.
const NOT_POSSIBLE: &[&str] = &[
    "InvalidRequest",
    "InvalidArgument",
    "InvalidStorageClass",
    "ObjectLockConfigurationNotFoundError",
];

impl ApiError {
    /// Reads an SDK error.
    pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let service = match error {
            SdkError::ServiceError(service) => Some(service.err()),
            _ => None,
        };
        Self {
            operation,
            code: service
                .and_then(|error| error.code())
                .unwrap_or_default()
                .to_owned(),
            status: error
                .raw_response()
                .map(|response| response.status().as_u16()),
            message: service
                .and_then(|error| error.message())
                .map_or_else(|| chain(error), str::to_owned),
        }
    }

    /// Whether S3 says that the object, version or key is not there.
    pub fn is_missing(&self) -> bool {
        matches!(
            self.code.as_str(),
            "NoSuchKey" | "NoSuchVersion" | "NotFound"
        ) || (self.code.is_empty() && self.status == Some(404))
    }

    /// Whether access was refused.
    pub fn is_denied(&self) -> bool {
        self.status == Some(403) && !self.is_throttle()
            || matches!(
                self.code.as_str(),
                "AccessDenied"
                    | "AccessDeniedException"
                    | "AllAccessDisabled"
                    | "AuthorizationError"
            )
    }

    /// Whether a bucket lies in another region than it was looked for in.
    pub fn is_elsewhere(&self) -> bool {
        ELSEWHERE.contains(&self.code.as_str()) || self.status == Some(301)
    }

    /// Whether the caller's own credentials are over, or none that AWS knows.
    pub fn is_unknown_caller(&self) -> bool {
        UNKNOWN_CALLER.contains(&self.code.as_str())
    }

    /// Whether a slower pace is asked for.
    pub fn is_throttle(&self) -> bool {
        THROTTLES.contains(&self.code.as_str()) || matches!(self.status, Some(429 | 503))
    }

    /// Whether a write was surely turned away: the answer is no, and not that something broke.
    pub fn is_refused(&self) -> bool {
        matches!(self.status, Some(300..=499 | 503))
    }

    fn line(&self, on: &str) -> String {
        let status = self
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let code = if self.code.is_empty() {
            status
        } else {
            format!("{status} {}", self.code)
        };
        format!("{} on {on}: {code}: {}", self.operation, self.message)
    }

    /// A call on the source failed.
    pub fn at_source(&self, bucket: &str) -> Failure {
        let line = self.line(bucket);
        let failure = if self.is_throttle() {
            Failure::new(ErrorName::Throttled, line)
        } else if self.code == "InvalidObjectState" {
            Failure::new(ErrorName::SourceArchived, line)
        } else if self.is_denied()
            || self.code.starts_with("KMS.")
            || matches!(self.status, Some(400..=499))
        {
            Failure::new(ErrorName::SourceUnreadable, line).of_role(own_name().as_deref())
        } else {
            Failure::new(ErrorName::DestinationUnavailable, line)
        };
        failure.on(Side::Source)
    }

    /// A call on a destination bucket failed.
    pub fn at_destination(&self, bucket: &str, region: &str) -> Failure {
        let line = self.line(&format!("{bucket} ({region})"));
        let failure = if self.is_throttle() {
            Failure::new(ErrorName::Throttled, line)
        } else if self.is_elsewhere() {
            let mut failure = Failure::new(ErrorName::InvalidPolicy, line);
            failure.advice = format!(
                "bucket {bucket} does not lie in {region}: correct the region in the policy, then s3-backup redrive"
            );
            failure
        } else if NOT_POSSIBLE.contains(&self.code.as_str()) {
            let mut failure = Failure::new(ErrorName::InvalidPolicy, line);
            failure.advice = format!(
                "let the policy ask of bucket {bucket} only what it can do (Object Lock, storage class, key), then s3-backup redrive"
            );
            failure
        } else if self.is_denied() || self.code.starts_with("KMS.") {
            Failure::new(ErrorName::AccessDenied, line).of_role(own_name().as_deref())
        } else {
            Failure::new(ErrorName::DestinationUnavailable, line)
        };
        failure.on(Side::Destination)
    }

    /// A call on the catalog, the policy, the topic or Step Functions failed.
    pub fn at_service(&self, resource: &str) -> Failure {
        let line = self.line(resource);
        let mut failure = if self.is_throttle() {
            Failure::new(ErrorName::Throttled, line)
        } else if self.is_unknown_caller() {
            let mut failure = Failure::new(ErrorName::AccessDenied, line);
            failure.advice =
                "the credentials are over or not known to AWS: get new ones, and do it again"
                    .to_owned();
            failure
        } else if self.is_denied() {
            Failure::new(ErrorName::AccessDenied, line).of_role(own_name().as_deref())
        } else {
            let mut failure = Failure::new(ErrorName::DestinationUnavailable, line);
            failure.advice =
                "check that the service answers and the resource exists, then s3-backup redrive"
                    .to_owned();
            failure
        };
        failure.code.clone_from(&self.code);
        failure.on(Side::Service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: &str, status: Option<u16>) -> ApiError {
        ApiError {
            operation: "CopyObject",
            code: code.into(),
            status,
            message: "m".into(),
        }
    }

    #[test]
    fn credentials_that_are_over_are_told_and_nothing_is_to_be_redriven() {
        for (code, status) in [("ExpiredTokenException", 400), ("ExpiredToken", 403)] {
            let failure = api(code, Some(status)).at_service("machine");
            assert_eq!(
                (failure.name, failure.code.as_str()),
                (ErrorName::AccessDenied, code)
            );
            assert!(
                failure.advice.contains("credentials are over"),
                "{failure:?}"
            );
        }
        let gone = api("ResourceNotFoundException", Some(400)).at_service("table");
        assert_eq!(gone.code, "ResourceNotFoundException");
        assert!(api("", Some(301)).is_elsewhere() && !api("", Some(403)).is_elsewhere());
    }

    #[test]
    fn destination_answers_have_their_names() {
        for (code, status, name) in [
            ("SlowDown", Some(503), ErrorName::Throttled),
            ("", Some(503), ErrorName::Throttled),
            ("", Some(429), ErrorName::Throttled),
            ("PermanentRedirect", Some(301), ErrorName::InvalidPolicy),
            (
                "AuthorizationHeaderMalformed",
                Some(400),
                ErrorName::InvalidPolicy,
            ),
            ("InvalidRequest", Some(400), ErrorName::InvalidPolicy),
            (
                "RequestTimeout",
                Some(400),
                ErrorName::DestinationUnavailable,
            ),
            ("AccessDenied", Some(403), ErrorName::AccessDenied),
            ("", Some(403), ErrorName::AccessDenied),
            ("KMS.DisabledException", Some(400), ErrorName::AccessDenied),
            ("NoSuchBucket", Some(404), ErrorName::DestinationUnavailable),
            (
                "InternalError",
                Some(500),
                ErrorName::DestinationUnavailable,
            ),
            (
                "InternalError",
                Some(200),
                ErrorName::DestinationUnavailable,
            ),
            ("", None, ErrorName::DestinationUnavailable),
        ] {
            assert_eq!(
                api(code, status).at_destination("b", "r").name,
                name,
                "{code} {status:?}"
            );
        }
    }

    #[test]
    fn only_a_clear_no_says_that_nothing_was_written() {
        for status in [301, 403, 404, 409, 412, 429, 503] {
            assert!(api("", Some(status)).is_refused(), "{status}");
        }
        for status in [None, Some(200), Some(500), Some(502), Some(504)] {
            assert!(!api("InternalError", status).is_refused(), "{status:?}");
        }
    }

    #[test]
    fn the_advice_names_the_role_that_was_refused() {
        let refused = api("", Some(403)).at_source("source");
        let filter = refused.of_role(Some("backups-FilterFunction-1A2B3C"));
        assert!(
            filter
                .advice
                .starts_with("let the role of backups-FilterFunction-1A2B3C read"),
            "{filter:?}"
        );
        for failure in [
            api("AccessDenied", Some(403)).at_destination("b", "r"),
            api("AccessDeniedException", Some(400)).at_service("table"),
        ] {
            let named = failure.of_role(Some("f"));
            assert!(named.advice.contains("grant the role of f "), "{named:?}");
        }
    }

    #[test]
    fn source_answers_have_their_names() {
        for (code, status, name) in [
            ("AccessDenied", Some(403), ErrorName::SourceUnreadable),
            ("", Some(400), ErrorName::SourceUnreadable),
            ("InvalidObjectState", Some(403), ErrorName::SourceArchived),
            ("SlowDown", Some(503), ErrorName::Throttled),
            ("", Some(500), ErrorName::DestinationUnavailable),
        ] {
            assert_eq!(
                api(code, status).at_source("b").name,
                name,
                "{code} {status:?}"
            );
        }
        assert!(api("", Some(404)).is_missing() && !api("NoSuchBucket", Some(404)).is_missing());
    }
}
