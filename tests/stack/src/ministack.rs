//! Starts MiniStack under the leash and waits until it answers.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::REGION;
use crate::cloud::Cloud;
use crate::error::{Error, Result, quoted, tells_full_disk};
use crate::layout::{Layout, make_folder};
use crate::leash;
use crate::lock::{self, Lock};
use crate::toolchain::Toolchain;

/// The port that tools for local stacks look for; a kept stack takes it when it is free.
const USUAL_PORT: u16 = 4566;
const START_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);
/// Another process may take a free port before MiniStack does.
const PORT_ATTEMPTS: usize = 5;
/// Logs of runs that are over are of use for a day.
const LOGS_KEPT: Duration = Duration::from_hours(24);

/// How MiniStack is to be started.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) toolchain: &'a Toolchain,
    /// Names the run's folder and log.
    pub(crate) name: String,
    pub(crate) kept: bool,
    pub(crate) port: Option<u16>,
    pub(crate) address: Ipv4Addr,
    pub(crate) lambda_endpoint: Option<&'a str>,
    pub(crate) wait_scale: Option<f64>,
}

/// MiniStack, started and answering.
#[derive(Debug)]
pub(crate) struct Running {
    /// The leash: it ends MiniStack when its standard input closes, unless the stack is kept.
    pub(crate) leash: Child,
    pub(crate) endpoint: String,
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
}

/// A name that no other run has.
pub(crate) fn unique_name() -> String {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{run}", std::process::id())
}

/// The file that a run's leash holds a lock on.
pub(crate) fn alive_file(folder: &Path) -> PathBuf {
    folder.join("alive")
}

impl Launch<'_> {
    pub(crate) fn start(&self) -> Result<Running> {
        let layout = &self.toolchain.layout;
        // Held until the leash lives, or a run that begins beside us would sweep our folder away.
        let _lock = Lock::hold(&layout.lock("run"), || {})?;
        sweep(layout)?;
        let folder = layout.runs().join(&self.name);
        make_folder(&folder.join("tmp"))?;
        let log = layout.log(&format!("ministack-{}", self.name))?;

        for _ in 1..PORT_ATTEMPTS {
            match self.attempt(&folder, &log) {
                Err(Error::PortTaken { .. }) if self.port.is_none() => {}
                result => return result,
            }
        }
        self.attempt(&folder, &log)
    }

    fn attempt(&self, folder: &Path, log: &Path) -> Result<Running> {
        let port = self.choose_port()?;
        let endpoint = format!("http://{}:{port}", self.address);
        let mut command = self.command(folder, port, &endpoint);
        let output = File::create(log).map_err(Error::file("written", log))?;
        let errors = output.try_clone().map_err(Error::file("written", log))?;
        command.stdout(output).stderr(errors);
        let leash = if self.kept {
            command.stdin(Stdio::null());
            command.spawn().map_err(|cause| Error::Program {
                program: command.get_program().display().to_string(),
                cause,
            })?
        } else {
            leash::spawn(&mut command)?
        };
        let mut running = Running {
            leash,
            endpoint,
            folder: folder.into(),
            log: log.into(),
        };
        running.wait_until_healthy(port, &self.token())?;
        Ok(running)
    }

    /// Proves that it is this run's MiniStack that answers, and no stranger on the same port.
    fn token(&self) -> String {
        format!("s3-backup-{}", self.name)
    }

    fn choose_port(&self) -> Result<u16> {
        let bind = |port| TcpListener::bind((self.address, port));
        let listener = match self.port {
            Some(port) => bind(port),
            None if self.kept => bind(USUAL_PORT).or_else(|_| bind(0)),
            None => bind(0),
        };
        let address = self.address;
        let taken = |cause: io::Error| match (self.port, cause.kind()) {
            (Some(port), io::ErrorKind::AddrInUse) => Error::PortTaken { port },
            (Some(port), io::ErrorKind::PermissionDenied) => Error::PortForbidden { port },
            (_, io::ErrorKind::AddrNotAvailable) => Error::NoSuchAddress { address },
            _ => Error::Program {
                program: format!("a listener on {address}"),
                cause,
            },
        };
        Ok(listener
            .and_then(|it| it.local_addr())
            .map_err(taken)?
            .port())
    }

    /// The Lambda functions inherit this environment, so it is a clean one: nothing of a user's own
    /// AWS settings may reach them.
    fn command(&self, folder: &Path, port: u16, endpoint: &str) -> Command {
        let alive = alive_file(folder);
        let mut options = vec![
            OsStr::new("--at-once"),
            OsStr::new("--alive"),
            alive.as_os_str(),
            OsStr::new("--remove"),
            folder.as_os_str(),
        ];
        if self.kept {
            options.push(OsStr::new("--detach"));
        }
        let python = self.toolchain.stack.python();
        let mut command = leash::command(&self.toolchain.layout, &python, &options, &python);
        command
            .arg(self.toolchain.layout.helper("start.py"))
            .current_dir(folder)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| {
                ["PATH", "LANG", "RUST_LOG", "RUST_BACKTRACE"]
                    .iter()
                    .any(|it| name == it)
            }))
            .env("HOME", folder)
            .env("TMPDIR", folder.join("tmp"))
            .env("STATE_DIR", folder.join("tmp"))
            .env("PYTHONUNBUFFERED", "1")
            .env("BIND_HOST", self.address.to_string())
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_REGION", REGION)
            .env("MINISTACK_EDITION", self.token())
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            // Each environment of a function that waits for a call looks for one ten times a second.
            .env("LAMBDA_WARM_TTL_SECONDS", "5")
            // It would look for containers of its own and end them.
            .env(
                "DOCKER_HOST",
                format!("unix://{}", folder.join("none").display()),
            )
            .env("AWS_ENDPOINT_URL", self.lambda_endpoint.unwrap_or(endpoint))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(scale) = self.wait_scale {
            command.env("SFN_WAIT_SCALE", scale.to_string());
        }
        command
    }
}

