//! `s3-backup`, as an operator types it; nobody is there to be asked.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use backup_stack::{REGION, Silent, Toolchain, command_line};

use crate::World;

/// What the command line said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl World {
    /// Runs `s3-backup` against this world.
    pub fn s3_backup(&self, arguments: &[&str]) -> Output {
        run(self.cloud.endpoint(), arguments)
    }

    /// The same through the proxy, which may let calls fail.
    pub fn s3_backup_by_proxy(&self, arguments: &[&str]) -> Output {
        run(self.proxy.endpoint(), arguments)
    }

    /// Runs `s3-backup` and kills it behind so many of its calls; says whether it came to that before its
    /// end.
    pub fn s3_backup_killed(&self, arguments: &[&str], calls: usize) -> bool {
        self.proxy.barrier.set("s3-backup", calls);
        let mut child = command(self.proxy.endpoint(), arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let killed = loop {
            if self.proxy.barrier.is_reached() {
                child.kill().expect("it is killed");
                break true;
            }
            if child.try_wait().expect("a child").is_some() {
                break false;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        child.wait().expect("a child");
        self.proxy.barrier.lift();
        killed
    }

    /// What `s3-backup` says.
    pub fn says(&self, arguments: &[&str]) -> Said {
        says_at(self.cloud.endpoint(), arguments)
    }
}

/// The same of any endpoint, even of one that does not answer.
pub fn says_at(endpoint: &str, arguments: &[&str]) -> Said {
    let output = run(endpoint, arguments);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn run(endpoint: &str, arguments: &[&str]) -> Output {
    command(endpoint, arguments).output().expect("it runs")
}

fn command(endpoint: &str, arguments: &[&str]) -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(|| {
        let toolchain = Toolchain::ensure(&Silent).expect("the toolchain");
        command_line(&toolchain, &Silent).expect("the command line is built")
    });
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", REGION)
        .stdin(Stdio::null());
    command
}
