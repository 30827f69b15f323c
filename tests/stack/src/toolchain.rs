//! Everything that must be there before a stack can start.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Result;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::python;
use crate::venv::Venv;

/// The Python side of the local stack, installed below `target/local`.
#[derive(Debug, Clone)]
pub struct Toolchain {
    pub(crate) layout: Layout,
    pub(crate) stack: Venv,
    pub(crate) sam: Venv,
}

impl Toolchain {
    /// Makes what is missing or was made from other requirements. With everything there, this reads
    /// two small files.
    pub fn ensure(progress: &dyn Progress) -> Result<Self> {
        let layout = Layout::of_workspace();
        if let (Some(stack), Some(sam)) =
            (Venv::ready(&layout, "stack")?, Venv::ready(&layout, "sam")?)
        {
            return Ok(Self { layout, stack, sam });
        }
        let _lock = Lock::hold(&layout.lock("venv"), || {
            progress.waiting("Waiting for another process that installs the Python packages");
        })?;
        let stack = ensure_venv(&layout, "stack", progress)?;
        let sam = ensure_venv(&layout, "sam", progress)?;
        Ok(Self { layout, stack, sam })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The program `rclone`, of the tests' witnesses.
    ///
    /// # Errors
    /// As for every other environment.
    pub fn rclone(&self) -> Result<std::path::PathBuf> {
        Ok(self.witness(&crate::Silent)?.program("rclone"))
    }

    /// `node` with the tests' own packages, which it finds by `require` in `NODE_PATH`.
    ///
    /// # Errors
    /// [`NoNode`](crate::Error::NoNode) where the system has none that is new enough, and as for every
    /// other environment.
    pub fn node(&self) -> Result<Command> {
        crate::node::command(&self.layout, &self.python(), &crate::Silent)
    }

    /// The environment of the tests' witnesses, made when it is first asked for: only tests need it.
    pub(crate) fn witness(&self, progress: &dyn Progress) -> Result<Venv> {
        if let Some(venv) = Venv::ready(&self.layout, "witness")? {
            return Ok(venv);
        }
        let _lock = Lock::hold(&self.layout.lock("venv"), || {
            progress.waiting("Waiting for another process that installs the Python packages");
        })?;
        ensure_venv(&self.layout, "witness", progress)
    }

    /// The Python that runs our helper scripts.
    pub(crate) fn python(&self) -> PathBuf {
        self.stack.python()
    }
}

/// Looks again: whoever held the lock may have made it.
fn ensure_venv(layout: &Layout, name: &str, progress: &dyn Progress) -> Result<Venv> {
    match Venv::ready(layout, name)? {
        Some(venv) => Ok(venv),
        None => Venv::make(layout, &python::find()?, name, progress),
    }
}
