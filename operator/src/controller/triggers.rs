//! Which objects a change concerns, and the queues they are put into.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, GatewayConsumer, Reason, ServiceKind};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::ResourceExt;
use kube::api::{DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;

use super::alb::signals::{Signal, Signals};
use super::guard::Guard;
use super::higress::wakes::Wakes;
use super::latest::Latest;
use super::line::Lane;
use super::orphans::Fates;
use super::peers::Peers;
use super::queue::Asker;
use super::relations::{class_of, consumers, leftovers, named};
use super::stores::{Seen, Stores, fingerprint};
use crate::core::consumer::name_of;
use crate::core::knative::turn::has_written;

/// What keeps those who use a class from its account, and is first seen to pass by the class.
const WAITING_FOR_CLASS: [Reason; 5] = [
    Reason::ClassNotReady,
    Reason::CredentialsInvalid,
    Reason::AccountMismatch,
    Reason::SecretNotFound,
    Reason::SecretInvalid,
];

/// The queues of the controllers.
#[derive(Clone)]
pub struct Queues {
    /// Of bindings.
    pub bindings: Asker<GatewayBinding>,
    /// Of consumers.
    pub consumers: Asker<GatewayConsumer>,
    /// Of classes.
    pub classes: Asker<GatewayBindingClass>,
    /// Of the layer on ALB.
    pub alb: Signals,
    /// Of the rules in Higress.
    pub higress: Wakes,
}

/// What this process wrote and stores may not have yet. Clones share it.
#[derive(Clone, Default)]
pub struct Written {
    /// Bindings.
    pub bindings: Latest<GatewayBinding>,
    /// Services.
    pub services: Latest<Service>,
}

/// Fills the queues with what a change concerns. Clones share what was seen.
#[derive(Clone)]
pub struct Triggers {
    stores: Stores,
    peers: Peers,
    guard: Guard,
    written: Written,
    fates: Fates,
    queues: Queues,
    seen: Arc<Mutex<HashMap<String, u64>>>,
    uses: Arc<Mutex<HashMap<String, u64>>>,
}

impl Triggers {
    /// Triggers that look relations up in `stores` and keep `peers` and `fates` up to date.
    pub fn new(
        stores: Stores,
        peers: Peers,
        guard: Guard,
        written: Written,
        fates: Fates,
        queues: Queues,
    ) -> Self {
        Self {
            stores,
            peers,
            guard,
            written,
            fates,
            queues,
            seen: Arc::default(),
            uses: Arc::default(),
        }
    }

    /// A binding was seen.
    pub fn binding(&self, seen: Seen<'_, GatewayBinding>) {
        match seen {
            Seen::NoSuchKind => {}
            Seen::Listed => {
                self.fates.clear();
                self.peers.rebuild();
                for binding in self.stores.bindings.state() {
                    self.queues.higress.binding(&binding);
                }
                self.check_bindings();
                self.check_consumers();
                self.check_classes();
            }
            Seen::Changed(binding) => {
                self.written.bindings.caught_up(binding);
                self.peers.update(binding);
                if self.is_news(binding) {
                    self.request_binding(binding);
                    self.losers_of(binding);
                    self.tell_alb(binding);
                }
                if self.is_used_otherwise(binding) {
                    self.related_to(binding);
                }
            }
            Seen::Gone(binding) => {
                let class = class_of(binding).map(ObjectRef::new);
                let class = class.and_then(|class| self.stores.classes.get(&class));
                let class = class.as_ref().map(|class| &class.spec);
                self.fates.binding_gone(binding, class);
                self.forget(binding);
                self.peers.remove(&binding.uid().unwrap_or_default());
                self.losers_of(binding);
                self.heirs_of(binding);
                self.related_to(binding);
                self.tell_alb(binding);
                self.queues.higress.binding(binding);
            }
        }
    }

    /// A class was seen.
    pub fn class(&self, seen: Seen<'_, GatewayBindingClass>) {
        let class = match seen {
            Seen::NoSuchKind => return,
            Seen::Listed => {
                for class in self.stores.classes.state() {
                    self.guard.class(&class);
                    self.queues.higress.class(&class);
                }
                self.guard_consumers();
                self.peers.rebuild();
                self.check_classes();
                self.check_bindings();
                self.queues.alb.tell(Signal::Classes);
                return;
            }
            Seen::Changed(class) => class,
            Seen::Gone(class) => {
                self.queues.alb.tell(Signal::Classes);
                self.queues.higress.class(class);
                self.rivals_of(class);
                self.forget(class);
                self.guard.class_gone(&class.name_any());
                self.peers.rebuild();
                self.bindings_where(|_| true);
                return;
            }
        };
        let guarded = self.guard.class(class);
        if guarded.moved {
            self.guard_consumers();
        }
        self.queues.classes.edited(ObjectRef::from_obj(class));
        self.rivals_of(class);
        if self.is_news(class) {
            self.queues.alb.tell(Signal::Classes);
            self.queues.higress.class(class);
            // A binding that found no class, or several defaults, may find one now.
            let name = class.name_any();
            let concerned =
                |binding: &GatewayBinding| class_of(binding).is_none_or(|other| other == name);
            self.peers.update_where(concerned);
            self.bindings_where(concerned);
            for consumer in self.stores.consumers.state() {
                self.queues
                    .consumers
                    .edited(ObjectRef::from_obj(&*consumer));
            }
        } else {
            let name = class.name_any();
            let released = guarded.released.then_some(Reason::MassChangeHeld);
            let awaited: Vec<Reason> = WAITING_FOR_CLASS.into_iter().chain(released).collect();
            self.bindings_where(|binding| {
                class_of(binding) == Some(&name)
                    && awaited.iter().any(|reason| waits_for(binding, *reason))
            });
            let stuck = |consumer: &GatewayConsumer| {
                let conditions = consumer.status.iter().flat_map(|status| &status.conditions);
                let mut reasons = conditions.map(|condition| condition.reason.as_str());
                reasons.any(|reason| awaited.iter().any(|one| one.as_str() == reason))
            };
            for consumer in self.stores.consumers.state() {
                if stuck(&consumer) {
                    self.queues.consumers.check(ObjectRef::from_obj(&*consumer));
                }
            }
        }
    }

    /// A consumer was seen.
    pub fn consumer(&self, seen: Seen<'_, GatewayConsumer>) {
        match seen {
            Seen::NoSuchKind => {}
            Seen::Listed => {
                self.fates.clear();
                self.guard_consumers();
                self.check_consumers();
                self.check_bindings();
            }
            Seen::Changed(consumer) => {
                self.guard.consumer(consumer);
                if self.is_news(consumer) {
                    self.queues.consumers.edited(ObjectRef::from_obj(consumer));
                    self.losing_consumers();
                    self.queues.higress.ask_all();
                }
                self.users_of(consumer);
            }
            Seen::Gone(consumer) => {
                self.fates.consumer_gone(consumer);
                self.guard.gone(&consumer.uid().unwrap_or_default());
                self.forget(consumer);
                self.losing_consumers();
                self.users_of(consumer);
                self.queues.higress.ask_all();
                self.check_classes();
            }
        }
    }

    /// A Service was seen. It matters if it is a gateway's, or what one is made from, or exposed
    /// itself.
    pub fn service(&self, seen: Seen<'_, Service>) {
        let service = match seen {
            Seen::NoSuchKind => return,
            Seen::Listed => {
                self.written.services.clear();
                return self.check_bindings();
            }
            Seen::Changed(service) => service,
            Seen::Gone(service) => {
                self.written
                    .services
                    .forget(&service.uid().unwrap_or_default());
                service
            }
        };
        let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
        self.queues.alb.tell(Signal::Service {
            namespace: namespace.clone(),
        });
        for class in self.stores.classes.state() {
            let concerned = class.spec.gateways.iter().flatten().any(|gateway| {
                let higress = gateway.higress.as_ref();
                let is_higress = higress.is_some_and(|higress| {
                    higress.namespace == namespace && higress.service() == name
                });
                if is_higress {
                    self.queues.higress.ask(&namespace);
                }
                is_higress
                    || gateway.shared_service().is_some_and(|service| {
                        let source = service.create_from.as_ref();
                        service.namespace == namespace
                            && (service.name == name
                                || source.is_some_and(|source| source.name == name))
                    })
            });
            if concerned {
                let class = class.name_any();
                self.bindings_where(|binding| class_of(binding).is_none_or(|other| other == class));
            }
        }
        self.bindings_where(|binding| {
            let target = &binding.spec.service_ref;
            target.kind == ServiceKind::Service
                && target.name == name
                && binding.namespace().as_ref() == Some(&namespace)
        });
    }

    /// A namespace was seen: its labels decide what its bindings may use.
    pub fn namespace(&self, seen: Seen<'_, PartialObjectMeta<Namespace>>) {
        match seen {
            Seen::NoSuchKind => {}
            Seen::Listed => {
                self.peers.rebuild();
                self.check_bindings();
            }
            Seen::Changed(namespace) => {
                if self.is_news(namespace) {
                    let name = namespace.name_any();
                    self.peers
                        .update_where(|binding| binding.namespace().as_ref() == Some(&name));
                    self.bindings_where(|binding| binding.namespace().as_ref() == Some(&name));
                    self.queues.higress.ask_all();
                }
            }
            Seen::Gone(namespace) => self.forget(namespace),
        }
    }

    /// A Knative Route was seen.
    pub fn route(&self, seen: Seen<'_, DynamicObject>) {
        match seen {
            Seen::NoSuchKind => {}
            Seen::Listed => self.check_bindings(),
            Seen::Changed(route) | Seen::Gone(route) => self.bindings_where(|binding| {
                binding.namespace() == route.namespace()
                    && binding.spec.service_ref.name == route.name_any()
            }),
        }
    }

    fn tell_alb(&self, binding: &GatewayBinding) {
        let alb = binding.spec.alb.as_ref();
        if alb.is_some_and(|alb| alb.zone_mappings.is_some()) {
            self.queues.alb.tell(Signal::Vswitches);
        }
        self.queues.alb.tell(Signal::Binding {
            namespace: binding.namespace().unwrap_or_default(),
            service: binding.spec.service_ref.name.clone(),
        });
    }

    fn request_binding(&self, binding: &GatewayBinding) {
        self.queues.bindings.edited(ObjectRef::from_obj(binding));
    }

    fn bindings_where(&self, concerned: impl Fn(&GatewayBinding) -> bool) {
        for binding in self.stores.bindings.state() {
            if concerned(&binding) {
                self.request_binding(&binding);
            }
        }
    }

    /// After a list, everything is looked at: what was edited meanwhile first.
    fn check_bindings(&self) {
        for binding in self.stores.bindings.state() {
            let observed = binding.status.as_ref();
            let observed = observed.and_then(|status| status.observed_generation);
            let lane = lane(&*binding, observed);
            self.queues
                .bindings
                .ask(ObjectRef::from_obj(&*binding), lane);
        }
    }

    /// Consumers that may not adopt an app, since another one has it: they may get it now.
    fn losing_consumers(&self) {
        for consumer in self.stores.consumers.state() {
            let conditions = consumer.status.iter().flat_map(|status| &status.conditions);
            let waits = conditions
                .into_iter()
                .any(|condition| condition.reason == Reason::NotAdoptable.as_str());
            if waits {
                self.queues
                    .consumers
                    .edited(ObjectRef::from_obj(&*consumer));
            }
        }
    }

    fn check_consumers(&self) {
        for consumer in self.stores.consumers.state() {
            let observed = consumer.status.as_ref();
            let observed = observed.and_then(|status| status.observed_generation);
            let lane = lane(&*consumer, observed);
            self.queues
                .consumers
                .ask(ObjectRef::from_obj(&*consumer), lane);
        }
    }

    fn guard_consumers(&self) {
        for consumer in self.stores.consumers.state() {
            self.guard.consumer(&consumer);
        }
    }

    fn check_classes(&self) {
        for class in self.stores.classes.state() {
            self.queues.classes.check(ObjectRef::from_obj(&*class));
        }
    }

    /// Consumers that a binding names or named, and its class.
    fn related_to(&self, binding: &GatewayBinding) {
        for consumer in consumers(binding) {
            let consumer = ObjectRef::new(&consumer.name).within(&consumer.namespace);
            self.queues.consumers.edited(consumer);
        }
        if let Some(class) = class_of(binding) {
            self.queues.classes.edited(ObjectRef::new(class));
        }
    }

    /// Bindings that name or serve a consumer.
    fn users_of(&self, consumer: &GatewayConsumer) {
        self.edited(self.peers.of_consumer(&name_of(consumer)));
    }

    /// Bindings that another one keeps from what they want: they may get it now.
    fn losers_of(&self, binding: &GatewayBinding) {
        self.edited(self.peers.losers(class_of(binding)));
    }

    /// Other classes that want to switch Knative over: it may be their turn now.
    fn rivals_of(&self, class: &GatewayBindingClass) {
        for other in self.stores.classes.state() {
            let wants = other.spec.knative.is_some() || has_written(&other);
            if wants && other.name_any() != class.name_any() {
                self.queues.classes.edited(ObjectRef::from_obj(&*other));
            }
        }
    }

    /// One binding that shares the gateway of one that is gone: it brings the Service to what is
    /// left.
    fn heirs_of(&self, binding: &GatewayBinding) {
        let balancer = binding.status.as_ref();
        let balancer = balancer.and_then(|status| status.load_balancer.as_ref());
        let service = balancer.and_then(|balancer| balancer.service.as_ref());
        self.edited(service.and_then(|service| self.peers.heir(service)));
    }

    fn edited(&self, bindings: impl IntoIterator<Item = ObjectRef<GatewayBinding>>) {
        for binding in bindings {
            self.queues.bindings.edited(binding);
        }
    }

    /// Whether what a binding uses of consumers and class has changed: what it names, what it claims
    /// without naming it, whether it claims anything, and whether it is on its way out. The rest of its
    /// status concerns neither.
    fn is_used_otherwise(&self, binding: &GatewayBinding) -> bool {
        let Some(uid) = binding.uid() else {
            return true;
        };
        let mut hasher = DefaultHasher::new();
        let going = binding.metadata.deletion_timestamp.is_some();
        let status = binding.status.as_ref();
        let claims = status.is_some_and(|status| !status.ledger.is_empty());
        (going, claims, binding.is_carried_out()).hash(&mut hasher);
        class_of(binding).hash(&mut hasher);
        named(binding).for_each(|consumer| consumer.hash(&mut hasher));
        leftovers(binding).hash(&mut hasher);
        let use_of = hasher.finish();
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.insert(uid, use_of) != Some(use_of)
    }

    fn is_news<K: ResourceExt>(&self, object: &K) -> bool {
        let Some(uid) = object.uid() else { return true };
        let fingerprint = fingerprint(object);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(uid, fingerprint) != Some(fingerprint)
    }

    fn forget<K: ResourceExt>(&self, object: &K) {
        if let Some(uid) = object.uid() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.remove(&uid);
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            uses.remove(&uid);
        }
    }
}

/// Whether an object that is in a list was edited since it was last looked at.
fn lane(object: &impl ResourceExt, observed: Option<i64>) -> Lane {
    let meta = object.meta();
    if meta.deletion_timestamp.is_some() || meta.generation != observed {
        Lane::Edit
    } else {
        Lane::Check
    }
}

fn waits_for(binding: &GatewayBinding, reason: Reason) -> bool {
    let conditions = binding.status.iter().flat_map(|status| &status.conditions);
    conditions
        .into_iter()
        .any(|condition| condition.reason == reason.as_str())
}
