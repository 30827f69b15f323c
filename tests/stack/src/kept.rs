//! The kept stack: it lives on after the command that started it, and is found again by a file.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::deploy::{Outputs, STACK_NAME};
use crate::env_file::env_lines;
use crate::error::{Error, Result};
use crate::layout::{Layout, read_text, write_text};
use crate::lock;
use crate::ministack::{Running, alive_file};
use crate::sam_local;

/// A leash gives MiniStack 3 s to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// The name of its run folder.
pub(crate) const NAME: &str = "kept";

/// A kept stack that is running.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    endpoint: String,
    /// The leash's process: SIGTERM to it ends the stack.
    pid: i32,
    started_at: u64,
    log: PathBuf,
    /// What the last deployments were given, in all.
    parameters: Outputs,
}

impl Kept {
    /// The kept stack of this workspace, if one is running.
    pub fn find(layout: &Layout) -> Result<Option<Self>> {
        let file = layout.kept_file();
        if !file.exists() || !lock::is_held(&alive_file(&layout.runs().join(NAME)))? {
            return Ok(None);
        }
        let kept = serde_json::from_str(&read_text(&file)?).map_err(|cause| Error::Answer {
            action: format!("reading {}", file.display()),
            what: cause.to_string(),
        })?;
        Ok(Some(kept))
    }

    /// Notes down a stack that was just started.
    pub(crate) fn note(layout: &Layout, running: &Running) -> Result<Self> {
        let pid = leash_pid(&alive_file(&running.folder))?;
        let kept = Self {
            endpoint: running.endpoint.clone(),
            pid,
            started_at: SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap_or_default()
                .as_secs(),
            log: running.log.clone(),
            parameters: Outputs::new(),
        };
        kept.save(layout)?;
        Ok(kept)
    }

    fn save(&self, layout: &Layout) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|cause| Error::Answer {
            action: "saving the kept stack".into(),
            what: cause.to_string(),
        })?;
        write_text(&layout.kept_file(), &text)
    }

    /// The parameters of all deployments so far, overridden by the `given` ones. As on AWS, what a
    /// later deployment does not mention stays.
    pub(crate) fn merged(&self, given: &[(&str, &str)]) -> Outputs {
        let mut parameters = self.parameters.clone();
        for (name, value) in given {
            parameters.insert((*name).into(), (*value).into());
        }
        parameters
    }

    /// Notes down a deployment, and writes the lines for the user's shell and the
    /// template for `sam local invoke`.
    pub(crate) fn deployed(
        &mut self,
        layout: &Layout,
        parameters: Outputs,
        outputs: &Outputs,
    ) -> Result<()> {
        self.parameters = parameters;
        self.save(layout)?;
        write_text(&layout.env_file(), &env_lines(&self.endpoint, outputs))?;
        let template = sam_local::template(&self.cloud(), layout.root())?;
        write_text(&layout.sam_local_file(), &template)
    }

    /// An error where it listens elsewhere than asked for: a stack does not move.
    pub(crate) fn listens_at(&self, address: Option<Ipv4Addr>, port: Option<u16>) -> Result<()> {
        let there = self.endpoint.trim_start_matches("http://");
        let (host, number) = there.rsplit_once(':').unwrap_or((there, ""));
        let same = address.is_none_or(|it| it.to_string() == host)
            && port.is_none_or(|it| it.to_string() == number);
        if same {
            return Ok(());
        }
        let endpoint = self.endpoint.clone();
        Err(Error::RunsElsewhere { endpoint })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn log(&self) -> &std::path::Path {
        &self.log
    }

    pub fn cloud(&self) -> Cloud {
        Cloud::new(&self.endpoint)
    }

    /// The outputs of its deployment; none before the first.
    pub fn outputs(&self) -> Result<Outputs> {
        self.cloud().stack_outputs(STACK_NAME)
    }

    pub fn uptime(&self) -> Duration {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        now.saturating_sub(Duration::from_secs(self.started_at))
    }

    /// Ends the stack and all it started, and forgets it.
    pub fn stop(self, layout: &Layout) -> Result<()> {
        Self::clear(layout).map(drop)
    }

    /// Ends whatever kept stack lives, also one that nobody noted down because its `up` was killed in
    /// its first moment, and removes the files that lead to it. Says whether one lived.
    pub fn clear(layout: &Layout) -> Result<bool> {
        let alive = alive_file(&layout.runs().join(NAME));
        let lived = lock::is_held(&alive)?;
        let begun = Instant::now();
        let mut told = false;
        while lock::is_held(&alive)? {
            // While the lock on `alive` is held, the process in it is the leash and not a stranger;
            // only in the leash's first instant there is none yet.
            match leash_pid(&alive) {
                Ok(pid) if begun.elapsed() > STOP_TIMEOUT => {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                    break;
                }
                Ok(pid) if !told => {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
                    told = true;
                }
                Err(error) if begun.elapsed() > STOP_TIMEOUT => return Err(error),
                _ => {}
            }
            thread::sleep(POLL);
        }
        Self::forget(layout)?;
        Ok(lived)
    }

    fn forget(layout: &Layout) -> Result<()> {
        for file in [
            layout.kept_file(),
            layout.env_file(),
            layout.sam_local_file(),
        ] {
            if file.exists() {
                fs::remove_file(&file).map_err(Error::file("removed", &file))?;
            }
        }
        Ok(())
    }
}

/// The process that holds the lock on this file.
fn leash_pid(alive: &Path) -> Result<i32> {
    let text = read_text(alive)?;
    text.trim().parse().map_err(|_| Error::Answer {
        action: format!("reading {}", alive.display()),
        what: format!("`{text}` is no process id"),
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// `up` was killed after it had started the stack and before it noted it down.
    #[test]
    fn a_stack_that_nobody_noted_down_is_cleared_away() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::at(root.path());
        assert!(!Kept::clear(&layout).unwrap());

        let folder = layout.runs().join(NAME);
        fs::create_dir_all(&folder).unwrap();
        let alive = alive_file(&folder);
        let mut leash = Command::new("python3")
            .arg(Layout::of_workspace().helper("leash.py"))
            .args(["--detach", "--at-once", "--alive"])
            .arg(&alive)
            .args(["--", "sleep", "600"])
            .spawn()
            .unwrap();
        while !lock::is_held(&alive).unwrap() {
            thread::sleep(POLL);
        }
        assert!(Kept::find(&layout).unwrap().is_none(), "nobody noted it");
        assert!(Kept::clear(&layout).unwrap());
        assert!(!lock::is_held(&alive).unwrap());
        leash.wait().unwrap();
    }

    #[test]
    fn a_running_stack_does_not_move() {
        let kept = Kept {
            endpoint: "http://127.0.0.1:4566".into(),
            pid: 1,
            started_at: 0,
            log: PathBuf::new(),
            parameters: Outputs::new(),
        };
        let there = |address: Option<[u8; 4]>, port| {
            kept.listens_at(address.map(Ipv4Addr::from), port).is_ok()
        };
        assert!(there(None, None));
        assert!(there(Some([127, 0, 0, 1]), Some(4566)));
        assert!(!there(None, Some(5000)));
        assert!(!there(Some([127, 0, 0, 2]), None));
    }
}
