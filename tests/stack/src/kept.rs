//! The kept stack: it lives on after the command that started it, and is found again by a file.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
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
        let alive = read_text(&alive_file(&running.folder))?;
        let pid = alive.trim().parse().map_err(|_| Error::Answer {
            action: format!("reading {}", alive_file(&running.folder).display()),
            what: format!("`{alive}` is no process id"),
        })?;
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
        let alive = alive_file(&layout.runs().join(NAME));
        // The lock on `alive` is held, so the process is the leash and not a stranger.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
        let begun = Instant::now();
        while lock::is_held(&alive)? {
            if begun.elapsed() > STOP_TIMEOUT {
                let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
                break;
            }
            thread::sleep(POLL);
        }
        Self::forget(layout)
    }

    /// Removes the files that lead to a kept stack; of use alone when its leash was killed.
    pub fn forget(layout: &Layout) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
