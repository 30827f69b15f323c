//! Tools that tests run by Node.js: the reference parser of JSONata, a linter of state machines, an
//! evaluator of IAM policies. Only tests need them, and nothing of them is shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, quoted, tells_full_disk};
use crate::layout::{Layout, make_folder, read_text, write_text};
use crate::leash;
use crate::lock::Lock;
use crate::progress::{Progress, step};
use crate::venv::hex;

/// What the packages ask for.
const OLDEST: u32 = 18;

/// What says which packages, and what pins each of them by its hash.
const LISTS: [&str; 2] = ["package.json", "package-lock.json"];

/// A `node` that finds the pinned packages by `require`.
///
/// The packages are installed below `target/local` when they are first asked for. `import` does not look
/// there: a module begins with `createRequire(process.env.NODE_PATH + "/")`.
pub(crate) fn command(layout: &Layout, python: &Path, progress: &dyn Progress) -> Result<Command> {
    check(probe("node").as_deref())?;
    let folder = layout.local().join("npm");
    let wanted = stamp(layout)?;
    let stamp_file = folder.join("packages.sha256");
    let is_ready = || fs::read_to_string(&stamp_file).is_ok_and(|stamp| stamp == wanted);
    if !is_ready() {
        let _lock = Lock::hold(&layout.lock("npm"), || {
            progress.waiting("Waiting for another process that installs the Node.js packages");
        })?;
        // Whoever held the lock may have made it.
        if !is_ready() {
            install(layout, python, &folder, progress)?;
            write_text(&stamp_file, &wanted)?;
        }
    }
    let mut command = Command::new("node");
    command.env("NODE_PATH", folder.join("node_modules"));
    Ok(command)
}

fn stamp(layout: &Layout) -> Result<String> {
    let mut digest = Sha256::new();
    for name in LISTS {
        digest.update(read_text(&list(layout, name))?);
    }
    Ok(hex(&digest.finalize()))
}

fn list(layout: &Layout, name: &str) -> PathBuf {
    layout.helper("requirements/npm").join(name)
}

/// From scratch: `npm ci` installs exactly what the lock file pins.
fn install(layout: &Layout, python: &Path, folder: &Path, progress: &dyn Progress) -> Result<()> {
    step(progress, "Installing the Node.js packages", || {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::file("removed", folder))?;
        }
        make_folder(folder)?;
        for name in LISTS {
            let from = list(layout, name);
            fs::copy(&from, folder.join(name)).map_err(Error::file("copied", &from))?;
        }
        let log = layout.log("npm")?;
        let mut command = leash::command(layout, python, &[], "npm");
        command
            .current_dir(folder)
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        let finished = leash::run(&mut command, &log, |_| {})?;
        if finished.success {
            return Ok(((), "Node.js packages installed".into()));
        }
        if tells_full_disk(finished.complaint()) {
            let path = folder.to_path_buf();
            return Err(Error::DiskFull { path });
        }
        let lines = quoted(finished.complaint(), 8);
        Err(Error::NpmFailed { lines, log })
    })
}

/// What `node --version` says, such as `v20.20.2`.
fn probe(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn check(version: Option<&str>) -> Result<()> {
    let found = match version {
        None => "no `node` is on the PATH".to_owned(),
        Some(version) => {
            let major = version.trim_start_matches('v').split('.').next();
            let major = major.and_then(|text| text.parse::<u32>().ok());
            if major.is_some_and(|major| major >= OLDEST) {
                return Ok(());
            }
            format!("node is {version}")
        }
    };
    Err(Error::NoNode { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_by_hash_and_named_with_one_version() {
        let layout = Layout::of_workspace();
        let lock = read_text(&list(&layout, "package-lock.json")).unwrap();
        let packages = lock.matches("\"node_modules/").count();
        assert!(packages > 5, "{packages}");
        assert_eq!(lock.matches("\"integrity\": \"sha512-").count(), packages);
        let asked = read_text(&list(&layout, "package.json")).unwrap();
        let (_, asked) = asked.split_once("\"dependencies\"").unwrap();
        assert!(!asked.contains(['^', '~', '*']), "{asked}");
    }

    #[test]
    fn a_missing_or_old_node_is_told_with_what_to_install() {
        check(Some("v20.20.2")).unwrap();
        check(Some("v18.0.0")).unwrap();
        let told = |version| check(version).unwrap_err().to_string();
        assert_eq!(
            told(None),
            "no Node.js 18 or newer was found (no `node` is on the PATH); install it with npm, for \
             example with `apt-get install nodejs npm`, and run this again"
        );
        assert!(told(Some("v16.20.1")).contains("(node is v16.20.1)"));
        assert!(told(Some("rubbish")).contains("(node is rubbish)"));
        assert_eq!(probe("no-such-program"), None);
    }
}
