//! S3's answers to the requests for objects.

use aws_smithy_types::base64;
use jiff::Timestamp;

use crate::content::Content;
use crate::s3::{New, S3, Version, Versioning};
use crate::wire::{Answer, Request, decode, encode, escape};

/// Account that owns every bucket.
pub const ACCOUNT: &str = "111122223333";

const CONTENT_HEADERS: [&str; 6] = [
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
];

/// Time as XML and JSON have it, in whole seconds.
pub fn iso(ms: i64) -> String {
    let at = Timestamp::from_second(ms.div_euclid(1000)).expect("a time");
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn http_date(ms: i64) -> String {
    let at = Timestamp::from_second(ms.div_euclid(1000)).expect("a time");
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A checksum as S3 writes it.
pub fn written(sum: u64) -> String {
    base64::encode(sum.to_be_bytes())
}

/// `bytes=0-9`: first byte and count.
pub fn byte_range(header: &str) -> (u64, u64) {
    let (first, last) = header
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .unwrap_or_else(|| panic!("the range {header}"));
    let number = |text: &str| text.parse::<u64>().expect("a number");
    (number(first), number(last) + 1 - number(first))
}

/// Answers one request, and does what it asks for.
///
/// # Panics
/// On what nothing here understands: a call that the functions begin to make must be added.
pub fn answer(s3: &mut S3, request: &Request, now_ms: i64) -> Answer {
    for (name, value) in &request.headers {
        let owner = name.ends_with("bucket-owner");
        assert!(!owner || value == ACCOUNT, "{name} is {value}");
    }
    let (bucket, key) = request.place();
    if !s3.buckets.contains_key(bucket) {
        return Answer::s3_error(404, "NoSuchBucket");
    }
    match request.operation.as_str() {
        "HeadObject" => head(s3, request, bucket, key),
        "GetObject" => get(s3, request, bucket, key),
        "CopyObject" => copy(s3, request, now_ms),
        "ListObjectVersions" => list(s3, request, bucket),
        "GetObjectTagging" => tags(s3, request, bucket, key),
        "PutObjectTagging" => put_tags(s3, request, bucket, key),
        "DeleteObject" => {
            assert!(
                !request.query.contains_key("versionId"),
                "a function deletes a version: {bucket}/{key}"
            );
            let marker = s3.delete(bucket, key, None, now_ms);
            let mut answer = Answer {
                status: 204,
                ..Answer::default()
            };
            if let Some(id) = marker {
                answer = answer
                    .with("x-amz-version-id", id)
                    .with("x-amz-delete-marker", "true");
            }
            answer
        }
        _ => crate::s3_parts::answer(s3, request, now_ms),
    }
}

/// The version that a request means, or the refusal.
fn wanted<'a>(
    s3: &'a S3,
    request: &Request,
    bucket: &str,
    key: &str,
) -> Result<&'a Version, Answer> {
    let id = request.query.get("versionId").map(String::as_str);
    let Some(found) = s3.find(bucket, key, id) else {
        let code = if id.is_some() {
            "NoSuchVersion"
        } else {
            "NoSuchKey"
        };
        return Err(Answer::s3_error(404, code));
    };
    if found.content.is_none() {
        let status = if id.is_some() { 405 } else { 404 };
        let code = if id.is_some() {
            "MethodNotAllowed"
        } else {
            "NoSuchKey"
        };
        let refusal = Answer::s3_error(status, code);
        return Err(refusal.with("x-amz-delete-marker", "true"));
    }
    let guard = request
        .header("if-match")
        .map(|etag| etag.trim_matches('"'));
    if guard.is_some_and(|etag| etag != found.etag) {
        return Err(Answer::s3_error(412, "PreconditionFailed"));
    }
    Ok(found)
}

