//! What GitOps tools make of objects: Argo CD with the customizations of `deploy/argocd`, and kstatus.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use control_plane::{Tool, tools};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::world::WorldError;

/// The libraries of those tools, in a program of their own language.
#[derive(Clone, Debug)]
pub struct Gitops {
    program: PathBuf,
    config_map: PathBuf,
}

/// What is thought of an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Judgement {
    /// Argo CD's.
    pub health: Health,
    /// The one of kstatus: `Current`, `InProgress`, `Failed`, `Terminating`, …
    pub kstatus: String,
    /// Actions that Argo CD offers, by name.
    pub actions: Vec<String>,
}

/// Argo CD's health of an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// `Healthy`, `Progressing`, `Degraded`, `Suspended`, …
    pub status: String,
    /// Why.
    #[serde(default)]
    pub message: String,
}

/// A manifest, and what the cluster has of it.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The manifest.
    pub config: Value,
    /// The object.
    pub live: Value,
    /// What a dry run of a server-side apply answers; without it, Argo CD compares by itself.
    pub predicted: Option<Value>,
}

impl Gitops {
    /// Builds the program if need be.
    ///
    /// # Errors
    /// If it cannot be built.
    pub async fn new() -> Result<Self, WorldError> {
        let program = tools::ensure(Tool::Gitops).await;
        let program = program.map_err(|error| failed("build", &error.to_string()))?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/argocd");
        Ok(Self {
            program,
            config_map: folder.join("argocd-cm.yaml"),
        })
    }

    /// What is thought of objects, one by one.
    ///
    /// # Errors
    /// If a script of the customizations fails.
    pub async fn judge(&self, objects: &[Value]) -> Result<Vec<Judgement>, WorldError> {
        let args = ["judge".as_ref(), self.config_map.as_os_str()];
        self.ask(&args, &objects).await
    }

    /// The merge patch that Argo CD sends for an action on an object.
    ///
    /// # Errors
    /// If there is no such action, or its script fails.
    pub async fn act(&self, action: &str, object: &Value) -> Result<Value, WorldError> {
        let args = ["act".as_ref(), self.config_map.as_os_str(), action.as_ref()];
        self.ask(&args, object).await
    }

    /// Whether Argo CD finds that objects differ from their manifests, one by one.
    ///
    /// # Errors
    /// If they cannot be compared.
    pub async fn differ(&self, pairs: &[Pair]) -> Result<Vec<bool>, WorldError> {
        self.ask(&["diff".as_ref()], &pairs).await
    }

    /// Reads an Application as strictly as can be.
    ///
    /// # Errors
    /// If Argo CD does not know one of its fields.
    pub async fn application(&self, application: &Value) -> Result<(), WorldError> {
        self.ask(&["application".as_ref()], application).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        args: &[&std::ffi::OsStr],
        input: &impl Serialize,
    ) -> Result<T, WorldError> {
        let what = args.first().map_or_else(String::new, |command| {
            command.to_string_lossy().into_owned()
        });
        let io = |source| WorldError::Io {
            what: format!("run {}", self.program.display()),
            source,
        };
        let mut child = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(io)?;
        let input = serde_json::to_vec(input).map_err(|error| failed(&what, &error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&input).await.map_err(io)?;
        }
        let output = child.wait_with_output().await.map_err(io)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(&what, said.trim()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(&what, &error.to_string()))
    }
}

fn failed(command: &str, problem: &str) -> WorldError {
    WorldError::Gitops {
        command: command.to_owned(),
        problem: problem.to_owned(),
    }
}
