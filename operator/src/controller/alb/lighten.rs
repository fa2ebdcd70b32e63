//! What the stores of this layer keep of each object.

use crds::keys;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;

use super::children::is_made_by_us;
use crate::controller::stores;
use crate::core::alb::kingress::KIngress;

/// Takes off a Knative Ingress what nobody here reads.
pub(super) fn lighten(ingress: &mut KIngress) {
    stores::lighten(ingress);
}

/// Of our own Ingresses all is kept but who owns which field, of those of others who they are and where
/// they go.
pub(super) fn lighten_ingress(ingress: &mut Ingress) {
    if !is_made_by_us(ingress) {
        stores::lighten(ingress);
        ingress.status = None;
        return;
    }
    let fields = ingress.managed_fields_mut();
    // When we wrote it last tells whether a complaint is about that.
    fields.retain(|entry| entry.manager.as_deref() == Some(keys::FIELD_MANAGER));
    for entry in fields.iter_mut() {
        entry.fields_v1 = None;
    }
    fields.shrink_to_fit();
}
