//! One running control plane.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, Config, api::PostParams};
use tokio::net::TcpSocket;

use crate::{
    components::{self, Component, SpawnError},
    files::FileError,
    kubeconfig::{Credential, KubeconfigError, KubeconfigFile},
    pki::{Pki, PkiError},
    readiness::{self, Deadline, ReadinessError},
    tools::{self, Tool, ToolError},
    workdir::{Workdir, WorkdirError},
};

/// How long the tokens of [`ControlPlane::kubeconfig_for_service_account`] hold.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// Why a control plane did not start, or could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// A program is not to be had.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Its folder cannot be used.
    #[error(transparent)]
    Workdir(#[from] WorkdirError),
    /// A file cannot be written or removed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificates could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// No port could be reserved.
    #[error("cannot reserve {address} for the API server: {cause}")]
    Port {
        /// The address wanted; port 0 stands for any.
        address: SocketAddr,
        /// The cause.
        cause: io::Error,
    },
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A process ended, or was not ready in time.
    #[error(transparent)]
    Readiness(#[from] ReadinessError),
    /// A kubeconfig could not be made or used.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
}

/// What a control plane is to be like; see [`ControlPlane::builder`].
#[derive(Clone, Debug)]
pub struct ControlPlaneBuilder {
    controller_manager: bool,
    data_dir: Option<PathBuf>,
    port: u16,
    start_timeout: Duration,
    apiserver_flags: Vec<String>,
}

impl ControlPlaneBuilder {
    /// Whether kube-controller-manager runs (default: yes). Without it namespaces are never
    /// finally deleted, nothing is garbage-collected and namespaces get no ServiceAccount, but a
    /// control plane takes less memory.
    #[must_use]
    pub fn controller_manager(mut self, on: bool) -> Self {
        self.controller_manager = on;
        self
    }

    /// Keeps data, keys and logs in this folder, and goes on from what it holds (default: a
    /// temporary folder).
    #[must_use]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// The loopback port of the API server (default: a free one).
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How long the start may take, builds not counted (default: 60 s).
    #[must_use]
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = limit;
        self
    }

    /// Further flags of the API server, such as `--audit-policy-file=…` (default: none).
    #[must_use]
    pub fn apiserver_flags(mut self, flags: impl IntoIterator<Item = String>) -> Self {
        self.apiserver_flags.extend(flags);
        self
    }

    /// Builds what is missing, starts everything and waits until the API server is ready. The
    /// controllers start with it and are at work a second or two later.
    ///
    /// # Errors
    /// With the last lines of the log of the process that failed, or of the failed build.
    pub async fn start(self) -> Result<ControlPlane, ControlPlaneError> {
        let etcd = tools::ensure(Tool::Etcd).await?;
        let apiserver = tools::ensure(Tool::KubeApiserver).await?;
        let controller_manager = match self.controller_manager {
            true => Some(tools::ensure(Tool::KubeControllerManager).await?),
            false => None,
        };

        let workdir = Workdir::open(self.data_dir.as_deref())?;
        let pki = Pki::ensure(&workdir.path().join("pki"))?;
        let (port, reservation) = reserve_port(self.port)?;
        let url = format!("https://127.0.0.1:{port}");
        let kubeconfig_path = workdir.path().join("admin.kubeconfig");
        let kubeconfig = KubeconfigFile::write(
            kubeconfig_path,
            &url,
            &pki,
            "admin",
            &Credential::AdminCertificate,
        )?;
        let client = kubeconfig.client().await?;

        let deadline = Deadline::after(self.start_timeout);
        let (folder, sockets) = (workdir.path(), workdir.sockets());
        let mut etcd = components::etcd(&etcd, folder, sockets)?;
        readiness::etcd(&mut etcd, &components::etcd_socket(sockets), deadline).await?;
        let mut apiserver = components::apiserver(
            &apiserver,
            folder,
            sockets,
            &pki,
            port,
            self.apiserver_flags,
        )?;
        readiness::apiserver(&mut apiserver, &client, deadline).await?;
        // Killed in this order.
        let mut processes = Vec::new();
        if let Some(program) = controller_manager {
            processes.push(components::controller_manager(
                &program,
                folder,
                &pki,
                kubeconfig.path(),
            )?);
        }
        processes.extend([apiserver, etcd]);
        Ok(ControlPlane {
            url,
            client,
            kubeconfig,
            pki,
            processes,
            workdir,
            _reservation: reservation,
        })
    }
}

