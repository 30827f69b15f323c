//! Large objects against a small S3 on loopback: what would take too long with real bytes, and what
//! would depend on the clock with a real server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use backup_aws::s3::head::Version;
use backup_aws::s3::multipart::{complete, list_parts};
use backup_aws::s3::parts::run;
use backup_aws::s3::read::{Progress, read_on};
use backup_aws::{Deadline, S3};
use backup_domain::SourceObject;
use backup_domain::limits::{MIB, OBJECT_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX};
use backup_domain::multipart::{Upload, check_parts, missing};
use backup_domain::parts::{ByteRange, Segment, plan_parts};
use backup_domain::task::Target;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with one request: an answer, or none for ever.
type Serve = fn(&Request) -> Option<Vec<u8>>;

/// One request as it came.
#[derive(Debug, Clone)]
struct Request {
    head: String,
    body: String,
}

impl Request {
    /// A number in the query string.
    fn number(&self, name: &str) -> Option<u64> {
        let (_, rest) = self.head.split_once(&format!("{name}="))?;
        rest.split(['&', ' ']).next()?.parse().ok()
    }

    /// First and last byte of the `Range` header.
    fn range(&self) -> Option<(u64, u64)> {
        let line = self
            .head
            .lines()
            .find_map(|it| it.strip_prefix("range: "))?;
        let (first, last) = line.trim().strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }
}

type Seen = Arc<Mutex<Vec<Request>>>;

/// A client of a server that answers by `serve`, and what that server has seen.
async fn server(serve: Serve) -> (S3, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Seen::default();
    let noted = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, serve, noted.clone()));
        }
    });
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .build();
    (S3::from_conf(config), seen)
}

/// Serves one connection, one request after the other.
async fn answer(mut stream: TcpStream, serve: Serve, seen: Seen) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        while bytes.len() < head + length {
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        }
        let rest = bytes.split_off(head + length);
        let body = String::from_utf8_lossy(&bytes[head..]).into_owned();
        bytes = rest;
        let request = Request { head: text, body };
        let answer = serve(&request);
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        let Some(body) = answer else {
            return std::future::pending().await;
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nx-amz-version-id: made\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(head.as_bytes()).await.is_err()
            || stream.write_all(&body).await.is_err()
        {
            return;
        }
    }
}

fn requests(seen: &Seen) -> Vec<Request> {
    seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn target() -> Target {
    serde_json::from_value(json!({
        "name": "primary", "key": "k", "read": false, "archived": "fail", "rule": "r", "attempts": 1,
        "destination": {"bucket": "backup", "region": "eu-west-1"},
    }))
    .expect("a target")
}

fn object(bytes: u64) -> SourceObject {
    serde_json::from_value(json!({
        "bucket": "source", "key": "k", "versionId": "v", "size": bytes, "etag": "e", "sequencer": "0A",
        "eventAt": "2026-11-01T00:00:00Z", "account": "111122223333", "region": "eu-west-1",
    }))
    .expect("an object")
}

fn upload(bytes: u64) -> Upload {
    Upload {
        id: "u".into(),
        plan: plan_parts(bytes, PART_BYTES_MIN).expect("a plan"),
        algorithm: "CRC64NVME".into(),
        marked: true,
    }
}

/// As S3 lists the parts of the largest object: 1,000 a page at most, whatever is asked for.
fn largest_upload(request: &Request) -> Vec<u8> {
    if request.head.starts_with("POST") {
        return b"<CompleteMultipartUploadResult/>".to_vec();
    }
    let marker = request.number("part-number-marker").unwrap_or(0);
    let most = request.number("max-parts").unwrap_or(1000).min(1000);
    let last = (marker + most).min(PARTS_MAX);
    let bytes = upload(OBJECT_BYTES_MAX).plan.part_bytes;
    let part = |part| {
        format!(
            "<Part><PartNumber>{part}</PartNumber><Size>{bytes}</Size><ETag>\"e{part}\"</ETag>\
             <ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></Part>"
        )
    };
    let parts: Vec<_> = (marker + 1..=last).map(part).collect();
    let more = last < PARTS_MAX;
    let parts = parts.concat();
    format!(
        "<ListPartsResult><IsTruncated>{more}</IsTruncated>\
         <NextPartNumberMarker>{last}</NextPartNumberMarker>{parts}</ListPartsResult>"
    )
    .into_bytes()
}

#[tokio::test]
async fn ten_thousand_parts_are_listed_by_the_page_and_completed_at_once() {
    let (s3, seen) = server(|request| Some(largest_upload(request))).await;
    let (target, upload) = (target(), upload(OBJECT_BYTES_MAX));
    let all = Segment {
        first_part: 1,
        last_part: PARTS_MAX,
    };
    let listed = list_parts(&s3, &target, &upload, all)
        .await
        .expect("the parts");
    assert_eq!(requests(&seen).len(), 10);
    check_parts(&upload, &listed).expect("every part once, in order");

    let sum = Some("AAAAAAAAAAA=");
    let made = complete(&s3, &target, &upload, listed, sum).await;
    assert_eq!(made.expect("a copy").as_deref(), Some("made"));
    let asked = requests(&seen).pop().expect("a request");
    assert!(
        asked
            .head
            .contains("x-amz-mp-object-size: 53687091200000\r\n"),
        "{}",
        asked.head
    );
    assert_eq!(asked.body.matches("<PartNumber>").count(), 10_000);
    assert!(asked.body.len() < 2 << 20, "{} bytes", asked.body.len());
}

#[tokio::test]
async fn a_segment_lists_its_own_parts_alone() {
    let (s3, seen) = server(|request| Some(largest_upload(request))).await;
    let upload = upload(OBJECT_BYTES_MAX);
    let segments = upload.plan.segments();
    let segment = segments[39];
    assert_eq!((segment.first_part, segment.last_part), (9751, 10_000));
    let listed = list_parts(&s3, &target(), &upload, segment)
        .await
        .expect("the parts");
    let numbers: Vec<_> = listed.iter().map(|part| part.number).collect();
    assert_eq!(numbers, (9751..=10_000).collect::<Vec<_>>());
    assert_eq!(missing(&upload.plan, segment, &listed), []);
    assert_eq!(requests(&seen).len(), 1);
}

/// A server may list parts in any order, and one twice; Complete takes numbers that ascend.
#[tokio::test]
async fn a_part_that_is_listed_twice_is_completed_once() {
    let (s3, seen) = server(|request| {
        if request.head.starts_with("POST") {
            return Some(b"<CompleteMultipartUploadResult/>".to_vec());
        }
        let part = |number| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><Size>{PART_BYTES_MIN}</Size>\
                 <ETag>\"e{number}\"</ETag></Part>"
            )
        };
        let parts = [2, 1, 1].map(part).concat();
        let listed = "<IsTruncated>false</IsTruncated>";
        Some(format!("<ListPartsResult>{listed}{parts}</ListPartsResult>").into_bytes())
    })
    .await;
    let (target, upload) = (target(), upload(2 * PART_BYTES_MIN));
    let listed = list_parts(&s3, &target, &upload, upload.plan.all()).await;
    let listed = listed.expect("the parts");
    check_parts(&upload, &listed).expect("every part");
    let made = complete(&s3, &target, &upload, listed, None).await;
    made.expect("a copy");
    let asked = requests(&seen).pop().expect("a request");
    let numbers = asked.body.split("<PartNumber>").skip(1);
    let numbers: Vec<_> = numbers.filter_map(|it| it.split('<').next()).collect();
    assert_eq!(numbers, ["1", "2"]);
}

