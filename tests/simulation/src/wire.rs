//! Requests and answers as they are on the wire, between the SDK and the services.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A request, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `s3`, `dynamodb`, `ssm`, `sns`, `sqs`, `states`.
    pub service: String,
    /// Operation, as AWS calls it.
    pub operation: String,
    /// Path, decoded.
    pub path: String,
    /// Query, decoded.
    pub query: BTreeMap<String, String>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: String,
}

impl Request {
    /// Reads what the SDK sends.
    pub fn read(request: &HttpRequest) -> Self {
        let uri = request.uri();
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = pairs(query);
        let headers: BTreeMap<_, _> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = request.body().bytes().expect("a body in memory");
        let body = String::from_utf8(body.to_vec()).expect("a body of text");
        let service = ["s3", "dynamodb", "ssm", "sns", "sqs", "states"]
            .into_iter()
            .find(|name| host.split('.').any(|label| label == *name))
            .unwrap_or_else(|| panic!("no service behind {uri}"));
        let mut read = Self {
            service: service.to_owned(),
            operation: String::new(),
            path: decode(path),
            query,
            headers,
            body,
        };
        read.operation = read.name(request.method());
        read
    }

    fn name(&self, method: &str) -> String {
        if let Some(target) = self.headers.get("x-amz-target") {
            return target.rsplit('.').next().unwrap_or_default().to_owned();
        }
        if self.service == "sns" {
            return pairs(&self.body).remove("Action").expect("an action");
        }
        let has = |name: &str| self.query.contains_key(name);
        let copies = self.headers.contains_key("x-amz-copy-source");
        let name = match method {
            "HEAD" => "HeadObject",
            "GET" if has("versions") => "ListObjectVersions",
            "GET" if has("uploads") => "ListMultipartUploads",
            "GET" if has("uploadId") => "ListParts",
            "GET" if has("tagging") => "GetObjectTagging",
            "GET" => "GetObject",
            "PUT" if has("tagging") => "PutObjectTagging",
            "PUT" if copies && has("uploadId") => "UploadPartCopy",
            "PUT" if copies => "CopyObject",
            "POST" if has("uploads") => "CreateMultipartUpload",
            "POST" if has("uploadId") => "CompleteMultipartUpload",
            "DELETE" if has("uploadId") => "AbortMultipartUpload",
            "DELETE" => "DeleteObject",
            _ => panic!(
                "nothing here answers {method} {} {:?}",
                self.path, self.query
            ),
        };
        name.to_owned()
    }

    /// Bucket and key of an S3 request in path style.
    pub fn place(&self) -> (&str, &str) {
        self.path.split_once('/').unwrap_or((&self.path, ""))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether the answer being lost leaves something behind.
    pub fn writes(&self) -> bool {
        !matches!(
            self.operation.as_str(),
            "HeadObject"
                | "GetObject"
                | "ListObjectVersions"
                | "ListMultipartUploads"
                | "ListParts"
                | "GetObjectTagging"
                | "GetItem"
                | "Query"
                | "Scan"
                | "ListExecutions"
                | "GetParameter"
                | "DescribeExecution"
        )
    }
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An S3 error.
    pub fn s3_error(status: u16, code: &str) -> Self {
        Self {
            status,
            ..Self::ok(format!(
                "<Error><Code>{code}</Code><Message>said so</Message></Error>"
            ))
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As the SDK takes it.
    pub fn into_http(self) -> HttpResponse {
        let status = StatusCode::try_from(self.status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(self.body));
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// Percent-decodes.
pub fn decode(text: &str) -> String {
    percent_decode_str(text)
        .decode_utf8()
        .expect("UTF-8")
        .into_owned()
}

/// Percent-encodes all but letters and digits.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A query or a form.
pub fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Text within XML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
