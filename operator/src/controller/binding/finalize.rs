//! The end of a binding: what it claimed goes, by its ledger alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::keys;
use crds::v1alpha1::{
    ConditionStatus, ConditionType, ConditionUpdate, DeletionPolicy, GatewayBinding,
    GatewayBindingClass, Mode, NamespacedName, Reason, set_condition,
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::execute::Executor;
use super::report::{api, write_status};
use super::{KIND, approve, dereference, retry};
use crate::backoff::ObjectKey as BackoffKey;
use crate::controller::cloud::{Account, Trouble};
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::adoption::watched;
use crate::core::approval::{self, Approval, Basis, Verdict};
use crate::core::desire::{Shares, desire};
use crate::core::guard::{self, Answer, Thing};
use crate::core::key::ObjectKey;
use crate::core::ledger::{Ledger, Place};
use crate::core::plan::{self, Plan, World};
use crate::core::problem::{Problem, Severity};
use crate::core::published::Published;
use crate::core::references::{References, Target};
use crate::core::unreadable;
use crate::core::validate::{class_owner, owner, validate};
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::Marker;

/// Plans that follow each other in one pass at the most.
const ROUNDS: usize = 4;

/// Removes what a binding claimed, then lets it go.
pub(super) async fn finalize(
    binding: Arc<GatewayBinding>,
    class: Option<GatewayBindingClass>,
    context: &Context,
) -> Ended {
    if !writes::is_held(&*binding) {
        return Ended::Done;
    }
    let spec = class.as_ref().map(|class| &class.spec);
    let detached = binding
        .annotations()
        .get(keys::DETACH)
        .is_some_and(|value| value == "true");
    let mut ledger = Ledger::of(&binding);
    if let Some(problem) = unreadable::problem(&*binding).filter(|_| !detached) {
        // Whether what it made is to stay is among what cannot be read.
        let blocked = Problem {
            reason: Reason::DeletionBlocked,
            message: format!(
                "{} What is left: {}. To let the binding go and leave that in place, annotate it with {}: \"true\".",
                problem.message,
                left(&ledger),
                keys::DETACH
            ),
            ..problem
        };
        show(&binding, class.as_ref(), &ledger, &blocked, None, context).await;
        return Ended::Stuck;
    }
    let retained = binding.spec.deletion_policy(spec) == DeletionPolicy::Retain;
    if !detached && context.has_lost_status(&*binding) {
        ledger = class
            .as_ref()
            .map_or(ledger, |class| claimed_by_spec(&binding, class, context));
    }
    if detached || retained || ledger.entries.is_empty() {
        return let_go(&binding, context).await;
    }
    let mut planned = None;
    let result = match binding.spec.mode() {
        Mode::Apply | Mode::Plan => {
            remove(&binding, class.as_ref(), &mut ledger, &mut planned, context).await
        }
        Mode::Suspend => Err(Trouble::from(Problem::blocked(
            Reason::DeletionBlocked,
            "spec.mode is Suspend, so nothing is removed. Set mode: Apply, or deletionPolicy: Retain to leave everything in place.",
        ))),
    };
    let plan = planned.as_ref();
    match result {
        Ok(()) if ledger.entries.is_empty() => let_go(&binding, context).await,
        Ok(()) => {
            let waiting = Problem::waiting(Reason::Deleting, left(&ledger));
            show(&binding, class.as_ref(), &ledger, &waiting, plan, context).await;
            Ended::Waiting
        }
        Err(trouble) if trouble.problem.reason == Reason::MassChangeHeld => {
            show(
                &binding,
                class.as_ref(),
                &ledger,
                &trouble.problem,
                plan,
                context,
            )
            .await;
            Ended::Stuck
        }
        Err(Trouble {
            problem,
            retry_after: Some(left),
            ..
        }) if problem.reason == Reason::Deleting => Ended::Later(left),
        Err(trouble) => {
            let blocked = Problem {
                reason: Reason::DeletionBlocked,
                message: format!(
                    "{} What is left: {}. To let the binding go and leave that in place, annotate it with {}: \"true\".",
                    trouble.problem.message,
                    left(&ledger),
                    keys::DETACH
                ),
                ..trouble.problem.clone()
            };
            show(&binding, class.as_ref(), &ledger, &blocked, plan, context).await;
            if blocked.severity == Severity::Terminal {
                return Ended::Stuck;
            }
            retry(&trouble)
        }
    }
}

/// What a binding claimed whose status was lost: all that its spec asks for. What is not there, or
/// not ours, falls away as soon as the cloud is looked at.
fn claimed_by_spec(
    binding: &GatewayBinding,
    class: &GatewayBindingClass,
    context: &Context,
) -> Ledger {
    let mut ledger = Ledger::default();
    let labels = context
        .stores
        .namespace_labels(&binding.namespace().unwrap_or_default());
    let Ok(validated) = validate(binding, class, &labels) else {
        return ledger;
    };
    let nothing_known = References {
        now: Timestamp::now(),
        target: Target::Service,
        service: None,
        source: None,
        load_balancer: None,
        consumers: BTreeMap::new(),
    };
    let wanted = desire(&validated, &nothing_known, &Shares::default());
    for item in wanted.items {
        ledger.claim(&item.key, &Place::default());
    }
    ledger
}

fn left(ledger: &Ledger) -> String {
    let keys: Vec<String> = ledger.entries.keys().map(ToString::to_string).collect();
    keys.join(", ")
}

async fn remove(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    ledger: &mut Ledger,
    planned: &mut Option<Published>,
    context: &Context,
) -> Result<(), Trouble> {
    let Some(class) = class else {
        return Err(Trouble::from(Problem::unresolved(
            Reason::ClassNotFound,
            "the class with the credentials for the account is gone. Create it again.",
        )));
    };
    let in_cloud = ledger
        .entries
        .keys()
        .any(|key| !matches!(key, ObjectKey::Service { .. }));
    let account = if in_cloud {
        Some(context.clouds.of(class).await?)
    } else {
        context.clouds.known(&class.name_any())
    };
    let mut removal = Removal {
        binding,
        class,
        account: account.as_deref(),
        context,
        approval: None,
    };
    if binding.spec.mode() == Mode::Apply {
        return removal.carry_out(ledger).await;
    }
    removal.ask(ledger, planned).await?;
    let result = removal.carry_out(ledger).await;
    if let Ok((plan, _)) = removal.judged(ledger).await {
        *planned = Some(plan);
    }
    result
}

struct Removal<'a> {
    binding: &'a GatewayBinding,
    class: &'a GatewayBindingClass,
    account: Option<&'a Account>,
    context: &'a Context,
    /// With it, nothing but what it covers is done.
    approval: Option<Approval>,
}