/// The first five parts are answered, no other ever: of 40 those are kept, the 16 under way end with
/// the time, and no more are begun.
#[tokio::test]
async fn parts_that_no_time_is_left_for_are_not_begun() {
    let (s3, seen) = server(|request| {
        let part = request.number("partNumber")?;
        (part <= 5).then(|| b"<CopyPartResult><ETag>\"e\"</ETag></CopyPartResult>".to_vec())
    })
    .await;
    let upload = upload(40 * PART_BYTES_MIN);
    let all = upload.plan.segments();
    let whole = Segment {
        first_part: 1,
        last_part: all[all.len() - 1].last_part,
    };
    let missing = missing(&upload.plan, whole, &[]);
    let deadline = Deadline::after(Duration::from_secs(4));
    let object = object(40 * PART_BYTES_MIN);
    let ran = run(&s3, &object, &target(), &upload, "e", missing, deadline).await;
    assert_eq!((ran.copied, ran.left), (5, 40 - 5 - 16));
    let (_, api) = ran.failed.expect("those under way had no answer");
    assert_eq!(api.status, None, "{api:?}");
    let mut asked = BTreeMap::<_, u32>::new();
    for request in requests(&seen) {
        *asked.entry(request.number("partNumber")).or_default() += 1;
    }
    assert_eq!(asked.len(), 21);
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
}

/// At the far end of the largest object: the first two of three GETs are answered, the third never.
/// What was read is handed back with its sum.
#[tokio::test]
async fn a_get_without_an_answer_does_not_take_along_what_others_read() {
    const GET: u64 = 16 * MIB;
    let (s3, seen) = server(|request| {
        let (first, last) = request.range()?;
        (last < OBJECT_BYTES_MAX - 1)
            .then(|| vec![7; usize::try_from(last - first + 1).unwrap_or(0)])
    })
    .await;
    let range = ByteRange {
        first: OBJECT_BYTES_MAX - 2 * GET - 5,
        bytes: 2 * GET + 5,
    };
    let version = Version {
        bucket: "source",
        key: "k",
        version_id: Some("v"),
        owner: None,
    };
    let deadline = Deadline::after(Duration::from_secs(4));
    let start = Progress::default();
    let progress = read_on(&s3, version, "e", range, start, deadline)
        .await
        .expect("progress");
    let read = vec![7; usize::try_from(2 * GET).unwrap_or(0)];
    let expected = Progress {
        read: 2 * GET,
        sum: crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &read),
    };
    assert_eq!(progress, expected);
    let last = requests(&seen).iter().filter_map(Request::range).max();
    assert_eq!(last, Some((OBJECT_BYTES_MAX - 5, OBJECT_BYTES_MAX - 1)));
}
