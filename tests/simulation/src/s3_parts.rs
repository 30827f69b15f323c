//! S3's answers to the requests of multipart uploads.

use std::fmt::Write as _;

use crate::content::Content;
use crate::s3::{S3, Upload};
use crate::s3_answers::{given, iso, named, part_of, source, written};
use crate::wire::{Answer, Request, encode, pairs};

/// Parts on a page: small, so that paging is exercised.
const PAGE: usize = 7;

/// Answers one request.
pub fn answer(s3: &mut S3, request: &Request, now_ms: i64) -> Answer {
    let (bucket, key) = request.place();
    match request.operation.as_str() {
        "CreateMultipartUpload" => create(s3, request, now_ms),
        "ListMultipartUploads" => list_uploads(s3, request, bucket),
        name => {
            let id = &request.query["uploadId"];
            let known = s3.buckets[bucket].uploads.get(id);
            if known.is_none_or(|upload| upload.key != key) {
                return Answer::s3_error(404, "NoSuchUpload");
            }
            match name {
                "UploadPartCopy" => copy_part(s3, request, bucket, id, now_ms),
                "ListParts" => list_parts(s3, request, bucket, id),
                "CompleteMultipartUpload" => complete(s3, request, bucket, id, now_ms),
                "AbortMultipartUpload" => {
                    s3.bucket(bucket).uploads.remove(id);
                    Answer {
                        status: 204,
                        ..Answer::default()
                    }
                }
                _ => panic!("nothing here answers {name}"),
            }
        }
    }
}

fn create(s3: &mut S3, request: &Request, now_ms: i64) -> Answer {
    let mut new = given(request);
    new.tags = request
        .header("x-amz-tagging")
        .map(pairs)
        .unwrap_or_default()
        .into_iter()
        .collect();
    new.checksummed = request.header("x-amz-checksum-algorithm") == Some("CRC64NVME")
        && request.header("x-amz-checksum-type") == Some("FULL_OBJECT");
    assert!(new.checksummed, "an upload without a full-object CRC64NVME");
    let (bucket, key) = request.place();
    let id = s3.id("u");
    let upload = Upload {
        key: key.to_owned(),
        new,
        parts: std::collections::BTreeMap::default(),
        initiated_ms: now_ms,
    };
    s3.bucket(bucket).uploads.insert(id.clone(), upload);
    Answer::ok(format!(
        "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
    ))
}

fn list_uploads(s3: &S3, request: &Request, bucket: &str) -> Answer {
    let prefix = request.query.get("prefix").map_or("", String::as_str);
    let mut entries = String::new();
    let uploads = s3.buckets[bucket].uploads.iter();
    for (id, upload) in uploads.filter(|(_, upload)| upload.key.starts_with(prefix)) {
        let (key, initiated) = (encode(&upload.key), iso(upload.initiated_ms));
        let _ = write!(
            entries,
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{initiated}</Initiated></Upload>"
        );
    }
    Answer::ok(format!(
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{entries}</ListMultipartUploadsResult>"
    ))
}

fn copy_part(s3: &mut S3, request: &Request, bucket: &str, id: &str, now_ms: i64) -> Answer {
    let found = match source(s3, request) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let mut part = part_of(found.content.as_ref().expect("an object"), request);
    if request.header("x-simulated-spoilt").is_some() {
        part = part.spoilt();
    }
    let number = request.query["partNumber"].parse().expect("a number");
    let body = format!(
        "<CopyPartResult><ETag>\"{}\"</ETag><LastModified>{}</LastModified></CopyPartResult>",
        part.digest(),
        iso(now_ms)
    );
    let upload = s3.bucket(bucket).uploads.get_mut(id).expect("an upload");
    upload.parts.insert(number, part);
    Answer::ok(body)
}

fn list_parts(s3: &S3, request: &Request, bucket: &str, id: &str) -> Answer {
    let number = |name: &str| {
        let value = request.query.get(name)?;
        value.parse::<u64>().ok()
    };
    let after = number("part-number-marker").unwrap_or_default();
    let most = usize::try_from(number("max-parts").unwrap_or(1000))
        .expect("a count")
        .min(PAGE);
    let upload = &s3.buckets[bucket].uploads[id];
    let rest: Vec<_> = upload.parts.range(after + 1..).collect();
    let mut entries = String::new();
    for (number, part) in rest.iter().take(most) {
        let _ = write!(
            entries,
            "<Part><PartNumber>{number}</PartNumber><ETag>\"{}\"</ETag><Size>{}</Size><ChecksumCRC64NVME>{}</ChecksumCRC64NVME></Part>",
            part.digest(),
            part.len(),
            written(part.crc())
        );
    }
    let more = rest.len() > most;
    let last = rest
        .iter()
        .take(most)
        .next_back()
        .map_or(after, |(number, _)| **number);
    Answer::ok(format!(
        "<ListPartsResult><IsTruncated>{more}</IsTruncated><NextPartNumberMarker>{last}</NextPartNumberMarker>{entries}</ListPartsResult>"
    ))
}

fn complete(s3: &mut S3, request: &Request, bucket: &str, id: &str, now_ms: i64) -> Answer {
    let document = roxmltree::Document::parse(&request.body).expect("XML");
    let upload = s3.buckets[bucket].uploads[id].clone();
    let text = |part: roxmltree::Node, name: &str| {
        let child = part
            .children()
            .find(|child| child.tag_name().name() == name);
        child
            .and_then(|child| child.text())
            .unwrap_or_default()
            .to_owned()
    };
    let mut contents = Vec::new();
    for part in document
        .descendants()
        .filter(|node| node.tag_name().name() == "Part")
    {
        let number: u64 = text(part, "PartNumber").parse().expect("a number");
        let Some(held) = upload.parts.get(&number) else {
            return Answer::s3_error(400, "InvalidPart");
        };
        let same = text(part, "ETag").trim_matches('"') == held.digest()
            && text(part, "ChecksumCRC64NVME") == written(held.crc());
        if !same {
            return Answer::s3_error(400, "InvalidPart");
        }
        contents.push(held.clone());
    }
    let parts = contents.len();
    let content = Content::join(contents.into_iter());
    let size = request.header("x-amz-mp-object-size").map(str::to_owned);
    if size.is_some_and(|size| size != content.len().to_string()) {
        return Answer::s3_error(400, "InvalidRequest");
    }
    let checksum = request.header("x-amz-checksum-crc64nvme");
    if checksum.is_some_and(|sum| sum != written(content.crc())) {
        return Answer::s3_error(400, "BadDigest");
    }
    s3.bucket(bucket).uploads.remove(id);
    let mut new = upload.new;
    new.content = content;
    new.parts = parts;
    let made = s3.put(bucket, &upload.key, new, now_ms);
    let answer = Answer::ok(format!(
        "<CompleteMultipartUploadResult><ETag>\"{}\"</ETag></CompleteMultipartUploadResult>",
        made.etag
    ));
    named(s3, bucket, answer, &made)
}
