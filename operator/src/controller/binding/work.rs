//! The middle of a pass: look, decide, plan, act, look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::{ApiId, Inventory};
use crds::v1alpha1::Reason;
use kube::ResourceExt;
use tokio::sync::MutexGuard;

use super::approve::place;
use super::dereference::{self, dereference};
use super::execute::{Executor, markers};
use super::report::Report;
use crate::controller::cloud::{Account, Trouble};
use crate::controller::context::Context;
use crate::core::adoption::watched;
use crate::core::approval::Approval;
use crate::core::balancer::LoadBalancer;
use crate::core::desire::{Wanted, desire};
use crate::core::desired::Desired;
use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;
use crate::core::nlb;
use crate::core::observed::{Lookup, ServiceState};
use crate::core::peers::wants_to_adopt;
use crate::core::plan::{self, Operation, Plan, Step, World};
use crate::core::problem::Problem;
use crate::core::references::References;
use crate::core::slb::existing;
use crate::core::validate::{Validated, class_owner, owner};
use crate::core::writers;

/// Plans that follow each other in one pass at the most. Three are usual after a change: one that
/// is carried out, one that finds nothing left to do, and one after reading what was written.
const ROUNDS: usize = 12;
/// Readings of what was written in one pass at the most.
const PROOFS: usize = 4;

/// The middle of one pass.
pub(super) struct Work<'a> {
    /// The binding as it is meant.
    pub validated: &'a Validated,
    /// The class's account, if it is known.
    pub account: Option<&'a Account>,
    /// What the controllers share.
    pub context: &'a Context,
    /// Whether the cloud is to be listed anew.
    pub refresh: bool,
    /// With it, nothing but what it covers is done.
    pub approval: Option<Approval>,
}

