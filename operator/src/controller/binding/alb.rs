//! Bindings whose gateway is an ALB. What serves the requests is made for the Knative Ingress by the
//! layer of Knative on ALB; a binding moves its Knative Service to that layer, and tells how far it is.

use std::sync::Arc;
use std::time::Duration;

use crds::keys;
use crds::v1alpha1::{
    ConditionType, DeletionPolicy, GatewayBinding, GatewayBindingClass, GatewayBindingStatus,
    LedgerEntry, Mode, NamespacedName, PlanStep, Reason,
};
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::alb_look::{annotations, no_service, standing_of};
use super::approve::completed;
use super::finalize::{add_finalizer, let_go};
use super::knative_service::{apply, get, is_ours, put_back};
use super::report::write_status;
use super::{KIND, ended, retry};
use crate::backoff::ObjectKey as BackoffKey;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::{class, writes};
use crate::core::alb::binding::{
    AlbBinding, alb_of, claim, entry, heard, is_of_another_gateway, moved, validate,
};
use crate::core::alb::kingress::CLASS_OF_SERVICE;
use crate::core::alb::plan::{self, Planned, Verdict};
use crate::core::approval;
use crate::core::conditions::{Standing, judge};
use crate::core::problem::Problem;
use crate::metrics::ConditionState;

/// How soon something that is just coming is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

/// One pass over a binding that has to do with an ALB, or had.
pub(super) async fn reconcile(
    binding: Arc<GatewayBinding>,
    class: Option<GatewayBindingClass>,
    context: &Context,
) -> Ended {
    if binding.metadata.deletion_timestamp.is_some() {
        return finalize(&binding, class.as_ref(), context).await;
    }
    let Some(class) = class else {
        return Ended::Done;
    };
    if !writes::is_held(&*binding) {
        return match add_finalizer(&binding, context).await {
            Ok(()) => Ended::Done,
            Err(trouble) => retry(&trouble),
        };
    }
    let mut pass = Pass {
        ledger: binding
            .status
            .iter()
            .flat_map(|status| status.ledger.clone())
            .collect(),
        binding,
        class,
        context,
        valid: None,
        problems: Vec::new(),
        address: None,
        plan: None,
    };
    if alb_of(&pass.binding, &pass.class).is_none() {
        return pass.leave().await;
    }
    // After a start nothing is told of what is only not known yet.
    if !context.alb.is_known() {
        return Ended::Later(AGAIN);
    }
    match pass.valid() {
        Ok(valid) => {
            pass.valid = Some(valid.clone());
            if let Err(trouble) = pass.act(&valid).await {
                pass.problems.push(trouble.problem);
            }
        }
        Err(problem) => pass.problems.push(problem),
    }
    pass.publish().await
}

struct Pass<'a> {
    binding: Arc<GatewayBinding>,
    class: GatewayBindingClass,
    context: &'a Context,
    valid: Option<AlbBinding>,
    ledger: Vec<LedgerEntry>,
    problems: Vec<Problem>,
    address: Option<String>,
    plan: Option<Planned>,
}

