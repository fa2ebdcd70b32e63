//! What nothing depends on, and the claims by which a deletion is planned for it.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{Api, ApiId, BackendName, ConsumerId, Inventory};
use crds::v1alpha1::LedgerEntry;

use super::find::title_of;
use super::{Id, Kind, MarkedService, Orphan};
use crate::core::key::{ConsumerKey, ObjectKey};
use crate::core::ledger::Ledger;
use crate::core::plan::{Operation, Plan, Step};

/// What is to go, and the world it is in.
pub struct Leaving<'a> {
    orphans: BTreeMap<&'a Id, &'a Orphan>,
    world: World<'a>,
}

/// What things may be needed by.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What is there, with grants and attachments.
    pub inventory: &'a Inventory,
    /// Services with the mark of the cluster.
    pub services: &'a [MarkedService],
    /// What runs with backends.
    pub users: &'a Users,
}

/// The APIs that run with a backend, whoever's, as the cloud says; none: it did not answer.
pub type Users = BTreeMap<BackendName, Option<Vec<ApiId>>>;

/// Why a thing stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// This depends on it.
    By(String),
    /// It could not be told what depends on it.
    Unknown,
}

impl<'a> Leaving<'a> {
    /// Of these orphans.
    pub fn of(orphans: impl IntoIterator<Item = &'a Orphan>, world: World<'a>) -> Self {
        let orphans = orphans.into_iter();
        Self {
            orphans: orphans.map(|orphan| (&orphan.id, orphan)).collect(),
            world,
        }
    }

    /// What depends on a thing and stays, for those of which something does. Nothing but these
    /// things goes, so all else stays: other orphans, what is in use, and what is not ours.
    pub fn needs(&self) -> BTreeMap<Id, Need> {
        let mut needed = BTreeMap::new();
        // In the order of removal: what is needed stays, and may need something in its turn.
        for orphan in self.orphans.values() {
            if let Some(need) = self.need(orphan, &needed) {
                needed.insert(orphan.id.clone(), need);
            }
        }
        needed
    }

    fn need(&self, orphan: &Orphan, needed: &BTreeMap<Id, Need>) -> Option<Need> {
        let id = orphan.id.id.as_str();
        let by = match orphan.id.kind {
            Kind::Api | Kind::Secret => None,
            Kind::Group => self.api(|api| api.group.as_str() == id),
            Kind::Policy => {
                let attachments = self.world.inventory.attachments.iter();
                let mut there = attachments.filter(|found| found.policy.as_str() == id);
                there.find_map(|found| self.stays(&found.api))
            }
            Kind::Consumer => {
                let grants = self.world.inventory.grants.keys();
                let mut there = grants.filter(|found| found.consumer.as_str() == id);
                there.find_map(|found| self.stays(&found.api))
            }
            Kind::Backend => return self.users_of(&orphan.name),
            Kind::Service => self.backend(id, needed),
        };
        by.map(Need::By)
    }

    /// What runs with a backend, and drafts of ours that name it.
    fn users_of(&self, name: &str) -> Option<Need> {
        let name = BackendName::from(name);
        let Some(users) = self.world.users.get(&name).unwrap_or(&None) else {
            return Some(Need::Unknown);
        };
        let drafts = || {
            self.api(|api| {
                let spec = api.spec.as_ref();
                spec.is_some_and(|spec| spec.backend.name == name)
            })
        };
        let mut users = users.iter();
        let by = users.find_map(|api| self.stays(api)).or_else(drafts);
        by.map(Need::By)
    }

    /// The first API of some that stays.
    fn api(&self, concerned: impl Fn(&Api) -> bool) -> Option<String> {
        let apis = self.world.inventory.apis.values();
        let mut there = apis.filter(|api| concerned(api));
        there.find_map(|api| self.stays(&api.id))
    }

    /// An API by its name, unless it goes.
    fn stays(&self, api: &ApiId) -> Option<String> {
        if self.goes(Kind::Api, api.as_str()) {
            return None;
        }
        let found = self.world.inventory.apis.get(api);
        let title = found.and_then(|found| title_of(found, self.world.inventory));
        Some(format!("API {}", title.as_deref().unwrap_or(&api.0)))
    }

    fn goes(&self, kind: Kind, id: &str) -> bool {
        let id = id.to_owned();
        self.orphans.contains_key(&Id { kind, id })
    }

