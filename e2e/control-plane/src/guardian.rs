//! Child processes that do not outlive this one, however it ends.
//!
//! Between this process and each child stands a shell that holds a pipe from us: when the pipe
//! closes, which the kernel does even after SIGKILL, the shell kills the child. (The other way,
//! `PR_SET_PDEATHSIG`, needs unsafe code, and fires when the thread that started the child ends.)

use std::{
    ffi::OsStr,
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};

const SCRIPT: &str = include_str!("guardian.sh");

/// How long a killed child may take to be gone before its whole process group is killed.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// A command under guard; arguments, environment and outputs are the caller's to add.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    guarded(OsStr::new(""), program.as_ref())
}

/// As [`command`]; once it runs, the id of its process is in this file. For sending it signals.
pub fn command_with_pid_file(pid_file: &Path, program: impl AsRef<OsStr>) -> Command {
    guarded(pid_file.as_os_str(), program.as_ref())
}

fn guarded(pid_file: &OsStr, program: &OsStr) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "guardian"]);
    command.arg(pid_file).arg(program);
    command
}

/// A running command of [`command`]; dropping it kills it and waits until it is gone.
#[derive(Debug)]
pub struct Guarded {
    guardian: Child,
}

impl Guarded {
    /// Starts the command in a process group of its own: Ctrl-C in a terminal reaches only us, so
    /// that we decide in which order things end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let guardian = command.stdin(Stdio::piped()).process_group(0).spawn()?;
        Ok(Self { guardian })
    }

    /// The exit status if the command has ended; SIGKILL if it was killed.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.guardian.try_wait()
    }

    /// Asks the guardian to kill the command, without waiting.
    pub fn kill(&mut self) {
        drop(self.guardian.stdin.take());
    }

    fn kill_and_wait(&mut self) {
        self.kill();
        let deadline = Instant::now() + KILL_PATIENCE;
        loop {
            match self.guardian.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(Some(status)) if status.signal().is_none() => return,
                // The guardian itself was killed, by its own last line or by somebody else.
                _ => break,
            }
        }
        if let Some(group) = i32::try_from(self.guardian.id())
            .ok()
            .and_then(Pid::from_raw)
        {
            // Fails only if the group is empty, which is what we want.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.guardian.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill_and_wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(guarded: &mut Guarded) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = guarded.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the command is still running");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_command_that_ends_hands_its_status_on() {
        let mut command = command("/bin/sh");
        command.args(["-c", "exit 7"]);
        let mut guarded = Guarded::spawn(command).unwrap();
        assert_eq!(wait(&mut guarded).code(), Some(7));
    }

    #[test]
    fn dropping_kills_the_command_and_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let mut command = command("/bin/sh");
        // The inner shell is the command, `sleep` its child.
        command.arg("-c").arg(format!(
            "sleep 600 & echo $$ $! > {0}.tmp; mv {0}.tmp {0}; wait",
            pids.display()
        ));
        let guarded = Guarded::spawn(command).unwrap();

        let deadline = Instant::now() + Duration::from_secs(10);
        while !pids.exists() {
            assert!(Instant::now() < deadline, "the command did not start");
            thread::sleep(Duration::from_millis(5));
        }
        let pids: Vec<String> = std::fs::read_to_string(&pids)
            .unwrap()
            .split_whitespace()
            .map(String::from)
            .collect();
        assert_eq!(pids.len(), 2);
        drop(guarded);

        let alive = |pid: &String| {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        while pids.iter().any(alive) {
            assert!(
                Instant::now() < deadline,
                "still running: {:?}",
                pids.iter().filter(|p| alive(p)).collect::<Vec<_>>()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}
