//! The virtual environments: `stack` holds MiniStack, `sam` the SAM CLI; two, because the versions
//! of botocore they ask for exclude each other. `witness`, for tests alone, holds SeaweedFS and rclone.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, quoted, tells_full_disk};
use crate::layout::{Layout, read_text, write_text};
use crate::leash;
use crate::progress::{Progress, step};

/// A virtual environment that holds exactly what its requirements file lists.
#[derive(Debug, Clone)]
pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The environment if it is complete and made from the requirements of today.
    pub(crate) fn ready(layout: &Layout, name: &str) -> Result<Option<Self>> {
        let folder = layout.venv(name);
        let wanted = stamp(&read_text(&requirements(layout, name))?);
        let venv = Self { folder };
        // The interpreter is a link: an upgrade of the system's Python leaves it dangling.
        let ready = venv.python().exists()
            && fs::read_to_string(venv.stamp_file()).is_ok_and(|stamp| stamp == wanted);
        Ok(ready.then_some(venv))
    }

    /// Makes the environment anew. The stamp comes last, so a broken attempt is never taken for a
    /// whole one.
    pub(crate) fn make(
        layout: &Layout,
        python: &Path,
        name: &str,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let venv = Self {
            folder: layout.venv(name),
        };
        let requirements = requirements(layout, name);
        let label = format!("Installing the Python packages of `{name}`");
        step(progress, &label, || {
            if venv.folder.exists() {
                fs::remove_dir_all(&venv.folder).map_err(Error::file("removed", &venv.folder))?;
            }
            venv.create(layout, python, name)?;
            venv.install(layout, python, name, &requirements, progress)?;
            let digest = stamp(&read_text(&requirements)?);
            write_text(&venv.stamp_file(), &digest)?;
            Ok(((), format!("Python packages of `{name}` installed")))
        })?;
        Ok(venv)
    }

    fn create(&self, layout: &Layout, python: &Path, name: &str) -> Result<()> {
        let log = layout.log(&format!("venv-{name}"))?;
        let mut command = leash::command(layout, python, &[], python);
        command.args(["-m", "venv"]).arg(&self.folder);
        let finished = leash::run(&mut command, &log, |_| {})?;
        if finished.success {
            return Ok(());
        }
        if tells_full_disk(finished.complaint()) {
            let path = self.folder.clone();
            return Err(Error::DiskFull { path });
        }
        // Debian splits ensurepip off in a way that only an attempt shows.
        let python = python.display().to_string();
        Err(Error::NoVenvModule { python })
    }

    fn install(
        &self,
        layout: &Layout,
        python: &Path,
        name: &str,
        requirements: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        let log = layout.log(&format!("pip-{name}"))?;
        let mut command = leash::command(layout, python, &[], self.python());
        // Everything is pinned and listed, so pip has nothing to resolve. Most modules are never
        // imported: those that are get compiled then, which halves the time.
        command
            .args(["-m", "pip", "install", "--no-input", "--no-compile"])
            .args([
                "--disable-pip-version-check",
                "--no-deps",
                "--require-hashes",
            ])
            .arg("--requirement")
            .arg(requirements);
        let finished = leash::run(&mut command, &log, |line| {
            if let Some(package) = line.trim().strip_prefix("Collecting ") {
                let package = package.split(' ').next().unwrap_or(package);
                progress.detail(package);
            }
        })?;
        if finished.success {
            return Ok(());
        }
        if tells_full_disk(finished.complaint()) || tells_full_disk(&finished.out) {
            let path = self.folder.clone();
            return Err(Error::DiskFull { path });
        }
        Err(Error::PipFailed {
            name: name.into(),
            lines: quoted(finished.complaint(), 8),
            log,
        })
    }

    fn stamp_file(&self) -> PathBuf {
        self.folder.join("requirements.sha256")
    }
}

fn requirements(layout: &Layout, name: &str) -> PathBuf {
    layout.helper("requirements").join(format!("{name}.txt"))
}

fn stamp(requirements: &str) -> String {
    hex(&Sha256::digest(requirements))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_is_the_digest_of_the_requirements() {
        assert_eq!(
            stamp("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn requirements_pin_every_package_by_hash() {
        for name in ["stack", "sam", "witness"] {
            let text = read_text(&requirements(&Layout::of_workspace(), name)).unwrap();
            for line in text.lines().filter(|line| line.contains("==")) {
                assert!(line.ends_with('\\'), "{name}: no hash follows {line}");
            }
        }
    }

    #[test]
    fn failed_installation_names_its_log() {
        let error = Error::PipFailed {
            name: "sam".into(),
            lines: quoted(&["ERROR: no route".into()], 8),
            log: "/t/pip-sam.log".into(),
        };
        assert_eq!(
            error.to_string(),
            "the Python packages of `sam` could not be installed:\n  ERROR: no route\ncheck the \
             network or the package index that pip uses and run this again; the whole log is \
             /t/pip-sam.log"
        );
    }
}
