//! A program of ours run as a process of its own, so that it can be killed like one.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use control_plane::guardian::{Guarded, command_with_pid_file};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(5);
/// How long a started process may take to have an id, and a killed one to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a process could not be started, signalled or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A file of it, or it itself, could not be made.
    #[error("cannot start {name}: {action}: {source}")]
    Start {
        /// The process.
        name: String,
        /// What failed.
        action: String,
        /// Why.
        source: io::Error,
    },
    /// It has no id (yet), or the one in its file is not a number.
    #[error("{name} has no process id; its log ends with:\n{log}")]
    NoId {
        /// The process.
        name: String,
        /// The last lines of its log.
        log: String,
    },
    /// The signal could not be sent.
    #[error("cannot send {signal:?} to {name}: {source}")]
    Signal {
        /// The process.
        name: String,
        /// The signal.
        signal: Signal,
        /// Why.
        source: io::Error,
    },
    /// It did not end in time.
    #[error("{name} still runs {} s after it was told to end; its log ends with:\n{log}", after.as_secs())]
    StillRuns {
        /// The process.
        name: String,
        /// How long it was waited for.
        after: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// Whether it runs could not be found out.
    #[error("cannot wait for {name}: {source}")]
    Wait {
        /// The process.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// What to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Its name in errors, and that of its log file.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables in addition to the inherited ones.
    pub env: Vec<(String, String)>,
}

/// A running process; dropping it kills it, and so does our own end in whatever way. Both outputs are appended to `<folder>/<name>.log`.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    pid_file: PathBuf,
    guarded: Guarded,
}

impl Process {
    /// Starts the program.
    ///
    /// # Errors
    /// [`ProcessError::Start`].
    pub fn spawn(spec: &ProcessSpec, folder: &Path) -> Result<Self, ProcessError> {
        let failed = |action: String| {
            let name = spec.name.clone();
            move |source| ProcessError::Start {
                name,
                action,
                source,
            }
        };
        let log = folder.join(format!("{}.log", spec.name));
        let pid_file = folder.join(format!("{}.pid", spec.name));
        fs::create_dir_all(folder).map_err(failed(format!("create {}", folder.display())))?;
        match fs::remove_file(&pid_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(format!("remove {}", pid_file.display()))(error));
            }
            _ => {}
        }
        let output = File::options().create(true).append(true).open(&log);
        let output = output.map_err(failed(format!("open {}", log.display())))?;
        let errors = output
            .try_clone()
            .map_err(failed(format!("open {}", log.display())))?;
        let mut command = command_with_pid_file(&pid_file, &spec.program);
        command
            .args(&spec.args)
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdout(output)
            .stderr(errors);
        let guarded =
            Guarded::spawn(command).map_err(failed(format!("run {}", spec.program.display())))?;
        Ok(Self {
            name: spec.name.clone(),
            log,
            pid_file,
            guarded,
        })
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its output.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// The exit status if it has ended.
    ///
    /// # Errors
    /// [`ProcessError::Wait`].
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        self.guarded
            .try_wait()
            .map_err(|source| ProcessError::Wait {
                name: self.name.clone(),
                source,
            })
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// If it has ended, or never began.
    pub async fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let pid = self.pid().await?;
        kill_process(pid, signal).map_err(|error| ProcessError::Signal {
            name: self.name.clone(),
            signal,
            source: error.into(),
        })
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// As [`Process::signal`], and [`ProcessError::StillRuns`].
    pub async fn kill(mut self) -> Result<(), ProcessError> {
        if self.try_wait()?.is_none() {
            self.signal(Signal::KILL).await?;
            self.ended(PATIENCE).await?;
        }
        Ok(())
    }

    /// SIGTERM, and waits until it has ended by itself.
    ///
    /// # Errors
    /// As [`Process::kill`].
    pub async fn terminate(mut self, patience: Duration) -> Result<ExitStatus, ProcessError> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM).await?;
        self.ended(patience).await
    }

    async fn ended(&mut self, patience: Duration) -> Result<ExitStatus, ProcessError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let (name, log) = (self.name.clone(), self.log_tail(20));
                return Err(ProcessError::StillRuns {
                    name,
                    after: patience,
                    log,
                });
            }
            sleep(POLL).await;
        }
    }

    async fn pid(&self) -> Result<Pid, ProcessError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
            if let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) {
                return Ok(pid);
            }
            if Instant::now() >= deadline {
                return Err(ProcessError::NoId {
                    name: self.name.clone(),
                    log: self.log_tail(20),
                });
            }
            sleep(POLL).await;
        }
    }
}

/// The last lines of a text file; empty if it cannot be read, since it only illustrates an error.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last: Vec<_> = text.lines().rev().take(lines).collect();
    last.reverse();
    last.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(folder: &Path, script: &str) -> Process {
        let spec = ProcessSpec {
            name: "shell".to_owned(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
        };
        Process::spawn(&spec, folder).unwrap()
    }

    async fn logged(process: &Process, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !process.log_tail(10).contains(wanted) {
            assert!(
                Instant::now() < deadline,
                "no {wanted:?} in the log: {:?}",
                process.log_tail(10)
            );
            sleep(POLL).await;
        }
    }

    #[tokio::test]
    async fn it_has_its_environment_and_log_and_may_end_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell(folder.path(), "echo $GREETING; exit 7");
        assert_eq!(process.ended(PATIENCE).await.unwrap().code(), Some(7));
        assert_eq!(process.log_tail(10), "hello");
    }

    #[tokio::test]
    async fn terminate_lets_it_finish_and_kill_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done";
        let process = shell(folder.path(), script);
        logged(&process, "up").await;
        assert_eq!(process.terminate(PATIENCE).await.unwrap().code(), Some(3));
        assert!(tail(&folder.path().join("shell.log"), 10).ends_with("bye"));

        fs::remove_file(folder.path().join("shell.log")).unwrap();
        let process = shell(folder.path(), script);
        logged(&process, "up").await;
        process.kill().await.unwrap();
        assert!(!tail(&folder.path().join("shell.log"), 10).contains("bye"));
    }

    #[tokio::test]
    async fn dropping_it_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let process = shell(folder.path(), "echo up; exec sleep 600");
        logged(&process, "up").await;
        let pid = process.pid().await.unwrap().as_raw_nonzero();
        drop(process);
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "process {pid} still runs"
        );
    }
}
