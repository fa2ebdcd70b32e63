//! Load balancer settings: as annotations that the cloud controller manager reads, against what the
//! load balancer really is, and back.

mod annotations;
mod check;
mod drift;
pub mod existing;
mod observe;
mod read;
pub mod table;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::BTreeMap;

use crds::v1alpha1::{AddressType, SlbField, SlbSettings};

pub use annotations::annotations;
pub use check::{check, check_ports};
pub use drift::drift;
pub use observe::check_immutable;
pub use read::{is_said, settings};
pub use undo::left;

const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const LEGACY_PREFIX: &str = "service.beta.kubernetes.io/alicloud-loadbalancer-";

/// Whether annotations that we write ask for a load balancer that the Internet reaches.
pub fn is_public(annotations: &BTreeMap<String, String>) -> bool {
    let type_ = annotations.get(&format!("{PREFIX}address-type"));
    type_.is_some_and(|type_| type_ == annotations::address_type(AddressType::Internet))
}

/// Settings over others: those of a binding over those of its class.
pub fn over(below: &SlbSettings, above: &SlbSettings) -> SlbSettings {
    let mut settings = below.clone();
    for field in SlbField::EACH {
        if field.is_set(above) {
            field.copy(&mut settings, above);
        }
    }
    settings
}
