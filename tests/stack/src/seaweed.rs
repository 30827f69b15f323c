//! SeaweedFS, a second S3 server that keeps objects on disk: what it and the local stack agree on is
//! not the habit of one of them. It raises no events.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::cloud::Cloud;
use crate::error::{Error, Result, quoted};
use crate::layout::make_folder;
use crate::leash;
use crate::lock::Lock;
use crate::ministack::{alive_file, unique_name};
use crate::progress::Progress;
use crate::toolchain::Toolchain;
use crate::venv::Venv;

const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// Another process may take a free port before SeaweedFS does.
const ATTEMPTS: usize = 3;
/// What listens besides S3; each takes a free port too.
const PORTS: [&str; 9] = [
    "-master.port",
    "-master.port.grpc",
    "-volume.port",
    "-volume.port.grpc",
    "-filer.port",
    "-filer.port.grpc",
    "-s3.port.grpc",
    "-admin.port",
    "-admin.port.grpc",
];

/// A running SeaweedFS; it ends with the process that started it, and its files go with it.
#[derive(Debug)]
pub struct Seaweed {
    leash: Child,
    endpoint: String,
    rclone: PathBuf,
}

impl Seaweed {
    /// Installs what is missing, starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`Error`] when it cannot be installed, or ends at once.
    pub fn start(toolchain: &Toolchain, progress: &dyn Progress) -> Result<Self> {
        let venv = toolchain.witness(progress)?;
        for _ in 1..ATTEMPTS {
            if let Ok(seaweed) = Self::attempt(toolchain, &venv) {
                return Ok(seaweed);
            }
        }
        Self::attempt(toolchain, &venv)
    }

    fn attempt(toolchain: &Toolchain, venv: &Venv) -> Result<Self> {
        let layout = toolchain.layout();
        let name = format!("seaweed-{}", unique_name());
        let folder = layout.runs().join(&name);
        let log = layout.log(&name)?;
        let mut command = {
            // The folder must not be swept away before the leash holds it.
            let _lock = Lock::hold(&layout.lock("run"), || {})?;
            make_folder(&folder)?;
            leash_command(toolchain, venv, &folder)
        };
        let (ports, s3) = free_ports()?;
        command
            .args(["mini", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1"])
            .args([
                "-admin.ui=false",
                "-webdav=false",
                "-master.telemetry=false",
            ])
            .args(["-s3.port.iceberg", "0", "-s3.port.lance", "0"])
            .arg("-dir")
            .arg(&folder)
            .args(["-s3.port", &s3.to_string()]);
        for (option, port) in PORTS.iter().zip(ports) {
            command.args([option, port.to_string().as_str()]);
        }
        let output = File::create(&log).map_err(Error::file("written", &log))?;
        let errors = output.try_clone().map_err(Error::file("written", &log))?;
        let leash = leash::spawn(command.stdout(output).stderr(errors))?;
        let mut seaweed = Self {
            leash,
            endpoint: format!("http://{}:{s3}", Ipv4Addr::LOCALHOST),
            rclone: venv.program("rclone"),
        };
        seaweed.wait(s3, &log)?;
        Ok(seaweed)
    }

    fn wait(&mut self, port: u16, log: &Path) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = self
                .leash
                .try_wait()
                .map_err(Error::file("waited for", log))?;
            if ended.is_some() || begun.elapsed() > START_TIMEOUT {
                let text = std::fs::read(log).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let lines: Vec<_> = text.lines().map(String::from).collect();
                return Err(Error::StackDied {
                    lines: quoted(&lines, 8),
                    log: log.into(),
                });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Where S3 answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client of its S3.
    pub fn cloud(&self) -> Cloud {
        Cloud::new(&self.endpoint)
    }

    /// Compares two of its buckets with rclone, which downloads both sides, and hands back what
    /// rclone says; `Ok` only where every object of the first is equal in the second.
    ///
    /// # Errors
    /// What rclone found or complained about.
    pub fn compare(&self, one: &str, other: &str) -> std::result::Result<String, String> {
        let remote = format!(
            ":s3,provider=SeaweedFS,endpoint='{}',access_key_id=test,secret_access_key=test:",
            self.endpoint
        );
        let output = Command::new(&self.rclone)
            .args(["check", "--download", "--one-way", "--config", "/dev/null"])
            .args([format!("{remote}{one}"), format!("{remote}{other}")])
            .output()
            .map_err(|problem| problem.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(said)
        } else {
            Err(said)
        }
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        // Nothing is left to be done about a leash that cannot be waited for.
        let _ = self.leash.wait();
    }
}

fn leash_command(toolchain: &Toolchain, venv: &Venv, folder: &Path) -> Command {
    let alive = alive_file(folder);
    let options = [
        "--at-once".as_ref(),
        "--alive".as_ref(),
        alive.as_os_str(),
        "--remove".as_ref(),
        folder.as_os_str(),
    ];
    let weed = venv.program("weed");
    let mut command = leash::command(toolchain.layout(), &toolchain.python(), &options, weed);
    command.current_dir(folder).env("HOME", folder);
    command
}

/// Free loopback ports, taken all at once so that they differ: those of [`PORTS`], and one for S3.
fn free_ports() -> Result<(Vec<u16>, u16)> {
    let failed = |cause| Error::Program {
        program: "a listener on 127.0.0.1".into(),
        cause,
    };
    let mut held = Vec::new();
    for _ in 0..=PORTS.len() {
        held.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?);
    }
    let mut ports = Vec::new();
    for listener in &held {
        ports.push(listener.local_addr().map_err(failed)?.port());
    }
    let s3 = ports.pop().unwrap_or_default();
    Ok((ports, s3))
}
