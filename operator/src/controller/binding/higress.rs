//! What a binding asks of Higress: its rules go into its ledger, from there into the plugins' objects,
//! which all bindings share, and it tells how far they are.

use std::sync::Arc;

use crds::v1alpha1::{
    GatewayBinding, GatewayBindingClass, GatewayBindingStatus, HigressAdapter, HigressPlugin,
    LedgerEntry, Mode, NamespacedName, Reason,
};
use kube::api::ListParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use super::conclude::{begun, conclude};
use super::finalize::add_finalizer;
use super::report::write_status;
use super::retry;
use super::withdraw::has_namespace;
use crate::controller::cloud::{Trouble, refusal};
use crate::controller::context::Context;
use crate::controller::higress::state::{Settled, Standing as Known};
use crate::controller::higress::{Served, lack, scope, served};
use crate::controller::queue::Ended;
use crate::controller::stores::knative_route;
use crate::controller::{class, writes};
use crate::core::alb::kingress::KIngress;
use crate::core::consumer::lets_in;
use crate::core::higress::binding::{HigressBinding, validate};
use crate::core::higress::merge::Lost;
use crate::core::higress::record::{self, entry, systems};
use crate::core::higress::rule::{Part, Rule};
use crate::core::ledger::Ledger;
use crate::core::problem::Problem;

/// What has come of it.
pub(super) struct Told {
    /// The binding, with the ledger as it was written.
    pub binding: Arc<GatewayBinding>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// What `Ready` says while it is true.
    pub note: String,
    /// The binding as it is meant, if it is valid.
    pub valid: Option<HigressBinding>,
    /// Whether it is not known yet what is in force, and was before this process.
    pub unknown: bool,
}

/// One pass over a binding whose gateway is Higress alone.
pub(super) async fn reconcile(
    binding: Arc<GatewayBinding>,
    class: &GatewayBindingClass,
    context: &Context,
) -> Ended {
    if !writes::is_held(&*binding) {
        return match add_finalizer(&binding, context).await {
            Ok(()) => Ended::Done,
            Err(trouble) => retry(&trouble),
        };
    }
    let mut told = carry_out(binding, class, context).await;
    if told.unknown {
        return Ended::Waiting;
    }
    let leftover = Ledger::of(&told.binding).entries.into_keys().next();
    told.problems.extend(leftover.map(|key| {
        Problem::rejected(
            Reason::Immutable,
            format!(
                "spec.gateway: the binding still has {key} of another kind of gateway. Delete the binding and make a new one for this gateway."
            ),
        )
    }));
    publish(told, class, context).await
}

/// Writes what a binding asks of Higress into its ledger, and looks how far it is.
pub(super) async fn carry_out(
    binding: Arc<GatewayBinding>,
    class: &GatewayBindingClass,
    context: &Context,
) -> Told {
    let mut told = Told {
        binding,
        problems: Vec::new(),
        note: String::new(),
        valid: None,
        unknown: false,
    };
    if let Err(trouble) = told.pass(class, context).await {
        told.problems.push(trouble.problem);
    }
    told
}

impl Told {
    async fn pass(
        &mut self,
        class: &GatewayBindingClass,
        context: &Context,
    ) -> Result<(), Trouble> {
        let labels = context
            .stores
            .namespace_labels(&self.binding.namespace().unwrap_or_default());
        let valid = validate(&self.binding, class, &labels)?;
        self.valid.clone_from(&valid);
        if self.binding.spec.mode() == Mode::Suspend {
            let words = "spec.mode is Suspend: its rules in Higress stay as they are.";
            let problem = Problem::blocked(Reason::Suspended, words);
            self.problems.push(problem.waiting_for_a_person());
            return Ok(());
        }
        let Some(valid) = valid.filter(|valid| !valid.rules.is_empty()) else {
            return self.give_up(None, context).await;
        };
        if !context.higress.is_listed() {
            return self.unlisted(context).await;
        }
        class::hold(class, context).await?;
        let system = &valid.higress.namespace;
        let part = Part {
            scope: scope(&valid.service, system, &context.higress),
            rules: valid.rules.clone(),
        };
        let before = record::recorded(&self.binding, system);
        let claimed = before.as_ref() == Some(&part);
        self.write(system, Some(&part), class, context).await?;
        match context.higress.standing(system, &self.uid()) {
            None if !has_namespace(system, context) => {
                self.problems.extend(lack(&valid.higress, false, context));
            }
            None => {
                self.unknown = claimed && self.is_told();
                self.problems.push(being_written());
            }
            Some(Known { settled, problem }) => {
                let settled = settled.filter(|settled| settled.part.as_ref() == Some(&part));
                self.judge(&valid, settled.as_ref(), problem, context);
                if settled.is_some() {
                    self.give_up(Some(system), context).await?;
                }
            }
        }
        self.look(&valid, context);
        Ok(())
    }

