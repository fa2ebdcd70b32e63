//! Kubeconfig files of one control plane.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::{
    files::{FileError, write_private},
    pki::Pki,
};

/// Why a kubeconfig could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The kubeconfig is not valid.
    #[error(transparent)]
    Invalid(#[from] kube::config::KubeconfigError),
    /// The API server refused a token, or the client could not be built.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// The API server granted no token.
    #[error(
        "the API server answered the token request for the ServiceAccount {namespace}/{name} without a token"
    )]
    NoToken {
        /// The namespace of the ServiceAccount.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// A kubeconfig, readable only by its owner, that is deleted with the control plane's folder.
#[derive(Clone)]
pub struct KubeconfigFile {
    path: PathBuf,
    text: String,
}

impl fmt::Debug for KubeconfigFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text holds a key or a token.
        formatter
            .debug_struct("KubeconfigFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// How a kubeconfig's user proves who he is.
pub(crate) enum Credential<'a> {
    /// The client certificate of the administrator.
    AdminCertificate,
    /// The token of a ServiceAccount.
    Token(&'a str),
}

impl KubeconfigFile {
    pub(crate) fn write(
        path: PathBuf,
        server: &str,
        pki: &Pki,
        user: &str,
        credential: &Credential<'_>,
    ) -> Result<Self, KubeconfigError> {
        let ca = base64_of(&pki.ca_cert())?;
        let credential = match credential {
            Credential::Token(token) => format!("    token: {token}"),
            Credential::AdminCertificate => format!(
                "    client-certificate-data: {}\n    client-key-data: {}",
                base64_of(&pki.admin_cert())?,
                base64_of(&pki.admin_key())?
            ),
        };
        let text = format!(
            "apiVersion: v1
kind: Config
clusters:
- name: control-plane
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
{credential}
contexts:
- name: control-plane
  context:
    cluster: control-plane
    user: {user}
    namespace: default
current-context: control-plane
"
        );
        write_private(&path, &text)?;
        Ok(Self { path, text })
    }

    /// Where it lies, for `KUBECONFIG`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its YAML.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The configuration of a client with it.
    ///
    /// # Errors
    /// [`KubeconfigError::Invalid`] when the kubeconfig is not understood.
    pub async fn client_config(&self) -> Result<Config, KubeconfigError> {
        let kubeconfig = Kubeconfig::from_yaml(&self.text)?;
        Ok(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
    }

    /// A client with it.
    ///
    /// # Errors
    /// As [`Self::client_config`], or when the TLS set-up fails.
    pub async fn client(&self) -> Result<Client, KubeconfigError> {
        Ok(Client::try_from(self.client_config().await?)?)
    }
}

fn base64_of(path: &Path) -> Result<String, FileError> {
    Ok(BASE64_STANDARD.encode(fs::read(path).map_err(FileError::at("read", path))?))
}