fn head(s3: &S3, request: &Request, bucket: &str, key: &str) -> Answer {
    let found = match wanted(s3, request, bucket, key) {
        Ok(found) => found,
        // A HEAD has no body, so no code either.
        Err(refusal) => {
            return Answer {
                body: Vec::new(),
                ..refusal
            };
        }
    };
    let content = found.content.as_ref().expect("an object");
    let mut answer = Answer::ok("")
        .with("content-length", content.len().to_string())
        .with("etag", format!("\"{}\"", found.etag))
        .with("last-modified", http_date(found.modified_ms))
        .with("x-amz-server-side-encryption", "AES256");
    if s3.buckets[bucket].versioning != Versioning::Off {
        answer = answer.with("x-amz-version-id", found.id.clone());
    }
    if found.checksummed && request.header("x-amz-checksum-mode") == Some("ENABLED") {
        answer = answer
            .with("x-amz-checksum-crc64nvme", written(content.crc()))
            .with("x-amz-checksum-type", "FULL_OBJECT");
    }
    for (name, value) in &found.metadata {
        answer = answer.with(&format!("x-amz-meta-{name}"), value.clone());
    }
    for (name, value) in &found.headers {
        answer = answer.with(name, value.clone());
    }
    answer
}

fn get(s3: &S3, request: &Request, bucket: &str, key: &str) -> Answer {
    let found = match wanted(s3, request, bucket, key) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let content = found.content.as_ref().expect("an object");
    let (first, bytes) = request
        .header("range")
        .map_or((0, content.len()), byte_range);
    if first >= content.len() {
        return Answer::s3_error(416, "InvalidRange");
    }
    let part = content.range(first, bytes);
    let mut answer = Answer::ok(part.bytes());
    answer.status = 206;
    answer.with("etag", format!("\"{}\"", found.etag))
}

/// Bucket, key and version id of a copy source.
pub fn copy_source(request: &Request) -> (String, String, Option<String>) {
    let header = request.header("x-amz-copy-source").expect("a copy source");
    let (path, version) = match header.split_once("?versionId=") {
        Some((path, version)) => (path, Some(decode(version))),
        None => (header, None),
    };
    let (bucket, key) = path.split_once('/').expect("bucket and key");
    (bucket.to_owned(), decode(key), version)
}

/// The source of a copy, or the refusal.
pub fn source<'a>(s3: &'a S3, request: &Request) -> Result<&'a Version, Answer> {
    let (bucket, key, id) = copy_source(request);
    let Some(found) = s3.find(&bucket, &key, id.as_deref()) else {
        let code = if id.is_some() {
            "NoSuchVersion"
        } else {
            "NoSuchKey"
        };
        return Err(Answer::s3_error(404, code));
    };
    if found.content.is_none() {
        return Err(match id {
            Some(_) => Answer::s3_error(400, "InvalidRequest"),
            None => Answer::s3_error(404, "NoSuchKey"),
        });
    }
    let guard = request.header("x-amz-copy-source-if-match");
    if guard.is_some_and(|etag| etag.trim_matches('"') != found.etag) {
        return Err(Answer::s3_error(412, "PreconditionFailed"));
    }
    Ok(found)
}

/// What a request gives a new version beside its content.
pub fn given(request: &Request) -> New {
    let metadata = request.headers.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("x-amz-meta-")?;
        Some((name.to_owned(), value.clone()))
    });
    let headers = CONTENT_HEADERS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), request.header(name)?.to_owned())));
    New {
        metadata: metadata.collect(),
        headers: headers.collect(),
        ..New::default()
    }
}

fn copy(s3: &mut S3, request: &Request, now_ms: i64) -> Answer {
    let found = match source(s3, request) {
        Ok(found) => found.clone(),
        Err(refusal) => return refusal,
    };
    let mut new = if request.header("x-amz-metadata-directive") == Some("REPLACE") {
        given(request)
    } else {
        New {
            metadata: found.metadata,
            headers: found.headers,
            ..New::default()
        }
    };
    new.content = found.content.expect("an object");
    new.tags = found.tags;
    new.checksummed = request.header("x-amz-checksum-algorithm") == Some("CRC64NVME");
    if request.header("x-simulated-spoilt").is_some() {
        new.content = new.content.spoilt();
    }
    let (bucket, key) = request.place();
    let made = s3.put(bucket, key, new, now_ms);
    let answer = Answer::ok(format!(
        "<CopyObjectResult><ETag>\"{}\"</ETag><LastModified>{}</LastModified></CopyObjectResult>",
        made.etag,
        iso(now_ms)
    ));
    named(s3, bucket, answer, &made)
}