    /// A VPC authorization, whoever's, for the load balancer of a Service.
    fn backend(&self, uid: &str, needed: &BTreeMap<Id, Need>) -> Option<String> {
        let mut services = self.world.services.iter();
        let service = services.find(|service| service.state.uid == uid)?;
        let balancer = service.state.load_balancer_id.as_deref()?;
        let backends = self.world.inventory.backends.values();
        let mut there = backends.filter(|backend| backend.spec.load_balancer_id == balancer);
        let stays = there.find(|backend| {
            let id = Id {
                kind: Kind::Backend,
                id: backend.id.clone(),
            };
            needed.contains_key(&id) || !self.goes(Kind::Backend, &backend.id)
        })?;
        Some(format!("Backend {}", stays.spec.name))
    }

    /// The claims of somebody who had all these things, and nothing else, for the plan of his
    /// deletion.
    pub fn claims(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for orphan in self.orphans.values() {
            // What is no key of a binding's is not for its plan: consumers and Secrets.
            let Ok(key) = orphan.key.parse::<ObjectKey>() else {
                continue;
            };
            if let ObjectKey::Api(api) = &key {
                let found = self.world.inventory.apis.get(&ApiId(orphan.id.id.clone()));
                let environments = found.into_iter().flat_map(|api| api.deployments.keys());
                for environment in environments.copied() {
                    let (running, attached) = (api.clone(), api.clone());
                    let running = ObjectKey::Deployment {
                        api: running,
                        environment,
                    };
                    let attached = ObjectKey::Attachment {
                        api: attached,
                        environment,
                    };
                    claim(&mut ledger, running, "");
                    claim(&mut ledger, attached, "");
                }
                self.grants(&key, &orphan.id.id, &mut ledger);
            }
            claim(&mut ledger, key, &orphan.id.id);
        }
        ledger
    }

    /// Access is taken away before anything else.
    fn grants(&self, key: &ObjectKey, id: &str, ledger: &mut Ledger) {
        let ObjectKey::Api(api) = key else { return };
        let grants = self.world.inventory.grants.keys();
        for grant in grants.filter(|grant| grant.api.as_str() == id) {
            let key = ObjectKey::Grant {
                api: api.clone(),
                environment: grant.environment,
                consumer: self.caller(&grant.consumer),
            };
            claim(ledger, key, grant.consumer.as_str());
        }
    }

    /// A caller as ledgers name it; one whose mark does not say goes by its id.
    fn caller(&self, id: &ConsumerId) -> ConsumerKey {
        let marker = self.world.inventory.consumers.get(id);
        let marker = marker.and_then(|consumer| consumer.marker.as_ref());
        let name = marker.and_then(|marker| marker.owner.strip_prefix("GatewayConsumer/"));
        let (namespace, name) = name
            .and_then(|name| name.split_once('/'))
            .unwrap_or(("", id.as_str()));
        ConsumerKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

fn claim(ledger: &mut Ledger, key: ObjectKey, id: &str) {
    let entry = LedgerEntry {
        key: key.to_string(),
        kind: key.kind().to_owned(),
        id: (!id.is_empty()).then(|| id.to_owned()),
        ..LedgerEntry::default()
    };
    ledger.entries.insert(key, entry);
}

/// The steps of a plan that concern nothing but these things, each with the thing. Names were looked
/// up to plan, and what bears a name now may be another thing than what was judged.
pub fn within(plan: &Plan, going: &BTreeSet<Id>) -> Vec<(Step, Id)> {
    let by_key = |kind, key: &ObjectKey| {
        let id = plan.ids.get(key)?.clone();
        Some(Id { kind, id })
    };
    let thing = |step: &Step| match (&step.key, &step.operation) {
        (ObjectKey::Service { .. }, Operation::DeleteService { uid }) => Some(Id {
            kind: Kind::Service,
            id: uid.clone(),
        }),
        (ObjectKey::Service { .. }, _) => None,
        (ObjectKey::Group { .. }, _) => by_key(Kind::Group, &step.key),
        (ObjectKey::Backend { .. }, _) => by_key(Kind::Backend, &step.key),
        (ObjectKey::Policy { .. }, _) => by_key(Kind::Policy, &step.key),
        (ObjectKey::Api(_), _) => by_key(Kind::Api, &step.key),
        (
            ObjectKey::Deployment { api, .. }
            | ObjectKey::Attachment { api, .. }
            | ObjectKey::Grant { api, .. },
            _,
        ) => by_key(Kind::Api, &ObjectKey::Api(api.clone())),
    };
    let steps = plan.steps.iter();
    let concerned = steps.filter_map(|step| Some((step.clone(), thing(step)?)));
    concerned.filter(|(_, id)| going.contains(id)).collect()
}
