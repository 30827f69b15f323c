//! S3 Inventory reports, read from a small S3 on loopback that can break off and lose files.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use backup_aws::s3::inventory::Inventory;
use backup_aws::{ErrorName, Failure, S3};
use backup_domain::inventory::manifest::md5_of;
use backup_domain::inventory::{Cursor, Listed, Location};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SCHEMA: &str =
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";
const PREFIX: &str = "daily/photos/all/";

/// What the server has, by key; an empty document makes it hang up.
type Objects = BTreeMap<String, Vec<u8>>;

async fn server(objects: Objects) -> S3 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let objects = Arc::new(objects);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&objects)));
        }
    });
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
        .endpoint_url(endpoint)
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .force_path_style(true)
        .build();
    S3::from_conf(config)
}

async fn answer(mut stream: TcpStream, objects: Arc<Objects>) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes.drain(..end + 4);
        let Some((status, body)) = reply(&head, &objects) else {
            return;
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = [head.as_bytes(), &body].concat();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn reply(head: &str, objects: &Objects) -> Option<(&'static str, Vec<u8>)> {
    let path = head.split(' ').nth(1)?;
    if path.contains("list-type=2") {
        let folders = [
            "data",
            "2026-11-06T21-32Z",
            "2026-11-13T21-32Z",
            "2026-11-20T21-32Z",
        ];
        let folders = folders
            .map(|it| format!("<CommonPrefixes><Prefix>{PREFIX}{it}/</Prefix></CommonPrefixes>"));
        let text = format!("<ListBucketResult>{}</ListBucketResult>", folders.concat());
        return Some(("200 OK", text.into_bytes()));
    }
    let key = path.split('?').next()?.strip_prefix("/reports/")?;
    let Some(object) = objects.get(key) else {
        let text = b"<Error><Code>NoSuchKey</Code></Error>".to_vec();
        return Some(("404 Not Found", text));
    };
    if object.is_empty() {
        return None;
    }
    let range = head.lines().find_map(|it| it.strip_prefix("range: bytes="));
    let Some((first, last)) = range.and_then(|it| it.split_once('-')) else {
        return Some(("200 OK", object.clone()));
    };
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    if first >= object.len() {
        return Some(("416 Range Not Satisfiable", vec![]));
    }
    let part = object[first..object.len().min(last + 1)].to_vec();
    Some(("206 Partial Content", part))
}

/// A file of so many rows, packed without making them smaller.
fn file(name: &str, rows: u64) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    for row in 0..rows {
        let noise = md5_of(format!("{name}{row}").as_bytes()).repeat(8);
        let line = format!(
            "\"photos\",\"{name}/{row:07}-{noise}\",\"v{row}\",\"true\",\"false\",\"{row}\",\"2026-11-06T21:32:00.000Z\",\"e\",\"STANDARD\"\n"
        );
        gzip.write_all(line.as_bytes()).expect("packs");
    }
    gzip.finish().expect("packs")
}

/// A report of these files.
fn report(date: &str, files: &[(&str, Vec<u8>)]) -> Objects {
    let mut objects = Objects::new();
    let mut listed = Vec::new();
    for (name, bytes) in files {
        let key = format!("{PREFIX}data/{name}.csv.gz");
        listed.push(json!({"key": key, "size": bytes.len(), "MD5checksum": md5_of(bytes)}));
        objects.insert(key, bytes.clone());
    }
    let manifest = json!({
        "sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30",
        "creationTimestamp": "1794000720000", "fileFormat": "CSV", "fileSchema": SCHEMA, "files": listed,
    })
    .to_string();
    let key = |name: &str| format!("{PREFIX}{date}/manifest.{name}");
    objects.insert(key("checksum"), md5_of(manifest.as_bytes()).into_bytes());
    objects.insert(key("json"), manifest.into_bytes());
    objects
}

async fn open(client: &S3, at: &str, bucket: &str) -> Result<Inventory, Failure> {
    let at = Location::parse(at).expect("a place");
    Inventory::open(client.clone(), &at, bucket).await
}

async fn rest(inventory: &Inventory, from: Cursor) -> Result<(Vec<Listed>, Vec<Cursor>), Failure> {
    let mut reader = inventory.reader(from);
    let (mut rows, mut cursors) = (vec![], vec![reader.cursor()]);
    loop {
        let batch = reader.batch().await?;
        cursors.push(reader.cursor());
        if batch.is_empty() {
            return Ok((rows, cursors));
        }
        rows.extend(batch);
    }
}

