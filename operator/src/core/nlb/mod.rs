//! Settings of network load balancers: as annotations that the cloud controller manager reads, judged
//! by themselves, against the Service, and against what the load balancer is. What means the same for
//! a classic one is in [`super::slb`].

mod annotations;
mod check;
mod drift;
mod existing;
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
    all
}
