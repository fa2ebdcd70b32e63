//! A network of Pods: a bridge of this machine, on which each Pod has an address.

use std::{
    fs::{self, File},
    io,
    net::Ipv4Addr,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{io::AsyncWriteExt as _, process::Command};

/// Bridges of ours are named after it and the third byte of their addresses.
const BRIDGE: &str = "gwbpods";
/// Networks are the machine's, so one lock is for all processes. Only root makes networks.
const LOCK: &str = "/run/gatewaybinding-pods.lock";

/// Why a network, or a Pod's part of it, could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// `ip` is not there or not allowed to.
    #[error("a network for Pods needs `ip` (Debian package iproute2) and root: {0}")]
    Run(io::Error),
    /// `ip` refused.
    #[error("ip {command}: {message}")]
    Refused {
        /// What was asked of it.
        command: String,
        /// What it said.
        message: String,
    },
    /// The lock by which networks are taken one after the other.
    #[error("a network for Pods needs root: {LOCK}: {source}")]
    Lock {
        /// What failed.
        source: io::Error,
    },
    /// All are taken.
    #[error("no more {0} for Pods")]
    Exhausted(&'static str),
}

/// The network; dropping it removes the bridge and, with it, every Pod from it.
#[derive(Debug)]
pub(crate) struct PodNetwork {
    bridge: String,
    subnet: u8,
    taken: Mutex<[bool; 256]>,
}

/// A Pod's address; dropping it frees it.
#[derive(Debug)]
pub(crate) struct PodAddress {
    network: Arc<PodNetwork>,
    last: u8,
}

impl PodNetwork {
    /// Takes the first network that no living process has.
    pub(crate) async fn create() -> Result<Self, NetworkError> {
        // Two that find one abandoned would else remove what the other has just made in its place.
        let _lock = lock()
            .await
            .map_err(|source| NetworkError::Lock { source })?;
        for subnet in 0..=u8::MAX {
            let bridge = format!("{BRIDGE}{subnet}");
            if is_abandoned(&bridge) {
                // It may be gone by itself by now.
                let _ = ip(&["link", "del", &bridge]).await;
            }
            let owner = std::process::id().to_string();
            match ip(&["link", "add", &bridge, "type", "bridge"]).await {
                Ok(()) => {}
                Err(NetworkError::Refused { message, .. }) if message.contains("exists") => {
                    continue;
                }
                Err(error) => return Err(error),
            }
            let mut taken = [false; 256];
            // The network's own address, the bridge's, and that of broadcasts.
            for last in [0, 1, 255] {
                taken[last] = true;
            }
            let network = Self {
                bridge,
                subnet,
                taken: Mutex::new(taken),
            };
            let gateway = format!("{}/24", network.gateway());
            ip(&["link", "set", &network.bridge, "alias", &owner]).await?;
            ip(&["address", "add", &gateway, "dev", &network.bridge]).await?;
            ip(&["link", "set", &network.bridge, "up"]).await?;
            return Ok(network);
        }
        Err(NetworkError::Exhausted("networks"))
    }

    /// The address of this machine in the network.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 254, self.subnet, 1)
    }

    pub(crate) fn take_address(self: &Arc<Self>) -> Result<PodAddress, NetworkError> {
        let mut taken = self.taken();
        let free = taken.iter().position(|taken| !taken);
        let last = free.ok_or(NetworkError::Exhausted("addresses"))?;
        taken[last] = true;
        let last = u8::try_from(last).map_err(|_| NetworkError::Exhausted("addresses"))?;
        Ok(PodAddress {
            network: Arc::clone(self),
            last,
        })
    }

    fn taken(&self) -> MutexGuard<'_, [bool; 256]> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PodAddress {
    pub(crate) fn ip(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 254, self.network.subnet, self.last)
    }

    /// The hardware address that goes with it. Others remember it for a while, so the next Pod of this
    /// address must not have another one: what they send would be lost.
    fn hardware(&self) -> String {
        let [a, b, c, d] = self.ip().octets();
        format!("0a:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }

    /// Gives the network namespace of a process this address.
    pub(crate) async fn attach(&self, process: u32) -> Result<(), NetworkError> {
        let outside = format!("gwb{}p{}", self.network.subnet, self.last);
        let process = process.to_string();
        let hardware = self.hardware();
        ip(&[
            "link", "add", &outside, "type", "veth", "peer", "name", "eth0", "address", &hardware,
            "netns", &process,
        ])
        .await?;
        ip(&[
            "link",
            "set",
            &outside,
            "master",
            &self.network.bridge,
            "up",
        ])
        .await?;
        let commands = format!(
            "link set lo up\naddress add {}/24 dev eth0\nlink set eth0 up\nroute add default via {}\n",
            self.ip(),
            self.network.gateway()
        );
        run(
            "nsenter",
            &["--target", &process, "--net", "ip", "-batch", "-"],
            &commands,
        )
        .await
    }
}

impl Drop for PodAddress {
    fn drop(&mut self) {
        self.network.taken()[usize::from(self.last)] = false;
    }
}

impl Drop for PodNetwork {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("ip");
        command.args(["link", "del", &self.bridge]);
        // What is left is removed by the next one that finds it abandoned.
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Held by the process that is taking a network.
async fn lock() -> io::Result<File> {
    let locked = tokio::task::spawn_blocking(|| {
        let file = File::options().create(true).append(true).open(LOCK)?;
        file.lock()?;
        Ok(file)
    });
    locked.await?
}

/// Whether the process that made a bridge has ended without removing it.
fn is_abandoned(bridge: &str) -> bool {
    let owner = fs::read_to_string(format!("/sys/class/net/{bridge}/ifalias")).unwrap_or_default();
    let owner = owner.trim();
    !owner.is_empty() && !fs::exists(format!("/proc/{owner}")).unwrap_or(true)
}

async fn ip(arguments: &[&str]) -> Result<(), NetworkError> {
    run("ip", arguments, "").await
}

async fn run(program: &str, arguments: &[&str], input: &str) -> Result<(), NetworkError> {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(NetworkError::Run)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .await
            .map_err(NetworkError::Run)?;
    }
    let output = child.wait_with_output().await.map_err(NetworkError::Run)?;
    if output.status.success() {
        return Ok(());
    }
    Err(NetworkError::Refused {
        command: format!("{} {input}", arguments.join(" ")),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