/// Two files of several ranges and one of a single row, read on from wherever a reader stood.
#[tokio::test]
async fn a_report_is_read_on_from_every_place_that_a_reader_names() {
    let files = [
        ("a", file("a", 9_000)),
        ("b", file("b", 1)),
        ("c", file("c", 2_500)),
    ];
    assert!(files[0].1.len() > 1 << 20, "one range is too few");
    let client = server(report("2026-11-13T21-32Z", &files)).await;
    let inventory = open(&client, "s3://reports/daily/photos/all", "photos").await;
    let inventory = inventory.expect("a report");
    let (all, cursors) = rest(&inventory, Cursor::default()).await.expect("sound");
    assert_eq!(all.len(), 11_501);
    assert!(all.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(cursors.last(), Some(&Cursor { file: 3, line: 0 }));
    for cursor in cursors.iter().step_by(4) {
        let (left, _) = rest(&inventory, *cursor).await.expect("sound");
        let done = all.len() - left.len();
        assert_eq!(all[done..], left, "{cursor:?}");
    }
}

/// The newest folder has no checksum yet, and the oldest is complete too.
#[tokio::test]
async fn the_newest_complete_report_is_taken() {
    let mut objects = report("2026-11-06T21-32Z", &[]);
    objects.extend(report("2026-11-13T21-32Z", &[("a", file("a", 3))]));
    let mut unfinished = report("2026-11-20T21-32Z", &[]);
    unfinished.remove(&format!("{PREFIX}2026-11-20T21-32Z/manifest.checksum"));
    objects.extend(unfinished);
    let client = server(objects).await;
    let newest = open(&client, "s3://reports/daily/photos/all/", "photos").await;
    let newest = newest.expect("a report").manifest;
    assert_eq!(
        newest.at.key,
        format!("{PREFIX}2026-11-13T21-32Z/manifest.json")
    );
    assert_eq!(newest.files.len(), 1);

    let named = format!("s3://reports/{PREFIX}2026-11-20T21-32Z/manifest.json");
    let refused = open(&client, &named, "photos")
        .await
        .expect_err("unfinished");
    assert_eq!(refused.name, ErrorName::InvalidEvent);
    assert!(
        refused.message.contains("not complete"),
        "{}",
        refused.message
    );
    let foreign = open(&client, "s3://reports/daily/photos/all/", "other").await;
    let foreign = foreign.expect_err("of another bucket");
    assert!(
        foreign
            .message
            .contains("inventory of photos, not of other"),
        "{}",
        foreign.message
    );
}

#[tokio::test]
async fn where_no_report_lies_it_says_where_it_looked() {
    let client = server(Objects::new()).await;
    for at in [
        "s3://reports/daily/photos/all/",
        "s3://reports/x/manifest.json",
    ] {
        let refused = open(&client, at, "photos").await.expect_err("nothing");
        assert_eq!(refused.name, ErrorName::InvalidEvent);
        assert!(
            refused.message.contains("s3://reports/"),
            "{}",
            refused.message
        );
    }
}

/// What becomes of a file; `None` takes it away.
type Spoil<'a> = &'a dyn Fn(&Vec<u8>) -> Option<Vec<u8>>;

/// What is wrong with the second of two files, what it is called, and whether that may be retried.
#[tokio::test]
async fn a_file_that_is_missing_damaged_or_cut_ends_in_its_own_words() {
    let damage = |bytes: &Vec<u8>| {
        let mut bytes = bytes.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    let cases: [(Spoil<'_>, &str, ErrorName); 5] = [
        (&|_| None, "which is not there", ErrorName::SourceUnreadable),
        (&damage, "data/b.csv.gz", ErrorName::SourceUnreadable),
        (
            &|bytes| Some(bytes[..bytes.len() - 9].to_vec()),
            "its end is missing",
            ErrorName::SourceUnreadable,
        ),
        (
            &|_| Some(file("c", 2_000)),
            "is damaged",
            ErrorName::SourceUnreadable,
        ),
        (
            &|_| Some(vec![]),
            "GetObject",
            ErrorName::DestinationUnavailable,
        ),
    ];
    for (spoil, says, name) in cases {
        let (a, b) = (file("a", 10), file("b", 2_000));
        let mut objects = report("2026-11-13T21-32Z", &[("a", a), ("b", b.clone())]);
        let key = format!("{PREFIX}data/b.csv.gz");
        match spoil(&b) {
            Some(bytes) => objects.insert(key, bytes),
            None => objects.remove(&key),
        };
        let client = server(objects).await;
        let inventory = open(&client, "s3://reports/daily/photos/all/", "photos").await;
        let inventory = inventory.expect("a report");
        let failure = rest(&inventory, Cursor::default()).await.expect_err(says);
        assert_eq!(failure.name, name, "{}", failure.message);
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}
