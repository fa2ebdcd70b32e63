//! What a sweep looks at.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cloud_adapter::gateway::model::{Inventory, Kind as ListKind};
use crds::keys;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer, LedgerEntry, Reason};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};

use super::Sweep;
use crate::controller::cloud::{Trouble, kube_message};
use crate::controller::context::Context;
use crate::controller::service;
use crate::core::consumer::claims::Location;
use crate::core::orphans::find::{Speaks, View, find, speaks};
use crate::core::orphans::going::{Users, World};
use crate::core::orphans::{Id, MarkedSecret, MarkedService, Orphan};
use crate::core::problem::Problem;
use crate::core::validate::owner;

/// The lists of what carries a mark of its own.
pub(super) const MARKED: [ListKind; 5] = [
    ListKind::Groups,
    ListKind::Backends,
    ListKind::Apis,
    ListKind::Consumers,
    ListKind::Policies,
];

/// Cluster and cloud at one moment.
pub(super) struct Seen {
    /// What the account has; nothing for a class without API gateways.
    pub inventory: Arc<Inventory>,
    /// Services with the mark of the cluster.
    pub services: Vec<MarkedService>,
    secrets: Vec<MarkedSecret>,
    speaks: Speaks,
}

/// Looks at the cluster and at lists no older than `max_age`: of everything, or of what carries
/// marks, or at no list.
pub(super) async fn look(
    sweep: &Sweep<'_>,
    lists: Lists,
    max_age: Duration,
) -> Result<Seen, Trouble> {
    let snapshots = &sweep.account.gateway.snapshots;
    let inventory = match lists {
        Lists::All => snapshots.get(max_age).await?,
        Lists::Marked => snapshots.get_kinds(&MARKED, max_age).await?,
        Lists::None => Arc::default(),
    };
    let context = sweep.context;
    let classes = context.stores.classes.state();
    let speaks = speaks(
        sweep.class,
        &sweep.location,
        classes.iter().map(AsRef::as_ref),
    );
    let secrets = if speaks.secrets {
        secrets(context).await?
    } else {
        Vec::new()
    };
    Ok(Seen {
        inventory,
        services: services(sweep),
        secrets,
        speaks,
    })
}

/// Which lists are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// All, grants and attachments among them.
    All,
    /// Those of what carries a mark.
    Marked,
    /// None.
    None,
}

impl Seen {
    /// The orphans.
    pub(super) fn orphans(&self, sweep: &Sweep<'_>) -> Vec<Orphan> {
        self.with_view(sweep, find)
    }

    /// Whether a thing is there, whoever's it is.
    pub(super) fn is_there(&self, sweep: &Sweep<'_>, id: &Id) -> bool {
        self.with_view(sweep, |view| view.is_there(id))
    }

    /// What things may be needed by.
    pub(super) fn world<'a>(&'a self, users: &'a Users) -> World<'a> {
        World {
            inventory: &self.inventory,
            services: &self.services,
            users,
        }
    }

    fn with_view<T>(&self, sweep: &Sweep<'_>, then: impl FnOnce(&View<'_>) -> T) -> T {
        let context = sweep.context;
        let ledgers = OnceCell::new();
        let claimed = |orphan: &Orphan| {
            let ledgers = ledgers.get_or_init(|| Ledgers::of(context, &sweep.location));
            ledgers.name(orphan)
        };
        then(&View {
            class: &sweep.name,
            cluster: &sweep.cluster,
            location: &sweep.location,
            inventory: &self.inventory,
            services: &self.services,
            secrets: &self.secrets,
            speaks: self.speaks,
            lives: &|owner| lives(owner, context),
            used: &|key| context.peers.is_used(key),
            claimed: &claimed,
        })
    }
}

/// Whether the owner in a mark exists, in whatever state. One of a kind that this version does not
/// know does.
pub(super) fn lives(owner: &str, context: &Context) -> bool {
    let stores = &context.stores;
    match owner.split_once('/') {
        Some(("GatewayBinding", name)) => {
            exists(&stores.bindings, name) || lives_shortened(owner, context)
        }
        Some(("GatewayConsumer", name)) => exists(&stores.consumers, name),
        Some(("GatewayBindingClass", name)) => {
            let class: ObjectRef<GatewayBindingClass> = ObjectRef::new(name);
            stores.classes.get(&class).is_some()
        }
        _ => true,
    }
}

