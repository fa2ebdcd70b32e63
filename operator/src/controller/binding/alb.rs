//! Bindings whose gateway is an ALB. What serves the requests is made for the Knative Ingress by the
//! layer of Knative on ALB; a binding moves its Knative Service to that layer, and tells how far it is.

use std::sync::Arc;
use std::time::Duration;

use crds::v1alpha1::{
    GatewayBinding, GatewayBindingClass, GatewayBindingStatus, LedgerEntry, Mode, NamespacedName,
    PlanStep, Reason,
};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;

use super::alb_look::{annotations, no_service, standing_of};
use super::alb_removal::finalize;
use super::approve::completed;
use super::conclude::{begun, conclude};
use super::finalize::add_finalizer;
use super::knative_service::{apply, get, is_ours, put_back};
use super::report::write_status;
use super::retry;
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
use crate::core::problem::Problem;

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
        let mut status = begun(&self.binding, self.class.name_any());
        status.ledger = self.ledger;
        if let Some(planned) = self.plan {
            let own = [
                Reason::PlanOnly,
                Reason::ApprovalStale,
                Reason::DeletionBlocked,
            ];
            let problems = self.problems.iter();
            let problems = problems.filter(|problem| !own.contains(&problem.reason));
            let blockers = problems.map(|problem| problem.message.clone());
            status.plan = Some(plan::status(planned, blockers.collect()));
        }
        if let Some(valid) = &self.valid {
            status.gateway = Some(valid.gateway.clone());
            status.address = self.address.or(status.address);
        }
        conclude(&self.binding, status, &self.problems, "", self.context).await
    }
}

/// Tells why a binding on its way out cannot go, with what is planned for that.
pub(super) async fn blocked(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClass>,
    problem: Problem,
    plan: Option<Planned>,
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
        plan,
    };
    pass.publish().await
}