impl Pass<'_> {
    fn valid(&self) -> Result<AlbBinding, Problem> {
        let namespace = self.binding.namespace().unwrap_or_default();
        let labels = self.context.stores.namespace_labels(&namespace);
        let valid = validate(&self.binding, &self.class, &labels)?;
        if let Some(entry) = self
            .ledger
            .iter()
            .find(|entry| is_of_another_gateway(entry))
        {
            return Err(Problem::rejected(
                Reason::Immutable,
                format!(
                    "spec.gateway: the binding still has {} of another kind of gateway. Delete the binding and make a new one for gateway \"{}\".",
                    entry.key, valid.gateway
                ),
            ));
        }
        Ok(valid)
    }

    async fn act(&mut self, valid: &AlbBinding) -> Result<(), Trouble> {
        if valid.mode == Mode::Suspend {
            let words =
                "spec.mode is Suspend: nothing is read or written. What was in place stays.";
            let problem = Problem::blocked(Reason::Suspended, words);
            self.problems.push(problem.waiting_for_a_person());
            return Ok(());
        }
        if valid.mode == Mode::Plan && !self.is_approved(valid).await? {
            return Ok(());
        }
        class::hold(&self.class, self.context).await?;
        for other in moved(&self.binding) {
            if other != valid.service {
                put_back(&other, self.context).await?;
                let gone = entry(&other).key;
                self.ledger.retain(|entry| entry.key != gone);
            }
        }
        self.claim(valid).await?;
        self.move_service(valid).await?;
        if let Some(problem) = self.overruled(valid) {
            self.problems.push(problem);
        }
        self.look(valid);
        self.conclude_plan(valid).await
    }

    /// Plans, and tells whether just that is approved.
    async fn is_approved(&mut self, valid: &AlbBinding) -> Result<bool, Trouble> {
        let steps = self.planned(valid).await?;
        let completed = completed(&self.binding).map(str::to_owned);
        let hash = plan::hash(valid, &self.binding, completed.as_deref());
        let approved = self.binding.spec.approved_plan.clone();
        let verdict = plan::judge(
            approved.as_deref(),
            completed.as_deref(),
            &hash,
            steps.len(),
        );
        match (verdict, &approved) {
            // What stands in the way is found out anew.
            (Verdict::Approved, _) => self.problems.clear(),
            (Verdict::Stale, Some(approved)) => self.problems.push(approval::stale(approved)),
            _ if steps.is_empty() => self.look(valid),
            _ => self
                .problems
                .push(approval::unapproved(steps.len(), Some(&hash))),
        }
        self.plan = Some(Planned {
            steps,
            hash: Some(hash),
            completed,
        });
        Ok(verdict == Verdict::Approved)
    }

    /// What is left of an approved plan after it was carried out as far as that goes.
    async fn conclude_plan(&mut self, valid: &AlbBinding) -> Result<(), Trouble> {
        let Some(planned) = self.plan.take() else {
            return Ok(());
        };
        let found = annotations(valid, &self.binding, self.context).await?;
        let of = |service: &NamespacedName| found.get(service).cloned().unwrap_or_default();
        let steps = plan::steps(valid, &self.binding, of);
        let done = steps.is_empty();
        self.plan = Some(Planned {
            completed: if done {
                planned.hash.clone()
            } else {
                planned.completed
            },
            steps,
            hash: planned.hash,
        });
        Ok(())
    }

    /// What would be written.
    async fn planned(&mut self, valid: &AlbBinding) -> Result<Vec<PlanStep>, Trouble> {
        let found = annotations(valid, &self.binding, self.context).await?;
        if !found.contains_key(&valid.service) {
            self.problems.push(no_service(&valid.service));
        }
        let of = |service: &NamespacedName| found.get(service).cloned().unwrap_or_default();
        Ok(plan::steps(valid, &self.binding, of))
    }

    /// What is written is in the ledger before it is written.
    async fn claim(&mut self, valid: &AlbBinding) -> Result<(), Trouble> {
        let claimed = claim(&valid.service, &self.binding);
        if self.ledger.contains(&claimed) {
            return Ok(());
        }
        self.ledger.retain(|entry| entry.key != claimed.key);
        self.ledger.push(claimed);
        self.ledger.sort_by(|a, b| a.key.cmp(&b.key));
        let status = GatewayBindingStatus {
            class_name: Some(self.class.name_any()),
            gateway: Some(valid.gateway.clone()),
            ledger: self.ledger.clone(),
            ..self.binding.status.clone().unwrap_or_default()
        };
        self.binding = write_status(&self.binding, &status, self.context).await?;
        Ok(())
    }

    /// Moves the Knative Service to the ingress class, unless it is there.
    async fn move_service(&mut self, valid: &AlbBinding) -> Result<(), Trouble> {
        let service = &valid.service;
        let Some(found) = get(service, self.context).await? else {
            self.problems.push(no_service(service));
            return Ok(());
        };
        let wanted = &valid.ingress_class;
        if found.annotations().get(CLASS_OF_SERVICE) == Some(wanted) && is_ours(&found) {
            return Ok(());
        }
        let annotations = json!({CLASS_OF_SERVICE: wanted});
        apply(&found, annotations, false, self.context).await
    }

    /// Another binding for the same Knative Service has the say.
    fn overruled(&self, valid: &AlbBinding) -> Option<Problem> {
        let bindings = self.context.stores.bindings.state();
        let rivals = bindings.iter().map(AsRef::as_ref).filter(|other| {
            other.namespace() == self.binding.namespace()
                && other.spec.service_ref == self.binding.spec.service_ref
                && moved(other).contains(&valid.service)
                && other.metadata.deletion_timestamp.is_none()
        });
        let first = heard(rivals.chain([&*self.binding]))?;
        (first.metadata.uid != self.binding.metadata.uid).then(|| {
            Problem::blocked(
                Reason::Conflict,
                format!(
                    "GatewayBinding {}/{} is older and for the same Knative Service, so its alb block is what holds. Delete one of them.",
                    valid.service.namespace,
                    first.name_any()
                ),
            )
        })
    }

    /// How far the Knative Ingress is.
    fn look(&mut self, valid: &AlbBinding) {
        let service = &valid.service;
        let reference = ObjectRef::new(&service.name).within(&service.namespace);
        let ingresses = &self.context.alb.kingresses;
        let found = ingresses.get(&reference);
        let found = found.map(|stored| self.context.alb.reported.newest(stored));
        let waiting = |words: String| Problem::waiting(Reason::WaitingForIngress, words);
        let problem = match found {
            None => Some(waiting(format!(
                "Knative has made no Ingress for Knative Service {service} yet. Look at the Knative Service if it stays so."
            ))),
            Some(found) if found.class() != Some(&valid.ingress_class) => Some(waiting(format!(
                "Knative has not moved the Ingress of Knative Service {service} to class {} yet.",
                valid.ingress_class
            ))),
            Some(found) => {
                self.address = found.address().map(str::to_owned);
                (!found.is_ready()).then(|| standing_of(&found))
            }
        };
        self.problems.extend(problem);
    }

    /// The gateway is no ALB any more: the Knative Service is put back, and the next pass is about
    /// what the gateway is now.
    async fn leave(mut self) -> Ended {
        for service in moved(&self.binding) {
            if let Err(trouble) = put_back(&service, self.context).await {
                self.problems.push(trouble.problem);
                return self.publish().await;
            }
            let gone = entry(&service).key;
            self.ledger.retain(|entry| entry.key != gone);
        }
        let status = GatewayBindingStatus {
            ledger: self.ledger.clone(),
            address: None,
            ..self.binding.status.clone().unwrap_or_default()
        };
        match write_status(&self.binding, &status, self.context).await {
            Ok(_) => Ended::Later(AGAIN),
            Err(trouble) => retry(&trouble),
        }
    }

    async fn publish(self) -> Ended {
        let before = self.binding.status.clone().unwrap_or_default();
        let mut status = GatewayBindingStatus {
            observed_generation: self.binding.metadata.generation,
            class_name: Some(self.class.name_any()),
            ledger: self.ledger,
            conditions: before.conditions.clone(),
            gateway: before.gateway.clone(),
            address: before.address.clone(),
            ..GatewayBindingStatus::default()
        };
        if let Some(planned) = self.plan {
            let own = [Reason::PlanOnly, Reason::ApprovalStale];
            let problems = self.problems.iter();
            let problems = problems.filter(|problem| !own.contains(&problem.reason));
            let blockers = problems.map(|problem| problem.message.clone());
            status.plan = Some(plan::status(planned, blockers.collect()));
        }
        if let Some(valid) = &self.valid {
            status.gateway = Some(valid.gateway.clone());
            status.address = self.address.or(status.address);
        }
        let standing = Standing {
            generation: self.binding.metadata.generation,
            now: Timestamp::now(),
            problems: &self.problems,
            programmed: judge(
                ConditionType::Programmed,
                Reason::Programmed,
                &self.problems,
            ),
            note: "",
        };
        standing.write(&mut status.conditions);
        let runtime = &self.context.runtime;
        let regarding = self.binding.object_ref(&());
        runtime
            .events
            .transitions(&regarding, &before.conditions, &status.conditions);
        let conditions = status.conditions.iter().map(|condition| ConditionState {
            condition: condition.type_.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
        });
        let key = BackoffKey::of(KIND, &*self.binding);
        runtime.metrics.object(&key, conditions);
        if self.binding.status.as_ref() != Some(&status)
            && let Err(trouble) = write_status(&self.binding, &status, self.context).await
        {
            return retry(&trouble);
        }
        ended(&self.problems, None, None, None)
    }
}

