//! Running helm.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use control_plane::{KubeconfigFile, Tool, ToolError, tools};
use tempfile::TempDir;
use tokio::process::Command;

use super::NAMESPACE;

/// Why helm did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// There is no helm.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// It could not be run.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("helm {args} ended with {status}:\n{output}")]
    Failed {
        /// Its arguments.
        args: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed on standard error.
        output: String,
    },
}

/// helm with folders of its own, for one cluster or none.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
    home: TempDir,
}

impl Helm {
    /// For a cluster; without one it renders and lints only.
    ///
    /// # Errors
    /// If it cannot be built, or there is no place for its folders.
    pub async fn new(kubeconfig: Option<&KubeconfigFile>) -> Result<Self, HelmError> {
        let program = tools::ensure(Tool::Helm).await?;
        let home = tempfile::tempdir().map_err(|source| HelmError::Io {
            what: "make a folder for helm".to_owned(),
            source,
        })?;
        Ok(Self {
            program,
            kubeconfig: kubeconfig.map(|file| file.path().to_owned()),
            home,
        })
    }

    /// A folder for charts and values that goes with this.
    pub fn scratch(&self) -> &Path {
        self.home.path()
    }

    /// Puts values into a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn values(&self, name: &str, yaml: &str) -> Result<PathBuf, HelmError> {
        let path = self.home.path().join(name);
        std::fs::write(&path, yaml).map_err(|source| HelmError::Io {
            what: format!("write {}", path.display()),
            source,
        })?;
        Ok(path)
    }

    /// Runs a command in the namespace of the operator and returns its standard output.
    ///
    /// # Errors
    /// [`HelmError::Failed`] with what it says.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String, HelmError> {
        let mut command = Command::new(&self.program);
        command.args(args).args(["--namespace", NAMESPACE]);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.home.path().join(name.to_lowercase()));
        }
        let none = self.home.path().join("no-kubeconfig");
        command.env("KUBECONFIG", self.kubeconfig.as_ref().unwrap_or(&none));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|source| HelmError::Io {
            what: format!("run {}", self.program.display()),
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let args = command.as_std().get_args().map(OsStr::to_string_lossy);
        Err(HelmError::Failed {
            args: args.collect::<Vec<_>>().join(" "),
            status: output.status,
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
