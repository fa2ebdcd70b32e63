//! The certificates of the cluster's Secrets, as the emulated load balancers know them: by the ids that
//! the ALB Ingress controller's stand-in gives them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use alicloud_emulator::alb_ingress::certificate_id;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

/// What is known so far.
#[derive(Clone, Default)]
pub(super) struct Certificates(Arc<Mutex<BTreeMap<String, Arc<CertifiedKey>>>>);

impl Certificates {
    /// The certificate with this id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<CertifiedKey>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).cloned()
    }

    /// Learns all that come, until it is dropped.
    pub(super) async fn learn(self, client: Client) {
        let secrets = Api::<Secret>::all(client);
        let of_tls = watcher::Config::default().fields("type=kubernetes.io/tls");
        let mut found = Box::pin(watcher(secrets, of_tls).default_backoff().applied_objects());
        loop {
            match found.try_next().await {
                Ok(Some(secret)) => self.add(&secret),
                Ok(None) => return,
                Err(error) => tracing::debug!(%error, "the watch of Secrets was interrupted"),
            }
        }
    }

    fn add(&self, secret: &Secret) {
        let name = format!(
            "{}/{}",
            secret.namespace().unwrap_or_default(),
            secret.name_any()
        );
        match certified_key(secret) {
            Some(key) => {
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(certificate_id(&name), Arc::new(key));
            }
            None => tracing::warn!(secret = name, "no certificate with its key"),
        }
    }
}

fn certified_key(secret: &Secret) -> Option<CertifiedKey> {
    let data = secret.data.as_ref()?;
    let chain = CertificateDer::pem_slice_iter(&data.get("tls.crt")?.0)
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let key = PrivateKeyDer::from_pem_slice(&data.get("tls.key")?.0).ok()?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).ok()
}
