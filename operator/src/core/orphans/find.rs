//! Which things that carry our mark belong to nobody.
//!
//! What a binding has for itself, and a consumer, belongs to its owner as long as that exists in
//! whatever state: deleted, suspended, invalid. What the bindings of a class share belongs to those
//! who use it. What any ledger names belongs to somebody in any case.

use cloud_adapter::gateway::model::{Api, ApiId, ConsumerId, GroupId, Inventory, Marker, PolicyId};
use crds::v1alpha1::{Cloud, GatewayBindingClass};
use kube::ResourceExt;

use super::{Id, Kind, MarkedSecret, MarkedService, Orphan};
use crate::core::consumer::claims::{AppKey, Claim, Location};
use crate::core::key::{ApiKey, ObjectKey, by_id};
use crate::core::validate::class_owner;

/// What a class looks at.
pub struct View<'a> {
    /// Its name.
    pub class: &'a str,
    /// Its cluster id.
    pub cluster: &'a str,
    /// Account and region of the inventory.
    pub location: &'a Location,
    /// What the account has there, from complete lists of everything that carries marks.
    pub inventory: &'a Inventory,
    /// Services with the mark of the cluster.
    pub services: &'a [MarkedService],
    /// Secrets with a mark that are nobody's in the eyes of Kubernetes.
    pub secrets: &'a [MarkedSecret],
    /// What it speaks for beside its own.
    pub speaks: Speaks,
    /// Whether the owner in a mark exists, in whatever state, whoever serves it.
    pub lives: &'a dyn Fn(&str) -> bool,
    /// Whether a binding uses something shared, or is about to.
    pub used: &'a dyn Fn(&ObjectKey) -> bool,
    /// Whether any ledger names a thing.
    pub claimed: &'a dyn Fn(&Orphan) -> bool,
}

/// What a class speaks for although its mark does not name it: of several classes only one does, so
/// that nothing is told twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speaks {
    /// Things in the account and region with its cluster id that name no class that exists.
    pub place: bool,
    /// The same for Services.
    pub cluster: bool,
    /// Secrets, which have nothing to do with a class.
    pub secrets: bool,
}

/// What a class speaks for. `location` is where its credentials lead to.
pub fn speaks<'a>(
    class: &GatewayBindingClass,
    location: &Location,
    classes: impl IntoIterator<Item = &'a GatewayBindingClass>,
) -> Speaks {
    let Some(cloud) = &class.spec.cloud else {
        return Speaks::default();
    };
    let lives = |other: &&GatewayBindingClass| other.metadata.deletion_timestamp.is_none();
    let others: Vec<(String, &GatewayBindingClass, &Cloud)> = classes
        .into_iter()
        .filter(lives)
        .filter_map(|other| Some((other.name_any(), other, other.spec.cloud.as_ref()?)))
        .collect();
    let name = class.name_any();
    let first = |concerned: &dyn Fn(&GatewayBindingClass, &Cloud) -> bool| {
        let before = |(other, class, cloud): &(String, &GatewayBindingClass, &Cloud)| {
            *other < name && concerned(class, cloud)
        };
        !others.iter().any(before)
    };
    let leads_there = |class: &GatewayBindingClass, cloud: &Cloud| {
        let status = class.status.as_ref();
        let account = status.and_then(|status| status.account.as_ref());
        account.or(cloud.account_id.as_ref()) == Some(&location.account)
            && cloud.region_id == location.region
            && class.spec.api_gateways.is_some()
    };
    let same = |other: &Cloud| other.cluster_id == cloud.cluster_id;
    Speaks {
        place: class.spec.api_gateways.is_some()
            && first(&|class, cloud| same(cloud) && leads_there(class, cloud)),
        cluster: first(&|_, cloud| same(cloud)),
        secrets: first(&|_, _| true),
    }
}

/// Owners as marks spell them.
const BINDING: &str = "GatewayBinding/";
const CLASS: &str = "GatewayBindingClass/";
const CONSUMER: &str = "GatewayConsumer/";

