//! The Go toolchain, as far as the tools need it.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    cache::progress,
    files::{FileError, tail},
    guardian::{self, Guarded},
};

/// How many of the last lines of a failed `go` an error shows.
const TAIL_LINES: usize = 20;
const POLL: Duration = Duration::from_millis(20);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Why a `go` command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum GoError {
    /// There is no `go` in `PATH`.
    #[error(
        "{purpose} needs the Go toolchain, and there is no `go` in PATH: install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder with ready-made binaries"
    )]
    Missing {
        /// What `go` was wanted for.
        purpose: String,
    },
    /// `go` ran and failed.
    #[error("{purpose} failed ({status}); the last lines of `go {command}`:\n{tail}")]
    Failed {
        /// What `go` was wanted for.
        purpose: String,
        /// The arguments of `go`.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        tail: String,
    },
    /// A file of the run could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `go` could not be started, or its end not be seen.
    #[error("{purpose}: cannot run `go`: {cause}")]
    Run {
        /// What `go` was wanted for.
        purpose: String,
        /// The cause.
        cause: io::Error,
    },
}

/// Runs `go` in `folder` and returns what it printed on standard output. Says `purpose` and the
/// time gone by on standard error if it takes a while.
pub(crate) async fn run(
    folder: &Path,
    purpose: &str,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String, GoError> {
    run_program("go", folder, purpose, args).await
}

async fn run_program(
    program: &str,
    folder: &Path,
    purpose: &str,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String, GoError> {
    let Some(program) = find_in_path(program) else {
        return Err(GoError::Missing {
            purpose: purpose.to_owned(),
        });
    };
    let scratch =
        tempfile::tempdir().map_err(FileError::at("create a folder in", &std::env::temp_dir()))?;
    let (output, log) = (scratch.path().join("stdout"), scratch.path().join("stderr"));
    let create = |path: &Path| File::create(path).map_err(FileError::at("create", path));

    let mut command = guardian::command(program);
    command
        .args(args)
        .current_dir(folder)
        .stdout(create(&output)?)
        .stderr(create(&log)?);
    // No module may reach into a workspace or a repository that happens to surround the cache.
    command
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env("GOFLAGS", "-buildvcs=false");
    let shown = shown(&command);

    let failed = |cause| GoError::Run {
        purpose: purpose.to_owned(),
        cause,
    };
    let mut process = Guarded::spawn(command).map_err(failed)?;
    let started = Instant::now();
    let mut next_progress = PROGRESS_EVERY;
    let status = loop {
        if let Some(status) = process.try_wait().map_err(failed)? {
            break status;
        }
        if started.elapsed() >= next_progress {
            progress(&format!("{purpose} ... {} s", started.elapsed().as_secs()));
            next_progress += PROGRESS_EVERY;
        }
        tokio::time::sleep(POLL).await;
    };
    let printed = std::fs::read_to_string(&output).map_err(FileError::at("read", &output))?;
    if status.success() {
        return Ok(printed);
    }
    // `go mod download -json` puts its errors on standard output.
    let mut tail_text = tail(&log, TAIL_LINES);
    if tail_text.is_empty() {
        tail_text = tail(&output, TAIL_LINES);
    }
    Err(GoError::Failed {
        purpose: purpose.to_owned(),
        command: shown,
        status: status.to_string(),
        tail: tail_text,
    })
}

/// The arguments of `go` itself: those after the guardian's `-c SCRIPT guardian PID_FILE PROGRAM`.
fn shown(command: &Command) -> String {
    let args: Vec<_> = command
        .get_args()
        .skip(5)
        .map(OsStr::to_string_lossy)
        .collect();
    args.join(" ")
}

fn find_in_path(program: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_toolchain_says_what_to_install() {
        let error = run_program(
            "no-such-go",
            Path::new("."),
            "building etcd v3",
            ["version"],
        )
        .await
        .unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, GoError::Missing { .. }));
        assert!(
            message.starts_with("building etcd v3 needs the Go toolchain"),
            "{message}"
        );
        assert!(message.contains("KUBEBUILDER_ASSETS"), "{message}");
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_lines() {
        let script = "for i in $(seq 1 50); do echo line $i >&2; done; exit 3";
        let error = run_program("sh", Path::new("."), "building etcd", ["-c", script])
            .await
            .unwrap_err();
        let GoError::Failed { status, tail, .. } = error else {
            panic!("{error}")
        };
        assert!(status.contains('3'), "{status}");
        assert!(
            tail.starts_with("line 31\n") && tail.ends_with("line 50"),
            "{tail}"
        );
    }
}
