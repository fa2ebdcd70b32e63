//! Load balancer settings: as annotations that the cloud controller manager reads, against what the
//! load balancer really is, and back.

pub(in crate::core) mod annotations;
mod check;
pub(in crate::core) mod compare;
mod drift;
pub mod existing;
#[cfg(test)]
mod facts;
pub mod legacy;
mod listener_drift;
mod observe;
pub(in crate::core) mod read;
mod scene;
pub mod table;
pub(in crate::core) mod tags;
#[cfg(test)]
mod tests;
pub(in crate::core) mod undo;

use std::collections::BTreeMap;

use crds::v1alpha1::{AddressType, LoadBalancerSettings, SettingsField};

use super::observed::ServiceState;

pub use annotations::annotations;
pub use check::{Fault, check};
pub use drift::drift;
pub use read::{Finding, Reading, is_said, read, settings};
pub use scene::{Scene, unmanaged, untyped};
pub use undo::{completed, left};

const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const LEGACY_PREFIX: &str = "service.beta.kubernetes.io/alicloud-loadbalancer-";

/// An annotation that has neither prefix, and no older form.
const BACKEND_TYPE: (&str, &str) = ("backend-type", "service.beta.kubernetes.io/backend-type");

/// The whole key, in the current form, of an annotation as the table names it.
pub(in crate::core) fn key(name: &str) -> String {
    if name == BACKEND_TYPE.0 {
        return BACKEND_TYPE.1.to_owned();
    }
    format!("{PREFIX}{name}")
}

/// How the table names a key of the current form.
fn name(key: &str) -> Option<&str> {
    if key == BACKEND_TYPE.1 {
        return Some(BACKEND_TYPE.0);
    }
    key.strip_prefix(PREFIX)
}

/// What a Service says by an annotation in either form, if it says anything: the current form counts,
/// even where it is empty.
pub(in crate::core) fn said<'a>(name: &str, service: &'a ServiceState) -> Option<&'a String> {
    let current = service.annotations.get(&key(name));
    let said = current.or_else(|| said_of_old(name, service));
    said.filter(|value| !value.is_empty())
}

/// What a Service says under the older form of a key.
fn said_of_old<'a>(name: &str, service: &'a ServiceState) -> Option<&'a String> {
    if name == BACKEND_TYPE.0 {
        return None;
    }
    service.annotations.get(&format!("{LEGACY_PREFIX}{name}"))
}

/// Whether annotations that we write ask for a load balancer that the Internet reaches.
pub fn is_public(annotations: &BTreeMap<String, String>) -> bool {
    let type_ = annotations.get(&format!("{PREFIX}address-type"));
    type_.is_some_and(|type_| type_ == annotations::address_type(AddressType::Internet))
}

/// Settings over others: those of a binding over those of its class.
pub fn over<S: LoadBalancerSettings>(below: &S, above: &S) -> S {
    let mut settings = below.clone();
    for field in S::Field::EACH {
        if field.is_set(above) {
            field.copy(&mut settings, above);
        }
    }
    settings
}
