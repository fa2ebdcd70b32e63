//! Where built binaries are kept: outside `target/`, so that `cargo clean` does not cost minutes.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::files::{FileError, create_dir};

/// Neither `GATEWAYBINDING_CACHE`, `XDG_CACHE_HOME` nor `HOME` says where the cache is.
#[derive(Debug, thiserror::Error)]
#[error(
    "no place for the cache of built tools: set GATEWAYBINDING_CACHE to a folder (XDG_CACHE_HOME and HOME are unset too)"
)]
pub struct NoCacheFolder;

/// `$GATEWAYBINDING_CACHE`, or `gatewaybinding` below `$XDG_CACHE_HOME` or `~/.cache`.
pub(crate) fn folder() -> Result<PathBuf, NoCacheFolder> {
    folder_from(|name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    })
}

fn folder_from(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, NoCacheFolder> {
    variable("GATEWAYBINDING_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("gatewaybinding")))
        .or_else(|| Some(variable("HOME")?.join(".cache/gatewaybinding")))
        .ok_or(NoCacheFolder)
}

/// Waits for the exclusive lock of a folder, across processes and within this one; it is held
/// until the file is dropped, and released by the kernel if we die.
pub(crate) async fn lock(folder: &Path, purpose: &str) -> Result<File, FileError> {
    create_dir(folder)?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(FileError::at("create", &path))?;
    let mut announced = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(FileError::at("lock", &path)(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !announced {
            progress(&format!("waiting for another process that is {purpose}"));
            announced = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Moves a finished file or folder to its final name: whoever sees the name sees it whole.
pub(crate) fn publish(temporary: &Path, final_path: &Path) -> Result<(), FileError> {
    fs::rename(temporary, final_path).map_err(FileError::at("create", final_path))
}

/// A line for the person who waits. Written past the test harness, which would hold it back until
/// the test is over.
pub(crate) fn progress(line: &str) {
    // Nobody to read it is no reason to fail.
    let _ = writeln!(std::io::stderr(), "control-plane: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_names_the_folder() {
        let from = |set: &[(&str, &str)]| {
            folder_from(|name| {
                set.iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, value)| PathBuf::from(value))
            })
            .ok()
        };
        assert_eq!(
            from(&[("GATEWAYBINDING_CACHE", "/c"), ("HOME", "/h")]),
            Some("/c".into())
        );
        assert_eq!(
            from(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]),
            Some("/x/gatewaybinding".into())
        );
        assert_eq!(
            from(&[("HOME", "/h")]),
            Some("/h/.cache/gatewaybinding".into())
        );
        assert_eq!(from(&[]), None);
    }

    #[tokio::test]
    async fn a_lock_excludes_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path(), "testing").await.unwrap();
        let mut second = Box::pin(lock(folder.path(), "testing"));
        assert!(futures::poll!(&mut second).is_pending());
        drop(held);
        tokio::time::timeout(Duration::from_secs(10), second)
            .await
            .expect("the lock is free")
            .unwrap();
    }
}