impl Removal<'_> {
    async fn carry_out(&self, ledger: &mut Ledger) -> Result<(), Trouble> {
        // First what is the binding's own: it waits for nobody.
        let mut plan = self.informed_plan(ledger).await?;
        plan.steps.retain(|step| !step.key.is_shared());
        self.ask_guard(&plan)?;
        self.execute(plan, ledger).await?;
        // Then, alone among the bindings of the class, what it shared: of several that go together
        // the last one sees that it is the last.
        let _alone = match self.account {
            Some(account) => Some(account.shared.lock().await),
            None => None,
        };
        for _ in 0..ROUNDS {
            let plan = self.informed_plan(ledger).await?;
            for key in &plan.released {
                ledger.entries.remove(key);
            }
            if plan.is_empty() {
                let problem = plan.problems.into_iter().next();
                return problem.map_or(Ok(()), |problem| Err(Trouble::from(problem)));
            }
            self.ask_guard(&plan)?;
            self.execute(plan, ledger).await?;
        }
        Ok(())
    }

    /// Whether it would be part of a mass change. A plan that a person approved is carried out.
    fn ask_guard(&self, plan: &Plan) -> Result<(), Trouble> {
        if self.approval.is_some() {
            return Ok(());
        }
        let class = self.class.name_any();
        let uid = self.binding.uid().unwrap_or_default();
        match self.context.guard.ask(&class, &uid, &guard::going(plan)) {
            Answer::Go => Ok(()),
            Answer::Later(left) => {
                let problem = Problem::waiting(Reason::Deleting, "more may be on its way out.");
                Err(Trouble {
                    retry_after: Some(left),
                    ..Trouble::from(problem)
                })
            }
            Answer::Held(things) => Err(Trouble::from(guard::problem(&things, &class))),
        }
    }

    /// `mode: Plan`: the removal goes on only if exactly it was approved, which is recorded first.
    async fn ask(
        &mut self,
        ledger: &Ledger,
        planned: &mut Option<Published>,
    ) -> Result<(), Trouble> {
        let (plan, verdict) = self.judged(ledger).await?;
        let steps = plan.steps.len();
        let plan = planned.insert(plan);
        let wanted = self.binding.spec.approved_plan.as_deref();
        let problem = match verdict {
            Verdict::Approved(approval) => {
                self.approval = Some(approval);
                plan.approval.clone_from(&self.approval);
                return self.record(plan).await;
            }
            // Nothing is to be removed: others use it, or it is gone.
            Verdict::Unapproved if steps == 0 => {
                self.approval = Some(Approval::default());
                return Ok(());
            }
            Verdict::Unapproved => approval::unapproved(steps, plan.hash.as_deref()),
            Verdict::Stale => approval::stale(wanted.unwrap_or_default()),
        };
        Err(Trouble::from(Problem::blocked(
            Reason::DeletionBlocked,
            problem.message,
        )))
    }

    /// What is planned, and whether it may be done.
    async fn judged(&self, ledger: &Ledger) -> Result<(Published, Verdict), Trouble> {
        let plan = self.informed_plan(ledger).await?;
        let inventory = match self.account {
            Some(account) => account.gateway.snapshots.peek(),
            None => Arc::default(),
        };
        let basis = Basis {
            cluster: self.cluster(),
            place: approve::place(self.account),
            after: approve::completed(self.binding),
            deletion: true,
        };
        let hash = (!plan.is_empty()).then(|| approve::hash(&plan, &inventory, &basis));
        let verdict = approval::judge(
            self.binding.spec.approved_plan.as_deref(),
            approve::published(self.binding),
            &plan.steps,
            hash.as_deref(),
        );
        let planned = Published {
            hash,
            steps: plan.steps,
            approval: self
                .approval
                .clone()
                .filter(|approval| !approval.is_empty()),
            completed: approve::completed(self.binding).map(str::to_owned),
            ..Published::default()
        };
        Ok((planned, verdict))
    }

    async fn record(&self, plan: &Published) -> Result<(), Trouble> {
        let mut status = self.binding.status.clone().unwrap_or_default();
        status.plan = Some(plan.status());
        if self.binding.status.as_ref() != Some(&status) {
            write_status(self.binding, &status, self.context).await?;
        }
        Ok(())
    }

    fn name(&self) -> NamespacedName {
        NamespacedName {
            namespace: self.binding.namespace().unwrap_or_default(),
            name: self.binding.name_any(),
        }
    }

    fn cluster(&self) -> &str {
        self.class
            .spec
            .cloud
            .as_ref()
            .map_or("", |cloud| cloud.cluster_id.as_str())
    }

    /// The plan, once all it depends on has been read.
    async fn informed_plan(&self, ledger: &Ledger) -> Result<Plan, Trouble> {
        let plan = self.plan(ledger).await?;
        let Some(account) = self.account.filter(|_| !plan.unread.is_empty()) else {
            return Ok(plan);
        };
        let inventory = account.gateway.snapshots.peek();
        for api in plan.unread.iter().filter_map(|id| inventory.apis.get(id)) {
            account.gateway.gateway.read_api(api).await?;
        }
        self.plan(ledger).await
    }

    async fn plan(&self, ledger: &Ledger) -> Result<Plan, Trouble> {
        if let Some(account) = self.account {
            account.gateway.snapshots.watch(watched(&[], ledger));
        }
        let inventory = match self.account {
            None => None,
            Some(account) => Some(
                account
                    .gateway
                    .snapshots
                    .get(Duration::from_secs(60))
                    .await?,
            ),
        };
        let binding = self.name();
        let places = ledger.entries.keys().filter_map(|key| match key {
            ObjectKey::Service { namespace, name } => Some((namespace.clone(), name.clone())),
            _ => None,
        });
        let services = dereference::services(self.context, self.cluster(), places);
        let class_owner = class_owner(&self.class.name_any());
        let world = World {
            cluster: self.cluster(),
            owner: &owner(&binding),
            class_owner: Some(&class_owner),
            inventory: inventory.as_deref(),
            services: &services,
            in_use: &|key| self.context.peers.in_use(key, &binding),
            is_live: &|owner| self.context.peers.is_live(owner),
        };
        Ok(plan::plan(&[], ledger, &world))
    }

    async fn execute(&self, plan: Plan, ledger: &mut Ledger) -> Result<(), Trouble> {
        if let Some(approval) = &self.approval {
            approval.check(&plan.steps).map_err(|stale| {
                Trouble::from(Problem::blocked(Reason::DeletionBlocked, stale.message))
            })?;
        }
        let marker = |owner: String| Marker {
            cluster: self.cluster().to_owned(),
            owner,
        };
        let class = self.class.name_any();
        let mut executor = Executor {
            context: self.context,
            account: self.account,
            owner: marker(owner(&self.name())),
            shared_owner: marker(class_owner(&class)),
            class: &class,
            ids: plan.ids,
        };
        for step in &plan.steps {
            executor.execute(step).await?;
            if let Some(thing) = Thing::of(&step.key).filter(|_| self.approval.is_none()) {
                self.context.guard.went(&class, &thing);
            }
            // A Service is gone when it is seen to be gone.
            if !matches!(step.key, ObjectKey::Service { .. }) {
                ledger.entries.remove(&step.key);
            }
        }
        Ok(())
    }
}

