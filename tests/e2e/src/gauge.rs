//! What large objects take: a world with the sizes of a deployment, content of any length, and the
//! memory of the functions. On demand only; reads `/proc`, so Linux only.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use backup_stack::Service;
use serde_json::json;

use crate::World;

const MIB: usize = 1024 * 1024;
/// One part of an upload by a test.
const PART_BYTES: u64 = 256 << 20;

/// Bytes that never come into memory together: each MiB begins with its number.
#[derive(Debug)]
pub struct Content {
    at: u64,
    end: u64,
    block: Vec<u8>,
}

impl Content {
    /// The bytes from `first` on, so many; `first` is a whole number of MiB.
    pub fn new(first: u64, bytes: u64) -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let block = (0..MIB).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        Self {
            at: first,
            end: first + bytes,
            block: block.collect(),
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mib = MIB as u64;
        let within = usize::try_from(self.at % mib).unwrap_or_default();
        if within == 0 {
            self.block[..8].copy_from_slice(&(self.at / mib).to_le_bytes());
        }
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let bytes = buffer.len().min(MIB - within).min(left);
        buffer[..bytes].copy_from_slice(&self.block[within..within + bytes]);
        self.at += bytes as u64;
        Ok(bytes)
    }
}

impl World {
    /// The one of this process whose buckets lie on SeaweedFS, with the threshold and the part size
    /// that a deployment has by default.
    pub fn with_default_sizes() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        let sizes = [("MultipartThresholdMiB", "1024"), ("PartSizeMinMiB", "64")];
        WORLD.get_or_init(|| {
            Self::start_on_seaweed("weed-source", &sizes)
                .expect("both servers start and the template deploys")
        })
    }

    /// Uploads [`Content`] in parts, streamed.
    pub fn upload_content(&self, key: &str, bytes: u64) {
        let url = format!("{}/{}/{key}", self.objects.endpoint(), self.source());
        let mut answer = ureq::post(format!("{url}?uploads"))
            .send_empty()
            .expect("an upload");
        let text = answer.body_mut().read_to_string().expect("text");
        let id = text.split("<UploadId>").nth(1).expect("an id");
        let id = id.split('<').next().unwrap_or_default();
        let mut parts = String::new();
        for (index, first) in (0..bytes).step_by(256 << 20).enumerate() {
            let length = PART_BYTES.min(bytes - first);
            let number = index + 1;
            let answer = ureq::put(format!("{url}?partNumber={number}&uploadId={id}"))
                .header("content-length", length.to_string())
                .send(ureq::SendBody::from_owned_reader(Content::new(
                    first, length,
                )))
                .expect("the part is uploaded");
            let etag = answer.headers()["etag"].to_str().expect("an ETag");
            // Writing to a String cannot fail.
            let _ = write!(
                parts,
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            );
        }
        let complete = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        ureq::post(format!("{url}?uploadId={id}"))
            .send(complete)
            .expect("the object is made");
    }

    /// Waits for an execution that may take a quarter of an hour; returns its status.
    pub fn long_wait(&self, execution: &str) -> String {
        for _ in 0..9000 {
            let described = self
                .cloud
                .json(
                    Service::StepFunctions,
                    "DescribeExecution",
                    &json!({"executionArn": execution}),
                )
                .expect("an execution");
            if described["status"] != "RUNNING" {
                return described["status"].as_str().unwrap_or_default().to_owned();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{execution} runs for a quarter of an hour")
    }
}

/// Peak memory of each function of a world while this lives.
pub struct Peaks {
    stop: Arc<AtomicBool>,
    watching: JoinHandle<BTreeMap<String, u64>>,
}

impl Peaks {
    /// Looks at the processes of the functions that call the world's proxy, every 10 ms.
    pub fn watch(world: &'static World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let watching = std::thread::spawn(move || {
            let mut peaks = BTreeMap::new();
            while !stopped.load(Ordering::Relaxed) {
                note(&mut peaks, world.proxy.endpoint());
                std::thread::sleep(Duration::from_millis(10));
            }
            peaks
        });
        Self { stop, watching }
    }

    /// Largest resident size of any process of each function, in KiB, by the function's name.
    pub fn end(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.watching.join().expect("it watches to its end")
    }
}

fn note(peaks: &mut BTreeMap<String, u64>, endpoint: &str) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let folder = entry.path();
        // Processes come and go while they are looked at.
        let Ok(environment) = std::fs::read(folder.join("environ")) else {
            continue;
        };
        let environment = String::from_utf8_lossy(&environment);
        if !environment.contains(endpoint) {
            continue;
        }
        let name = environment
            .split('\0')
            .find_map(|it| it.strip_prefix("AWS_LAMBDA_FUNCTION_NAME="));
        let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
        if let (Some(name), Some(peak)) = (name, peak_kib(&status)) {
            let short = name.split("Function").next().unwrap_or(name);
            let kept = peaks.entry(short.to_owned()).or_default();
            *kept = peak.max(*kept);
        }
    }
}

/// Peak resident size of this process, in KiB.
pub fn own_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    peak_kib(&status).unwrap_or_default()
}

fn peak_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
