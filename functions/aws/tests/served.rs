//! What Lambda gets to see of a handler that panics: the runtime answers with a name of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use backup_aws::serve;
use serde_json::Value;

/// The type that a panic unwinds with, as `std::any::type_name` writes it of a reference. No state
/// can expect that name to stay: `States.ALL` takes it.
const PANIC: &str = "&alloc::boxed::Box<dyn core::any::Any + core::marker::Send>";

/// Not a test by itself: the process that [`a_panic_is_answered_by_a_name_that_no_state_has`] starts.
#[test]
#[ignore = "part of a_panic_is_answered_by_a_name_that_no_state_has"]
fn panicking() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let served = serve(|_: Value| async { if true { panic!("on purpose") } else { Ok(()) } });
    runtime.block_on(served).unwrap();
}

/// One request: its first line and its body.
fn request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (first, String::from_utf8(body).unwrap())
}

#[test]
fn a_panic_is_answered_by_a_name_that_no_state_has() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "panicking"])
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            listener.local_addr().unwrap().to_string(),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "panicking")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "none")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "none")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    let (mut next, _) = listener.accept().unwrap();
    assert!(request(&next).0.contains("/runtime/invocation/next"));
    next.write_all(
        b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\
          Lambda-Runtime-Invoked-Function-Arn: arn\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    )
    .unwrap();
    drop(next);
    let (error, _) = listener.accept().unwrap();
    let (line, body) = request(&error);
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(line.contains("/runtime/invocation/1/error"), "{line}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["errorType"], PANIC);
    assert_eq!(answer["errorMessage"], "Lambda panicked: on purpose");
}
