//! The programs of this repository that run as processes of their own: built when needed.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
    sync::OnceCell,
};

/// Set to the path of an `alicloud-emulator`, it is used instead of building one.
pub const EMULATOR_VARIABLE: &str = "ALICLOUD_EMULATOR_BIN";
/// Set to the path of a `gatewaybinding-operator`, it is used instead of building one. If both are
/// set, the kubectl plugin is looked for beside it.
pub const OPERATOR_VARIABLE: &str = "GATEWAYBINDING_OPERATOR_BIN";

const EMULATOR: &str = "alicloud-emulator";
const OPERATOR: &str = "gatewaybinding-operator";
const PLUGIN: &str = "kubectl-gatewaybinding";

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `gatewaybinding-operator`.
    pub operator: PathBuf,
    /// `alicloud-emulator`.
    pub emulator: PathBuf,
    /// `kubectl-gatewaybinding`.
    pub plugin: PathBuf,
}

/// Why there are no programs to run.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// A variable names a file that does not exist.
    #[error("{variable} is {}: there is no such file", path.display())]
    NoFile {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// cargo could not be run.
    #[error("cannot run {}: {source}; set CARGO, or name built programs with {OPERATOR_VARIABLE} and {EMULATOR_VARIABLE}", cargo.to_string_lossy())]
    NoCargo {
        /// The program tried.
        cargo: OsString,
        /// Why not.
        source: io::Error,
    },
    /// The build failed.
    #[error("cargo build of {OPERATOR}, {EMULATOR} and {PLUGIN} ended with {status}:\n{messages}")]
    Build {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        messages: String,
    },
    /// cargo built something else.
    #[error("cargo build named no executable for {name}")]
    NotBuilt {
        /// The program.
        name: &'static str,
    },
}

/// The programs, built by the first call of a process with the profile of this very program.
/// `progress` gets cargo's lines as they come.
///
/// # Errors
/// [`BinariesError`]; the next call tries again.
pub async fn ensure(progress: impl FnMut(&str)) -> Result<&'static Binaries, BinariesError> {
    static BINARIES: OnceCell<Binaries> = OnceCell::const_new();
    BINARIES.get_or_try_init(|| find_or_build(progress)).await
}

async fn find_or_build(progress: impl FnMut(&str)) -> Result<Binaries, BinariesError> {
    match (named(OPERATOR_VARIABLE)?, named(EMULATOR_VARIABLE)?) {
        (Some(operator), Some(emulator)) => Ok(Binaries {
            plugin: operator.with_file_name(PLUGIN),
            operator,
            emulator,
        }),
        (operator, emulator) => {
            let built = build(progress).await?;
            Ok(Binaries {
                operator: operator.unwrap_or(built.operator),
                emulator: emulator.unwrap_or(built.emulator),
                plugin: built.plugin,
            })
        }
    }
}

fn named(variable: &'static str) -> Result<Option<PathBuf>, BinariesError> {
    let Some(path) = env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
    else {
        return Ok(None);
    };
    if path.is_file() {
        Ok(Some(path))
    } else {
        Err(BinariesError::NoFile { variable, path })
    }
}

/// This package is named too: its dependencies include all others, so that cargo resolves the
/// same features as for the program that calls this, and compiles no dependency a second time.
async fn build(mut progress: impl FnMut(&str)) -> Result<Binaries, BinariesError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args([
            "--package",
            OPERATOR,
            "--package",
            EMULATOR,
            "--package",
            PLUGIN,
            "--package",
            env!("CARGO_PKG_NAME"),
            "--bins",
        ])
        .args(["--profile", &profile()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Set by `cargo run` and `cargo test` for us, they would make cargo rebuild what reads them.
    for variable in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PKG_NAME",
        "CARGO_PKG_VERSION",
    ] {
        command.env_remove(variable);
    }
    let no_cargo = |source| BinariesError::NoCargo {
        cargo: cargo.clone(),
        source,
    };
    let mut child = command.spawn().map_err(no_cargo)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let artifacts = async {
        let mut text = String::new();
        match stdout {
            Some(mut stdout) => stdout.read_to_string(&mut text).await.map(|_| text),
            None => Ok(text),
        }
    };
    let messages = async {
        let mut kept = String::new();
        let Some(stderr) = stderr else {
            return Ok(kept);
        };
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await? {
            progress(&line);
            kept.push_str(&line);
            kept.push('\n');
        }
        Ok(kept)
    };
    let (artifacts, messages) = tokio::try_join!(artifacts, messages).map_err(no_cargo)?;
    let status = child.wait().await.map_err(no_cargo)?;
    if !status.success() {
        return Err(BinariesError::Build { status, messages });
    }
    let find = |name| executable(&artifacts, name).ok_or(BinariesError::NotBuilt { name });
    Ok(Binaries {
        operator: find(OPERATOR)?,
        emulator: find(EMULATOR)?,
        plugin: find(PLUGIN)?,
    })
}

/// One line of cargo's JSON messages, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .find(|artifact| artifact.target.name == name && artifact.executable.is_some())?
        .executable
}

/// The cargo profile that the running program was built with, by its folder.
fn profile() -> String {
    let exe = env::current_exe().unwrap_or_default();
    profile_of(&exe).unwrap_or_else(|| "dev".to_owned())
}

fn profile_of(exe: &Path) -> Option<String> {
    let folder = exe.parent()?;
    let folder = if folder.ends_with("deps") {
        folder.parent()?
    } else {
        folder
    };
    match folder.file_name()?.to_str()? {
        "debug" => Some("dev".to_owned()),
        other => Some(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_told_by_the_folder() {
        let profile = |exe: &str| profile_of(Path::new(exe)).unwrap();
        assert_eq!(profile("/a/target/debug/play"), "dev");
        assert_eq!(profile("/a/target/debug/deps/e2e-0123"), "dev");
        assert_eq!(profile("/a/target/release/bench"), "release");
        assert_eq!(
            profile("/a/target/x86_64-unknown-linux-musl/release/play"),
            "release"
        );
    }

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"gatewaybinding-operator"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"gatewaybinding-operator"},"executable":"/t/gatewaybinding-operator"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            executable(messages, OPERATOR),
            Some(PathBuf::from("/t/gatewaybinding-operator"))
        );
        assert_eq!(executable(messages, EMULATOR), None);
    }
}