/// All orphans that this class speaks for.
pub fn find(view: &View<'_>) -> Vec<Orphan> {
    let mut shared = view.groups();
    shared.extend(view.backends());
    shared.extend(view.policies());
    shared.extend(view.services());
    // What a binding uses that lives and claims nothing, since it is suspended or lost its status,
    // cannot be told.
    if !shared.is_empty() && view.is_unclear() {
        shared.clear();
    }
    let mut orphans = view.apis();
    orphans.extend(view.consumers());
    orphans.extend(view.secrets());
    orphans.extend(shared);
    orphans.retain(|orphan| !(view.claimed)(orphan));
    orphans.sort();
    orphans
}

impl View<'_> {
    /// Our mark on a thing.
    fn owner<'m>(&self, marker: Option<&'m Marker>) -> Option<&'m str> {
        let marker = marker.filter(|marker| marker.cluster == self.cluster)?;
        Some(&marker.owner)
    }

    /// Whether this class answers for what names a class, or names none (`speaks` for those).
    fn answers_for(&self, class: Option<&str>, speaks: bool) -> bool {
        match class {
            Some(owner) if owner == class_owner(self.class) => true,
            Some(owner) => speaks && !(self.lives)(owner),
            None => speaks,
        }
    }

    /// Whether something shared is nobody's and this class's to tell.
    fn is_left(&self, owner: &str, key: &ObjectKey, speaks: bool) -> bool {
        owner.starts_with(CLASS) && self.answers_for(Some(owner), speaks) && !(self.used)(key)
    }

    fn groups(&self) -> Vec<Orphan> {
        let groups = self.inventory.groups.values();
        let left = groups.filter_map(|group| {
            let owner = self.owner(group.marker.as_ref())?;
            let name = group.spec.name.clone();
            let key = ObjectKey::Group { name: name.clone() };
            let id = group.id.0.clone();
            let left = self.is_left(owner, &key, self.speaks.place);
            left.then(|| orphan(Kind::Group, id, name, owner, &key))
        });
        left.collect()
    }

    fn backends(&self) -> Vec<Orphan> {
        let backends = self.inventory.backends.values();
        let left = backends.filter_map(|backend| {
            let owner = self.owner(backend.marker.as_ref())?;
            let name = backend.spec.name.0.clone();
            let key = ObjectKey::Backend { name: name.clone() };
            let left = self.is_left(owner, &key, self.speaks.place);
            left.then(|| orphan(Kind::Backend, backend.id.clone(), name, owner, &key))
        });
        left.collect()
    }

    fn policies(&self) -> Vec<Orphan> {
        let policies = self.inventory.policies.values();
        let left = policies.filter_map(|policy| {
            let owner = self.owner(policy.marker.as_ref())?;
            let name = policy.spec.name.clone();
            let key = ObjectKey::Policy { name: name.clone() };
            let id = policy.id.0.clone();
            let left = self.is_left(owner, &key, self.speaks.place);
            left.then(|| orphan(Kind::Policy, id, name, owner, &key))
        });
        left.collect()
    }

    fn services(&self) -> Vec<Orphan> {
        let services = self.services.iter();
        let left = services.filter_map(|service| {
            let key = ObjectKey::Service {
                namespace: service.namespace.clone(),
                name: service.name.clone(),
            };
            let name = format!("{}/{}", service.namespace, service.name);
            let uid = service.state.uid.clone();
            let left = service.state.created_by_us
                && !service.state.deleting
                && self.is_left(&service.owner, &key, self.speaks.cluster);
            left.then(|| orphan(Kind::Service, uid, name, &service.owner, &key))
        });
        left.collect()
    }

    fn apis(&self) -> Vec<Orphan> {
        let apis = self.inventory.apis.values();
        let left = apis.filter_map(|api| {
            let owner = self.owner(api.marker.as_ref())?;
            let left = owner.starts_with(BINDING)
                && !(self.lives)(owner)
                && self.answers_for(self.home(api), self.speaks.place);
            if left { self.api(api, owner) } else { None }
        });
        left.collect()
    }

    /// The class that an API belongs to: its own mark names the binding only, so that of its group
    /// says it.
    fn home(&self, api: &Api) -> Option<&str> {
        let group = self.inventory.groups.get(&api.group)?;
        let owner = self.owner(group.marker.as_ref())?;
        owner.starts_with(CLASS).then_some(owner)
    }

    /// None if the list of groups is older than the API: without a group it has no name.
    fn api(&self, api: &Api, owner: &str) -> Option<Orphan> {
        let name = title_of(api, self.inventory)?;
        let key = ObjectKey::Api(key_of(api, self.inventory)?);
        Some(orphan(Kind::Api, api.id.0.clone(), name, owner, &key))
    }

    /// Whether an API of a living binding is in no ledger.
    fn is_unclear(&self) -> bool {
        self.inventory.apis.values().any(|api| {
            let Some(owner) = self.owner(api.marker.as_ref()) else {
                return false;
            };
            owner.starts_with(BINDING)
                && (self.lives)(owner)
                && self.answers_for(self.home(api), true)
                && !self.api(api, owner).is_some_and(|api| (self.claimed)(&api))
        })
    }

    fn consumers(&self) -> Vec<Orphan> {
        let consumers = self.inventory.consumers.values();
        let left = consumers.filter_map(|consumer| {
            let owner = self.owner(consumer.marker.as_ref())?;
            let name = consumer.spec.name.clone();
            let key = Claim::App(AppKey {
                location: self.location.clone(),
                name: name.clone(),
            });
            let id = consumer.id.0.clone();
            let left = owner.starts_with(CONSUMER) && !(self.lives)(owner) && self.speaks.place;
            left.then(|| orphan(Kind::Consumer, id, name, owner, &key))
        });
        left.collect()
    }

    fn secrets(&self) -> Vec<Orphan> {
        let secrets = self.secrets.iter();
        let left = secrets.filter(|secret| {
            let owner = &secret.owner;
            self.speaks.secrets && owner.starts_with(CONSUMER) && !(self.lives)(owner)
        });
        let orphans = left.map(|secret| {
            let key = Claim::Secret {
                namespace: secret.namespace.clone(),
                name: secret.name.clone(),
            };
            let name = format!("{}/{}", secret.namespace, secret.name);
            orphan(Kind::Secret, secret.uid.clone(), name, &secret.owner, &key)
        });
        orphans.collect()
    }

    /// Whether a thing is there, whoever's it is now.
    pub fn is_there(&self, id: &Id) -> bool {
        let inventory = self.inventory;
        let text = id.id.as_str();
        match id.kind {
            Kind::Api => inventory.apis.contains_key(&ApiId::from(text)),
            Kind::Policy => inventory.policies.contains_key(&PolicyId::from(text)),
            Kind::Backend => inventory.backends.values().any(|found| found.id == id.id),
            Kind::Consumer => inventory.consumers.contains_key(&ConsumerId::from(text)),
            Kind::Group => inventory.groups.contains_key(&GroupId::from(text)),
            Kind::Service => self.services.iter().any(|found| found.state.uid == id.id),
            Kind::Secret => self.secrets.iter().any(|found| found.uid == id.id),
        }
    }
}

/// Group and name of an API, for people; none if its group is not known.
pub(super) fn title_of(api: &Api, inventory: &Inventory) -> Option<String> {
    let group = inventory.groups.get(&api.group)?;
    Some(format!("{}/{}", group.spec.name, api.name))
}

/// How a ledger names an API of ours; none if its group is not known. It can be in a group that was
/// made in the console, which is adopted by its id.
fn key_of(api: &Api, inventory: &Inventory) -> Option<ApiKey> {
    let group = inventory.groups.get(&api.group)?;
    Some(ApiKey {
        group: match group.marker {
            Some(_) => group.spec.name.clone(),
            None => by_id(group.id.as_str()),
        },
        name: api.name.clone(),
    })
}

fn orphan(kind: Kind, id: String, name: String, owner: &str, key: &impl ToString) -> Orphan {
    Orphan {
        id: Id { kind, id },
        name,
        owner: owner.to_owned(),
        key: key.to_string(),
    }
}
