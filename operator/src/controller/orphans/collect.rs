//! Removes orphans: through the plan of a deletion, by marks that were read right before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::{ConsumerId, Inventory, Marker};
use crds::v1alpha1::{OrphanCause, Reason};

use super::Sweep;
use super::look::{Lists, Seen, lives, look};
use crate::controller::binding::execute::Executor;
use crate::controller::cloud::Trouble;
use crate::core::ledger::Ledger;
use crate::core::orphans::going::{Leaving, Users, within};
use crate::core::orphans::{Id, Kind, Orphan};
use crate::core::plan::{self, Action, Plan, Step, World};
use crate::core::problem::Problem;
use crate::core::validate::class_owner;

/// Things that one sweep collects at the most; the next one goes on.
const MOST: usize = 64;

/// One collection.
pub(super) struct Collection<'a> {
    sweep: &'a Sweep<'a>,
    ripe: BTreeSet<Id>,
    /// What is gone.
    pub(super) gone: Vec<Id>,
    /// What was done, for people.
    pub(super) done: Vec<String>,
}

impl<'a> Collection<'a> {
    /// Of what several sweeps have found.
    pub(super) fn new(sweep: &'a Sweep<'a>, ripe: BTreeSet<Id>) -> Self {
        Self {
            sweep,
            ripe,
            gone: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Looks at everything once more, and removes what still belongs to nobody and is needed by
    /// nothing. What fails ends it; the next sweep goes on.
    pub(super) async fn run(&mut self, users: &Users) -> Result<(), Trouble> {
        let sweep = self.sweep;
        let change = sweep.context.guard.status(sweep.class).0;
        if change.is_some_and(|change| change.held.is_some()) {
            // A person is looking into what happens to the class.
            return Ok(());
        }
        // Bindings that change what they share do so one at a time as well.
        let _alone = sweep.account.shared.lock().await;
        let seen = look(sweep, Lists::All, Duration::ZERO).await?;
        let going = self.going(&seen, users);
        if going.is_empty() {
            return Ok(());
        }
        let claims = Leaving::of(&going, seen.world(users)).claims();
        let plan = self.informed_plan(&claims, &seen).await?;
        let ids: BTreeSet<Id> = going.iter().map(|orphan| orphan.id.clone()).collect();
        let (late, early): (Vec<_>, Vec<_>) = within(&plan, &ids)
            .into_iter()
            .partition(|(_, id)| id.kind > Kind::Consumer);
        let mut executor = self.executor(plan.ids);
        for (step, id) in &early {
            self.step(&mut executor, step, id, &going).await?;
        }
        for orphan in going.iter().filter(|o| o.id.kind == Kind::Consumer) {
            self.consumer(orphan).await?;
        }
        for (step, id) in &late {
            self.step(&mut executor, step, id, &going).await?;
        }
        Ok(())
    }

    /// What is still an orphan, lost its owner, and is needed by nothing that stays.
    fn going(&self, seen: &Seen, users: &Users) -> Vec<Orphan> {
        let sweep = self.sweep;
        let fate = |orphan: &Orphan| sweep.fates.of(&sweep.name, orphan);
        let is_lost = |cause: OrphanCause| cause == OrphanCause::OwnerLost;
        let mut going = seen.orphans(sweep);
        going.retain(|orphan| self.ripe.contains(&orphan.id) && fate(orphan).is_none_or(is_lost));
        going.truncate(MOST);
        let needs = Leaving::of(&going, seen.world(users)).needs();
        going.retain(|orphan| !needs.contains_key(&orphan.id));
        going
    }

    /// The plan, once all it depends on has been read.
    async fn informed_plan(&self, claims: &Ledger, seen: &Seen) -> Result<Plan, Trouble> {
        let plan = self.plan(claims, seen, &seen.inventory);
        if plan.unread.is_empty() {
            return Ok(plan);
        }
        let gateway = &self.sweep.account.gateway;
        for api in plan.unread.iter() {
            if let Some(api) = seen.inventory.apis.get(api) {
                gateway.gateway.read_api(api).await?;
            }
        }
        Ok(self.plan(claims, seen, &gateway.snapshots.peek()))
    }

    fn plan(&self, claims: &Ledger, seen: &Seen, inventory: &Inventory) -> Plan {
        let sweep = self.sweep;
        let services = seen.services.iter().map(|service| {
            let place = (service.namespace.clone(), service.name.clone());
            (place, service.state.clone())
        });
        let class_owner = class_owner(&sweep.name);
        let world = World {
            cluster: &sweep.cluster,
            // Nobody's: what else is to go is said by the claims alone.
            owner: "",
            class_owner: Some(&class_owner),
            inventory: Some(inventory),
            services: &services.collect(),
            in_use: &|key| sweep.context.peers.is_used(key),
            is_live: &|owner| sweep.context.peers.is_live(owner),
        };
        plan::plan(&[], claims, &world)
    }

    fn executor(&self, ids: BTreeMap<crate::core::key::ObjectKey, String>) -> Executor<'a> {
        let sweep = self.sweep;
        let marker = |owner: String| Marker {
            cluster: sweep.cluster.clone(),
            owner,
        };
        Executor {
            context: sweep.context,
            account: Some(sweep.account),
            owner: marker(String::new()),
            shared_owner: marker(class_owner(&sweep.name)),
            class: &sweep.name,
            ids,
        }
    }

    async fn step(
        &mut self,
        executor: &mut Executor<'_>,
        step: &Step,
        id: &Id,
        going: &[Orphan],
    ) -> Result<(), Trouble> {
        let context = self.sweep.context;
        // Somebody may have come since everything was looked at.
        let orphan = going.iter().find(|orphan| orphan.id == *id);
        let wanted = if step.key.is_shared() {
            context.peers.is_used(&step.key)
        } else {
            orphan.is_none_or(|orphan| lives(&orphan.owner, context))
        };
        if wanted {
            return Ok(());
        }
        executor.execute(step).await?;
        let action = step.operation.action();
        self.done.push(format!("{} {}", action.as_str(), step.key));
        if orphan.is_some_and(|orphan| orphan.key == step.key.to_string()) {
            self.gone.push(id.clone());
        }
        Ok(())
    }

    async fn consumer(&mut self, orphan: &Orphan) -> Result<(), Trouble> {
        let context = self.sweep.context;
        if lives(&orphan.owner, context) {
            return Ok(());
        }
        let leading = context.runtime.leadership.ensure_leading();
        leading
            .map_err(|error| Trouble::from(Problem::retry(Reason::Pending, error.to_string())))?;
        let gateway = &self.sweep.account.gateway.gateway;
        let id = ConsumerId::from(orphan.id.id.as_str());
        gateway.delete_consumer(&id).await?;
        let action = Action::Delete.as_str();
        tracing::info!(object = orphan.key, action, "done");
        let metrics = &context.runtime.metrics;
        metrics.plan_step(action, orphan.id.kind.as_str());
        self.done.push(format!("{action} {}", orphan.key));
        self.gone.push(orphan.id.clone());
        Ok(())
    }
}