/// A running API server with its store and controllers. Dropping it kills them, and so does the
/// end of this process, however it comes.
pub struct ControlPlane {
    url: String,
    client: Client,
    kubeconfig: KubeconfigFile,
    pki: Pki,
    // Before the folder and the port they use, since fields are dropped in this order.
    processes: Vec<Component>,
    workdir: Workdir,
    _reservation: TcpSocket,
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kubeconfig holds the administrator's key.
        formatter
            .debug_struct("ControlPlane")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Begins the description of a control plane.
    #[must_use]
    pub fn builder() -> ControlPlaneBuilder {
        ControlPlaneBuilder {
            controller_manager: true,
            data_dir: None,
            port: 0,
            start_timeout: Duration::from_secs(60),
            apiserver_flags: Vec::new(),
        }
    }

    /// The URL of the API server, such as `https://127.0.0.1:41231`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &KubeconfigFile {
        &self.kubeconfig
    }

    /// A client with the administrator's rights. It lives in the runtime that started the control
    /// plane; other runtimes make their own from [`Self::kubeconfig`].
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The configuration of such a client.
    ///
    /// # Errors
    /// As [`KubeconfigFile::client_config`].
    pub async fn client_config(&self) -> Result<Config, ControlPlaneError> {
        Ok(self.kubeconfig.client_config().await?)
    }

    /// A kubeconfig with a token of an existing ServiceAccount, valid for a day.
    ///
    /// # Errors
    /// When the ServiceAccount does not exist.
    pub async fn kubeconfig_for_service_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<KubeconfigFile, ControlPlaneError> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await;
        let Some(status) = answer.map_err(KubeconfigError::from)?.status else {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            return Err(KubeconfigError::NoToken { namespace, name }.into());
        };
        let path = self
            .workdir
            .path()
            .join(format!("{namespace}.{name}.kubeconfig"));
        let user = format!("{namespace}.{name}");
        Ok(KubeconfigFile::write(
            path,
            &self.url,
            &self.pki,
            &user,
            &Credential::Token(&status.token),
        )?)
    }

    /// The path of kubectl; builds it first if need be.
    ///
    /// # Errors
    /// As [`tools::ensure`].
    pub async fn kubectl(&self) -> Result<PathBuf, ControlPlaneError> {
        Ok(tools::ensure(Tool::Kubectl).await?)
    }

    /// The path of helm; builds it first if need be.
    ///
    /// # Errors
    /// As [`tools::ensure`].
    pub async fn helm(&self) -> Result<PathBuf, ControlPlaneError> {
        Ok(tools::ensure(Tool::Helm).await?)
    }

    /// The folder with data, keys, kubeconfigs and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.workdir.path()
    }

    /// The log of each process.
    pub fn logs(&self) -> impl Iterator<Item = (Tool, &Path)> {
        self.processes
            .iter()
            .map(|process| (process.tool(), process.log()))
    }

    /// Kills the processes, waits until they are gone, and removes the temporary folder. A kept
    /// data folder loses nothing: what was acknowledged is in etcd's log.
    ///
    /// # Errors
    /// When the temporary folder cannot be removed.
    pub async fn stop(self) -> Result<(), ControlPlaneError> {
        let Self {
            mut processes,
            workdir,
            _reservation,
            ..
        } = self;
        processes.iter_mut().for_each(Component::kill);
        let removed = tokio::task::spawn_blocking(move || {
            drop(processes);
            workdir.close()
        });
        match removed.await {
            Ok(removed) => Ok(removed?),
            // Only at the end of the runtime, which has then dropped, and so killed, everything.
            Err(_) => Ok(()),
        }
    }
}

/// Takes a loopback port and holds it. kube-apiserver listens on the same port (both with
/// `SO_REUSEPORT`); as this socket never listens, connections reach only kube-apiserver, and
/// nobody else can be given the port in the meantime.
fn reserve_port(port: u16) -> Result<(u16, TcpSocket), ControlPlaneError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let reserve = || {
        if port != 0 {
            // With SO_REUSEPORT a port that a control plane of the same user holds would be given.
            std::net::TcpListener::bind(address)?;
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        Ok((socket.local_addr()?.port(), socket))
    };
    reserve().map_err(|cause| ControlPlaneError::Port { address, cause })
}
