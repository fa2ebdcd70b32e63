//! Files that are there whole or not at all.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A file system error with the path and what was tried.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {cause}", path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl FileError {
    /// Names the path and the action of an I/O error, for `map_err`.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| Self {
            action,
            path,
            cause,
        }
    }
}

pub(crate) fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(FileError::at("create the folder", path))
}

/// Writes a file that only its owner may read (keys and kubeconfigs), by way of a temporary file
/// beside it, so that a reader never sees half of it.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        // Created with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(FileError::at("write", path))
}

/// The last `lines` lines of a text file; empty when it cannot be read, since it only
/// illustrates another error.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last: Vec<&str> = text.lines().rev().take(lines).collect();
    last.reverse();
    last.join("\n")
}