fn exists<K>(store: &Store<K>, name: &str) -> bool
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let Some((namespace, name)) = name.split_once('/') else {
        return true;
    };
    store.get(&ObjectRef::new(name).within(namespace)).is_some()
}

/// A mark holds no more of a long name than its beginning and a digest of the whole.
fn lives_shortened(mark: &str, context: &Context) -> bool {
    /// The longest that is never shortened, less what a digest takes.
    const SHORTEST: usize = 128;
    if mark.len() < SHORTEST {
        return false;
    }
    let bindings = context.stores.bindings.state();
    bindings.iter().any(|binding| {
        let name = crds::v1alpha1::NamespacedName {
            namespace: binding.namespace().unwrap_or_default(),
            name: binding.name_any(),
        };
        owner(&name) == mark
    })
}

/// All that the ledgers of the cluster name in one account and region, whoever serves them.
struct Ledgers {
    keys: HashSet<String>,
    ids: HashSet<(String, String)>,
}

impl Ledgers {
    fn of(context: &Context, location: &Location) -> Self {
        let mut ledgers = Self {
            keys: HashSet::new(),
            ids: HashSet::new(),
        };
        for stored in context.stores.bindings.state() {
            let binding: Arc<GatewayBinding> = context.bindings.newest(stored);
            let ledger = binding.status.iter().flat_map(|status| &status.ledger);
            ledgers.add(ledger, location);
        }
        for stored in context.stores.consumers.state() {
            let consumer: Arc<GatewayConsumer> = context.consumers.newest(stored);
            let ledger = consumer.status.iter().flat_map(|status| &status.ledger);
            ledgers.add(ledger, location);
        }
        ledgers
    }

    fn add<'a>(&mut self, ledger: impl Iterator<Item = &'a LedgerEntry>, location: &Location) {
        let here = |place: &Option<String>, here: &String| place.as_ref().is_none_or(|p| p == here);
        for entry in ledger {
            if here(&entry.account, &location.account) && here(&entry.region, &location.region) {
                self.keys.insert(entry.key.clone());
                if let Some(id) = &entry.id {
                    self.ids.insert((entry.kind.clone(), id.clone()));
                }
            }
        }
    }

    fn name(&self, orphan: &Orphan) -> bool {
        let id = (orphan.id.kind.as_str().to_owned(), orphan.id.id.clone());
        self.keys.contains(&orphan.key) || self.ids.contains(&id)
    }
}

/// Services that an operator made for a class of this cluster id.
fn services(sweep: &Sweep<'_>) -> Vec<MarkedService> {
    let context = sweep.context;
    let marked = context
        .stores
        .services
        .state()
        .into_iter()
        .filter_map(|stored| {
            let owner = stored.annotations().get(keys::CREATED_FOR)?.clone();
            let service = context.services.newest(stored);
            let state = service::state(&service, &sweep.cluster);
            state.created_by_us.then(|| MarkedService {
                namespace: service.namespace().unwrap_or_default(),
                name: service.name_any(),
                owner,
                state,
            })
        });
    marked.collect()
}

/// Secrets that an operator made and that Kubernetes will not remove with their consumer: somebody
/// took the owner reference off, or a backup was restored without it.
async fn secrets(context: &Context) -> Result<Vec<MarkedSecret>, Trouble> {
    let marked = format!("{}={}", keys::MANAGED_BY, keys::FIELD_MANAGER);
    let marked = ListParams::default().labels(&marked);
    let mut listed = Vec::new();
    for (_, api) in context.secrets::<Secret>() {
        let here = api.list_metadata(&marked).await.map_err(|error| {
            Trouble::from(Problem::retry(
                Reason::InternalError,
                format!("list of Secrets: {}", kube_message(&error)),
            ))
        })?;
        listed.extend(here.items);
    }
    let left = listed.into_iter().filter(|secret| {
        secret.metadata.deletion_timestamp.is_none()
            && !secret
                .owner_references()
                .iter()
                .any(|owner| owner.kind == GatewayConsumer::kind(&()))
    });
    let secrets = left.filter_map(|secret| {
        Some(MarkedSecret {
            owner: secret.annotations().get(keys::CREATED_FOR)?.clone(),
            namespace: secret.namespace()?,
            name: secret.name_any(),
            uid: secret.uid()?,
        })
    });
    Ok(secrets.collect())
}
