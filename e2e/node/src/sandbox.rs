//! Where the containers of a Pod run: a process that holds the Pod's network namespace.

use std::{io, path::Path, process::Stdio, time::Duration};

use control_plane::guardian::{Guarded, command_with_pid_file};
use tokio::time::{Instant, sleep};

use crate::network::PodAddress;
use crate::pod::PodError;

const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// The network namespace of a Pod; it ends with this value, and with this process.
#[derive(Debug)]
pub(crate) struct Sandbox {
    process: u32,
    _holder: Guarded,
}

impl Sandbox {
    pub(crate) async fn start(folder: &Path, address: &PodAddress) -> Result<Self, PodError> {
        let pid_file = folder.join("sandbox.pid");
        let mut command = command_with_pid_file(&pid_file, "unshare");
        command.args(["--net", "sleep", "infinity"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut holder = Guarded::spawn(command).map_err(PodError::at("start a namespace"))?;
        let process = wait_for_pid(&pid_file, &mut holder).await?;
        wait_for_namespace(process).await?;
        address.attach(process).await?;
        Ok(Self {
            process,
            _holder: holder,
        })
    }

    /// The process in whose network namespace the containers are to run.
    pub(crate) fn process(&self) -> u32 {
        self.process
    }
}

/// The id that the guardian of a command writes down.
pub(crate) async fn wait_for_pid(file: &Path, guarded: &mut Guarded) -> Result<u32, PodError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = std::fs::read_to_string(file)
            && let Ok(process) = text.trim().parse()
        {
            return Ok(process);
        }
        let ended = guarded
            .try_wait()
            .map_err(PodError::at("wait for a process"))?;
        if ended.is_some() || Instant::now() > deadline {
            return Err(PodError::at("start a process")(io::Error::other(
                "it has no id",
            )));
        }
        sleep(POLL).await;
    }
}

/// The id is written before the namespace is new.
async fn wait_for_namespace(process: u32) -> Result<(), PodError> {
    let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let own = of("self").map_err(PodError::at("read a namespace"))?;
        if of(&process.to_string()).is_ok_and(|namespace| namespace != own) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(PodError::at("start a namespace")(
                io::ErrorKind::TimedOut.into(),
            ));
        }
        sleep(POLL).await;
    }
}