    fn uid(&self) -> String {
        self.binding.uid().unwrap_or_default()
    }

    /// Whether its status is about what its spec is now.
    fn is_told(&self) -> bool {
        let status = self.binding.status.as_ref();
        let observed = status.and_then(|status| status.observed_generation);
        observed == self.binding.metadata.generation
    }

    /// What is in force, in the words of problems.
    fn judge(
        &mut self,
        valid: &HigressBinding,
        settled: Option<&Settled>,
        problem: Option<Problem>,
        context: &Context,
    ) {
        self.problems.extend(problem);
        let Some(settled) = settled else {
            self.problems.push(being_written());
            return;
        };
        self.problems.extend(settled.lost.iter().map(conflict));
        for rule in valid.rules.values() {
            let (Rule::Key(_, callers) | Rule::Pair(callers)) = rule else {
                continue;
            };
            self.note = clear_text(&valid.higress.namespace);
            let named = callers.allow.iter();
            let lacks = named.filter_map(|name| self.lack(name, settled, context));
            let lacks: Vec<Problem> = lacks.collect();
            self.problems.extend(lacks);
        }
    }

    /// Why a consumer is not let in although the binding allows it.
    fn lack(&self, name: &NamespacedName, settled: &Settled, context: &Context) -> Option<Problem> {
        let reference = ObjectRef::new(&name.name).within(&name.namespace);
        let namespace = self.binding.namespace().unwrap_or_default();
        let labels = context.stores.namespace_labels(&namespace);
        let path = format!("spec.higress.auth.consumer.allow[{}]", name.name);
        match context.stores.consumers.get(&reference) {
            None => Some(Problem::unresolved(
                Reason::ConsumerNotFound,
                format!(
                    "{path}: there is no GatewayConsumer {name}, so nobody is let in as it. Create it, or correct the name."
                ),
            )),
            Some(found) if !lets_in(&found, &namespace, &labels) => Some(Problem::unresolved(
                Reason::ConsumerNotAllowed,
                format!(
                    "{path}: GatewayConsumer {name} does not let this namespace use it. Its owner can, in its spec.allowedNamespaces."
                ),
            )),
            Some(_) if settled.mute.contains(name) => Some(Problem::unresolved(
                Reason::ConsumerNotReady,
                format!(
                    "{path}: GatewayConsumer {name} is disabled, or has no credential of the kind that is asked for, so nobody is let in as it. Its own conditions say more."
                ),
            )),
            Some(_) => None,
        }
    }

    /// The service that the rules are for.
    fn look(&mut self, valid: &HigressBinding, context: &Context) {
        let service = &valid.service;
        let route = ObjectRef::new_with(&service.name, knative_route()).within(&service.namespace);
        if context.stores.routes.get(&route).is_none() {
            self.problems.push(Problem::unresolved(
                Reason::ServiceNotFound,
                format!(
                    "spec.serviceRef: there is no Knative Service {service}. Create it, or correct the name."
                ),
            ));
            return;
        }
        if valid.higress.adapter == HigressAdapter::IstioCRDs {
            return;
        }
        match served(service, &context.higress) {
            Served::ByHigress => {}
            Served::NotYet => self.problems.push(Problem::unresolved(
                Reason::RouteNotReady,
                format!("Knative has made no Ingress for Knative Service {service} yet. Look at the Knative Service if it stays so."),
            )),
            Served::ByAnother(class) => self.problems.push(Problem::unresolved(
                Reason::ServiceInvalid,
                format!(
                    "Knative Service {service} is served by ingress class \"{class}\", where these rules are not in force. Switch Knative to Higress, or this one: kubectl annotate services.serving.knative.dev {} -n {} networking.knative.dev/ingress-class=higress.",
                    service.name, service.namespace
                ),
            )),
        }
    }

    /// Knative's Ingresses are not known yet, or may not be.
    async fn unlisted(&mut self, context: &Context) -> Result<(), Trouble> {
        let api: Api<KIngress> = Api::all(context.runtime.client.clone());
        match api.list(&ListParams::default().limit(1)).await {
            Err(error @ kube::Error::Api(_)) => {
                let refusal = refusal(&error, "the namespace of Higress to rbac.higressNamespaces");
                Err(Trouble::from(Problem::retry(
                    refusal.reason,
                    format!("Knative's Ingresses: {}", refusal.message),
                )))
            }
            _ => {
                self.unknown = self.is_told();
                self.problems.push(being_written());
                Ok(())
            }
        }
    }

