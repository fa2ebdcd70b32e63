//! Settings of network load balancers: as annotations that the cloud controller manager reads, judged
//! by themselves, against the Service, and against what the load balancer is. What means the same for
//! a classic one is in [`super::slb`].

mod annotations;
mod check;
mod drift;
mod existing;
mod listener_drift;
mod offer;
mod read;
mod scene;
mod state;
pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crds::v1alpha1::NlbSettings;

use super::observed::ServiceState;
use super::slb::annotations::consented;
use super::slb::key;
use super::slb::undo::with_defaults;

pub use annotations::annotations;
pub use check::check;
pub use drift::drift;
pub use existing::standing;
pub use offer::{Offered, offered};
pub use read::read;
pub use scene::{Scene, unmanaged};
pub use state::{NlbState, Zone};

/// The annotations for settings on a Service that is there: a setting is meant as a whole, so what else
/// the Service says about it is set to the default.
pub fn completed(settings: &NlbSettings, service: &ServiceState) -> BTreeMap<String, String> {
    let written = annotations(settings);
    let mut all = with_defaults(table::ANNOTATIONS, settings, written, service);
    if let Some(existing) = &settings.existing {
        let consent = (existing.manages_instance(), existing.overrides_listeners());
        consented(table::ANNOTATIONS, &mut all, consent);
    }
    keep_order(&mut all, service);
    all
}

/// Zones in another order are the same zones, so that whoever wrote them is not written over.
fn keep_order(all: &mut BTreeMap<String, String>, service: &ServiceState) {
    let sorted = |zones: &str| {
        let mut zones: Vec<String> = zones.split(',').map(str::to_owned).collect();
        zones.sort();
        zones
    };
    let key = key("zone-maps");
    if let (Some(wanted), Some(said)) = (all.get_mut(&key), service.annotations.get(&key))
        && sorted(wanted) == sorted(said)
    {
        wanted.clone_from(said);
    }
}
