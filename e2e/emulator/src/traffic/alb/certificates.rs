//! Which certificate a load balancer shows: the first of its listener's for the name that the client
//! asks for, else the default one.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Place, listener};
use crate::state::AppState;

/// TLS as a listener of a load balancer speaks it; `find` knows certificates by their ids.
pub(crate) fn tls(
    state: AppState,
    place: Place,
    find: impl Fn(&str) -> Option<Arc<CertifiedKey>> + Send + Sync + 'static,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates { state, place, find }));
    Ok(Arc::new(config))
}

struct Certificates<F> {
    state: AppState,
    place: Place,
    find: F,
}

impl<F> fmt::Debug for Certificates<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificates")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl<F> ResolvesServerCert for Certificates<F>
where
    F: Fn(&str) -> Option<Arc<CertifiedKey>> + Send + Sync,
{
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let ids = {
            let world = self.state.world();
            let listener = listener(&world, &self.place, true, Timestamp::now()).ok()?;
            listener.certificates.clone()
        };
        let known: Vec<_> = ids.iter().filter_map(|id| (self.find)(id)).collect();
        let name = hello.server_name().map(ServerName::try_from);
        let fitting = match name {
            Some(Ok(name)) => known.iter().find(|one| is_for(one, &name)),
            _ => None,
        };
        fitting.or(known.first()).cloned()
    }
}

fn is_for(certificate: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = certificate
        .end_entity_cert()
        .ok()
        .and_then(|end| ParsedCertificate::try_from(end).ok());
    parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
}