/// Adds the version id, where the bucket gives one.
pub fn named(s3: &S3, bucket: &str, answer: Answer, made: &Version) -> Answer {
    if s3.buckets[bucket].versioning == Versioning::Off {
        answer
    } else {
        answer.with("x-amz-version-id", made.id.clone())
    }
}

/// Versions on a page: small, so that paging is exercised.
const PAGE: usize = 4;

fn list(s3: &S3, request: &Request, bucket: &str) -> Answer {
    let prefix = request.query.get("prefix").map_or("", String::as_str);
    let after = request.query.get("key-marker").map(|key| {
        (
            key.as_str(),
            request.query.get("version-id-marker").map(String::as_str),
        )
    });
    let all = s3.buckets[bucket]
        .keys
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .flat_map(|(key, versions)| {
            let newest_first = versions.iter().rev().enumerate();
            newest_first.map(move |(place, version)| (key, place == 0, version))
        });
    let mut all: Vec<_> = all.collect();
    if let Some((key, id)) = after {
        let place = all
            .iter()
            .position(|(other, _, version)| *other == key && id.is_none_or(|id| version.id == id));
        all.drain(..place.map_or(0, |place| place + 1));
    }
    let more = all.len() > PAGE;
    all.truncate(PAGE);
    let mut entries = String::new();
    for (key, latest, version) in &all {
        let (key, id, modified) = (encode(key), &version.id, iso(version.modified_ms));
        let common = format!(
            "<Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest><LastModified>{modified}</LastModified>"
        );
        let entry = match &version.content {
            None => format!("<DeleteMarker>{common}</DeleteMarker>"),
            Some(content) => format!(
                "<Version>{common}<ETag>\"{}\"</ETag><Size>{}</Size></Version>",
                version.etag,
                content.len()
            ),
        };
        entries.push_str(&entry);
    }
    let next = all
        .last()
        .filter(|_| more)
        .map_or_else(String::new, |(key, _, version)| {
            format!(
                "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>",
                encode(key),
                version.id
            )
        });
    assert_eq!(
        request.query.get("encoding-type").map(String::as_str),
        Some("url")
    );
    Answer::ok(format!(
        "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{next}{entries}</ListVersionsResult>"
    ))
}

fn tags(s3: &S3, request: &Request, bucket: &str, key: &str) -> Answer {
    let found = match wanted(s3, request, bucket, key) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let tags: Vec<_> = found
        .tags
        .iter()
        .map(|(name, value)| {
            format!(
                "<Tag><Key>{}</Key><Value>{}</Value></Tag>",
                escape(name),
                escape(value)
            )
        })
        .collect();
    let tags = tags.concat();
    Answer::ok(format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"))
}

fn put_tags(s3: &mut S3, request: &Request, bucket: &str, key: &str) -> Answer {
    if let Err(refusal) = wanted(s3, request, bucket, key) {
        return refusal;
    }
    let id = request.query.get("versionId").expect("a version to tag");
    let document = roxmltree::Document::parse(&request.body).expect("XML");
    let text = |node: roxmltree::Node, name: &str| {
        let child = node.children().find(|child| {
            child.has_tag_name(("http://s3.amazonaws.com/doc/2006-03-01/", name))
                || child.has_tag_name(name)
        });
        child
            .and_then(|child| child.text())
            .unwrap_or_default()
            .to_owned()
    };
    let tags = document
        .descendants()
        .filter(|node| node.tag_name().name() == "Tag")
        .map(|tag| (text(tag, "Key"), text(tag, "Value")))
        .collect();
    let versions = s3.bucket(bucket).keys.get_mut(key).expect("versions");
    for version in versions.iter_mut().filter(|version| version.id == *id) {
        version.tags = Vec::clone(&tags);
    }
    Answer::ok("")
}

/// A part of a content, for UploadPartCopy.
pub fn part_of(content: &Content, request: &Request) -> Content {
    let range = request.header("x-amz-copy-source-range").expect("a range");
    let (first, bytes) = byte_range(range);
    content.range(first, bytes)
}