/// Shows what is left and why.
async fn show(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    ledger: &Ledger,
    problem: &Problem,
    plan: Option<&Published>,
    context: &Context,
) {
    let mut status = binding.status.clone().unwrap_or_default();
    status.ledger = ledger.write();
    // With the ledger, which class holds the credentials to what it names.
    let class = class.map(ResourceExt::name_any);
    status.class_name = status.class_name.or(class);
    if binding.spec.mode() == Mode::Plan {
        status.plan = plan.map(Published::status).or(status.plan);
    } else {
        status.plan = None;
    }
    let now = Timestamp::now();
    let generation = binding.metadata.generation;
    let update = |type_, status| ConditionUpdate {
        type_,
        status,
        reason: problem.reason,
        message: problem.message.clone(),
    };
    let conditions = &mut status.conditions;
    set_condition(
        conditions,
        update(ConditionType::Ready, ConditionStatus::False),
        generation,
        now,
    );
    let (shown, hidden) = if problem.severity == Severity::Terminal {
        (ConditionType::Stalled, ConditionType::Reconciling)
    } else {
        (ConditionType::Reconciling, ConditionType::Stalled)
    };
    set_condition(
        conditions,
        update(shown, ConditionStatus::True),
        generation,
        now,
    );
    crds::v1alpha1::remove_condition(conditions, hidden);
    if binding.status.as_ref() != Some(&status)
        && let Err(trouble) = write_status(binding, &status, context).await
    {
        tracing::warn!(message = trouble.problem.message, "status not written");
    }
}

pub(super) async fn let_go(binding: &GatewayBinding, context: &Context) -> Ended {
    if let Err(trouble) = writes::let_go(&api(binding, context), binding, context).await {
        return retry(&trouble);
    }
    if let Some(uid) = binding.uid() {
        context.forget(&uid);
        context.runtime.events.forget(&uid);
    }
    let key = BackoffKey::of(KIND, binding);
    context.runtime.metrics.object_gone(&key);
    Ended::Done
}

/// Adds our finalizer, before anything is claimed.
pub(super) async fn add_finalizer(
    binding: &GatewayBinding,
    context: &Context,
) -> Result<(), Trouble> {
    if let Some(written) = writes::hold(&api(binding, context), binding, context).await? {
        context.peers.update(&written);
        context.begin(&written);
        context.bindings.wrote(written);
    }
    Ok(())
}
