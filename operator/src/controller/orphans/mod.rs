//! The sweep for orphans, part of a class's pass: look at what is known of cluster and cloud, tell
//! what belongs to nobody, and collect what may be collected.
//!
//! It costs the cloud no call of its own as long as there is nothing to collect: it looks at the
//! lists that all bindings share, and takes them where there are no bindings.

mod collect;
mod fates;
mod look;
mod report;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::{BackendName, Kind as ListKind};
use crds::v1alpha1::{GatewayBindingClass, OrphanCause, OrphanPolicy};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::cloud::{Account, Trouble};
use super::context::Context;
use crate::core::consumer::claims::Location;
use crate::core::orphans::going::{Leaving, Users};
use crate::core::orphans::memory::{Look, Memory};
use crate::core::orphans::{Id, Kind, Orphan};
use collect::Collection;
pub use fates::Fates;
use look::{Lists, MARKED, Seen, look};

/// The sweeps of all classes.
#[derive(Debug)]
pub struct Orphans {
    fates: Fates,
    /// By UID of the class.
    classes: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Sweeps>>>>,
}

/// The sweeps of one class.
#[derive(Debug)]
struct Sweeps {
    memory: Memory,
    /// When the last one was tried.
    tried: Instant,
    /// When the lists were taken that the last one looked at.
    lists: BTreeMap<ListKind, Instant>,
    /// The fates that the last look knew.
    fates: u64,
    /// What ran with backends, when it was last asked for.
    users: Users,
}

/// One sweep of one class.
struct Sweep<'a> {
    class: &'a GatewayBindingClass,
    name: String,
    cluster: String,
    location: Location,
    account: &'a Account,
    context: &'a Context,
    fates: &'a Fates,
}

impl Orphans {
    /// Which are collected by what `fates` tell.
    pub fn new(fates: Fates) -> Self {
        Self {
            fates,
            classes: Mutex::default(),
        }
    }

    /// Looks, if a sweep is due or something went since the last look. It fails silently: a class
    /// is not worse for what was left behind, and the next pass looks again.
    pub async fn sweep(&self, class: &GatewayBindingClass, account: &Account, context: &Context) {
        let Some(cloud) = &class.spec.cloud else {
            return;
        };
        self.prune(context);
        let sweep = Sweep {
            class,
            name: class.name_any(),
            cluster: cloud.cluster_id.clone(),
            location: Location {
                account: account.id.clone(),
                region: account.region.clone(),
            },
            account,
            context,
            fates: &self.fates,
        };
        let sweeps = self.sweeps(class);
        let mut sweeps = sweeps.lock().await;
        if let Err(trouble) = sweep.run(&mut sweeps).await {
            let message = trouble.problem.message;
            tracing::debug!(class = sweep.name, message, "no sweep for orphans");
        }
    }

    fn sweeps(&self, class: &GatewayBindingClass) -> Arc<tokio::sync::Mutex<Sweeps>> {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let shown = class.status.iter().flat_map(|status| &status.orphans);
            let shown: Vec<_> = shown.cloned().collect();
            Arc::new(tokio::sync::Mutex::new(Sweeps {
                memory: Memory::recall(&shown),
                tried: Instant::now(),
                lists: BTreeMap::new(),
                fates: 0,
                users: Users::new(),
            }))
        };
        let uid = class.uid().unwrap_or_default();
        classes.entry(uid).or_insert_with(new).clone()
    }

    /// Forgets classes that are gone.
    fn prune(&self, context: &Context) {
        let classes = context.stores.classes.state();
        let is_there = |uid: &String| {
            classes
                .iter()
                .any(|class| class.uid().as_ref() == Some(uid))
        };
        let mut sweeps = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        sweeps.retain(|uid, _| is_there(uid));
        let metrics = &context.runtime.metrics;
        metrics.orphans_only_of(|name| {
            let class: ObjectRef<GatewayBindingClass> = ObjectRef::new(name);
            context.stores.classes.get(&class).is_some()
        });
    }
}