impl Work<'_> {
    /// Reads what the binding refers to and what is there, and decides what is wanted.
    pub(super) async fn look(&mut self, report: &mut Report) {
        let existing = self.context.peers.existing(self.validated);
        let account = (self.account, self.refresh);
        let (references, trouble) =
            dereference(self.validated, existing.as_deref(), account, self.context).await;
        let outcome = self.context.peers.shares(self.validated, &references);
        report.restart();
        if let Some(trouble) = trouble {
            report.trouble(trouble);
        }
        self.watch(&references, report);
        report.inventory = self.inventory(report).await;
        self.refresh = false;
        let wanted = desire(self.validated, &references, &outcome.shares);
        report.problems.extend(wanted.problems.clone());
        for conflict in &outcome.conflicts {
            report.problems.push(conflict_problem(conflict));
        }
        report.note_wanted(&wanted);
        report.conflicts = outcome.conflicts;
        report.holds = outcome.holds;
        report.service = references.service;
        let existing = references.existing.and_then(|existing| existing.state);
        report.load_balancer = references.load_balancer.or(existing);
        report.wanted = wanted;
    }

    /// What others made and this binding uses is read like what is ours.
    fn watch(&self, references: &References, report: &Report) {
        if let Some(account) = self.account {
            let wanted = wants_to_adopt(self.validated);
            let mut watched = watched(&wanted, &report.ledger);
            watched.consumers.extend(references.known_consumers());
            account.gateway.snapshots.watch(watched);
        }
    }

    /// The API gateway's objects, if the binding has to do with any.
    async fn inventory(&mut self, report: &mut Report) -> Option<Arc<Inventory>> {
        if !self.concerns_cloud(report) {
            return Some(Arc::default());
        }
        let account = self.account?;
        let snapshots = &account.gateway.snapshots;
        let listed = if std::mem::take(&mut self.refresh) {
            snapshots.get(Duration::ZERO).await
        } else {
            self.context.read(|age| snapshots.get(age)).await
        };
        match listed {
            Ok(inventory) => {
                self.context
                    .runtime
                    .metrics
                    .drift_checked(&self.validated.class);
                Some(inventory)
            }
            Err(error) => {
                report.trouble(Trouble::from(error));
                None
            }
        }
    }

    /// Whether the binding wants or claims anything of the API gateway.
    pub(super) fn concerns_cloud(&self, report: &Report) -> bool {
        let mut claimed = report.ledger.entries.keys();
        self.validated.exposure.is_some()
            || claimed.any(|key| !matches!(key, ObjectKey::Service { .. }))
    }

    /// The plan for what was last looked at.
    pub(super) fn plan(&self, report: &Report) -> Plan {
        self.plan_of(&report.wanted, &report.ledger, report.inventory.as_deref())
    }

    /// The plan for what is wanted, given what is claimed and there.
    pub(super) fn plan_of(
        &self,
        wanted: &Wanted,
        ledger: &Ledger,
        inventory: Option<&Inventory>,
    ) -> Plan {
        if wanted.stands_still {
            return Plan::standing(ledger);
        }
        let binding = &self.validated.binding;
        let peers = &self.context.peers;
        let services = self.services(wanted, ledger);
        let class_owner = class_owner(&self.validated.class);
        let world = World {
            cluster: &self.validated.cluster,
            owner: &owner(binding),
            class_owner: Some(&class_owner),
            inventory,
            services: &services,
            in_use: &|key| peers.in_use(key, binding),
            is_live: &|owner| peers.is_live(owner),
        };
        plan::plan(&wanted.items, ledger, &world)
    }

    fn services(
        &self,
        wanted: &Wanted,
        ledger: &Ledger,
    ) -> BTreeMap<(String, String), ServiceState> {
        let keys = wanted
            .items
            .iter()
            .map(|item| &item.key)
            .chain(ledger.entries.keys());
        let places = keys.filter_map(|key| match key {
            ObjectKey::Service { namespace, name } => Some((namespace.clone(), name.clone())),
            _ => None,
        });
        dereference::services(self.context, &self.validated.cluster, places)
    }

    /// The plan for what was last looked at, once all it depends on has been read.
    pub(super) async fn informed_plan(&mut self, report: &mut Report) -> Plan {
        let plan = self.plan(report);
        if plan.unread.is_empty() {
            return plan;
        }
        if let Err(trouble) = self.read(&plan.unread, report).await {
            report.trouble(trouble);
            // What could not be read is neither as wanted nor otherwise.
            report.inventory = None;
            return self.plan(report);
        }
        self.look(report).await;
        self.plan(report)
    }

    async fn read(&self, apis: &BTreeSet<ApiId>, report: &Report) -> Result<(), Trouble> {
        let (Some(account), Some(inventory)) = (self.account, &report.inventory) else {
            return Ok(());
        };
        for api in apis.iter().filter_map(|id| inventory.apis.get(id)) {
            account.gateway.gateway.read_api(api).await?;
        }
        Ok(())
    }

    /// Plans and executes until nothing is left to do or something stands in the way. A plan that
    /// touches what the class's bindings share is made anew alone, and executed alone as far as
    /// it does.
    pub(super) async fn carry_out(&mut self, report: &mut Report) {
        let mut proofs = 0;
        if let Err(trouble) = self.audit(report).await {
            report.trouble(trouble);
            return;
        }
        for _ in 0..ROUNDS {
            let mut plan = self.informed_plan(report).await;
            let mut alone = None;
            if let (true, Some(account)) = (plan.touches_shared(), self.account) {
                alone = Some(account.shared.lock().await);
                self.look(report).await;
                plan = self.informed_plan(report).await;
            }
            if let Some(approval) = &self.approval {
                if let Err(problem) = approval.check(&plan.steps) {
                    report.open(plan);
                    report.problems.push(problem);
                    return;
                }
            } else {
                let drift = super::held_back(&mut plan, report, self.validated);
                report.problems.extend(drift);
            }
            let hopeless = self.hopeless(&mut plan, report).await;
            report.problems.extend(hopeless);
            self.hold_mass_change(&mut plan, report);
            report.problems.append(&mut plan.problems);
            report.ids.extend(std::mem::take(&mut plan.ids));
            if let Err(trouble) = self.claim(&plan, report).await {
                report.open(plan);
                report.trouble(trouble);
                return;
            }
            if plan.is_empty() && !plan.unstamped.is_empty() && proofs < PROOFS {
                proofs += 1;
                // What we wrote is read once: it proves that it is there, and its versions tell
                // from now on whether somebody changed it.
                if let Err(trouble) = self.read(&plan.unstamped, report).await {
                    report.trouble(trouble);
                    return;
                }
                self.look(report).await;
                continue;
            }
            if plan.is_empty() {
                report.settle(&plan);
                let fresh = self.context.runtime.args.drift_interval;
                let keys = report
                    .digests
                    .keys()
                    .filter(|key| !report.drifted.contains(key));
                let now = Instant::now();
                self.context.tries.kept(&self.uid(report), keys, fresh, now);
                return;
            }
            if let Err(trouble) = self.execute(plan, report, alone).await {
                report.trouble(trouble);
                return;
            }
            self.look(report).await;
        }
    }

    /// Reads the binding's APIs, moved or not, if that is due.
    async fn audit(&mut self, report: &mut Report) -> Result<(), Trouble> {
        let interval = self.context.runtime.args.drift_interval;
        let uid = self.uid(report);
        let due = self.context.audits.due(&uid, interval, Instant::now());
        let Some(inventory) = report.inventory.clone().filter(|_| due) else {
            return Ok(());
        };
        let keys = report.wanted.items.iter().map(|item| &item.key);
        let apis = keys.filter_map(|key| match key {
            ObjectKey::Api(api) => inventory.api(&api.group, &api.name),
            _ => None,
        });
        let ids: BTreeSet<ApiId> = apis.map(|api| api.id.clone()).collect();
        self.read(&ids, report).await?;
        self.look(report).await;
        Ok(())
    }

    pub(super) fn uid(&self, report: &Report) -> String {
        report.binding.uid().unwrap_or_default()
    }

    /// Takes changes out of a plan that were made several times and did not last.
    async fn hopeless(&self, plan: &mut Plan, report: &mut Report) -> Option<Problem> {
        let uid = self.uid(report);
        let (given_up, rest): (Vec<Step>, Vec<Step>) = std::mem::take(&mut plan.steps)
            .into_iter()
            .partition(|step| self.context.tries.step_exhausted(&uid, step));
        plan.steps = rest;
        report
            .drifted
            .extend(given_up.iter().map(|step| step.key.clone()));
        let mut fields = Vec::new();
        for step in &given_up {
            for change in &step.changes {
                let by = self.writer(&step.key, &change.path, report).await;
                fields.push(writers::unkept(&step.key.to_string(), change, &by));
            }
        }
        (!fields.is_empty()).then(|| Problem::unkept(&fields))
    }

    /// Who set a field back, as far as that can be known.
    async fn writer(&self, key: &ObjectKey, path: &str, report: &Report) -> String {
        if let ObjectKey::Service { .. } = key {
            let field = path.split('.').next().unwrap_or_default();
            let service = report.service.as_ref();
            let known = service.and_then(|service| {
                let writers = &service.writers;
                writers.get(path).or_else(|| writers.get(field))
            });
            return writers::managers(known.map_or(&[], Vec::as_slice));
        }
        let unnamed = writers::unnamed(writers::calls(key));
        match self.publication(key, report).await {
            Some(note) => format!("in a publication described as \"{note}\", {unnamed}"),
            None => unnamed,
        }
    }

    /// What whoever published a deployment last wrote about it.
    async fn publication(&self, key: &ObjectKey, report: &Report) -> Option<String> {
        let ObjectKey::Deployment { api, environment } = key else {
            return None;
        };
        let found = report.inventory.as_ref()?.api(&api.group, &api.name)?;
        let gateway = &self.account?.gateway.gateway;
        let note = gateway.publication_note(found, *environment).await;
        note.ok()?.filter(|note| !note.is_empty())
    }

    /// Writes all names into the ledger before the first of them is created, and the approval before
    /// its first step.
    async fn claim(&self, plan: &Plan, report: &mut Report) -> Result<(), Trouble> {
        let place = place(self.account);
        let before = report.ledger.clone();
        for key in &plan.claims {
            report.ledger.claim(key, &place);
        }
        report.ledger.foresee(plan);
        report.remember_previous(plan);
        report.note_ids();
        let news = report.ledger != before || report.approval_is_news();
        if news && !plan.is_empty() {
            report.write_ledger(self.context).await?;
        }
        Ok(())
    }

    async fn execute(
        &self,
        plan: Plan,
        report: &mut Report,
        mut alone: Option<MutexGuard<'_, ()>>,
    ) -> Result<(), Trouble> {
        let (owner, shared_owner) = markers(self.validated);
        let mut executor = Executor {
            context: self.context,
            account: self.account,
            owner,
            shared_owner,
            class: &self.validated.class,
            ids: report.ids.clone(),
        };
        let mut steps = plan.steps.iter();
        let mut failed = None;
        while let Some(step) = steps.next() {
            match executor.execute(step).await {
                Ok(()) => {
                    let now = Instant::now();
                    self.context.tries.step_made(&self.uid(report), step, now);
                    report.done(step, &plan.claims);
                    self.note_gone(step);
                    if !steps.as_slice().iter().any(|step| step.key.is_shared()) {
                        alone = None;
                    }
                }
                Err(trouble) => {
                    report.remaining.push(step.clone());
                    failed = Some(trouble);
                    break;
                }
            }
        }
        drop(alone);
        report.remaining.extend(steps.cloned());
        report.ids = executor.ids;
        report.note_ids();
        report.release(&plan.released);
        failed.map_or(Ok(()), Err)
    }
}

