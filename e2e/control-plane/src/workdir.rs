//! The folder of one control plane: its data, keys, kubeconfigs and logs.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::files::{FileError, create_dir};

const PREFIX: &str = "gatewaybinding-control-plane-";
const LOCK: &str = "lock";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkdirError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another control plane runs on it.
    #[error("another control plane runs on the data folder {}: stop it, or choose another folder", .0.display())]
    InUse(PathBuf),
}

/// A folder that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Workdir {
    path: PathBuf,
    sockets: PathBuf,
    // In this order: the locks go last, so that nobody sweeps what is being removed.
    temporary: TempDir,
    _locks: Vec<File>,
}

impl Workdir {
    /// Uses `kept` for everything, or a temporary folder that goes when this is dropped. Sockets
    /// are in a temporary folder in any case, since their paths may not exceed 108 bytes.
    pub(crate) fn open(kept: Option<&Path>) -> Result<Self, WorkdirError> {
        let parent = env::temp_dir();
        sweep(&parent);
        let temporary = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
        let temporary = temporary.map_err(FileError::at("create a folder in", &parent))?;
        let sockets = temporary.path().to_path_buf();
        let mut locks = vec![lock_new(temporary.path())?];
        if let Some(kept) = kept {
            create_dir(kept)?;
            locks.push(lock_existing(kept)?);
        }
        let path = kept.unwrap_or(temporary.path());
        let path = path
            .canonicalize()
            .map_err(FileError::at("resolve", path))?;
        Ok(Self {
            path,
            sockets,
            temporary,
            _locks: locks,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// Removes what is temporary.
    pub(crate) fn close(self) -> Result<(), FileError> {
        let path = self.temporary.path().to_path_buf();
        self.temporary
            .close()
            .map_err(FileError::at("remove", &path))
    }
}

/// Makes a lock file that is locked from the first moment it is seen under its name.
fn lock_new(folder: &Path) -> Result<File, FileError> {
    let (unseen, path) = (folder.join("lock.partial"), folder.join(LOCK));
    let make = || {
        let file = File::create(&unseen)?;
        file.lock()?;
        fs::rename(&unseen, &path)?;
        Ok(file)
    };
    make().map_err(FileError::at("lock", &path))
}

fn lock_existing(folder: &Path) -> Result<File, WorkdirError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(FileError::at("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(WorkdirError::InUse(folder.to_path_buf())),
        Err(fs::TryLockError::Error(error)) => Err(FileError::at("lock", &path)(error).into()),
    }
}

/// Removes the temporary folders of control planes whose process was killed: over 100 MB each,
/// which etcd takes ahead. They are recognised by a lock that nobody holds.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            let Ok(lock) = File::open(path.join(LOCK)) else {
                continue;
            };
            if lock.try_lock().is_ok() {
                // Another user's, or already being removed: either is no trouble of ours.
                let _ = fs::remove_dir_all(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = parent.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&path).unwrap();
            path
        };
        let (dead, alive, new) = (folder("dead"), folder("alive"), folder("new"));
        drop(lock_new(&dead).unwrap());
        let _held = lock_new(&alive).unwrap();
        sweep(parent.path());
        assert!(!dead.exists(), "the folder of a dead process stayed");
        assert!(
            alive.exists() && new.exists(),
            "a folder in use was removed"
        );
    }

    #[test]
    fn a_kept_folder_serves_one_at_a_time_and_stays() {
        let kept = tempfile::tempdir().unwrap();
        let first = Workdir::open(Some(kept.path())).unwrap();
        let sockets = first.sockets().to_path_buf();
        let error = Workdir::open(Some(kept.path())).unwrap_err();
        assert!(matches!(error, WorkdirError::InUse(_)), "{error}");
        first.close().unwrap();
        assert!(kept.path().exists() && !sockets.exists());
        Workdir::open(Some(kept.path())).unwrap();
    }
}
