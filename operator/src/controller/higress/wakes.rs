//! Who asks for a pass over a Higress, and when it is time for one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::watch;

use crate::controller::queue::{Asker, Requests, queue};
use crate::core::higress::record;

/// What a pass is about: the namespace that a Higress runs in.
pub type System = PartialObjectMeta<Namespace>;

/// A burst of changes has ended once nothing has come for this long.
const QUIET: Duration = Duration::from_millis(500);
/// The longest that rules wait for the end of a burst.
const LONGEST: Duration = Duration::from_secs(10);

/// The end that asks. Clones share it.
#[derive(Clone)]
pub struct Wakes {
    asker: Asker<System>,
    requests: Arc<Mutex<Option<Requests<System>>>>,
    asked: Arc<Mutex<HashMap<String, Burst>>>,
    known: Arc<Mutex<BTreeSet<String>>>,
    active: watch::Sender<bool>,
}

/// Changes that are not written yet.
#[derive(Clone, Copy, Debug)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl Default for Wakes {
    fn default() -> Self {
        let (asker, requests) = queue();
        Self {
            asker,
            requests: Arc::new(Mutex::new(Some(requests))),
            asked: Arc::default(),
            known: Arc::default(),
            active: watch::Sender::new(false),
        }
    }
}

impl Wakes {
    /// The end that listens; the first who asks gets it.
    pub fn requests(&self) -> Option<Requests<System>> {
        lock(&self.requests).take()
    }

    /// Waits until there is a Higress to look after.
    pub async fn until_active(&self) {
        let mut active = self.active.subscribe();
        // An error means that the process is on its way out.
        let _ = active.wait_for(|active| *active).await;
    }

    /// Something that the rules in the Higress of this namespace depend on has changed.
    pub fn ask(&self, system: &str) {
        let now = Instant::now();
        lock(&self.known).insert(system.to_owned());
        lock(&self.asked)
            .entry(system.to_owned())
            .and_modify(|burst| burst.last = now)
            .or_insert(Burst {
                first: now,
                last: now,
            });
        self.asker.edited(ObjectRef::new(system));
    }

    /// Something that all rules may depend on has changed.
    pub fn ask_all(&self) {
        let known = lock(&self.known).clone();
        for system in known {
            self.ask(&system);
        }
    }

    /// A class was seen: each Higress in it is looked after from now on.
    pub fn class(&self, class: &GatewayBindingClass) {
        let gateways = class.spec.gateways.iter().flatten();
        for higress in gateways.filter_map(|gateway| gateway.higress.as_ref()) {
            self.begin();
            self.ask(&higress.namespace);
        }
    }

    /// A binding was seen, in a list or for the last time: what its ledger has of a Higress is looked at.
    pub fn binding(&self, binding: &GatewayBinding) {
        for system in record::systems(binding) {
            self.begin();
            self.ask(&system);
        }
    }

    fn begin(&self) {
        self.active
            .send_if_modified(|active| !std::mem::replace(active, true));
    }

    /// How long a pass has still to wait for the end of a burst; none: the burst is this pass' own now.
    pub fn burst(&self, system: &str, now: Instant) -> Option<Duration> {
        let mut asked = lock(&self.asked);
        let burst = asked.get(system)?;
        let quiet = QUIET.saturating_sub(now.saturating_duration_since(burst.last));
        let rest = LONGEST.saturating_sub(now.saturating_duration_since(burst.first));
        let left = quiet.min(rest);
        if left.is_zero() {
            asked.remove(system);
            return None;
        }
        Some(left)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_waits_for_the_end_of_a_burst_and_not_for_ever() {
        let wakes = Wakes::default();
        wakes.ask("higress-system");
        let now = Instant::now();
        assert_eq!(wakes.burst("other", now), None);
        let left = wakes.burst("higress-system", now).unwrap();
        assert!(left <= QUIET);
        let later = now + QUIET;
        assert_eq!(wakes.burst("higress-system", later), None);
        assert_eq!(
            wakes.burst("higress-system", later),
            None,
            "nothing is left"
        );

        wakes.ask("higress-system");
        lock(&wakes.asked).get_mut("higress-system").unwrap().last = now + LONGEST * 2;
        let later = now + LONGEST * 2;
        assert_eq!(
            wakes.burst("higress-system", later),
            None,
            "it goes on for too long"
        );
    }
}
