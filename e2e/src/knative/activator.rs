//! What stands behind the Services of Revisions that have no Pods.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    images::Program,
    names::{CLUSTER_DOMAIN, NAMESPACE_HEADER, REVISION_HEADER},
};

/// Namespace and name of a Revision.
type RevisionKey = (String, String);
type Programs = Arc<RwLock<HashMap<RevisionKey, Program>>>;

/// Knative's activator, with the Revisions' containers inside.
///
/// As the real one it knows the Revision by the headers that the networking layer sets, or by the
/// host `<revision>.<namespace>.svc.cluster.local`, and answers 404 otherwise.
#[derive(Debug)]
pub struct Activator {
    address: SocketAddr,
    programs: Programs,
    server: JoinHandle<()>,
}

impl Activator {
    /// Listens on a free port of the address.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(ip: IpAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let programs = Programs::default();
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&programs));
        let server = tokio::spawn(async move {
            // `serve` only returns when its listener does, which never happens.
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the activator stopped");
            }
        });
        Ok(Self {
            address,
            programs,
            server,
        })
    }

    /// Where the Services of all Revisions lead to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a Revision's program in place.
    pub fn run(&self, namespace: &str, revision: &str, program: Program) {
        self.write(|programs| {
            programs.insert((namespace.to_owned(), revision.to_owned()), program)
        });
    }

    /// Ends a Revision's program, if it has one.
    pub fn end(&self, namespace: &str, revision: &str) {
        self.write(|programs| programs.remove(&(namespace.to_owned(), revision.to_owned())));
    }

    fn write(&self, change: impl FnOnce(&mut HashMap<RevisionKey, Program>) -> Option<Program>) {
        change(
            &mut self
                .programs
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(State(programs): State<Programs>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let Some(key) = revision(&parts.headers) else {
        return (StatusCode::NOT_FOUND, "the request names no revision\n").into_response();
    };
    let program = programs
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .cloned();
    match program {
        Some(program) => {
            let (content_type, body) = program.answer(&parts);
            ([(header::CONTENT_TYPE, content_type)], body).into_response()
        }
        None => (
            StatusCode::NOT_FOUND,
            format!("revision \"{}/{}\" not found\n", key.0, key.1),
        )
            .into_response(),
    }
}

fn revision(headers: &HeaderMap) -> Option<RevisionKey> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(namespace), Some(name)) = (text(NAMESPACE_HEADER), text(REVISION_HEADER)) {
        return Some((namespace.to_owned(), name.to_owned()));
    }
    let host = text("host")?.split(':').next()?;
    let (name, namespace) = host
        .strip_suffix(&format!(".svc.{CLUSTER_DOMAIN}"))?
        .split_once('.')?;
    (!namespace.contains('.')).then(|| (namespace.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_revision_is_known_by_headers_or_by_its_own_host() {
        let expected = Some(("default".to_owned(), "hello-00001".to_owned()));
        let by_header = [
            ("knative-serving-namespace", "default"),
            ("knative-serving-revision", "hello-00001"),
        ];
        assert_eq!(revision(&headers(&by_header)), expected);
        assert_eq!(
            revision(&headers(&[(
                "host",
                "hello-00001.default.svc.cluster.local:80"
            )])),
            expected
        );
        assert_eq!(
            revision(&headers(&[("host", "hello.default.example.com")])),
            None
        );
        assert_eq!(revision(&headers(&[])), None);
    }
}
