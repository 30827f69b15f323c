//! Where everything of the local stack lies: all below `target/local`, so that it is ignored by git
//! and swept away with the rest of `target`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folders of one workspace.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The workspace this crate was built in.
    pub fn of_workspace() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.ancestors().nth(2).unwrap_or(here);
        Self { root: root.into() }
    }

    /// One of a test's own.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// A helper of this crate that is not compiled: Python scripts and requirements.
    pub(crate) fn helper(&self, name: &str) -> PathBuf {
        self.root.join("tests/stack").join(name)
    }

    pub fn local(&self) -> PathBuf {
        self.root.join("target/local")
    }

    pub fn logs(&self) -> PathBuf {
        self.local().join("log")
    }

    /// The shell lines that lead a user's tools to the kept stack.
    pub fn env_file(&self) -> PathBuf {
        self.local().join("env")
    }

    /// The template for `sam local invoke` against the kept stack.
    pub fn sam_local_file(&self) -> PathBuf {
        self.local().join("sam-local.json")
    }

    pub(crate) fn kept_file(&self) -> PathBuf {
        self.local().join("kept.json")
    }

    pub(crate) fn venv(&self, name: &str) -> PathBuf {
        self.local().join("venv").join(name)
    }

    pub(crate) fn functions(&self) -> PathBuf {
        self.local().join("functions")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.local().join("run")
    }

    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.local().join(format!("{name}.lock"))
    }

    /// A log file's path, its folder made.
    pub(crate) fn log(&self, name: &str) -> Result<PathBuf> {
        make_folder(&self.logs())?;
        Ok(self.logs().join(format!("{name}.log")))
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::file("made", path))
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::file("read", path))
}

/// Writes a file as a whole: a reader sees the old content or the new, never a part.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    let new = path.with_added_extension("new");
    fs::write(&new, text).map_err(Error::file("written", &new))?;
    fs::rename(&new, path).map_err(Error::file("written", path))
}