    /// Takes its rules away from every Higress but one. An entry goes once the rules have gone.
    async fn give_up(&mut self, but: Option<&str>, context: &Context) -> Result<(), Trouble> {
        let others = systems(&self.binding).into_iter();
        let others: Vec<String> = others
            .filter(|system| Some(system.as_str()) != but)
            .collect();
        for system in others {
            let standing = context.higress.standing(&system, &self.uid());
            let settled = standing.and_then(|standing| standing.settled);
            let is_gone = settled.is_some_and(|settled| settled.part.is_none());
            if record::recorded(&self.binding, &system).is_none() && is_gone {
                self.save(&system, None, None, context).await?;
                continue;
            }
            let empty = entry(&system, None);
            self.save(&system, empty, None, context).await?;
            self.problems.push(Problem::waiting(
                Reason::Reconciling,
                format!("its rules are being taken away from Higress in {system}."),
            ));
        }
        Ok(())
    }

    async fn write(
        &mut self,
        system: &str,
        part: Option<&Part>,
        class: &GatewayBindingClass,
        context: &Context,
    ) -> Result<(), Trouble> {
        let Some(entry) = entry(system, part) else {
            return Err(Trouble::from(Problem::rejected(
                Reason::Unsupported,
                "spec.higress: its rules are too large to be remembered. Give fewer hosts to the service, or shorter key sets.",
            )));
        };
        self.save(system, Some(entry), Some(class), context).await
    }

    /// Writes an entry of the ledger, or takes it off, and has Higress look at it.
    async fn save(
        &mut self,
        system: &str,
        entry: Option<LedgerEntry>,
        class: Option<&GatewayBindingClass>,
        context: &Context,
    ) -> Result<(), Trouble> {
        let before = self.binding.status.clone().unwrap_or_default();
        let key = record::key(system);
        let mut ledger = before.ledger.clone();
        ledger.retain(|other| other.key != key);
        ledger.extend(entry);
        ledger.sort_by(|a, b| a.key.cmp(&b.key));
        if ledger == before.ledger {
            return Ok(());
        }
        let gateway = self.valid.as_ref().map(|valid| valid.gateway.clone());
        let status = GatewayBindingStatus {
            class_name: class
                .map(ResourceExt::name_any)
                .or(before.class_name.clone()),
            gateway: gateway.or(before.gateway.clone()),
            ledger,
            ..before
        };
        self.binding = write_status(&self.binding, &status, context).await?;
        context.higress.wakes.ask(system);
        Ok(())
    }
}

fn being_written() -> Problem {
    Problem::waiting(
        Reason::Pending,
        "its rules are being written to Higress, together with those of other bindings.",
    )
}

fn clear_text(system: &str) -> String {
    format!(
        "The credentials of its consumers are in clear text in WasmPlugins of namespace {system}, since Higress reads them nowhere else: let only those read WasmPlugins there who may call."
    )
}

fn conflict(lost: &Lost) -> Problem {
    let field = match lost.plugin {
        HigressPlugin::KeyAuth | HigressPlugin::BasicAuth | HigressPlugin::HmacAuth => {
            "auth.consumer"
        }
        HigressPlugin::JwtAuth => "auth.jwt",
        HigressPlugin::KeyRateLimit => "throttling",
        HigressPlugin::IpRestriction => "clientAddresses",
        HigressPlugin::Cors => "cors",
        HigressPlugin::RequestBlock => "blockedRequests",
        HigressPlugin::CustomResponse => "response",
    };
    Problem::blocked(
        Reason::Conflict,
        format!(
            "spec.higress.{field}: GatewayBinding {} is older and asks for something else for {}, so its word counts there. Remove the field from one of them, or ask for the same.",
            lost.holder,
            lost.scope.describe()
        ),
    )
}

/// Writes status if it differs, and tells events and metrics.
async fn publish(told: Told, class: &GatewayBindingClass, context: &Context) -> Ended {
    let mut status = begun(&told.binding, class.name_any());
    if let Some(valid) = &told.valid {
        status.gateway = Some(valid.gateway.clone());
        status.address = address(valid, context);
    }
    conclude(&told.binding, status, &told.problems, &told.note, context).await
}

/// Where Higress is reached.
fn address(valid: &HigressBinding, context: &Context) -> Option<String> {
    let higress = &valid.higress;
    let reference = ObjectRef::new(higress.service()).within(&higress.namespace);
    let service = context.stores.services.get(&reference)?;
    let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
    let first = balancer.ingress.as_ref()?.first()?;
    first.ip.clone().or_else(|| first.hostname.clone())
}
