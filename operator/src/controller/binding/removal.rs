//! Takes away what a binding on its way out claimed.

use std::sync::Arc;
use std::time::Duration;

use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::Marker;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, Mode, NamespacedName, Reason};
use kube::ResourceExt;

use super::execute::Executor;
use super::report::write_status;
use super::{approve, dereference, hold};
use crate::controller::cloud::{Account, Trouble};
use crate::controller::context::Context;
use crate::core::adoption::watched;
use crate::core::approval::{self, Approval, Basis, Verdict};
use crate::core::guard::{self, Answer, Thing};
use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;
use crate::core::plan::{self, Plan, World};
use crate::core::problem::Problem;
use crate::core::published::Published;
use crate::core::validate::{class_owner, owner};

/// Plans that follow each other in one pass at the most.
const ROUNDS: usize = 4;

/// Removes what the ledger names, as far as that may be and goes now; what went is no longer in it.
/// `planned` gets what `mode: Plan` publishes.
pub(super) async fn remove(
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
    let account = if in_cloud(ledger) {
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

/// Whether anything of the API gateway is claimed.
fn in_cloud(ledger: &Ledger) -> bool {
    let mut claimed = ledger.entries.keys();
    claimed.any(|key| !matches!(key, ObjectKey::Service { .. }))
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
        let class = self.class.name_any();
        let held = hold::foresee(&plan, ledger, &class, &self.context.guard);
        let planned = Published {
            hash,
            steps: plan.steps,
            held: held.objects,
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
        // One that has nothing to do with the API gateway has no permission to look at it.
        let concerned = in_cloud(ledger) || self.binding.spec.api_gateway.is_some();
        let account = self.account.filter(|_| concerned);
        if let Some(account) = account {
            account.gateway.snapshots.watch(watched(&[], ledger));
        }
        let inventory = match account {
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
