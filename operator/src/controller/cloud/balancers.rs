//! What load balancers are, as far as anybody asked: read one by one when the cloud controller manager
//! says that it changed one, and all together, in a few calls, when what is known has grown old.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cloud_adapter::client::Client;
use cloud_adapter::error::CloudError;
use cloud_adapter::slb::{self, Listener, LoadBalancer};

use crate::core::observed::{ListenerState, LoadBalancerState};

/// From this number on, a page of all there are is cheaper than asking by id.
const MANY: usize = 10;
/// One that nobody asked about for so many checks is forgotten.
const CHECKS: u32 = 4;

/// What is known of the load balancers of an account and region.
#[derive(Debug, Default)]
pub(super) struct Balancers {
    known: Mutex<HashMap<String, Known>>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    state: LoadBalancerState,
    read: Instant,
    asked: Instant,
    version: String,
}

impl Balancers {
    /// One of them; none if there is none. Read again when what is known is older than `max_age`, or
    /// when `version` (what the cloud controller manager says of its own work) has moved.
    pub(super) async fn get(
        &self,
        client: &Client,
        id: &str,
        version: &str,
        max_age: Duration,
    ) -> Result<Option<LoadBalancerState>, CloudError> {
        if let Some(state) = self.fresh(id, version, max_age) {
            return Ok(Some(state));
        }
        // Read once for all who ask meanwhile.
        let _reading = self.reading.lock().await;
        if let Some(state) = self.fresh(id, version, max_age) {
            return Ok(Some(state));
        }
        let only_old = self
            .lock()
            .get(id)
            .is_some_and(|known| known.version == version);
        if only_old {
            self.read_all(client, max_age).await?;
            if let Some(state) = self.fresh(id, version, Duration::MAX) {
                return Ok(Some(state));
            }
        }
        let Some(found) = slb::load_balancer(client, id).await? else {
            self.lock().remove(id);
            return Ok(None);
        };
        let listeners = slb::listeners(client, &[id.to_owned()]).await?;
        let state = state(found, listeners.iter());
        let now = Instant::now();
        let known = Known {
            state: state.clone(),
            read: now,
            asked: now,
            version: version.to_owned(),
        };
        self.lock().insert(id.to_owned(), known);
        Ok(Some(state))
    }

    fn fresh(&self, id: &str, version: &str, max_age: Duration) -> Option<LoadBalancerState> {
        let mut known = self.lock();
        let known = known.get_mut(id)?;
        known.asked = Instant::now();
        let good = known.version == version && known.read.elapsed() < max_age;
        good.then(|| known.state.clone())
    }

    /// Reads all that somebody asked about lately. One that a list does not have is forgotten, and
    /// looked for by its id before it counts as gone.
    async fn read_all(&self, client: &Client, max_age: Duration) -> Result<(), CloudError> {
        let forgotten = max_age.saturating_mul(CHECKS).max(Duration::from_secs(60));
        let ids: Vec<String> = {
            let mut known = self.lock();
            known.retain(|_, known| known.asked.elapsed() < forgotten);
            known.keys().cloned().collect()
        };
        let begun = Instant::now();
        let (found, listeners) = if ids.len() > MANY {
            let found = slb::all_load_balancers(client).await?;
            (found, slb::all_listeners(client).await?)
        } else {
            let found = slb::load_balancers(client, &ids).await?;
            (found, slb::listeners(client, &ids).await?)
        };
        let mut of: BTreeMap<&str, Vec<&Listener>> = BTreeMap::new();
        for listener in &listeners {
            of.entry(&listener.load_balancer_id)
                .or_default()
                .push(listener);
        }
        let mut found: HashMap<String, LoadBalancer> = found
            .into_iter()
            .map(|found| (found.id.clone(), found))
            .collect();
        let mut known = self.lock();
        for id in ids {
            let Some(found) = found.remove(&id) else {
                known.remove(&id);
                continue;
            };
            if let Some(known) = known.get_mut(&id) {
                let listeners = of.remove(id.as_str()).unwrap_or_default();
                known.state = state(found, listeners.into_iter());
                known.read = begun;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state<'a>(
    found: LoadBalancer,
    listeners: impl Iterator<Item = &'a Listener>,
) -> LoadBalancerState {
    let mut listeners: Vec<ListenerState> = listeners
        .map(|listener| ListenerState {
            port: listener.port,
            protocol: listener.protocol.clone(),
            status: listener.status.clone(),
            description: listener.description.clone(),
        })
        .collect();
    listeners.sort_by(|a, b| (a.port, &a.protocol).cmp(&(b.port, &b.protocol)));
    LoadBalancerState {
        traffic_charge: found.traffic_charge().to_owned(),
        id: found.id,
        name: found.name,
        address_type: found.address_type,
        vpc_id: found.vpc_id,
        vswitch_id: found.vswitch_id,
        primary_zone: found.primary_zone,
        backup_zone: found.backup_zone,
        status: found.status,
        address: found.address,
        ip_version: found.address_ip_version,
        resource_group_id: found.resource_group_id,
        instance_charge: found.instance_charge_type,
        spec: found.spec,
        bandwidth: found.bandwidth,
        delete_protection: found.delete_protection,
        modification_protection: found.modification_protection_status,
        tags: found
            .tags
            .tag
            .into_iter()
            .map(|tag| (tag.key, tag.value))
            .collect(),
        listeners: Some(listeners),
    }
}