pub(super) fn conflict_problem(conflict: &crds::v1alpha1::FieldConflict) -> Problem {
    let by = conflict
        .held_by
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    Problem::blocked(
        Reason::Conflict,
        format!(
            "{} of {}: wanted \"{}\", held at \"{}\" by GatewayBinding {by}. Remove the field, use the same value, or let the class set it.",
            conflict.field,
            conflict.object,
            conflict.wanted.as_deref().unwrap_or_default(),
            conflict.held.as_deref().unwrap_or_default()
        ),
    )
}

/// What was wanted under each key, as digests.
pub(super) fn digests(wanted: &Wanted) -> BTreeMap<ObjectKey, String> {
    wanted
        .items
        .iter()
        .filter(|item| !matches!(item.desired, Desired::Undecided))
        .map(|item| (item.key.clone(), item.desired.digest()))
        .collect()
}

/// The public name of a binding's group.
pub(super) fn sub_domain(validated: &Validated, inventory: &Inventory) -> Option<String> {
    let exposure = validated.exposure.as_ref()?;
    let group = inventory.group(&exposure.group.name)?;
    let shown = exposure.adopted_group.is_none() || group.spec.test_domain;
    shown.then(|| group.sub_domain.clone())
}

/// Annotations that a step overwrites for the first time, with what they were: those of others only by a
/// takeover, since it fails otherwise. Of a load balancer that others made it is what that is: no
/// annotation said it.
pub(super) fn overwritten(
    operation: &Operation,
    state: &ServiceState,
    load_balancer: Option<&LoadBalancer>,
) -> BTreeMap<String, String> {
    let Operation::ApplyService {
        annotations,
        takeover,
        ..
    } = operation
    else {
        return BTreeMap::new();
    };
    if state.created_by_us {
        return BTreeMap::new();
    }
    let standing: BTreeMap<String, String> = load_balancer
        .filter(|_| existing::names_one(annotations))
        .map(|balancer| match balancer {
            LoadBalancer::Classic(state) => existing::standing(state).into_iter().collect(),
            LoadBalancer::Network(state) => nlb::standing(state),
        })
        .unwrap_or_default();
    let said = |key| state.annotations.get(key).filter(|_| *takeover);
    let before = |key| said(key).or_else(|| standing.get(key));
    annotations
        .keys()
        .filter(|key| !state.our_annotations.contains(key))
        .filter_map(|key| Some((key.clone(), before(key)?.clone())))
        .collect()
}