impl Sweep<'_> {
    async fn run(&self, sweeps: &mut Sweeps) -> Result<(), Trouble> {
        let interval = self.context.runtime.args.drift_interval;
        let now = Instant::now();
        let due = now.saturating_duration_since(sweeps.tried) >= interval;
        let fates = self.fates.revision();
        if due {
            sweeps.tried = now;
        } else if sweeps.fates == fates {
            return Ok(());
        }
        let collects = self.class.spec.orphan_policy() == OrphanPolicy::Collect;
        let lists = self.lists(&sweeps.memory, collects);
        let seen = look(self, lists, interval).await?;
        sweeps.fates = fates;
        let is_sweep = due && self.is_news(lists, sweeps);
        let orphans = seen.orphans(self);
        if collects && is_sweep {
            sweeps.users = self.ask_for_users(&sweeps.memory, &orphans).await;
        }
        let news = self.remember(sweeps, &seen, &orphans, is_sweep);
        if is_sweep {
            self.fates.settle(&self.name, &orphans);
        }
        self.publish(&sweeps.memory, &news).await;
        if collects && is_sweep {
            self.collect(sweeps).await;
        }
        Ok(())
    }

    /// Which lists are to be looked at. A class without API gateways has nothing there, unless it
    /// had some and left something.
    fn lists(&self, memory: &Memory, collects: bool) -> Lists {
        let in_cloud = |kind| !matches!(kind, Kind::Service | Kind::Secret);
        let left = || memory.judged().iter().any(|known| in_cloud(known.id.kind));
        if self.class.spec.api_gateways.is_none() && !left() {
            Lists::None
        } else if collects {
            Lists::All
        } else {
            Lists::Marked
        }
    }

    /// Whether every list was taken since the last sweep. If so, this one goes by them.
    fn is_news(&self, lists: Lists, sweeps: &mut Sweeps) -> bool {
        let taken = self.account.gateway.snapshots.taken();
        let is_new = |kind: &ListKind| match (taken.get(kind), sweeps.lists.get(kind)) {
            (Some(now), Some(before)) => now > before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let is_news = lists == Lists::None || MARKED.iter().all(is_new);
        if is_news {
            sweeps.lists = taken;
        }
        is_news
    }

    /// Asks the cloud for what runs with the backends that may be collected: lists do not say it of
    /// what is not ours. None: it did not answer.
    async fn ask_for_users(&self, memory: &Memory, orphans: &[Orphan]) -> Users {
        let mut users = Users::new();
        let lost = memory.lost(orphans, &self.fate());
        for orphan in lost.iter().filter(|orphan| orphan.id.kind == Kind::Backend) {
            let name = BackendName::from(orphan.name.as_str());
            let asked = self.account.gateway.gateway.backend_users(&name).await;
            let asked = asked.inspect_err(
                |error| tracing::warn!(backend = %name, %error, "not collected: its users are unknown"),
            );
            users.insert(name, asked.ok());
        }
        users
    }

    /// Takes what was found into account; returns what is worth telling.
    fn remember(
        &self,
        sweeps: &mut Sweeps,
        seen: &Seen,
        orphans: &[Orphan],
        is_sweep: bool,
    ) -> Vec<Id> {
        let fate = self.fate();
        let needs = match self.class.spec.orphan_policy() {
            OrphanPolicy::Report => BTreeMap::new(),
            OrphanPolicy::Collect => {
                let lost = sweeps.memory.lost(orphans, &fate);
                Leaving::of(lost, seen.world(&sweeps.users)).needs()
            }
        };
        sweeps.memory.look(&Look {
            found: orphans,
            needs: &needs,
            is_there: &|id| seen.is_there(self, id),
            fate: &fate,
            sweeps: self.class.spec.orphan_sweeps(),
            is_sweep,
        })
    }

    fn fate(&self) -> impl Fn(&Orphan) -> Option<OrphanCause> {
        |orphan| self.fates.of(&self.name, orphan)
    }

    async fn collect(&self, sweeps: &mut Sweeps) {
        let ripe = sweeps.memory.ripe(self.class.spec.orphan_sweeps());
        if ripe.is_empty() {
            return;
        }
        let mut collection = Collection::new(self, ripe);
        let result = collection.run(&sweeps.users).await;
        for id in &collection.gone {
            sweeps.memory.forget(id);
        }
        self.tell_collected(&collection.done, result.err());
        self.publish(&sweeps.memory, &[]).await;
    }
}
