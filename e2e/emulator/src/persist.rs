//! The world in a file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::state::AppState;
use crate::world::World;

/// Why a state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// It cannot be read or written.
    #[error("state file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error(
        "state file {path} holds no state of this emulator ({source}); remove it to start afresh"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It belongs to another region or account.
    #[error("state file {path} is of {found}, not of {wanted}; name another file or remove it")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Account and region in the file.
        found: String,
        /// Account and region asked for.
        wanted: String,
    },
}

/// Reads a saved world; `None` when there is no file yet.
pub fn load(path: &Path, region: &str, account_id: &str) -> Result<Option<World>, PersistError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(PersistError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let world: World = serde_json::from_slice(&bytes).map_err(|source| PersistError::Format {
        path: path.to_owned(),
        source,
    })?;
    if world.region != region || world.account_id != account_id {
        return Err(PersistError::Foreign {
            path: path.to_owned(),
            found: format!("account {} in {}", world.account_id, world.region),
            wanted: format!("account {account_id} in {region}"),
        });
    }
    Ok(Some(world))
}

/// Writes the world next to the file and renames it, so that the file is always whole.
pub fn save(path: &Path, world: &World) -> Result<(), PersistError> {
    let io_error = |source| PersistError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = serde_json::to_vec_pretty(world).map_err(|source| PersistError::Format {
        path: path.to_owned(),
        source,
    })?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    std::fs::write(&temporary, bytes).map_err(io_error)?;
    std::fs::rename(&temporary, path).map_err(io_error)
}

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_millis(50);

/// Saves on change until the emulator stops; the last save is left to the one who stops it.
pub(crate) async fn keep_saved(state: AppState, path: PathBuf) {
    let stopping = state.stopping().clone();
    while stopping
        .run_until_cancelled(state.changed())
        .await
        .is_some()
    {
        stopping
            .run_until_cancelled(tokio::time::sleep(GATHER))
            .await;
        save_now(&state, &path).await;
    }
}

pub(crate) async fn save_now(state: &AppState, path: &Path) {
    let world = state.world().clone();
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || save(&path, &world)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the state was not saved"),
        Err(error) => tracing::error!(%error, "saving the state broke off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_world_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state.json");
        assert!(
            load(&file, "cn-hangzhou", "1")
                .expect("no file is fine")
                .is_none()
        );
        let world = World::new("cn-hangzhou", "1");
        save(&file, &world).expect("saved");
        let again = load(&file, "cn-hangzhou", "1")
            .expect("read")
            .expect("there");
        assert_eq!(again.vpc.vswitches.len(), 3);
        assert_eq!(
            serde_json::to_value(&world).expect("serializable"),
            serde_json::to_value(&again).expect("serializable")
        );
    }

    #[test]
    fn a_foreign_or_broken_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state.json");
        save(&file, &World::new("cn-hangzhou", "1")).expect("saved");
        let refusal = load(&file, "cn-beijing", "1")
            .expect_err("another region")
            .to_string();
        assert!(
            refusal.contains("cn-hangzhou") && refusal.contains("cn-beijing"),
            "{refusal}"
        );
        std::fs::write(&file, "{").expect("written");
        let refusal = load(&file, "cn-hangzhou", "1")
            .expect_err("broken")
            .to_string();
        assert!(refusal.contains("remove it"), "{refusal}");
    }
}