/// Puts the Knative Service back, then lets the binding go.
async fn finalize(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    context: &Context,
) -> Ended {
    if !writes::is_held(binding) {
        return Ended::Done;
    }
    let spec = class.map(|class| &class.spec);
    let retained = binding.spec.deletion_policy(spec) == DeletionPolicy::Retain;
    let detached = binding.annotations().get(keys::DETACH);
    if retained || detached.is_some_and(|value| value == "true") {
        return let_go(binding, context).await;
    }
    if binding.spec.mode() == Mode::Suspend {
        let words = "spec.mode is Suspend, so nothing is removed. Set mode: Apply, or deletionPolicy: Retain to leave everything in place.";
        let problem = Problem::blocked(Reason::DeletionBlocked, words);
        return blocked(binding, class, problem, context).await;
    }
    // What was written is told by the Knative Service itself, should the status be lost.
    let own = NamespacedName {
        namespace: binding.namespace().unwrap_or_default(),
        name: binding.spec.service_ref.name.clone(),
    };
    let mut services = moved(binding);
    if !services.contains(&own) {
        services.push(own);
    }
    if binding.spec.mode() == Mode::Plan {
        return match is_any_ours(&services, context).await {
            Ok(false) => let_go(binding, context).await,
            Ok(true) => {
                let words = "spec.mode is Plan, so the annotation of the Knative Service is not taken off. Set mode: Apply, or deletionPolicy: Retain to leave everything in place.";
                let problem = Problem::blocked(Reason::DeletionBlocked, words);
                blocked(binding, class, problem, context).await
            }
            Err(trouble) => retry(&trouble),
        };
    }
    for service in services {
        if is_moved_by_another(&service, binding, context) {
            continue;
        }
        if let Err(trouble) = put_back(&service, context).await {
            let problem = Problem {
                reason: Reason::DeletionBlocked,
                message: format!(
                    "{} To let the binding go and leave Knative Service {service} where it is, annotate it with {}: \"true\".",
                    trouble.problem.message,
                    keys::DETACH
                ),
                ..trouble.problem
            };
            return blocked(binding, class, problem, context).await;
        }
    }
    let_go(binding, context).await
}

async fn is_any_ours(services: &[NamespacedName], context: &Context) -> Result<bool, Trouble> {
    for service in services {
        if get(service, context)
            .await?
            .is_some_and(|found| is_ours(&found))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn blocked(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    problem: Problem,
    context: &Context,
) -> Ended {
    let Some(class) = class else {
        tracing::warn!(message = problem.message, "binding cannot be let go");
        return Ended::Waiting;
    };
    let pass = Pass {
        ledger: binding
            .status
            .iter()
            .flat_map(|status| status.ledger.clone())
            .collect(),
        binding: Arc::new(binding.clone()),
        class: class.clone(),
        context,
        valid: None,
        problems: vec![problem],
        address: None,
        plan: None,
    };
    pass.publish().await
}

/// Whether another binding wants a Knative Service where this one moved it.
fn is_moved_by_another(
    service: &NamespacedName,
    binding: &GatewayBinding,
    context: &Context,
) -> bool {
    let bindings = context.stores.bindings.state();
    bindings.iter().any(|other| {
        other.metadata.uid != binding.metadata.uid
            && other.metadata.deletion_timestamp.is_none()
            && moved(other).contains(service)
    })
}
