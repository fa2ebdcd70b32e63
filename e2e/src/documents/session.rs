//! Somebody who follows a document: a folder of their own, and a shell.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{process::Command, time::Instant};

use super::{Document, Step, is_elsewhere, output};
use crate::{binaries, world::World};

/// How long a command may take, and how long one that only looks is repeated until it sees what
/// the document shows.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

/// Commands that only look.
const LOOKS: [&str; 6] = [
    "kubectl get ",
    "kubectl describe ",
    "kubectl events",
    "kubectl gatewaybinding status",
    "kubectl gatewaybinding tree",
    "curl ",
];

/// Runs a command with the variables of those before it, and keeps its own for those after it.
const SHELL: &str = r#"
set -a
[ ! -f "$SESSION" ] || . "$SESSION"
eval "$COMMAND"
status=$?
export -p | grep -vE '^declare -x (COMMAND|SESSION|OLDPWD|PWD|SHLVL|_)(=|$)' > "$SESSION"
exit $status
"#;

/// Why a document is not right.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The document.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A block is not as it has to be.
    #[error("{path}:{line}: {problem}")]
    Invalid {
        /// The document.
        path: String,
        /// The line.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// Something else came of it than the document shows.
    #[error("{path}:{line}: {command}\n{problem}")]
    Differs {
        /// The document.
        path: String,
        /// The line.
        line: usize,
        /// The command.
        command: String,
        /// What came instead.
        problem: String,
    },
    /// The session itself failed.
    #[error("cannot {what}: {source}")]
    Session {
        /// What was to be done.
        what: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    folder: TempDir,
    variables: Vec<(&'static str, OsString)>,
}

/// What a command did.
struct Ended {
    status: Option<i32>,
    printed: String,
}

impl Session {
    /// A session in a world: `kubectl`, `helm` and this repository's programs are at hand, as are
    /// the variables that the playground prints.
    ///
    /// # Errors
    /// If a program is missing, or there is no place for a folder.
    pub async fn start(world: &World) -> Result<Self, DocumentError> {
        let folder = tempfile::Builder::new().prefix("document-").tempdir();
        let folder = folder.map_err(|error| failed("make a folder", error))?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for shown in ["examples", "charts", "deploy"] {
            let (from, to) = (root.join(shown), folder.path().join(shown));
            if from.exists() {
                std::os::unix::fs::symlink(from, to)
                    .map_err(|error| failed("link the repository's folders", error))?;
            }
        }
        let variables = vec![
            ("PATH", path(world).await?),
            ("KUBECONFIG", world.control_plane.kubeconfig().path().into()),
            ("CLOUD", world.cloud.url().into()),
        ];
        Ok(Self { folder, variables })
    }

    /// Follows a document from its beginning to its end.
    ///
    /// # Errors
    /// [`DocumentError`] at the first step that comes out otherwise.
    pub async fn follow(&self, document: &Document) -> Result<(), DocumentError> {
        for step in &document.steps {
            match step {
                Step::File { name, text } => self.write(name, text)?,
                Step::Manifest { line, text } => {
                    self.write("manifest.yaml", text)?;
                    let command = validation(text);
                    self.carry_out(document, *line, &command, &[], 0).await?;
                }
                Step::Command { command, .. } if is_elsewhere(command) => {}
                Step::Command {
                    line,
                    command,
                    printed,
                    status,
                } => {
                    self.carry_out(document, *line, command, printed, *status)
                        .await?;
                }
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DocumentError> {
        let written = std::fs::write(self.folder.path().join(name), text);
        written.map_err(|error| failed(&format!("write {name}"), error))
    }

    async fn carry_out(
        &self,
        document: &Document,
        line: usize,
        command: &str,
        shown: &[String],
        status: i32,
    ) -> Result<(), DocumentError> {
        let only_looks = LOOKS.iter().any(|look| command.starts_with(look));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.run(command).await?;
            let problem = if ended.status == Some(status) {
                match output::compare(shown, &ended.printed) {
                    Ok(()) => return Ok(()),
                    Err(problem) => problem,
                }
            } else {
                let got = ended
                    .status
                    .map_or("a signal".to_owned(), |it| it.to_string());
                format!("ended with {got} instead of {status}:\n{}", ended.printed)
            };
            if !only_looks || Instant::now() >= deadline {
                return Err(DocumentError::Differs {
                    path: document.path.clone(),
                    line,
                    command: command.to_owned(),
                    problem,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn run(&self, command: &str) -> Result<Ended, DocumentError> {
        let mut shell = Command::new("bash");
        shell
            .args(["--norc", "-c", SHELL])
            .current_dir(self.folder.path())
            .env("COMMAND", command)
            .env("SESSION", self.folder.path().join(".session"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, shell.output()).await;
        let output = output
            .map_err(|error| failed(&format!("wait for {command:?}"), error))?
            .map_err(|error| failed("run bash", error))?;
        let printed = [output.stdout, output.stderr].concat();
        Ok(Ended {
            status: output.status.code(),
            printed: String::from_utf8_lossy(&printed).into_owned(),
        })
    }
}

/// Has the API server judge `manifest.yaml`, whose namespaces have to be there for that.
fn validation(manifest: &str) -> String {
    let names = manifest
        .split("namespace: ")
        .skip(1)
        .filter_map(|rest| rest.split([',', '}', '\n', ' ']).next());
    let mut commands: Vec<String> = names
        .map(|name| {
            format!(
                "kubectl get namespace {name} >/dev/null 2>&1 || kubectl create namespace {name}"
            )
        })
        .collect();
    commands.sort();
    commands.dedup();
    commands.push("kubectl apply --dry-run=server --validate=strict -f manifest.yaml".to_owned());
    commands.join("; ")
}

/// Where programs are looked for: those of the control plane, ours, then the machine's.
async fn path(world: &World) -> Result<OsString, DocumentError> {
    let kubectl = world.control_plane.kubectl().await;
    let kubectl = kubectl.map_err(|error| failed("find kubectl", error))?;
    let ours = binaries::ensure(|_| {}).await;
    let ours = ours.map_err(|error| failed("build our programs", error))?;
    let folders = [&kubectl, &ours.operator, &ours.plugin]
        .into_iter()
        .filter_map(|program| program.parent());
    let folders: Vec<PathBuf> = folders.map(Path::to_owned).collect();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.into_iter().chain(std::env::split_paths(&others));
    std::env::join_paths(all).map_err(|error| failed("make a PATH", error))
}

fn failed(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> DocumentError {
    DocumentError::Session {
        what: what.to_owned(),
        source: Box::new(source),
    }
}
