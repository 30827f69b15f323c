//! HTTP as the proxy reads and writes it.

use std::io::{Read, Write};
use std::net::TcpStream;

/// The answer with another body, its length put right.
pub(crate) fn replaced(answer: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let body = body.replace(from, to);
    let kept = head.lines().filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("content-length:") && !line.starts_with("transfer-encoding:")
    });
    let kept: Vec<_> = kept.collect();
    let length = body.len();
    format!(
        "{}\r\ncontent-length: {length}\r\n\r\n{body}",
        kept.join("\r\n")
    )
    .into_bytes()
}

/// Answers with this status and nothing but a body.
pub(crate) fn answer(client: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Planned\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    client.write_all(answer.as_bytes())
}

/// Reads one request whole and asks the server to close after it, so that its answer ends.
pub(crate) fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0_u8; 16 * 1024]);
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| {
        line.strip_prefix("content-length:")?
            .trim()
            .parse::<usize>()
            .ok()
    });
    while bytes.len() < head + length.unwrap_or_default() {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
    let line = bytes
        .windows(2)
        .position(|window| window == b"\r\n")
        .unwrap_or_default()
        + 2;
    bytes.splice(line..line, b"connection: close\r\n".iter().copied());
    Ok(bytes)
}

/// What AWS calls the operation of a request.
pub(crate) fn operation(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let target = lower
        .find("x-amz-target:")
        .and_then(|at| text[at..].lines().next());
    if let Some(action) = target.and_then(|line| line.rsplit('.').next()) {
        return action.trim().to_owned();
    }
    if let Some(action) = text.split("Action=").nth(1) {
        return action.split('&').next().unwrap_or_default().to_owned();
    }
    let line = text.lines().next().unwrap_or_default();
    let tagging = line.contains("tagging");
    match line.split(' ').next().unwrap_or_default() {
        "PUT" if line.contains("annotationName=") => "PutObjectAnnotation",
        "GET" if line.contains("annotationName=") => "GetObjectAnnotation",
        "GET" if line.contains("?annotation") => "ListObjectAnnotations",
        "PUT" if line.contains("uploadId=") => "UploadPartCopy",
        "PUT" if lower.contains("x-amz-copy-source:") => "CopyObject",
        "POST" if line.contains("uploadId=") => "CompleteMultipartUpload",
        "POST" if line.contains("?uploads") || line.contains("&uploads") => "CreateMultipartUpload",
        "DELETE" if line.contains("uploadId=") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        "GET" if line.contains("uploadId=") => "ListParts",
        "GET" if line.contains("?uploads") || line.contains("&uploads") => "ListMultipartUploads",
        "POST" if line.contains("?restore") || line.contains("&restore") => "RestoreObject",
        "PUT" if tagging => "PutObjectTagging",
        "PUT" => "PutObject",
        "GET" if tagging => "GetObjectTagging",
        "GET" if line.contains("list-type=2") => "ListObjectsV2",
        "GET" if line.contains("?versioning") => "GetBucketVersioning",
        "GET" if line.contains("?versions") || line.contains("&versions") => "ListObjectVersions",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        other => other,
    }
    .to_owned()
}