impl Running {
    fn wait_until_healthy(&mut self, port: u16, token: &str) -> Result<()> {
        let cloud = Cloud::new(&self.endpoint);
        let begun = Instant::now();
        loop {
            let waited_for = Error::file("waited for", &self.log);
            if self.leash.try_wait().map_err(waited_for)?.is_some() {
                return Err(self.died(port));
            }
            if cloud.health().is_some_and(|it| it["edition"] == token) {
                return Ok(());
            }
            if begun.elapsed() > START_TIMEOUT {
                self.stop();
                return Err(Error::StackSilent {
                    seconds: START_TIMEOUT.as_secs(),
                    log: self.log.clone(),
                });
            }
            thread::sleep(POLL);
        }
    }

    fn died(&self, port: u16) -> Error {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().map(String::from).collect();
        if text.contains("already in use") {
            return Error::PortTaken { port };
        }
        if tells_full_disk(&lines) {
            let path = self.folder.clone();
            return Error::DiskFull { path };
        }
        Error::StackDied {
            lines: quoted(&lines, 8),
            log: self.log.clone(),
        }
    }

    /// Lets go of the leash and waits until everything on it has ended.
    pub(crate) fn stop(&mut self) {
        drop(self.leash.stdin.take());
        // Nothing is left to be done about a leash that cannot be waited for.
        let _ = self.leash.wait();
    }
}

/// Removes what runs left behind whose leash was killed, and logs nobody will look at any more.
fn sweep(layout: &Layout) -> Result<()> {
    for folder in entries(&layout.runs()) {
        if !lock::is_held(&alive_file(&folder))? {
            // Whoever made it a moment ago holds the lock we hold.
            let _ = fs::remove_dir_all(&folder);
        }
    }
    for log in entries(&layout.logs()) {
        let touched = fs::metadata(&log).and_then(|metadata| metadata.modified());
        let age = |at| SystemTime::now().duration_since(at).unwrap_or_default();
        if touched.is_ok_and(|at| age(at) > LOGS_KEPT) {
            let _ = fs::remove_file(&log);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}
