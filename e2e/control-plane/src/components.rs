//! The processes of a control plane and their flags.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use crate::{
    files::FileError,
    guardian::{self, Guarded},
    pki::Pki,
    tools::Tool,
};

/// The controllers that do something visible where there are no nodes and no cloud.
const CONTROLLERS: &str = "clusterrole-aggregation-controller,deployment-controller,\
    endpoints-controller,endpointslice-controller,endpointslice-mirroring-controller,garbage-collector-controller,\
    job-controller,namespace-controller,replicaset-controller,resourcequota-controller,\
    root-ca-certificate-publisher-controller,serviceaccount-controller,\
    serviceaccount-token-controller,validatingadmissionpolicy-status-controller";

/// Trades a little CPU for memory, since several control planes run at once: the API server then
/// takes about a tenth less.
const GOGC: &str = "50";

/// Why a process of the control plane could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Its log could not be created.
    #[error(transparent)]
    Log(#[from] FileError),
    /// The program could not be run.
    #[error("cannot run {}: {cause}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

/// A running process of the control plane.
#[derive(Debug)]
pub(crate) struct Component {
    tool: Tool,
    log: PathBuf,
    process: Guarded,
}

impl Component {
    pub(crate) fn tool(&self) -> Tool {
        self.tool
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status if it has ended, which none does by itself.
    pub(crate) fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    fn spawn(
        tool: Tool,
        program: &Path,
        folder: &Path,
        args: Vec<String>,
    ) -> Result<Self, SpawnError> {
        let log = folder.join(format!("{}.log", tool.name()));
        let output = File::create(&log).map_err(FileError::at("create", &log))?;
        let errors = output.try_clone().map_err(FileError::at("create", &log))?;
        let mut command: Command = guardian::command(program);
        // Variables of ours such as ETCD_NAME or HTTPS_PROXY are not meant for these processes.
        command
            .args(args)
            .env_clear()
            .env("GOGC", GOGC)
            .current_dir(folder)
            .stdout(output)
            .stderr(errors);
        let process = Guarded::spawn(command).map_err(|cause| SpawnError::Run {
            program: program.to_path_buf(),
            cause,
        })?;
        Ok(Self { tool, log, process })
    }
}

/// Starts etcd. It listens on Unix sockets only, so it needs no port and nobody else reaches it.
pub(crate) fn etcd(program: &Path, folder: &Path, sockets: &Path) -> Result<Component, SpawnError> {
    // Advertised to peers and clients that do not exist; only the form is checked.
    let (client, peer) = ("http://127.0.0.1:2379", "http://127.0.0.1:2380");
    let args = vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={}", etcd_url(sockets)),
        format!(
            "--listen-peer-urls=unix://{}",
            sockets.join("peer.sock").display()
        ),
        format!("--advertise-client-urls={client}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // What a killed process has written is kept by the kernel; only a crash of the machine
        // would lose it.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Component::spawn(Tool::Etcd, program, folder, args)
}

pub(crate) fn etcd_socket(sockets: &Path) -> PathBuf {
    sockets.join("etcd.sock")
}

fn etcd_url(sockets: &Path) -> String {
    format!("unix://{}", etcd_socket(sockets).display())
}

/// Starts the API server on a loopback port that the caller holds with `SO_REUSEPORT`, with `more`
/// flags after ours.
pub(crate) fn apiserver(
    program: &Path,
    folder: &Path,
    sockets: &Path,
    pki: &Pki,
    port: u16,
    more: Vec<String>,
) -> Result<Component, SpawnError> {
    let file = |flag: &str, path: PathBuf| format!("--{flag}={}", path.display());
    let mut args = vec![
        format!("--etcd-servers={}", etcd_url(sockets)),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--permit-port-sharing".to_owned(),
        // By default the address of the default route, which a machine without network lacks.
        "--advertise-address=127.0.0.1".to_owned(),
        "--external-hostname=127.0.0.1".to_owned(),
        // A loopback address is no valid endpoint for the Service `kubernetes`.
        "--endpoint-reconciler-type=none".to_owned(),
        file("tls-cert-file", pki.server_cert()),
        file("tls-private-key-file", pki.server_key()),
        file("client-ca-file", pki.ca_cert()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        file("service-account-key-file", pki.service_account_public_key()),
        file(
            "service-account-signing-key-file",
            pki.service_account_key(),
        ),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--allow-privileged".to_owned(),
        // Fairness between clients of an overloaded server; costs half a second of the start.
        "--enable-priority-and-fairness=false".to_owned(),
        "--profiling=false".to_owned(),
    ];
    args.extend(more);
    Component::spawn(Tool::KubeApiserver, program, folder, args)
}

/// Starts the controllers; they serve nothing and so need no port.
pub(crate) fn controller_manager(
    program: &Path,
    folder: &Path,
    pki: &Pki,
    kubeconfig: &Path,
) -> Result<Component, SpawnError> {
    let args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--controllers={CONTROLLERS}"),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
        format!(
            "--service-account-private-key-file={}",
            pki.service_account_key().display()
        ),
        format!("--root-ca-file={}", pki.ca_cert().display()),
    ];
    Component::spawn(Tool::KubeControllerManager, program, folder, args)
}
