//! File locks between processes: the kernel frees them when their holder ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result};
use crate::layout::make_folder;

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock; `waiting` is told first if somebody else holds it.
    pub(crate) fn hold(path: &Path, waiting: impl FnOnce()) -> Result<Self> {
        let file = open(path)?;
        if try_lock(&file, path)? {
            return Ok(Self { _file: file });
        }
        waiting();
        file.lock().map_err(Error::file("locked", path))?;
        Ok(Self { _file: file })
    }
}

/// Whether a living process holds the lock. A file that is not there is held by nobody.
pub(crate) fn is_held(path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let file = File::open(path).map_err(Error::file("read", path))?;
    Ok(!try_lock(&file, path)?)
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::file("opened", path))
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(cause)) => Err(Error::file("locked", path)(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/lock");
        assert!(!is_held(&path).unwrap());
        let lock = Lock::hold(&path, || panic!("nobody holds it")).unwrap();
        assert!(is_held(&path).unwrap());
        drop(lock);
        assert!(!is_held(&path).unwrap());
    }
}
