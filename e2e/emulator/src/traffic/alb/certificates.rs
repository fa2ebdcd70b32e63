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
        fitting(&known, hello.server_name()).cloned()
    }
}

/// The certificate for a name, of these, of which the first is the default one.
fn fitting<'a>(
    known: &'a [Arc<CertifiedKey>],
    name: Option<&str>,
) -> Option<&'a Arc<CertifiedKey>> {
    let name = name.and_then(|name| ServerName::try_from(name).ok());
    let fits = |name| known.iter().find(|one| is_for(one, name));
    name.as_ref().and_then(fits).or(known.first())
}

fn is_for(certificate: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = certificate
        .end_entity_cert()
        .ok()
        .and_then(|end| ParsedCertificate::try_from(end).ok());
    parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    fn certificate(name: &str) -> Arc<CertifiedKey> {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let chain = vec![made.cert.der().clone()];
        let key = CertifiedKey::from_der(chain, PrivateKeyDer::Pkcs8(key), &provider);
        Arc::new(key.unwrap())
    }

    #[test]
    fn a_certificate_is_chosen_by_name_and_else_the_default_one() {
        let known = [certificate("a.example.com"), certificate("*.example.org")];
        for (name, wanted) in [
            (Some("a.example.com"), 0),
            (Some("b.example.org"), 1),
            (Some("c.example.net"), 0),
            (None, 0),
        ] {
            let found = fitting(&known, name).unwrap();
            assert!(Arc::ptr_eq(found, &known[wanted]), "{name:?}");
        }
        assert!(fitting(&[], None).is_none());
    }
}
